//! Carrying sealed frames in RTP: whole VP8 frames split over packets, Opus frames one to a packet
//! (wire.md §3, RFC 3550, RFC 7741, RFC 7587).
//!
//! The payload is ciphertext to everything here: nothing parses the codec's own bytes.

mod descriptor;
mod packetize;
mod reassemble;
mod sequence;

pub use descriptor::{DescriptorError, TemporalLayer, Vp8Descriptor};
pub use packetize::{Vp8Packet, Vp8Packetizer, Vp8Packets};
pub use reassemble::{
    MAX_PACKET_BYTES, MAX_SEALED_BYTES, ReassembledFrame, ReassemblerConfig, ReassemblerEvent,
    ReassemblerStatistics, RtpPacket, Vp8Reassembler,
};
pub use sequence::SequenceUnwrapper;

/// Largest RTP payload that is sent, descriptor included (wire.md §3). With RTP header, extensions, SRTP tag,
/// UDP and IPv6 it stays below 1,280 bytes, which every IPv6 path carries.
pub const MAX_PAYLOAD_BYTES: usize = 1_150;

/// RTP clock of VP8 (RFC 7741 §4.1).
pub const VIDEO_CLOCK_HZ: u32 = 90_000;

/// RTP clock of Opus, whatever the audio's bandwidth (RFC 7587 §4.1).
pub const AUDIO_CLOCK_HZ: u32 = 48_000;
