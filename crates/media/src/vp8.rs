//! VP8 (RFC 6386): pictures ↔ encoded frames, over libvpx.

mod decode;
mod encode;
mod error;
mod header;
mod simulcast;
mod sys;

pub use decode::Decoder;
pub use encode::{EncodedFrame, Encoder, EncoderConfig, KeyFrame, Quality, TemporalLayers};
pub use error::{DecodeError, EncodeError};
pub use header::{FrameHeader, HeaderError};
pub use simulcast::{Layer, LayerRate, SimulcastConfig, SimulcastEncoder};
