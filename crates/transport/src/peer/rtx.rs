//! Retransmissions in a stream of their own (RFC 4588), turned back into the packets they repeat.
//!
//! The stack does this behind its interceptors, where the NACK generator never sees it and goes on asking for what
//! has long arrived. So it is done here, before the generator.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use bytes::Buf;
use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtp;
use rtc::sansio::Protocol;
use webrtc::error::Error;

/// The stream that a retransmission stream repairs.
struct Primary {
    ssrc: u32,
    payload_type: u8,
}

/// Rewrites retransmissions in the receiving direction.
#[derive(Default)]
pub(super) struct RtxUnwrapper {
    primaries: HashMap<u32, Primary>,
    read: VecDeque<TaggedPacket>,
    write: VecDeque<TaggedPacket>,
}

impl RtxUnwrapper {
    /// Whether the packet goes on: all but probes, which repeat nothing.
    fn unwrap(&self, packet: &mut rtp::Packet) -> bool {
        let Some(primary) = self.primaries.get(&packet.header.ssrc) else { return true };
        if packet.payload.len() < 2 {
            return false;
        }
        packet.header.sequence_number = packet.payload.get_u16();
        packet.header.ssrc = primary.ssrc;
        packet.header.payload_type = primary.payload_type;
        true
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for RtxUnwrapper {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, mut msg: TaggedPacket) -> Result<(), Error> {
        let passes = match &mut msg.message.packet {
            Packet::Rtp(packet) => self.unwrap(packet),
            _ => true,
        };
        if passes {
            self.read.push_back(msg);
        }
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.read.pop_front()
    }

    fn handle_write(&mut self, msg: TaggedPacket) -> Result<(), Error> {
        self.write.push_back(msg);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.write.pop_front()
    }
}

impl Interceptor for RtxUnwrapper {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}

    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        if let Some(rtx) = info.ssrc_rtx {
            self.primaries.insert(rtx, Primary { ssrc: info.ssrc, payload_type: info.payload_type });
        }
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        if let Some(rtx) = info.ssrc_rtx {
            self.primaries.remove(&rtx);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unwrapper() -> RtxUnwrapper {
        let mut unwrapper = RtxUnwrapper::default();
        let info = StreamInfo { ssrc: 7, ssrc_rtx: Some(8), payload_type: 96, ..StreamInfo::default() };
        unwrapper.bind_remote_stream(&info);
        unwrapper
    }

    fn packet(ssrc: u32, payload: &'static [u8]) -> rtp::Packet {
        let mut packet = rtp::Packet { payload: payload.into(), ..rtp::Packet::default() };
        packet.header.ssrc = ssrc;
        packet.header.sequence_number = 1;
        packet
    }

    #[test]
    fn retransmission_becomes_the_packet_it_repeats() {
        let mut rtx = packet(8, &[0x12, 0x34, b'v']);
        assert!(unwrapper().unwrap(&mut rtx));
        assert_eq!((rtx.header.ssrc, rtx.header.sequence_number, rtx.header.payload_type), (7, 0x1234, 96));
        assert_eq!(&rtx.payload[..], b"v");
    }

    #[test]
    fn probes_without_content_are_dropped_and_others_pass_unchanged() {
        assert!(!unwrapper().unwrap(&mut packet(8, &[1])));
        let mut other = packet(7, b"media");
        assert!(unwrapper().unwrap(&mut other));
        assert_eq!(other.header.sequence_number, 1);
    }
}
