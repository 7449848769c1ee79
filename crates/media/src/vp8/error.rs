//! What can go wrong in VP8.

use incamera_types::{Blame, Fault, Retry};

use super::header::HeaderError;
use crate::picture::PictureError;

/// Why a picture was not encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The picture's size is not the one that the encoder was made for.
    #[error("the encoder expects {expected_width}×{expected_height} pictures")]
    WrongSize {
        /// Width in pixels.
        expected_width: u32,
        /// Height in pixels.
        expected_height: u32,
    },
    /// The picture is no picture.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// libvpx refused the configuration or failed; its error number.
    #[error("the video encoder failed (libvpx error {0})")]
    Codec(u32),
}

impl Fault for EncodeError {
    fn code(&self) -> &'static str {
        match self {
            Self::WrongSize { .. } => "media.vp8.wrong_size",
            Self::Picture(error) => error.code(),
            Self::Codec(_) => "media.vp8.encoder_failed",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Picture(error) => error.blame(),
            Self::WrongSize { .. } | Self::Codec(_) => Blame::Us,
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::Picture(error) => error.advice(),
            Self::WrongSize { .. } | Self::Codec(_) => "Turn the camera off and on again.",
        }
    }
}

/// Why a frame gave no picture. The frame was authenticated, so a broken one is its sender's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A frame is missing that this one may refer to: ask for a key frame. Not an alarm.
    #[error("waiting for a key frame")]
    KeyFrameNeeded,
    /// The frame has no readable header.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The picture would be too large.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// libvpx refused the frame or failed; its error number.
    #[error("the video decoder failed (libvpx error {0})")]
    Codec(u32),
}

impl Fault for DecodeError {
    fn code(&self) -> &'static str {
        match self {
            Self::KeyFrameNeeded => "media.vp8.key_frame_needed",
            Self::Header(_) => "media.vp8.header",
            Self::Picture(_) => "media.vp8.size_refused",
            Self::Codec(_) => "media.vp8.decoder_failed",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::KeyFrameNeeded => Blame::Network,
            Self::Header(_) | Self::Picture(_) | Self::Codec(_) => Blame::Peer,
        }
    }

    fn retry(&self) -> Retry {
        Retry::Automatic
    }

    fn advice(&self) -> &'static str {
        "Nothing to do: the next key frame repairs the picture."
    }
}
