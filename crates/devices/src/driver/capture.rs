//! Driving sources: poll, hand over, sleep until the next one is due.

use super::thread::{DriverHandle, Waiter};
use crate::DeviceError;
use crate::audio::{AudioBlock, AudioSource, Polled};
use crate::video::{VideoFrame, VideoSource};

/// What an audio source gave to its driver.
#[derive(Debug)]
pub enum AudioCaptured<'a> {
    /// The next block.
    Block(&'a AudioBlock),
    /// The source ended; nothing follows.
    Ended,
    /// The source failed; nothing follows.
    Failed(DeviceError),
}

/// What a video source gave to its driver.
#[derive(Debug)]
pub enum VideoCaptured<'a> {
    /// The next picture.
    Frame(&'a VideoFrame),
    /// The source ended; nothing follows.
    Ended,
    /// The source failed; nothing follows.
    Failed(DeviceError),
}

/// Runs `source` in real time on a thread of its own and hands everything to `deliver` on that thread.
///
/// # Errors
/// [`DeviceError::Thread`].
pub fn capture_audio(
    mut source: impl AudioSource + 'static,
    mut deliver: impl FnMut(AudioCaptured<'_>) + Send + 'static,
) -> Result<DriverHandle, DeviceError> {
    DriverHandle::spawn("audio-capture", move |waiter| {
        let mut block = AudioBlock::silent();
        while let Some(now) = waiter.now() {
            match source.poll_block(now, &mut block) {
                Ok(Polled::Ready) => deliver(AudioCaptured::Block(&block)),
                Ok(Polled::NotBefore(due)) => Waiter::sleep_until(due),
                Ok(Polled::Ended) => return deliver(AudioCaptured::Ended),
                Err(error) => return deliver(AudioCaptured::Failed(error)),
            }
        }
    })
}

/// Runs `source` in real time on a thread of its own and hands everything to `deliver` on that thread.
///
/// # Errors
/// [`DeviceError::Thread`].
pub fn capture_video(
    mut source: impl VideoSource + 'static,
    mut deliver: impl FnMut(VideoCaptured<'_>) + Send + 'static,
) -> Result<DriverHandle, DeviceError> {
    DriverHandle::spawn("video-capture", move |waiter| {
        let mut frame = VideoFrame::black(source.format());
        while let Some(now) = waiter.now() {
            match source.poll_frame(now, &mut frame) {
                Ok(Polled::Ready) => deliver(VideoCaptured::Frame(&frame)),
                Ok(Polled::NotBefore(due)) => Waiter::sleep_until(due),
                Ok(Polled::Ended) => return deliver(VideoCaptured::Ended),
                Err(error) => return deliver(VideoCaptured::Failed(error)),
            }
        }
    })
}
