//! What an encoder hands in to be sealed.

use incamera_types::{Context, FrameBuf, MediaKind, Mono};

/// One encoded frame and what a transport must know of it.
///
/// The buffer holds the complete encoded frame, with the head room of a fresh [`FrameBuf`] before it.
pub struct MediaFrame {
    /// The encoded frame.
    pub buf: FrameBuf,
    /// Codec, and whether decoding can start here.
    pub kind: FrameKind,
    /// When it is to be played, on the RTP clock of its stream.
    pub media_time: MediaTime,
    /// The temporal layer; [`TemporalLayer::BASE`] unless video has several.
    pub temporal_layer: TemporalLayer,
    /// When the sound or picture was captured, on this machine's monotonic clock; sealed with the frame.
    pub capture: Mono,
    /// What hides the frame's size.
    pub padding: Padding,
}

/// What a frame is to a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// One Opus packet.
    Opus,
    /// A VP8 key frame: decoding can start here.
    Vp8Key(PictureSize),
    /// Any other VP8 frame.
    Vp8Delta,
    /// An attestation (`docs/wire.md`, sender authenticity) on the track of what it attests.
    Attestation,
}

impl FrameKind {
    /// Whether frames of this kind belong into `context`.
    #[inline]
    #[must_use]
    pub fn belongs_in(self, context: Context) -> bool {
        match self {
            Self::Attestation => context.attests().is_some(),
            Self::Opus => context.attests().is_none() && context.kind() == MediaKind::Audio,
            Self::Vp8Key(_) | Self::Vp8Delta => {
                context.attests().is_none() && context.kind() == MediaKind::Video
            }
        }
    }

    /// Whether decoding of video can start with this frame.
    #[must_use]
    pub const fn is_key_frame(self) -> bool {
        matches!(self, Self::Vp8Key(_))
    }
}

/// Width and height of a picture in pixels, each 1 to 16,383 (14 bits in VP8, RFC 6386 §9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureSize {
    width: u16,
    height: u16,
}

impl PictureSize {
    /// The largest width and height.
    pub const MAX: u16 = 0x3fff;

    /// A size; `None` when a side is zero or too long.
    #[must_use]
    pub const fn new(width: u16, height: u16) -> Option<Self> {
        if width == 0 || height == 0 || width > Self::MAX || height > Self::MAX {
            return None;
        }
        Some(Self { width, height })
    }

    /// Pixels from left to right.
    #[must_use]
    pub const fn width(self) -> u16 {
        self.width
    }

    /// Pixels from top to bottom.
    #[must_use]
    pub const fn height(self) -> u16 {
        self.height
    }
}

/// Ticks of the stream's RTP clock since the stream began: 48,000 a second for audio, 90,000 for video.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MediaTime(pub u64);

/// A temporal layer of video, 0 to 3 (RFC 7741 §4.2, TID); a frame needs only frames of its own and lower ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TemporalLayer(u8);

impl TemporalLayer {
    /// The layer that all others need, and the only one of most streams.
    pub const BASE: Self = Self(0);

    /// The layer with this number; `None` above 3.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number > 3 { None } else { Some(Self(number)) }
    }

    /// The number, 0 to 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// What hides the size of a frame (`docs/wire.md`, metadata modes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Padding {
    /// Nothing: the sealed frame is as long as its content.
    #[default]
    None,
    /// Zeros up to this many bytes; a longer frame stays as long as it is.
    To(usize),
}

/// The number of a frame in its context, modulo 64, going on over changes of keys, where the counter starts anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameNumber(u8);

impl FrameNumber {
    /// The number of the `index`-th frame of a context.
    #[inline]
    #[must_use]
    pub const fn of(index: u64) -> Self {
        Self((index & 0x3f) as u8)
    }

    /// The number, 0 to 63.
    #[inline]
    #[must_use]
    pub const fn value(self) -> u8 {
        self.0
    }

    /// Frames from `earlier` to this one, modulo 64: 1 when nothing lies between them.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u8 {
        self.0.wrapping_sub(earlier.0) & 0x3f
    }
}
