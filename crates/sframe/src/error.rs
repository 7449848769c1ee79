//! Why a frame was not sealed or not opened. Nothing of this is ever told to the peer or a server.

use incamera_types::{Blame, Fault, Retry};

use crate::{HeaderError, ReplayError};

/// Why a frame was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
// A whole word: a result with a frame in it then moves word by word (5 ns of 110 when sealing 120 bytes).
#[repr(u64)]
pub enum SealError {
    /// The encoder produced nothing.
    #[error("an empty frame is not sealed")]
    EmptyFrame,
    /// The frame, or the size it shall be padded to, is over [`crate::MAX_FRAME_BYTES`].
    #[error("the frame is larger than a sealed frame may be")]
    TooLarge,
    /// The frame is of another kind than the context of its key, for example a picture for the microphone.
    #[error("the frame does not belong to this stream")]
    WrongKind,
    /// The buffer came without the head room for prefix and header.
    #[error("the buffer has no room before the frame")]
    NoHeadroom,
    /// The key sealed as many frames as it may; a new epoch brings a new one.
    #[error("this key has sealed as many frames as it may")]
    CounterExhausted,
    /// A sender for this key id was taken from this base key before, or one for another leaf (SEC-17).
    #[error("a sender for this key exists already")]
    SenderTaken,
    /// The AEAD refused the input.
    #[error("the cipher refused the frame")]
    Cipher,
}

impl Fault for SealError {
    fn code(&self) -> &'static str {
        match self {
            Self::EmptyFrame => "sframe.seal.empty_frame",
            Self::TooLarge => "sframe.seal.too_large",
            Self::WrongKind => "sframe.seal.wrong_kind",
            Self::NoHeadroom => "sframe.seal.no_headroom",
            Self::CounterExhausted => "sframe.seal.counter_exhausted",
            Self::SenderTaken => "sframe.seal.sender_taken",
            Self::Cipher => "sframe.seal.cipher",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Us
    }

    fn retry(&self) -> Retry {
        match self {
            Self::EmptyFrame | Self::CounterExhausted => Retry::Automatic,
            _ => Retry::Never,
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::EmptyFrame => "Nothing is needed: the next frame is sent.",
            Self::TooLarge => "Lower the picture size or the bit rate.",
            Self::CounterExhausted => "Nothing is needed: the meeting changes its keys.",
            _ => "Leave and join again, and report this defect.",
        }
    }
}

/// Why received bytes are no sealed frame of format 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// No bytes at all, as some SFUs send in place of a picture.
    #[error("the frame is empty")]
    Empty,
    /// The clear prefix is none that a sender of format 1 writes.
    #[error("the frame does not start as a sealed frame does")]
    Prefix,
    /// The SFrame header is broken.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A reserved context or too many bits in the key id.
    #[error("the frame's key id is none of a meeting")]
    Kid,
    /// A counter that no sender reaches.
    #[error("the frame's counter is out of range")]
    Counter,
    /// The key id names another kind of media than the track that the frame came on.
    #[error("the frame came on a track of another kind")]
    WrongTrack,
    /// Too few bytes for a frame with its tag, or more than a frame may have.
    #[error("the frame's size is impossible")]
    Size,
    /// The frame is authentic, but its end (flags, padding) is not what format 1 says.
    #[error("the frame's sealed end is broken")]
    Trailer,
}

impl Fault for FormatError {
    fn code(&self) -> &'static str {
        match self {
            Self::Empty => "sframe.format.empty",
            Self::Prefix => "sframe.format.prefix",
            Self::Header(HeaderError::Truncated) => "sframe.format.header_truncated",
            Self::Header(HeaderError::NotShortest) => "sframe.format.header_not_shortest",
            Self::Kid => "sframe.format.kid",
            Self::Counter => "sframe.format.counter",
            Self::WrongTrack => "sframe.format.wrong_track",
            Self::Size => "sframe.format.size",
            Self::Trailer => "sframe.format.trailer",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Trailer => Blame::Peer,
            _ => Blame::Sfu,
        }
    }

    fn advice(&self) -> &'static str {
        "The frame was dropped. If it goes on, the media server alters or adds frames: use another one."
    }
}

/// Why a frame was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// There is no key for its key id: normal for a moment when keys change.
    #[error("the key of this frame is missing")]
    MissingKey,
    /// The counter was seen already, is too old or too far ahead.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The tag does not match: an alarm, somebody altered or forged the frame.
    #[error("the frame was altered or forged")]
    AuthenticationFailed,
    /// The frame is authentic, and broken.
    #[error(transparent)]
    Format(#[from] FormatError),
}

impl Fault for OpenError {
    fn code(&self) -> &'static str {
        match self {
            Self::MissingKey => "sframe.open.missing_key",
            Self::Replay(ReplayError::Replayed) => "sframe.open.replayed",
            Self::Replay(ReplayError::TooOld) => "sframe.open.too_old",
            Self::Replay(ReplayError::TooFarAhead) => "sframe.open.too_far_ahead",
            Self::AuthenticationFailed => "sframe.open.authentication_failed",
            Self::Format(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::MissingKey => Blame::Network,
            Self::Replay(_) | Self::AuthenticationFailed => Blame::Sfu,
            Self::Format(error) => error.blame(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::MissingKey => Retry::Automatic,
            _ => Retry::Never,
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::MissingKey => {
                "Nothing is needed: the key is asked for, and the member is added again if it stays away."
            }
            _ => {
                "The frame was dropped. If it goes on, the media server alters or repeats frames: use another one."
            }
        }
    }
}
