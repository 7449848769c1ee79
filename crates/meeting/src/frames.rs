//! Frames between the media threads and the transport: which key seals, and which received frames may be
//! played (`docs/wire.md`, "Sealed frame"; wire.md §4 and §5, "Epoch change").
//!
//! Two plain state machines, each owned by one thread: [`FrameSealer`] for everything that this participant
//! sends, [`FrameReceiver`] for everything that comes. Keys reach both as [`crate::EpochKeys`]: install them
//! into the sealer first, then give them to the receiver.
//!
//! A meeting has one `FrameSealer` for as long as its group lives: it owns the counters (SEC-17).

mod clock;
mod counts;
mod epoch;
mod error;
mod hold;
mod member;
mod output;
mod receiver;
mod sealer;
mod senders;
mod streak;

pub use clock::FRESH_FOR;
pub use counts::{MemberCounts, UnattributedCounts};
pub use error::{FrameSealError, InstallError};
pub use hold::{HOLD_FOR, MAX_HELD_BYTES, MAX_HELD_PER_SENDER};
pub use output::{DeliveredFrame, FrameOutput};
pub use receiver::{FrameReceiver, MemberMedia, OLD_KEYS_LIVE_FOR};
pub use sealer::FrameSealer;
