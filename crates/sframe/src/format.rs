//! Sealed frame, format 1 (`docs/wire.md`): what is authenticated beside the frame, and the sealed end.
//!
//! ```text
//! sealed frame = clear prefix || SFrame header || ciphertext || 16-byte tag
//! AAD          = SFrame header || version || media kind || codec || clear prefix
//! plaintext    = frame [|| zeros || frame length (u32)] || capture (u32) || flags
//! ```

use incamera_types::{Context, FrameBuf, MediaKind};

use crate::header::EncodedHeader;
use crate::prefix::ClearPrefix;
use crate::{FormatError, FrameNumber, Padding, SealError};

/// Bytes that one encoded frame may have, padding included.
pub use incamera_types::MAX_FRAME_BYTES;

/// Bytes of the AEAD tag; never truncated (SEC-02).
pub(crate) const TAG_BYTES: usize = 16;

/// Capture time and flags, at the end of every plaintext.
pub(crate) const STAMP_BYTES: usize = 5;

/// Frame length before the stamp, when padded.
const LENGTH_BYTES: usize = 4;

/// Version of this format; part of the AAD, so another version does not open.
const VERSION: u8 = 1;

const FLAG_PADDED: u8 = 0x01;
const FLAG_RESERVED: u8 = 0x02;

/// What is authenticated beside the frame.
///
/// Composed in registers and stored in whole words: the cipher reads it at once, and a processor waits when it
/// has to gather what was just stored byte by byte.
pub(crate) struct AssociatedData {
    words: [[u8; 16]; 2],
    len: usize,
}

/// Version, media kind and codec.
const FIXED_BYTES: usize = 3;

/// Version, media kind and codec of a context, the same for every frame of a key.
pub(crate) fn fixed_bytes(context: Context) -> [u8; FIXED_BYTES] {
    [VERSION, kind_number(context.kind()), codec_number(context)]
}

impl AssociatedData {
    /// For a frame with this header and prefix, of the context that `fixed` comes from.
    #[inline]
    pub(crate) fn new(header: EncodedHeader, fixed: [u8; FIXED_BYTES], prefix: ClearPrefix) -> Self {
        let [version, kind, codec] = fixed;
        let fixed = u128::from(u32::from_le_bytes([version, kind, codec, 0]));
        let rest = fixed | prefix.compose() << (FIXED_BYTES * 8);
        let first = u128::from(header.bytes()) | rest.wrapping_shl(header.bits());
        // The header takes 1 to 7 bytes and the rest 3 to 13, so some of it may lie beyond the first word.
        let second = rest.wrapping_shr(128_u32.saturating_sub(header.bits()));
        let len = header.len().saturating_add(FIXED_BYTES).saturating_add(prefix.len());
        Self { words: [first.to_le_bytes(), second.to_le_bytes()], len }
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.words.as_flattened().get(..self.len).unwrap_or_default()
    }
}

const fn kind_number(kind: MediaKind) -> u8 {
    match kind {
        MediaKind::Audio => 1,
        MediaKind::Video => 2,
    }
}

/// 0 attestation, 1 Opus, 2 VP8.
fn codec_number(context: Context) -> u8 {
    match (context.attests(), context.kind()) {
        (Some(_), _) => 0,
        (None, MediaKind::Audio) => 1,
        (None, MediaKind::Video) => 2,
    }
}

/// What the sealed end of a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Capture time in microseconds of the sender's monotonic clock, modulo 2^32.
    pub(crate) capture_micros: u32,
    pub(crate) number: FrameNumber,
}

/// Appends padding, stamp and flags to the frame in `buf`.
#[inline]
pub(crate) fn append_end(buf: &mut FrameBuf, stamp: Stamp, padding: Padding) -> Result<(), SealError> {
    let padded = match padding {
        Padding::None => 0,
        Padding::To(len) => {
            append_padding(buf, len)?;
            FLAG_PADDED
        }
    };
    let [a, b, c, d] = stamp.capture_micros.to_be_bytes();
    buf.extend(&[a, b, c, d, (stamp.number.value() << 2) | padded]);
    Ok(())
}

fn append_padding(buf: &mut FrameBuf, to: usize) -> Result<(), SealError> {
    if to > MAX_FRAME_BYTES {
        return Err(SealError::TooLarge);
    }
    let len = u32::try_from(buf.len()).map_err(|_| SealError::TooLarge)?;
    buf.extend_zeroed(to.saturating_sub(buf.len()));
    buf.extend(&len.to_be_bytes());
    Ok(())
}

/// Reads the end of an authentic plaintext and gives the length of the frame before it.
#[inline]
pub(crate) fn read_end(plaintext: &[u8]) -> Result<(Stamp, usize), FormatError> {
    let (rest, &[a, b, c, d, flags]) =
        plaintext.split_last_chunk::<STAMP_BYTES>().ok_or(FormatError::Trailer)?;
    if flags & FLAG_RESERVED != 0 {
        return Err(FormatError::Trailer);
    }
    let len = if flags & FLAG_PADDED == 0 { rest.len() } else { read_padding(rest)? };
    if len == 0 {
        return Err(FormatError::Trailer);
    }
    let stamp = Stamp {
        capture_micros: u32::from_be_bytes([a, b, c, d]),
        number: FrameNumber::of(u64::from(flags >> 2)),
    };
    Ok((stamp, len))
}

/// The frame length of a padded plaintext, whose padding must be zeros.
fn read_padding(bytes: &[u8]) -> Result<usize, FormatError> {
    let (content, length) = bytes.split_last_chunk::<LENGTH_BYTES>().ok_or(FormatError::Trailer)?;
    let len = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| FormatError::Trailer)?;
    let zeros = content.get(len..).ok_or(FormatError::Trailer)?;
    if zeros.iter().any(|byte| *byte != 0) {
        return Err(FormatError::Trailer);
    }
    Ok(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { capture_micros: 0xdead_beef, number: FrameNumber::of(63) };

    #[test]
    fn end_reads_back_with_and_without_padding() {
        for padding in [Padding::None, Padding::To(0), Padding::To(5), Padding::To(64)] {
            let mut buf = FrameBuf::from_slice(b"frame");
            append_end(&mut buf, STAMP, padding).unwrap();
            assert_eq!(read_end(buf.as_slice()).unwrap(), (STAMP, 5), "{padding:?}");
        }
    }

    #[test]
    fn padded_frames_have_one_size() {
        let sizes = [1, 30, 64].map(|len| {
            let mut buf = FrameBuf::from_slice(&vec![7; len]);
            append_end(&mut buf, STAMP, Padding::To(64)).unwrap();
            buf.len()
        });
        assert_eq!(sizes, [64 + 4 + 5; 3]);
    }

    #[test]
    fn broken_ends_are_refused() {
        let broken: [&[u8]; 7] = [
            &[],
            &[0, 0, 0, 0],
            &[0, 0, 0, 0, 0],                             // empty frame
            &[1, 0, 0, 0, 0, FLAG_RESERVED],              // reserved flag
            &[1, 0, 0, 1, 0, 0, 0, 0, FLAG_PADDED],       // no room for the length
            &[1, 0, 0, 0, 0, 3, 0, 0, 0, 0, FLAG_PADDED], // longer than the content
            &[1, 9, 0, 0, 0, 1, 0, 0, 0, 0, FLAG_PADDED], // padding that is not zero
        ];
        for bytes in broken {
            assert_eq!(read_end(bytes), Err(FormatError::Trailer), "{bytes:?}");
        }
    }
}
