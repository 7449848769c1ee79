//! Audio as the rest of Incamera sees it: blocks of 20 ms, sources and sinks.

use core::time::Duration;

use incamera_types::Mono;

use crate::DeviceError;

pub use incamera_media::audio::{BLOCK_SAMPLES, BlockSamples, SAMPLE_RATE_HZ};

/// 20 ms of captured audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioBlock {
    /// When the first sample was captured.
    pub captured: Mono,
    /// The samples.
    pub samples: BlockSamples,
}

impl AudioBlock {
    /// A block of silence captured at the start of time, to be filled by a source.
    #[must_use]
    pub const fn silent() -> Self {
        Self { captured: Mono::from_micros(0), samples: [0; BLOCK_SAMPLES] }
    }
}

impl Default for AudioBlock {
    fn default() -> Self {
        Self::silent()
    }
}

/// What polling a source or a sink gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// A source filled the block or frame; a sink wants the next block now.
    Ready,
    /// Nothing yet: poll again at this time.
    NotBefore(Mono),
    /// The source has come to its end and stays there.
    Ended,
}

/// Whether echo, noise and gain processing suits the audio of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoiceProcessing {
    /// Live sound from a microphone.
    Apply,
    /// Recorded or generated sound, to be sent as it is.
    Bypass,
}

/// Something that gives audio, 20 ms at a time. It reads no clock: whoever drives it says what time it is.
pub trait AudioSource: Send {
    /// Fills `block` when the next one is due and there. Never blocks for longer than a read from a disk.
    ///
    /// # Errors
    /// The device was lost or the file is unreadable. The source is of no use afterwards.
    fn poll_block(&mut self, now: Mono, block: &mut AudioBlock) -> Result<Polled, DeviceError>;

    /// Whether voice processing suits this source.
    fn voice_processing(&self) -> VoiceProcessing {
        VoiceProcessing::Bypass
    }
}

/// Something that takes audio, 20 ms at a time, at its own pace.
pub trait AudioSink: Send {
    /// Whether the sink wants its next block now, and if not, when to ask again.
    ///
    /// # Errors
    /// The device was lost. The sink is of no use afterwards.
    fn poll_wanted(&mut self, now: Mono) -> Result<Polled, DeviceError>;

    /// Takes one block. A block that is given without being wanted may be dropped.
    ///
    /// # Errors
    /// The device was lost or the file cannot be written. The sink is of no use afterwards.
    fn write_block(&mut self, samples: &BlockSamples) -> Result<(), DeviceError>;

    /// How long after [`AudioSink::write_block`] its samples are heard, as far as it is known.
    fn delay(&self) -> Duration {
        Duration::ZERO
    }
}

impl<T: AudioSource + ?Sized> AudioSource for Box<T> {
    fn poll_block(&mut self, now: Mono, block: &mut AudioBlock) -> Result<Polled, DeviceError> {
        (**self).poll_block(now, block)
    }

    fn voice_processing(&self) -> VoiceProcessing {
        (**self).voice_processing()
    }
}

impl<T: AudioSink + ?Sized> AudioSink for Box<T> {
    fn poll_wanted(&mut self, now: Mono) -> Result<Polled, DeviceError> {
        (**self).poll_wanted(now)
    }

    fn write_block(&mut self, samples: &BlockSamples) -> Result<(), DeviceError> {
        (**self).write_block(samples)
    }

    fn delay(&self) -> Duration {
        (**self).delay()
    }
}
