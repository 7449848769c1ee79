//! What the relay keeps of one room. No name, no address, nothing readable.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use incamera_relay_proto::{
    AdminPublicKey, CapabilityHash, ClientRef, CreateRoom, Incarnation, JanusRoom, KnockId, Lane, Seq,
    TextSecret, TicketIdentity,
};
use incamera_types::{Entropy, Mono};

use super::knocks::Knock;
use super::lane::{Backlog, LaneQueue, QueueLimits, Share};
use super::meter::Meter;
use super::tickets::IssuedTicket;
use super::{ConnectionId, Origin, SfuRoom, random};
use crate::{Rate, RelayLimits};

/// Rotated-away member capabilities that still read up to their rotation: enough for whoever was away for a
/// while; those away for longer join anew.
const MAX_RETIRED: usize = 32;

/// The longest way to a host and back for which its commit after a lost race is sure to win.
const AFTER_ADMIN: Duration = Duration::from_secs(1);

/// Who made a room: counted against its quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Maker {
    pub(super) origin: Origin,
    pub(super) token: Option<usize>,
}

pub(super) struct Room {
    pub(super) maker: Maker,
    pub(super) incarnation: Incarnation,
    pub(super) knock: CapabilityHash,
    /// Grows when the knock capability changes.
    pub(super) knock_generation: u64,
    pub(super) member: CapabilityHash,
    pub(super) retired: VecDeque<(CapabilityHash, Seq)>,
    pub(super) admin_key: AdminPublicKey,
    pub(super) admin_counter: u64,
    pub(super) card: Vec<u8>,
    pub(super) card_counter: u64,
    pub(super) knocks: BTreeMap<KnockId, Knock>,
    /// How fast each address may still knock; one that is not here may knock as fast as a new one.
    knock_meters: BTreeMap<Origin, Meter>,
    pub(super) reply_bytes: usize,
    pub(super) tickets: BTreeMap<TicketIdentity, IssuedTicket>,
    pub(super) sfu_room: SfuRoom,
    pub(super) janus: JanusRoom,
    commits: LaneQueue,
    application: LaneQueue,
    present: BTreeMap<ConnectionId, (Presence, Origin)>,
    ends_at: Mono,
    idle: Duration,
    empty_since: Option<Mono>,
}

/// In which capacity a connection is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Knocker,
    Member,
}

impl Room {
    pub(super) fn new(
        limits: &RelayLimits,
        now: Mono,
        entropy: &mut dyn Entropy,
        maker: Maker,
        create: CreateRoom,
        card_counter: u64,
    ) -> Self {
        let unlimited = Rate { per_second: u32::MAX, burst: u32::MAX };
        let queue =
            |after_admin, backlog| QueueLimits { after_admin, backlog, bytes: limits.queued_bytes_per_lane };
        let pin: String = random::<16>(entropy).iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            maker,
            incarnation: Incarnation(u64::from_be_bytes(random(entropy))),
            knock: create.knock,
            knock_generation: 0,
            member: create.member,
            retired: VecDeque::new(),
            admin_key: create.admin_key,
            admin_counter: 0,
            card: create.card,
            card_counter,
            knocks: BTreeMap::new(),
            knock_meters: BTreeMap::new(),
            reply_bytes: 0,
            tickets: BTreeMap::new(),
            sfu_room: SfuRoom(random(entropy)),
            janus: JanusRoom {
                // 53 bits: what JSON numbers keep exactly.
                number: u64::from_be_bytes(random(entropy)) >> 11,
                pin: TextSecret::new(pin),
            },
            commits: LaneQueue::new(limits.room_commits, unlimited, queue(AFTER_ADMIN, Backlog::Newest), now),
            application: LaneQueue::new(
                limits.room_messages,
                limits.room_bytes,
                queue(Duration::ZERO, Backlog::UpTo(limits.queued_messages)),
                now,
            ),
            present: BTreeMap::new(),
            ends_at: now.plus(Duration::from_secs(limits.room_seconds)),
            idle: Duration::from_secs(limits.room_idle_seconds),
            empty_since: Some(now),
        }
    }

    pub(super) const fn lane(&mut self, lane: Lane) -> &mut LaneQueue {
        match lane {
            Lane::Commit => &mut self.commits,
            Lane::Application => &mut self.application,
        }
    }

    /// Lets a connection in, or changes in which capacity it is there.
    pub(super) fn enter(&mut self, connection: ConnectionId, presence: Presence, origin: Origin) {
        self.empty_since = None;
        self.present.insert(connection, (presence, origin));
    }

    /// Lets a connection append, in turn with the others of its share.
    pub(super) fn let_append(&mut self, connection: ConnectionId, share: Share) {
        self.commits.admit(connection, share);
        self.application.admit(connection, share);
    }

    pub(super) fn leave(&mut self, now: Mono, connection: ConnectionId) {
        self.present.remove(&connection);
        self.stop_appending(connection);
        if self.present.is_empty() {
            self.empty_since = Some(now);
        }
    }

    /// Takes a connection's turns away; the appends that it still waited for.
    pub(super) fn stop_appending(&mut self, connection: ConnectionId) -> Vec<ClientRef> {
        let mut dropped = self.commits.forget(connection);
        dropped.extend(self.application.forget(connection));
        dropped
    }

    /// How many others than `except` are there in this capacity.
    pub(super) fn count(&self, presence: Presence, except: ConnectionId) -> usize {
        self.present.iter().filter(|(id, (there, _))| *there == presence && **id != except).count()
    }

    /// How many others than `except` are there in this capacity from one address.
    pub(super) fn count_from(&self, presence: Presence, origin: Origin, except: ConnectionId) -> usize {
        self.present.iter().filter(|(id, there)| **there == (presence, origin) && **id != except).count()
    }

    pub(super) fn connections(&self) -> Vec<ConnectionId> {
        self.present.keys().copied().collect()
    }

    pub(super) fn members(&self) -> Vec<ConnectionId> {
        let members = self.present.iter().filter(|(_, (there, _))| *there == Presence::Member);
        members.map(|(id, _)| *id).collect()
    }

    /// Counts a knock from an address; when it knocks too fast, from when on it may knock again.
    pub(super) fn meter_knock(&mut self, rate: Rate, origin: Origin, now: Mono) -> Result<(), Mono> {
        self.knock_meters.retain(|_, meter| !meter.is_full(now));
        let meter = self.knock_meters.entry(origin).or_insert_with(|| Meter::new(rate, now));
        if !meter.is_ready(now) {
            return Err(meter.ready_at());
        }
        meter.take(now, 1);
        Ok(())
    }

    /// Bytes of clients that the room holds besides its log.
    pub(super) fn held_bytes(&self) -> usize {
        let knocks = self.knocks.values().map(|knock| knock.blob.as_bytes().len());
        let queued = self.commits.queued_bytes().saturating_add(self.application.queued_bytes());
        knocks.fold(queued.saturating_add(self.reply_bytes), usize::saturating_add)
    }

    /// Makes the current member capability one that only reads up to `last`.
    pub(super) fn retire_capability(&mut self, new: CapabilityHash, last: Seq) {
        self.retired.push_back((self.member, last));
        if self.retired.len() > MAX_RETIRED {
            self.retired.pop_front();
        }
        self.member = new;
    }

    fn empty_until(&self) -> Option<Mono> {
        self.empty_since.map(|since| since.plus(self.idle))
    }

    pub(super) fn is_expired(&self, now: Mono) -> bool {
        self.ends_at <= now || self.empty_until().is_some_and(|until| until <= now)
    }

    /// When something is to be done for the room next.
    pub(super) fn next_deadline(&self) -> Mono {
        let knocks = self.knocks.values().map(|knock| knock.expires_at).min();
        let tickets = self.tickets.values().map(|ticket| ticket.expires_at).min();
        [self.empty_until(), self.commits.next_at(), self.application.next_at(), knocks, tickets]
            .into_iter()
            .flatten()
            .fold(self.ends_at, Mono::min)
    }
}
