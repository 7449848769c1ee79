//! A packet on its way from a publisher to its players.

use std::sync::Arc;
use std::time::Instant;

use super::{Layer, VideoDescriptor};

/// What kind of media a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Medium {
    /// Opus, 48 kHz RTP clock.
    Audio,
    /// VP8 of one layer, 90 kHz RTP clock.
    Video(Layer),
}

impl Medium {
    /// RTP clock rate in Hz.
    pub(crate) const fn clock_rate(self) -> u32 {
        match self {
            Self::Audio => 48_000,
            Self::Video(_) => 90_000,
        }
    }
}

/// One RTP packet as received from a publisher. The payload is opaque.
#[derive(Clone, Debug)]
pub(crate) struct MediaPacket {
    pub(crate) medium: Medium,
    /// Tells apart incarnations of the same encoding: a new SSRC starts new sequence numbers.
    pub(crate) ssrc: u32,
    /// Extended sequence number.
    pub(crate) sequence: u64,
    /// Whether nothing that was sent after it under this SSRC has come before it.
    pub(crate) is_newest: bool,
    /// RTP timestamp.
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    /// When it was captured, as far as known, on this machine's clock; never in the future.
    pub(crate) wallclock: Instant,
    /// The parsed descriptor; `None` for audio.
    pub(crate) descriptor: Option<VideoDescriptor>,
    pub(crate) payload: Arc<[u8]>,
}

impl MediaPacket {
    /// Whether a decoder can start with this packet.
    pub(crate) fn is_entry_point(&self) -> bool {
        match self.medium {
            Medium::Audio => true,
            Medium::Video(_) => self.descriptor.is_some_and(|d| d.starts_key_frame()),
        }
    }
}
