//! The SFrame header (RFC 9605 §4.3): a config byte, then key id and counter where they do not fit into it.
//!
//! One value has exactly one encoding here: the shortest. Longer ones are refused, so that nobody can alter
//! the bytes of a header without altering what it says.

use incamera_types::{FrameBuf, Kid};

/// Bytes of the longest header: config byte, 8 bytes of key id, 8 bytes of counter.
pub const MAX_HEADER_BYTES: usize = 17;

/// Values below this are held in the config byte itself.
const INLINE_LIMIT: u64 = 8;

/// Which key sealed a frame, and the frame's number under that key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// KID: any 64-bit value; Incamera's own are [`incamera_types::Kid`].
    pub kid: u64,
    /// CTR: any 64-bit value; Incamera's own stay below [`crate::MAX_FRAMES_PER_KEY`].
    pub counter: u64,
}

/// Bytes that are not an SFrame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The input ends inside the header.
    #[error("the frame ends inside its SFrame header")]
    Truncated,
    /// A value takes more bytes than it needs.
    #[error("the SFrame header is not in its shortest form")]
    NotShortest,
}

impl Header {
    /// Writes the header to the start of `out` and gives its length, 1 to [`MAX_HEADER_BYTES`].
    #[inline]
    #[must_use]
    pub fn encode(&self, out: &mut [u8; MAX_HEADER_BYTES]) -> usize {
        let (kid_bits, kid_len) = config_bits(self.kid);
        let (counter_bits, counter_len) = config_bits(self.counter);
        let [config, values @ ..] = out;
        *config = (kid_bits << 4) | counter_bits;
        put_shortest(values, self.kid, kid_len);
        put_shortest(values.get_mut(kid_len..).unwrap_or_default(), self.counter, counter_len);
        kid_len.saturating_add(counter_len).saturating_add(1)
    }

    /// Reads a header from the start of `bytes` and gives its length too.
    ///
    /// # Errors
    /// [`HeaderError`] when the input ends too early or a value is not in its shortest form.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<(Self, usize), HeaderError> {
        let (&config, rest) = bytes.split_first().ok_or(HeaderError::Truncated)?;
        let (kid, rest) = take_value(config >> 4, rest)?;
        let (counter, rest) = take_value(config & 0x0f, rest)?;
        Ok((Self { kid, counter }, bytes.len().saturating_sub(rest.len())))
    }
}

/// The header of one of Incamera's own frames: a key id of at most 20 bits and a counter below 2^24, so 1 to 7
/// bytes.
#[derive(Clone, Copy)]
pub(crate) struct EncodedHeader {
    bytes: u64,
    len: usize,
}

impl EncodedHeader {
    #[inline]
    pub(crate) fn new(kid: Kid, counter: u32) -> Self {
        let (kid_bits, kid_len) = config_bits(kid.value());
        let (counter_bits, counter_len) = config_bits(u64::from(counter));
        let config = u64::from((kid_bits << 4) | counter_bits);
        let kid_end = 8_u32.saturating_add(length_bits(kid_len));
        let bytes = config
            | reversed(kid.value(), kid_len) << 8
            | reversed(u64::from(counter), counter_len).wrapping_shl(kid_end);
        Self { bytes, len: kid_len.saturating_add(counter_len).saturating_add(1) }
    }

    /// The bytes as a little-endian number: the first byte is the lowest.
    #[inline]
    pub(crate) const fn bytes(self) -> u64 {
        self.bytes
    }

    /// Bytes of the header.
    #[inline]
    pub(crate) const fn len(self) -> usize {
        self.len
    }

    /// Bits of the header.
    #[inline]
    pub(crate) const fn bits(self) -> u32 {
        length_bits(self.len)
    }

    /// Puts the header before what is in `buf`; `None` without room for eight bytes, which are stored at once.
    #[inline]
    pub(crate) fn put_before(self, buf: &mut FrameBuf) -> Option<()> {
        let room = buf.grow_front(size_of::<u64>())?;
        *room.first_chunk_mut()? =
            self.bytes.wrapping_shl(u64::BITS.saturating_sub(self.bits())).to_le_bytes();
        buf.trim_front(size_of::<u64>().saturating_sub(self.len));
        Some(())
    }
}

/// The last `len` bytes of `value` with the first of them lowest.
#[inline]
fn reversed(value: u64, len: usize) -> u64 {
    value.checked_shl(64_u32.saturating_sub(length_bits(len))).unwrap_or(0).swap_bytes()
}

/// Bits of at most eight bytes.
#[inline]
const fn length_bits(len: usize) -> u32 {
    (len as u32 & 0x0f).wrapping_mul(8)
}

/// Half a config byte (extension bit and three bits) and the bytes that follow for this value.
#[inline]
fn config_bits(value: u64) -> (u8, usize) {
    if value < INLINE_LIMIT {
        return (value.to_le_bytes()[0], 0);
    }
    // At most 7 zero bytes lead a non-zero value, so the length is 1 to 8.
    let extra = 7_u8.saturating_sub((value.leading_zeros() / 8).to_le_bytes()[0]);
    (0x08 | extra, usize::from(extra).saturating_add(1))
}

/// Writes the last `len` bytes of `value` (big endian) to the start of `out`; the rest of eight bytes becomes
/// zero, which lets every value be one store.
#[inline]
fn put_shortest(out: &mut [u8], value: u64, len: usize) {
    if let Some(slot) = out.first_chunk_mut::<8>() {
        *slot = reversed(value, len).to_le_bytes();
    }
}

/// Reads the value that half a config byte announces and gives what follows it.
#[inline]
fn take_value(bits: u8, rest: &[u8]) -> Result<(u64, &[u8]), HeaderError> {
    if bits & 0x08 == 0 {
        return Ok((u64::from(bits), rest));
    }
    let len = usize::from(bits & 0x07).saturating_add(1);
    let (bytes, rest) = rest.split_at_checked(len).ok_or(HeaderError::Truncated)?;
    let value = bytes.iter().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
    let shortest = value >= INLINE_LIMIT && bytes.first().is_some_and(|first| *first != 0);
    if shortest { Ok((value, rest)) } else { Err(HeaderError::NotShortest) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use incamera_types::{Context, Epoch, LeafIndex};

    #[test]
    fn short_headers_are_the_same_bytes_as_general_ones() {
        for leaf in [0, 1, 3, 4, 200, 1_023] {
            for context in Context::ALL {
                for counter in [0, 7, 8, 255, 256, 65_535, 65_536, (1 << 24) - 1] {
                    let kid = Kid::new(context, LeafIndex(leaf), Epoch(5)).unwrap();
                    let header = EncodedHeader::new(kid, counter);
                    let mut general = [0; MAX_HEADER_BYTES];
                    let len = Header { kid: kid.value(), counter: u64::from(counter) }.encode(&mut general);
                    assert_eq!(header.bytes().to_le_bytes()[..header.len()], general[..len]);
                    let mut buf = FrameBuf::from_slice(b"rest");
                    header.put_before(&mut buf).unwrap();
                    assert_eq!(buf.as_slice(), [&general[..len], b"rest"].concat());
                }
            }
        }
    }
}
