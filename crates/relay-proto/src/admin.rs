//! Orders that the holders of a room's admin key give to the relay.

use incamera_types::RoomId;

use crate::limits::{CARD, REVOKED_TICKETS};
use crate::wire::{Reader, Writer};
use crate::{AdminPublicKey, CapabilityHash, Incarnation, Signature, TicketIdentity, WireError};

const LABEL: &[u8] = b"Incamera 1.0 relay order";

/// What the relay is told to do with a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminAction {
    /// Change capabilities and revoke tickets, beside a Remove.
    Rotate(Rotation),
    /// Replace the card by these bytes ([`crate::Card::encode`]).
    PutCard(Vec<u8>),
    /// End the room: everything about it is forgotten.
    EndRoom,
}

/// New capabilities. The old member capability still *reads* the log up to this order, so that a member that was
/// away finds the commit that leads to the new one; it appends nothing and gets no ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The members' new capability.
    pub member: CapabilityHash,
    /// A new knocking capability: makes links handed out so far worthless. `None`: unchanged.
    pub knock: Option<CapabilityHash>,
    /// A new admin key, when somebody who held the old one was removed. `None`: unchanged.
    pub admin_key: Option<AdminPublicKey>,
    /// Tickets that stop working now; at most 64.
    pub revoked_tickets: Vec<TicketIdentity>,
}

/// An order before it is signed. Bound to the room, the log's incarnation and a counter that grows with each
/// order, so that it cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminOrder {
    /// The room it is for.
    pub room: RoomId,
    /// The log it is for.
    pub incarnation: Incarnation,
    /// One more than the last accepted order's ([`crate::Opened::admin_counter`]).
    pub counter: u64,
    /// What to do.
    pub action: AdminAction,
}

/// An order and the Ed25519 signature of the admin key over [`AdminOrder::signing_bytes`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedAdminOrder {
    /// The order.
    pub order: AdminOrder,
    /// The signature.
    pub signature: Signature,
}

impl AdminOrder {
    /// The bytes to be signed: a label and every field.
    ///
    /// # Errors
    /// [`WireError::TooLong`] for a card or list over its limit.
    pub fn signing_bytes(&self) -> Result<Vec<u8>, WireError> {
        let mut writer = Writer::new();
        writer.bytes("label", LABEL.len(), LABEL);
        self.write(&mut writer);
        writer.finish()
    }

    fn write(&self, writer: &mut Writer) {
        writer.array(&self.room.0);
        writer.u64(self.incarnation.0);
        writer.u64(self.counter);
        match &self.action {
            AdminAction::Rotate(rotation) => {
                writer.u8(1);
                rotation.write(writer);
            }
            AdminAction::PutCard(card) => {
                writer.u8(2);
                writer.bytes("card", CARD, card);
            }
            AdminAction::EndRoom => writer.u8(3),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            room: RoomId(reader.array("room")?),
            incarnation: Incarnation(reader.u64("incarnation")?),
            counter: reader.u64("counter")?,
            action: match reader.u8("action")? {
                1 => AdminAction::Rotate(Rotation::read(reader)?),
                2 => AdminAction::PutCard(reader.bytes("card", CARD)?.to_vec()),
                3 => AdminAction::EndRoom,
                _ => return Err(WireError::Invalid("action")),
            },
        })
    }
}

impl Rotation {
    fn write(&self, writer: &mut Writer) {
        writer.array(&self.member.0);
        writer.option(self.knock.as_ref(), |w, hash| w.array(&hash.0));
        writer.option(self.admin_key.as_ref(), |w, key| w.array(&key.0));
        writer.list("revoked tickets", REVOKED_TICKETS, &self.revoked_tickets, |w, id| w.array(&id.0));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            member: CapabilityHash(reader.array("member capability")?),
            knock: reader.option("knock capability", |r| r.array("knock capability").map(CapabilityHash))?,
            admin_key: reader.option("admin key", |r| r.array("admin key").map(AdminPublicKey))?,
            revoked_tickets: reader.list("revoked tickets", REVOKED_TICKETS, |r| {
                r.array("revoked tickets").map(TicketIdentity)
            })?,
        })
    }
}

impl SignedAdminOrder {
    pub(crate) fn write(&self, writer: &mut Writer) {
        self.order.write(writer);
        writer.array(&self.signature.0);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self { order: AdminOrder::read(reader)?, signature: Signature(reader.array("signature")?) })
    }
}
