//! A sink that records what it is given into a WAV file.

use std::path::Path;

use incamera_types::Mono;

use super::write::WavWriter;
use crate::DeviceError;
use crate::audio::{AudioSink, BlockSamples, Polled};
use crate::schedule::{FrameRate, Schedule};

/// Takes one block every 20 ms and writes it to a WAV file; stands in for a speaker.
#[derive(Debug)]
pub struct WavSink {
    writer: WavWriter,
    schedule: Schedule,
}

impl WavSink {
    /// Starts the file `target`.
    ///
    /// # Errors
    /// The file cannot be created or written.
    pub fn create(target: &Path) -> Result<Self, DeviceError> {
        Ok(Self { writer: WavWriter::create(target)?, schedule: Schedule::new(FrameRate::AUDIO_BLOCKS) })
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// Those of [`WavWriter::finish`].
    pub fn finish(self) -> Result<(), DeviceError> {
        self.writer.finish()
    }
}

impl AudioSink for WavSink {
    fn poll_wanted(&mut self, now: Mono) -> Result<Polled, DeviceError> {
        Ok(self.schedule.poll(now))
    }

    fn write_block(&mut self, samples: &BlockSamples) -> Result<(), DeviceError> {
        self.schedule.advance();
        self.writer.write(samples)
    }
}
