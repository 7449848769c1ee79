//! What can go wrong in Opus.

use incamera_types::{Blame, Fault};

/// Why a block was not encoded or a packet not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpusError {
    /// The packet is no Opus packet of 20 ms.
    #[error("the audio packet is malformed")]
    Malformed,
    /// libopus failed; its error number.
    #[error("the audio codec failed (libopus error {0})")]
    Codec(i32),
}

impl Fault for OpusError {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "media.opus.malformed",
            Self::Codec(_) => "media.opus.codec_failed",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            // The packet was authenticated: its sender made it.
            Self::Malformed => Blame::Peer,
            Self::Codec(_) => Blame::Us,
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::Malformed => "Nothing to do: the gap is concealed.",
            Self::Codec(_) => "Turn the microphone off and on again.",
        }
    }
}

impl From<opusic_c::ErrorCode> for OpusError {
    fn from(error: opusic_c::ErrorCode) -> Self {
        match error {
            opusic_c::ErrorCode::InvalidPacket | opusic_c::ErrorCode::BufferTooSmall => Self::Malformed,
            other => Self::Codec(other as i32),
        }
    }
}
