//! Messages between client and relay, and the signed objects they carry (wire.md §8, "Relay").
//!
//! **Core.** Plain data with strict, bounded, total parsing; no IO, no clock, no randomness, no cryptography:
//! what is signed or hashed is given as bytes, callers do it.
//!
//! Read first: [`ClientMessage`] and [`ServerMessage`] (one WebSocket binary message each), [`Blob`] (all that
//! the relay stores), [`Card`] and [`AdminOrder`] (what is signed), [`Ticket`] (how a member reaches the SFU).
//!
//! What does not belong here: rules of the relay (crate `relay`) and verification of cards (crate `meeting`).
//!
//! Every message begins with a format byte and a kind byte; integers are big-endian; variable fields carry
//! their length and have a limit in [`limits`]. Parsing refuses what encoding would never write.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod admin;
mod blob;
mod capability;
mod card;
mod client;
mod fault;
mod ids;
pub mod limits;
mod server;
mod ticket;
mod wire;

pub use admin::{AdminAction, AdminOrder, Rotation, SignedAdminOrder};
pub use blob::Blob;
pub use capability::{AdminPublicKey, CapabilityHash, CapabilitySecret, Signature};
pub use card::{Card, LobbyPublicKey, RoomPublicKey};
pub use client::{Access, ClientMessage, CreateRoom, Request};
pub use fault::{RelayFault, RelayFaultCode};
pub use ids::{ClientRef, Incarnation, KnockId, Lane, ResumeSecret, Seq, TicketIdentity};
pub use server::{EndReason, Opened, ServerMessage, Standing};
pub use ticket::{IceServer, JanusRoom, SfuKind, TextSecret, Ticket};
pub use wire::WireError;

/// Format of the messages of this crate; the first byte of every message. Another one is
/// [`WireError::Format`].
pub const FORMAT: u8 = 1;
