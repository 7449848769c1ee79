//! Vocabulary shared by every Incamera crate: ids, time, entropy, media contexts, invites and errors.
//!
//! **Core.** Plain data and parsing; no IO, no clock, no cryptography.
//!
//! Read first: [`Now`] (the only source of time in cores), [`Kid`] and [`Context`] (who sent which
//! kind of frame), [`Invite`] (a hostile input), [`Fault`] (how every error presents itself).
//!
//! What does not belong here: anything with behaviour of its own beyond parsing and formatting.

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

mod buffer;
mod context;
mod entropy;
mod fault;
mod ids;
mod invite;
mod limits;
mod redact;
mod suite;
mod time;

pub use buffer::{FrameBuf, HEADROOM, TAILROOM};
pub use context::{Context, Kid, KidError, MediaKind};
pub use entropy::Entropy;
pub use fault::{Blame, Fault, Retry};
pub use ids::{Epoch, LeafIndex, MAX_LEAVES, MemberId, RoomId};
pub use invite::{Invite, InviteError, LinkSecret, RelayAddress};
pub use limits::{MAX_COMMIT_BYTES, MAX_FRAME_BYTES, MAX_PICTURE_EDGE};
pub use redact::Pii;
pub use suite::FrameSuite;
pub use time::{Mono, Now};

/// Version of the Incamera protocols (group rules, knocks, card, relay messages) of this build.
///
/// Carried in the card, the knock and the log; an unknown one is a named error.
pub const PROTOCOL_VERSION: u16 = 1;
