//! Opus (RFC 6716): 20 ms blocks ↔ packets, over libopus.

mod decode;
mod encode;
mod error;

pub use decode::{Decoded, Decoder};
pub use encode::{BitrateMode, Encoder, EncoderConfig, Signal};
pub use error::OpusError;

/// Largest packet that is made or decoded: RFC 6716 §3.4 limits a frame to 1,275 bytes and a packet of 20 ms is one
/// frame.
pub const MAX_PACKET_BYTES: usize = 1_275;
