//! Threads that drive sources and sinks in real time.

mod capture;
mod playback;
mod thread;
mod watch;

pub use capture::{AudioCaptured, VideoCaptured, capture_audio, capture_video};
pub use playback::play_audio;
pub use thread::DriverHandle;
pub use watch::watch_devices;
