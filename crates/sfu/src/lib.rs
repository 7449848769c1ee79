//! The embedded SFU: forwards sealed RTP between the members of a room, over standard WHIP and WHEP.
//!
//! **Shell.** One task owns the UDP sockets and all WebRTC connections; HTTP handlers talk to it by channel.
//! It reads no media: of a payload only the VP8 payload descriptor and the first byte after it, which is
//! part of the synthetic clear prefix (`docs/wire.md` §2). It holds no keys and no names.
//!
//! Read first: [`Sfu::start`], [`SfuHandle`], [`GrantRequest`]. Inside: `machine` (connections, rooms, the
//! forwarding path, without sockets), `driver` (its IO loop), `forward` (pure logic: layers, key frames,
//! renumbering), `http` (the resources of `docs/wire.md`, section "Embedded SFU").
//!
//! Standards: RFC 9725 (WHIP), draft-ietf-wish-whep (WHEP), RFC 8840 (trickle ICE), RFC 8853 (simulcast),
//! RFC 7741 (VP8 descriptor).
//!
//! What does not belong here: anything that could open a frame, and who is who in a meeting.

#[cfg(all(any(feature = "danger-hostile-sfu", feature = "danger-record"), not(debug_assertions)))]
compile_error!("danger-hostile-sfu and danger-record are for adversary tests, never for release builds");

mod backlog;
mod command;
mod config;
mod driver;
mod error;
mod forward;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod grant;
mod handle;
#[cfg(feature = "danger-hostile-sfu")]
mod hostility;
mod http;
mod machine;
mod offer;
mod pseudonym;
mod random;
mod rate;
#[cfg(feature = "danger-record")]
mod recorder;
mod refusal;
mod sockets;
mod stack;
mod stats;
mod trickle;

pub use config::{IceLogin, IceServer, Limits, SfuConfig};
pub use error::SfuError;
pub use forward::Layer;
pub use grant::{BearerSecret, GrantRequest, Rights};
pub use handle::{Sfu, SfuHandle};
#[cfg(feature = "danger-hostile-sfu")]
pub use hostility::Hostility;
pub use pseudonym::Pseudonym;
pub use rate::Rate;
#[cfg(feature = "danger-record")]
pub use recorder::{RecordedPacket, read_recording};
pub use stats::{SfuStats, StreamStats};
