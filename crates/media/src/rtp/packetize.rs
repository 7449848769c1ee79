//! A sealed VP8 frame cut into RTP payloads (RFC 7741 §4.4, wire.md §3).

use super::MAX_PAYLOAD_BYTES;
use super::descriptor::{MAX_DESCRIPTOR_BYTES, TemporalLayer, Vp8Descriptor};

/// Cuts the frames of one RTP stream. One packetizer per SSRC: PictureIDs run through it.
#[derive(Clone, Debug)]
pub struct Vp8Packetizer {
    picture_id: u16,
}

/// PictureIDs have 15 bits.
const PICTURE_ID_MASK: u16 = 0x7fff;

impl Vp8Packetizer {
    /// A packetizer whose first frame has `first_picture_id` (its low 15 bits; should be random, RFC 7741 §4.2).
    #[must_use]
    pub const fn new(first_picture_id: u16) -> Self {
        Self { picture_id: first_picture_id & PICTURE_ID_MASK }
    }

    /// Cuts one complete sealed frame. All packets of a frame share one RTP timestamp; the caller stamps it, the
    /// sequence number, and the marker bit of [`Vp8Packet::marker`].
    ///
    /// An empty frame gives no packets and uses no PictureID.
    pub fn packetize<'a>(&mut self, frame: &'a [u8], temporal: Option<TemporalLayer>) -> Vp8Packets<'a> {
        let picture_id = self.picture_id;
        if !frame.is_empty() {
            self.picture_id = picture_id.wrapping_add(1) & PICTURE_ID_MASK;
        }
        let descriptor = Vp8Descriptor {
            starts_frame: true,
            non_reference: false,
            picture_id: Some(picture_id),
            temporal,
        };
        let (_, descriptor_len) = descriptor.encode();
        let room = MAX_PAYLOAD_BYTES.saturating_sub(descriptor_len).max(1);
        // Packets of equal size: one short last packet costs as much as a full one and is lost as easily.
        let packets = frame.len().div_ceil(room);
        Vp8Packets { rest: frame, packets, descriptor }
    }
}

/// The packets of one frame, in order.
#[derive(Clone, Debug)]
pub struct Vp8Packets<'a> {
    rest: &'a [u8],
    packets: usize,
    descriptor: Vp8Descriptor,
}

impl<'a> Iterator for Vp8Packets<'a> {
    type Item = Vp8Packet<'a>;

    fn next(&mut self) -> Option<Vp8Packet<'a>> {
        let left = self.packets;
        if left == 0 {
            return None;
        }
        let size = self.rest.len().div_ceil(left);
        let (chunk, rest) = self.rest.split_at_checked(size).unwrap_or((self.rest, &[]));
        let (descriptor, descriptor_len) = self.descriptor.encode();
        self.rest = rest;
        self.packets = left.saturating_sub(1);
        self.descriptor.starts_frame = false;
        Some(Vp8Packet { descriptor, descriptor_len, chunk, marker: self.packets == 0 })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.packets, Some(self.packets))
    }
}

impl ExactSizeIterator for Vp8Packets<'_> {}

/// One RTP payload in its two parts, so that it can be written straight into a packet buffer.
#[derive(Clone, Copy, Debug)]
pub struct Vp8Packet<'a> {
    descriptor: [u8; MAX_DESCRIPTOR_BYTES],
    descriptor_len: usize,
    chunk: &'a [u8],
    /// RTP marker bit: set on the last packet of the frame.
    pub marker: bool,
}

impl Vp8Packet<'_> {
    /// The payload descriptor: first part of the RTP payload.
    #[must_use]
    pub fn descriptor(&self) -> &[u8] {
        self.descriptor.get(..self.descriptor_len).unwrap_or_default()
    }

    /// The bytes of the frame: second part of the RTP payload.
    #[must_use]
    pub fn chunk(&self) -> &[u8] {
        self.chunk
    }

    /// Bytes of the whole RTP payload, at most [`MAX_PAYLOAD_BYTES`].
    #[must_use]
    pub fn payload_len(&self) -> usize {
        self.descriptor_len.saturating_add(self.chunk.len())
    }

    /// Appends the RTP payload to `out`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.descriptor());
        out.extend_from_slice(self.chunk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i % 251) as u8).collect()
    }

    #[test]
    fn only_the_first_packet_starts_and_only_the_last_is_marked() {
        let frame = frame(5_000);
        let packets: Vec<_> = Vp8Packetizer::new(9).packetize(&frame, None).collect();
        assert_eq!(packets.len(), 5);
        for (index, packet) in packets.iter().enumerate() {
            let mut payload = Vec::new();
            packet.write_to(&mut payload);
            assert!(payload.len() <= MAX_PAYLOAD_BYTES);
            assert_eq!(payload.len(), packet.payload_len());
            let (descriptor, _) = Vp8Descriptor::parse(&payload).unwrap();
            assert_eq!(descriptor.starts_frame, index == 0);
            assert_eq!(descriptor.picture_id, Some(9));
            assert_eq!(packet.marker, index == 4);
        }
        let joined: Vec<u8> = packets.iter().flat_map(|packet| packet.chunk().to_vec()).collect();
        assert_eq!(joined, frame);
    }

    #[test]
    fn picture_ids_wrap_at_fifteen_bits() {
        let mut packetizer = Vp8Packetizer::new(0x7fff);
        let ids: Vec<_> = (0..2)
            .map(|_| {
                let packet = packetizer.packetize(b"x", None).next().unwrap();
                Vp8Descriptor::parse(packet.descriptor()).unwrap().0.picture_id
            })
            .collect();
        assert_eq!(ids, [Some(0x7fff), Some(0)]);
    }

    #[test]
    fn every_frame_size_near_a_packet_boundary_fits() {
        let temporal = Some(TemporalLayer { id: 1, base_index: 4, layer_sync: true });
        for len in 0..4_700 {
            let frame = frame(len);
            let packets = Vp8Packetizer::new(0).packetize(&frame, temporal);
            assert_eq!(packets.len(), len.div_ceil(MAX_PAYLOAD_BYTES - 6));
            assert!(packets.clone().all(|packet| packet.payload_len() <= MAX_PAYLOAD_BYTES));
            assert_eq!(packets.map(|packet| packet.chunk().len()).sum::<usize>(), len);
        }
    }
}
