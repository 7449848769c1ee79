//! RTP of a real Chrome sender (`tests/vectors/README.md`).

use incamera_media::rtp::{
    ReassembledFrame, ReassemblerConfig, ReassemblerEvent, RtpPacket, SequenceUnwrapper, Vp8Descriptor,
    Vp8Packetizer, Vp8Reassembler,
};
use incamera_media::vp8::{Decoder, FrameHeader};

use crate::support::ms;

struct Captured {
    sequence: u16,
    timestamp: u32,
    marker: bool,
    payload: Vec<u8>,
}

/// Reads Ethernet/IPv4/UDP/RTP out of a little-endian pcap file.
fn capture() -> Vec<Captured> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/chrome-vp8.pcap");
    let file = std::fs::read(path).unwrap();
    let mut rest = &file[24..];
    let mut packets = Vec::new();
    while !rest.is_empty() {
        let len = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        packets.push(read_rtp(&rest[16 + 14 + 20 + 8..16 + len]));
        rest = &rest[16 + len..];
    }
    packets
}

fn read_rtp(rtp: &[u8]) -> Captured {
    assert_eq!(rtp[0], 0x90, "version 2 with a header extension, no CSRC, no padding");
    let extension_words = usize::from(u16::from_be_bytes([rtp[14], rtp[15]]));
    Captured {
        sequence: u16::from_be_bytes([rtp[2], rtp[3]]),
        timestamp: u32::from_be_bytes(rtp[4..8].try_into().unwrap()),
        marker: rtp[1] & 0x80 != 0,
        payload: rtp[16 + 4 * extension_words..].to_vec(),
    }
}

fn reassembled() -> Vec<ReassembledFrame> {
    let mut unwrapper = SequenceUnwrapper::new();
    let mut reassembler = Vp8Reassembler::new(ReassemblerConfig::default());
    let mut frames = Vec::new();
    for (index, packet) in capture().into_iter().enumerate() {
        let now = ms(index as u64 * 10);
        let sequence = unwrapper.unwrap(packet.sequence);
        let Captured { timestamp, marker, payload, .. } = packet;
        reassembler.handle_packet(now, RtpPacket { sequence, timestamp, marker, payload });
        while let Some(event) = reassembler.poll(now) {
            match event {
                ReassemblerEvent::Frame(frame) => frames.push(frame),
                ReassemblerEvent::Lost { .. } => panic!("the capture has no loss"),
            }
        }
    }
    frames
}

#[test]
fn every_frame_of_a_chrome_capture_is_put_together() {
    let frames = reassembled();
    assert_eq!(frames.len(), 101);
    assert!(matches!(FrameHeader::parse(frames[0].frame.as_slice()), Ok(FrameHeader::Key { .. })));
    assert!(frames.iter().all(|frame| frame.picture_id.is_some() && frame.temporal.is_some()));
    let ids: Vec<u16> = frames.iter().filter_map(|frame| frame.picture_id).collect();
    assert!(ids.windows(2).all(|pair| pair[1] == (pair[0] + 1) & 0x7fff));
}

#[test]
fn frames_of_a_chrome_capture_decode() {
    let mut decoder = Decoder::new().unwrap();
    let mut shown = 0;
    for frame in reassembled() {
        let picture = decoder.decode(frame.frame.as_slice()).unwrap();
        shown += u32::from(picture.is_some());
    }
    assert_eq!(shown, 101);
}

#[test]
fn our_packetizer_carries_chrome_frames_and_temporal_fields_unchanged() {
    let mut packetizer = Vp8Packetizer::new(7);
    for frame in reassembled() {
        let mut joined = Vec::new();
        for packet in packetizer.packetize(frame.frame.as_slice(), frame.temporal) {
            let mut payload = Vec::new();
            packet.write_to(&mut payload);
            let (descriptor, chunk) = Vp8Descriptor::parse(&payload).unwrap();
            assert_eq!(descriptor.temporal, frame.temporal);
            joined.extend_from_slice(chunk);
        }
        assert_eq!(joined, frame.frame.as_slice());
    }
}
