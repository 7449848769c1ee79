//! The VP8 payload descriptor (RFC 7741 §4.2).

/// Temporal scalability fields of a VP8 frame (RFC 7741 §4.2: TL0PICIDX, TID, Y, KEYIDX).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemporalLayer {
    /// Temporal layer, `0..=3`; 0 is the base layer.
    pub id: u8,
    /// Running index of base-layer frames, wrapping.
    pub base_index: u8,
    /// Y: this frame depends on the base layer only, so a receiver may switch up here.
    pub layer_sync: bool,
}

/// A VP8 payload descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vp8Descriptor {
    /// S and PID = 0: the payload begins a frame.
    pub starts_frame: bool,
    /// N: no other frame refers to this one.
    pub non_reference: bool,
    /// PictureID (7 or 15 bits on the wire). Gaps are normal: an SFU that filters temporal layers leaves them.
    pub picture_id: Option<u16>,
    /// Temporal fields; `None` when the sender uses no temporal layers.
    pub temporal: Option<TemporalLayer>,
}

/// A payload that is no VP8 payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DescriptorError {
    /// The descriptor announces more bytes than the payload has.
    #[error("the VP8 payload descriptor is cut off")]
    Truncated,
}

/// Longest descriptor: required byte, extension byte, 15-bit PictureID, TL0PICIDX, TID/KEYIDX.
pub(crate) const MAX_DESCRIPTOR_BYTES: usize = 6;

const EXTENDED: u8 = 0x80;
const NON_REFERENCE: u8 = 0x20;
const START: u8 = 0x10;
const PARTITION: u8 = 0x07;
const HAS_PICTURE_ID: u8 = 0x80;
const HAS_BASE_INDEX: u8 = 0x40;
const HAS_TEMPORAL_ID: u8 = 0x20;
const HAS_KEY_INDEX: u8 = 0x10;
const LONG_PICTURE_ID: u8 = 0x80;
const LAYER_SYNC: u8 = 0x20;

impl Vp8Descriptor {
    /// Reads the descriptor at the front of an RTP payload and gives what follows it.
    ///
    /// Total: any bytes give a descriptor or an error. Reserved bits are ignored, as RFC 7741 demands.
    ///
    /// # Errors
    /// [`DescriptorError::Truncated`] when the payload ends within the descriptor.
    pub fn parse(payload: &[u8]) -> Result<(Self, &[u8]), DescriptorError> {
        let (first, rest) = split_byte(payload)?;
        let mut descriptor = Self {
            starts_frame: first & START != 0 && first & PARTITION == 0,
            non_reference: first & NON_REFERENCE != 0,
            picture_id: None,
            temporal: None,
        };
        if first & EXTENDED == 0 {
            return Ok((descriptor, rest));
        }
        let (flags, mut rest) = split_byte(rest)?;
        if flags & HAS_PICTURE_ID != 0 {
            let (high, after) = split_byte(rest)?;
            rest = after;
            if high & LONG_PICTURE_ID == 0 {
                descriptor.picture_id = Some(u16::from(high));
            } else {
                let (low, after) = split_byte(rest)?;
                rest = after;
                descriptor.picture_id = Some(u16::from_be_bytes([high & !LONG_PICTURE_ID, low]));
            }
        }
        let mut base_index = 0;
        if flags & HAS_BASE_INDEX != 0 {
            (base_index, rest) = split_byte(rest)?;
        }
        if flags & (HAS_TEMPORAL_ID | HAS_KEY_INDEX) != 0 {
            let (layer, after) = split_byte(rest)?;
            rest = after;
            if flags & HAS_TEMPORAL_ID != 0 {
                let layer_sync = layer & LAYER_SYNC != 0;
                descriptor.temporal = Some(TemporalLayer { id: layer >> 6, base_index, layer_sync });
            }
        }
        Ok((descriptor, rest))
    }

    /// The descriptor's bytes and how many of them count. PictureID is always written with 15 bits.
    pub(crate) fn encode(self) -> ([u8; MAX_DESCRIPTOR_BYTES], usize) {
        let first = EXTENDED
            | if self.starts_frame { START } else { 0 }
            | if self.non_reference { NON_REFERENCE } else { 0 };
        let [high, low] = self.picture_id.unwrap_or(0).to_be_bytes();
        let high = high | LONG_PICTURE_ID;
        match self.temporal {
            None => ([first, HAS_PICTURE_ID, high, low, 0, 0], 4),
            Some(layer) => {
                let flags = HAS_PICTURE_ID | HAS_BASE_INDEX | HAS_TEMPORAL_ID;
                let sync = if layer.layer_sync { LAYER_SYNC } else { 0 };
                ([first, flags, high, low, layer.base_index, (layer.id & 3) << 6 | sync], 6)
            }
        }
    }
}

fn split_byte(bytes: &[u8]) -> Result<(u8, &[u8]), DescriptorError> {
    bytes.split_first().map(|(first, rest)| (*first, rest)).ok_or(DescriptorError::Truncated)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(temporal: Option<TemporalLayer>) -> Vp8Descriptor {
        Vp8Descriptor { starts_frame: true, non_reference: false, picture_id: Some(0x7abc), temporal }
    }

    #[test]
    fn written_descriptors_read_back() {
        let layers = [None, Some(TemporalLayer { id: 2, base_index: 200, layer_sync: true })];
        for descriptor in layers.map(descriptor) {
            let (bytes, len) = descriptor.encode();
            let mut payload = bytes[..len].to_vec();
            payload.extend(b"frame");
            assert_eq!(Vp8Descriptor::parse(&payload), Ok((descriptor, &b"frame"[..])));
        }
    }

    #[test]
    fn written_bytes_are_those_of_rfc_7741() {
        let (bytes, len) = descriptor(None).encode();
        assert_eq!(&bytes[..len], [0x90, 0x80, 0xfa, 0xbc]);
    }

    #[test]
    fn every_truncation_is_an_error() {
        let (bytes, len) =
            descriptor(Some(TemporalLayer { id: 1, base_index: 3, layer_sync: false })).encode();
        for cut in 0..len {
            assert_eq!(Vp8Descriptor::parse(&bytes[..cut]), Err(DescriptorError::Truncated), "{cut}");
        }
    }

    #[test]
    fn continuation_partitions_do_not_start_a_frame() {
        let (descriptor, rest) = Vp8Descriptor::parse(&[0x11, 7]).unwrap();
        assert!(!descriptor.starts_frame);
        assert_eq!(rest, [7]);
    }

    #[test]
    fn seven_bit_picture_ids_and_key_indexes_are_read_over() {
        let (descriptor, rest) = Vp8Descriptor::parse(&[0x90, 0x90, 0x05, 0x1f, 9]).unwrap();
        assert_eq!(descriptor.picture_id, Some(5));
        assert_eq!(descriptor.temporal, None);
        assert_eq!(rest, [9]);
    }

    /// SEC-15: no input of the network panics.
    #[test]
    fn all_three_byte_payloads_are_handled() {
        for value in 0..=0x00ff_ffff_u32 {
            let [_, a, b, c] = value.to_be_bytes();
            let _ = Vp8Descriptor::parse(&[a, b, c]);
        }
    }
}
