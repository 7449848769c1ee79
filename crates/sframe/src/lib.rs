//! SFrame (RFC 9605) for suites 0x0004 and 0x0005, and the sealed frame of Incamera (format 1, `docs/wire.md`).
//!
//! **Core.** Bytes in, bytes out; no IO, no clock, no randomness (nonces are counters).
//!
//! Read first: [`FrameSender`] makes a [`SealedFrame`], the only thing that a transport sends (SEC-01);
//! [`UnopenedFrame`] is what came from the network, parsed and not yet believed; [`EpochKeyring`] turns it
//! into an [`OpenedFrame`], the only thing that a decoder takes from remote. Neither end type can be made in
//! any other way.
//!
//! What does not belong here: who is a member, who may send what, how long a frame is held or is fresh, and
//! when keys change. Those are rules of the meeting.
//!
//! Standards: RFC 9605 §4.3 (header), §4.4.2 (keys), §4.4.3 and §4.4.4 (sealing and opening), §5.2 (MLS),
//! with erratum 8321: the salt is XORed with the encoded counter.
//!
//! ring offers no way to zeroise an expanded AEAD key; base keys and derived key bytes are zeroised (SEC-14).

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

#[cfg(all(feature = "danger-sabotage", not(debug_assertions)))]
compile_error!("danger-sabotage switches safeguards off and must not be in a release build");

mod counter;
mod error;
mod format;
mod frame;
mod header;
mod keyring;
mod keys;
mod open;
mod prefix;
mod replay;
mod safeguards;
mod seal;

pub use counter::MAX_FRAMES_PER_KEY;
pub use error::{FormatError, OpenError, SealError};
pub use format::MAX_FRAME_BYTES;
pub use frame::{FrameKind, FrameNumber, MediaFrame, MediaTime, Padding, PictureSize, TemporalLayer};
pub use header::{Header, HeaderError, MAX_HEADER_BYTES};
pub use keyring::EpochKeyring;
pub use keys::BaseKey;
pub use open::{FramePosition, OpenedFrame, UnopenedFrame};
pub use replay::ReplayError;
pub use safeguards::Safeguards;
pub use seal::{FrameSender, SealedFrame};
