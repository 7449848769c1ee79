//! What only the founder of a room holds: the room key, and with it the card.

use std::sync::Arc;

use incamera_identity::SigningKey;
use incamera_relay_proto::{CapabilityHash, CreateRoom, LobbyPublicKey, SfuKind, TextSecret, WireError};
use incamera_types::{Mono, Now, RoomId};

use crate::card::{CardContent, RENEW_AFTER, issue};
use crate::membership::Membership;
use crate::rotation::Admin;
use crate::secrets::capability_hash;

/// The founder's keys and what it needs to make the room, again if the relay lost it.
pub(crate) struct Founder {
    pub(crate) room: RoomId,
    pub(crate) room_key: Arc<SigningKey>,
    pub(crate) knock: CapabilityHash,
    pub(crate) sfu: SfuKind,
    pub(crate) create_token: Option<TextSecret>,
    card_counter: u64,
    card_made_at: Option<Mono>,
    created: Created,
}

/// Whether the room was made at the relay, as far as known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Created {
    /// It has to be made.
    No,
    /// It is there.
    Yes,
}

impl Founder {
    /// A founder whose room is not made yet.
    pub(crate) const fn new(
        room: RoomId,
        room_key: Arc<SigningKey>,
        knock: CapabilityHash,
        sfu: SfuKind,
        create_token: Option<TextSecret>,
    ) -> Self {
        Self {
            room,
            room_key,
            knock,
            sfu,
            create_token,
            card_counter: 0,
            card_made_at: None,
            created: Created::No,
        }
    }

    /// Whether the room was made.
    pub(crate) const fn created(&self) -> Created {
        self.created
    }

    /// Notes whether the room is there.
    pub(crate) const fn set_created(&mut self, created: Created) {
        self.created = created;
    }

    /// The next card.
    pub(crate) fn next_card(
        &mut self,
        now: Now,
        lobby_key: LobbyPublicKey,
        admin: &Admin,
    ) -> Result<Vec<u8>, WireError> {
        self.card_counter = self.card_counter.saturating_add(1);
        self.card_made_at = Some(now.mono);
        let content = CardContent {
            room: self.room,
            lobby_key,
            admin_key: admin.public_key(),
            sfu: self.sfu,
            counter: self.card_counter,
        };
        issue(now, content, &self.room_key)
    }

    /// When the card has to be replaced.
    pub(crate) fn card_due(&self) -> Option<Mono> {
        self.card_made_at.map(|made| made.plus(RENEW_AFTER))
    }

    /// The request that makes the room.
    pub(crate) fn create(
        &mut self,
        now: Now,
        lobby_key: LobbyPublicKey,
        admin: &Admin,
        membership: &Membership,
    ) -> Result<CreateRoom, WireError> {
        Ok(CreateRoom {
            room: self.room,
            knock: self.knock,
            member: capability_hash(&membership.secrets().capability()),
            admin_key: admin.public_key(),
            card: self.next_card(now, lobby_key, admin)?,
            create_token: self.create_token.clone(),
        })
    }
}
