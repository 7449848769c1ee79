//! The clear prefix: bytes that an SFU reads as the start of a frame, made by us and never taken from media.
//!
//! With it an SFU that knows nothing of sealed frames recognises key frames and switches simulcast layers. It
//! is authenticated and stripped; one shape per kind of frame, everything else is refused (SEC-02).

use incamera_types::MediaKind;

use crate::{FormatError, FrameKind, PictureSize};

/// Bytes of the longest prefix: that of a VP8 key frame.
pub(crate) const MAX_PREFIX_BYTES: usize = 10;

/// VP8 frame tag (RFC 6386 §9.1) with P = 0 and show = 1, then the start code of key frames.
const VP8_KEY_START: [u8; 6] = [0x10, 0x00, 0x00, 0x9d, 0x01, 0x2a];

/// First byte of a VP8 frame tag with P = 1 and show = 1.
const VP8_DELTA: u8 = 0x11;

/// The prefix of a frame as it was written or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClearPrefix {
    /// Opus and attestations on audio tracks: no byte.
    None,
    /// VP8 key frame: 10 bytes.
    Vp8Key(PictureSize),
    /// Everything else on a video track: 1 byte.
    Vp8Delta,
}

impl ClearPrefix {
    /// The prefix for a frame on a track of `track` kind.
    #[inline]
    pub(crate) fn for_frame(track: MediaKind, kind: FrameKind) -> Self {
        match (track, kind) {
            (MediaKind::Audio, _) => Self::None,
            (MediaKind::Video, FrameKind::Vp8Key(size)) => Self::Vp8Key(size),
            (MediaKind::Video, _) => Self::Vp8Delta,
        }
    }

    /// Reads the prefix of a frame that came on a track of `track` kind.
    #[inline]
    pub(crate) fn parse(track: MediaKind, bytes: &[u8]) -> Result<Self, FormatError> {
        match (track, bytes) {
            (_, []) => Err(FormatError::Empty),
            (MediaKind::Audio, _) => Ok(Self::None),
            (MediaKind::Video, [VP8_DELTA, ..]) => Ok(Self::Vp8Delta),
            (MediaKind::Video, _) => parse_key(bytes),
        }
    }

    /// Bytes of the prefix.
    #[inline]
    pub(crate) const fn len(self) -> usize {
        match self {
            Self::None => 0,
            Self::Vp8Key(_) => MAX_PREFIX_BYTES,
            Self::Vp8Delta => 1,
        }
    }

    /// Writes the prefix to `out`, which is [`Self::len`] bytes long.
    #[inline]
    pub(crate) fn write(self, out: &mut [u8]) {
        if let Some(out) = out.first_chunk_mut() {
            *out = self.encode();
        } else if let Some(first) = out.first_mut() {
            *first = VP8_DELTA;
        }
    }

    /// The bytes as a little-endian number: the first byte is the lowest.
    #[inline]
    pub(crate) fn compose(self) -> u128 {
        match self {
            Self::None => 0,
            Self::Vp8Delta => u128::from(VP8_DELTA),
            Self::Vp8Key(_) => {
                let [a, b, c, d, e, f, g, h, i, j] = self.encode();
                u128::from_le_bytes([a, b, c, d, e, f, g, h, i, j, 0, 0, 0, 0, 0, 0])
            }
        }
    }

    /// The bytes, of which the first [`Self::len`] count.
    #[inline]
    pub(crate) fn encode(self) -> [u8; MAX_PREFIX_BYTES] {
        let mut out = [0; MAX_PREFIX_BYTES];
        match self {
            Self::None => {}
            Self::Vp8Delta => out[0] = VP8_DELTA,
            Self::Vp8Key(size) => {
                let [w0, w1] = size.width().to_le_bytes();
                let [h0, h1] = size.height().to_le_bytes();
                let [t0, t1, t2, s0, s1, s2] = VP8_KEY_START;
                out = [t0, t1, t2, s0, s1, s2, w0, w1, h0, h1];
            }
        }
        out
    }
}

/// Reads the 10 bytes before a key frame; scaling bits (the two high ones of each side) are refused.
fn parse_key(bytes: &[u8]) -> Result<ClearPrefix, FormatError> {
    let rest = bytes.strip_prefix(&VP8_KEY_START).ok_or(FormatError::Prefix)?;
    let &[w0, w1, h0, h1, ..] = rest else {
        return Err(FormatError::Prefix);
    };
    PictureSize::new(u16::from_le_bytes([w0, w1]), u16::from_le_bytes([h0, h1]))
        .map(ClearPrefix::Vp8Key)
        .ok_or(FormatError::Prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_read_back_as_they_were_written() {
        for prefix in [ClearPrefix::Vp8Delta, ClearPrefix::Vp8Key(PictureSize::new(1_280, 720).unwrap())] {
            let bytes = prefix.encode();
            assert_eq!(ClearPrefix::parse(MediaKind::Video, &bytes[..prefix.len()]).unwrap(), prefix);
        }
        assert_eq!(ClearPrefix::parse(MediaKind::Audio, &[0x42]).unwrap(), ClearPrefix::None);
    }

    #[test]
    fn key_frame_prefix_is_what_rfc_6386_calls_a_shown_key_frame() {
        let bytes = ClearPrefix::Vp8Key(PictureSize::new(640, 360).unwrap()).encode();
        assert_eq!(bytes[0] & 0x01, 0, "P = 0");
        assert_eq!(bytes[0] & 0x10, 0x10, "show");
        assert_eq!(bytes[3..6], [0x9d, 0x01, 0x2a]);
        assert_eq!(bytes[6..], [0x80, 0x02, 0x68, 0x01]);
    }

    #[test]
    fn frames_that_sfus_make_up_are_refused() {
        let black = [0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x08, 0x00, 0x08, 0x00, 0x00];
        assert_eq!(ClearPrefix::parse(MediaKind::Video, &black), Err(FormatError::Prefix));
        assert_eq!(ClearPrefix::parse(MediaKind::Video, &[]), Err(FormatError::Empty));
        assert_eq!(ClearPrefix::parse(MediaKind::Video, &black[..9]), Err(FormatError::Prefix));
        let scaled = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x42, 0x68, 0x01];
        assert_eq!(ClearPrefix::parse(MediaKind::Video, &scaled), Err(FormatError::Prefix));
    }
}
