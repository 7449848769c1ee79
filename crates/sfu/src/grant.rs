//! Who may do what: bearers that the relay hands out as tickets (wire.md §8).

use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use aws_lc_rs::digest;
use incamera_types::RoomId;
use zeroize::Zeroizing;

use crate::config::Limits;
use crate::error::SfuError;
use crate::pseudonym::Pseudonym;
use crate::random;

/// A request for a bearer.
#[derive(Clone, Debug)]
pub struct GrantRequest {
    /// The room; watching and publishing never cross it.
    pub room: RoomId,
    /// Random identity; also the id of the stream that its holder publishes, and with `-screen` behind it that of the
    /// holder's screen.
    pub identity: Pseudonym,
    /// What the holder may do.
    pub rights: Rights,
    /// How long the bearer opens and manages sessions. An established session lives on after it, until
    /// it is closed, idle or revoked.
    pub valid_for: Duration,
}

/// What the holder of a bearer may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Receive the room's streams.
    Watch,
    /// Receive, and publish a stream of audio and video and one of a screen.
    WatchAndPublish,
}

/// A bearer (RFC 6750): 256 random bits as hexadecimal digits. Whoever has it has its rights.
pub struct BearerSecret(Zeroizing<String>);

impl BearerSecret {
    /// The characters for an `Authorization: Bearer` header or a ticket.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// The holder of a valid bearer.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) room: RoomId,
    pub(crate) identity: Pseudonym,
    pub(crate) rights: Rights,
}

/// Names a grant without opening anything: the SHA-256 of its bearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct GrantId([u8; 32]);

impl GrantId {
    pub(crate) fn of(bearer: &str) -> Self {
        let digest = digest::digest(&digest::SHA256, bearer.as_bytes());
        let mut out = [0_u8; 32];
        out.copy_from_slice(digest.as_ref());
        Self(out)
    }
}

struct Grant {
    holder: Holder,
    expires: Instant,
}

/// The grants, as the program that changes them and the machine that asks them before every request share them.
#[derive(Clone)]
pub(crate) struct SharedGrants(Arc<Mutex<GrantStore>>);

impl SharedGrants {
    pub(crate) fn new(limits: Limits) -> Self {
        Self(Arc::new(Mutex::new(GrantStore::new(limits))))
    }

    /// The grants. A panic while they were held leaves them consistent: every method changes them last.
    pub(crate) fn lock(&self) -> MutexGuard<'_, GrantStore> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All grants. Bearers are kept only as SHA-256, so that a lookup's timing tells nothing about them.
pub(crate) struct GrantStore {
    grants: HashMap<GrantId, Grant>,
    per_room: HashMap<RoomId, usize>,
    limits: Limits,
}

impl GrantStore {
    fn new(limits: Limits) -> Self {
        Self { grants: HashMap::new(), per_room: HashMap::new(), limits }
    }

    /// Adds a grant and returns its bearer.
    pub(crate) fn grant(&mut self, now: Instant, request: GrantRequest) -> Result<BearerSecret, SfuError> {
        let in_room = self.per_room.get(&request.room).copied();
        let room_full = in_room.unwrap_or(0) >= self.limits.grants_per_room;
        let rooms_full = in_room.is_none() && self.per_room.len() >= self.limits.rooms;
        if room_full || rooms_full {
            self.forget_expired(now);
            self.check_space(&request.room)?;
        }
        let bearer = Zeroizing::new(random::hex_id::<32>()?);
        let expires = now.checked_add(request.valid_for).unwrap_or(now);
        *self.per_room.entry(request.room).or_default() += 1;
        let holder = Holder { room: request.room, identity: request.identity, rights: request.rights };
        self.grants.insert(GrantId::of(&bearer), Grant { holder, expires });
        Ok(BearerSecret(bearer))
    }

    /// Who holds this grant, if it is known and has not expired.
    pub(crate) fn holder(&self, now: Instant, id: GrantId) -> Option<Holder> {
        let grant = self.grants.get(&id)?;
        (grant.expires > now).then(|| grant.holder.clone())
    }

    /// Whether anybody in `room` may publish as `identity`.
    pub(crate) fn may_be_published(&self, now: Instant, room: &RoomId, id: &Pseudonym) -> bool {
        self.grants.values().any(|g| {
            g.expires > now
                && g.holder.room == *room
                && g.holder.identity.owns(id)
                && g.holder.rights == Rights::WatchAndPublish
        })
    }

    /// Ends every grant of `identity` in `room`.
    pub(crate) fn revoke(&mut self, room: &RoomId, identity: &Pseudonym) {
        self.retain(|g| g.holder.room != *room || g.holder.identity != *identity);
    }

    /// Ends every grant of `room`.
    pub(crate) fn end_room(&mut self, room: &RoomId) {
        self.retain(|g| g.holder.room != *room);
    }

    /// Grants held, expired ones included.
    pub(crate) fn len(&self) -> usize {
        self.grants.len()
    }

    fn check_space(&self, room: &RoomId) -> Result<(), SfuError> {
        let fits = match self.per_room.get(room) {
            Some(count) => *count < self.limits.grants_per_room,
            None => self.per_room.len() < self.limits.rooms,
        };
        fits.then_some(()).ok_or(SfuError::TooManyGrants)
    }

    fn forget_expired(&mut self, now: Instant) {
        self.retain(|g| g.expires > now);
    }

    fn retain(&mut self, keep: impl Fn(&Grant) -> bool) {
        self.grants.retain(|_, g| keep(g));
        self.per_room.clear();
        for grant in self.grants.values() {
            *self.per_room.entry(grant.holder.room).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(room: u8, name: &str) -> GrantRequest {
        GrantRequest {
            room: RoomId([room; 16]),
            identity: Pseudonym::parse(name).unwrap(),
            rights: Rights::Watch,
            valid_for: Duration::from_secs(60),
        }
    }

    #[test]
    fn a_bearer_names_its_holder_until_it_expires() {
        let now = Instant::now();
        let mut store = GrantStore::new(Limits::default());
        let bearer = store.grant(now, request(1, "ada")).unwrap();
        let holder = store.holder(now, GrantId::of(bearer.reveal())).unwrap();
        assert_eq!(holder.identity.as_str(), "ada");
        assert!(store.holder(now, GrantId::of("0")).is_none());
        let later = now + Duration::from_secs(60);
        assert!(store.holder(later, GrantId::of(bearer.reveal())).is_none());
    }

    #[test]
    fn revoking_ends_all_grants_of_one_identity_in_one_room() {
        let now = Instant::now();
        let mut store = GrantStore::new(Limits::default());
        let here = store.grant(now, request(1, "ada")).unwrap();
        let elsewhere = store.grant(now, request(2, "ada")).unwrap();
        store.revoke(&RoomId([1; 16]), &Pseudonym::parse("ada").unwrap());
        assert!(store.holder(now, GrantId::of(here.reveal())).is_none());
        assert!(store.holder(now, GrantId::of(elsewhere.reveal())).is_some());
    }

    #[test]
    fn grants_are_bounded_and_expired_ones_make_room() {
        let now = Instant::now();
        let limits = Limits { rooms: 1, grants_per_room: 2, ..Limits::default() };
        let mut store = GrantStore::new(limits);
        store.grant(now, request(1, "a")).unwrap();
        store.grant(now, request(1, "b")).unwrap();
        assert!(store.grant(now, request(1, "c")).is_err());
        assert!(store.grant(now, request(2, "c")).is_err());
        let later = now + Duration::from_secs(61);
        assert!(store.grant(later, request(2, "c")).is_ok());
    }
}
