//! Devices' rates, channels and buffer sizes ↔ 20 ms blocks of 48 kHz mono.

mod capture;
mod convert;
mod playback;

pub use capture::CaptureResampler;
pub use convert::ResampleError;
pub use playback::PlaybackResampler;

/// Channels that a device or file may have at most.
pub const MAX_CHANNELS: u16 = 32;
