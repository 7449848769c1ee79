//! Microphone, speaker, camera, screen, files and synthetic media behind the same few traits.
//!
//! **Shell.** Talks to the audio system, to PipeWire, to X11, to files and to the machine's clock; the traits themselves read
//! no clock, so that everything paced can be driven on virtual time. Audio is mono, 48 kHz, 16 bits, in blocks of
//! 20 ms; video is I420.
//!
//! Read first: [`AudioSource`], [`AudioSink`] and [`VideoSource`]; [`capture_audio`], [`capture_video`] and
//! [`play_audio`] drive them in real time; [`SystemClock`] gives every stamp.
//!
//! What does not belong here: voice processing, mixing and codecs (`incamera-media`).
//!
//! Formats: RIFF/WAVE (Multimedia Programming Interface and Data Specifications 1.0), YUV4MPEG2 (`yuv4mpeg(5)`).

mod audio;
mod camera;
mod chime;
mod clock;
mod driver;
mod error;
mod host;
mod mark;
mod microphone;
mod part_file;
mod pattern;
mod read_ahead;
mod schedule;
mod screen;
mod silence;
mod speaker;
mod stamp;
mod syllables;
mod tone;
mod video;
pub mod wav;
pub mod y4m;

pub use audio::{
    AudioBlock, AudioSink, AudioSource, BLOCK_SAMPLES, BlockSamples, Polled, SAMPLE_RATE_HZ, VoiceProcessing,
};
pub use camera::{Camera, CameraInfo, cameras};
pub use chime::play_chime;
pub use clock::SystemClock;
pub use driver::{
    AudioCaptured, DriverHandle, VideoCaptured, capture_audio, capture_video, play_audio, watch_devices,
};
pub use error::DeviceError;
pub use host::{AudioHost, DeviceChoice, DeviceId, DeviceInfo, Direction};
pub use mark::SenderMark;
pub use microphone::Microphone;
pub use part_file::PartFile;
pub use pattern::{PatternCode, PatternSource, read_code, read_frame_number};
pub use schedule::{FrameRate, Schedule};
pub use screen::{Screen, ScreenInfo, ScreenKind, screens};
pub use speaker::Speaker;
pub use syllables::SyllableSource;
pub use tone::{SilenceSource, ToneSource, tone_share};
pub use video::{VideoFormat, VideoFrame, VideoSize, VideoSource};
