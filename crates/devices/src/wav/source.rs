//! An audio source that plays a WAV file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use incamera_types::Mono;

use super::read::WavReader;
use crate::DeviceError;
use crate::audio::{AudioBlock, AudioSource, BLOCK_SAMPLES, Polled, SAMPLE_RATE_HZ, to_i16};
use crate::rate::RateConverter;
use crate::schedule::{FrameRate, Schedule};

/// Samples read from the file at once: 10 ms at 48 kHz.
const READ_SAMPLES: usize = 480;

/// Plays a WAV file of any rate and number of channels as mono at 48 kHz; paced by its driver. Its last block is
/// filled up with silence.
#[derive(Debug)]
pub struct WavSource {
    reader: WavReader<BufReader<File>>,
    converter: RateConverter,
    schedule: Schedule,
    pending: VecDeque<f32>,
    at_end: bool,
}

impl WavSource {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// The file cannot be read or is no WAV file of a supported kind.
    pub fn open(path: &Path) -> Result<Self, DeviceError> {
        let reader = WavReader::open(path)?;
        let converter = RateConverter::new(reader.format().rate_hz, SAMPLE_RATE_HZ)?;
        Ok(Self {
            reader,
            converter,
            schedule: Schedule::new(FrameRate::AUDIO_BLOCKS),
            pending: VecDeque::with_capacity(4 * BLOCK_SAMPLES),
            at_end: false,
        })
    }

    fn read_ahead(&mut self) -> Result<(), DeviceError> {
        let mut mono = [0.0; READ_SAMPLES];
        while self.pending.len() < BLOCK_SAMPLES && !self.at_end {
            let count = self.reader.read_mono(&mut mono)?;
            for &sample in mono.iter().take(count) {
                self.converter.push(sample, &mut self.pending);
            }
            if count < READ_SAMPLES {
                self.at_end = true;
                self.converter.finish(&mut self.pending);
            }
        }
        Ok(())
    }
}

impl AudioSource for WavSource {
    fn poll_block(&mut self, now: Mono, block: &mut AudioBlock) -> Result<Polled, DeviceError> {
        let due = self.schedule.due(now);
        if now < due {
            return Ok(Polled::NotBefore(due));
        }
        self.read_ahead()?;
        if self.pending.is_empty() {
            return Ok(Polled::Ended);
        }
        self.schedule.advance();
        block.captured = due;
        let there = self.pending.len().min(BLOCK_SAMPLES);
        block.samples.fill(0);
        for (sample, value) in block.samples.iter_mut().zip(self.pending.drain(..there)) {
            *sample = to_i16(value);
        }
        Ok(Polled::Ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wav::WavWriter;

    fn play(path: &Path) -> Vec<i16> {
        let mut source = WavSource::open(path).unwrap();
        let mut block = AudioBlock::silent();
        let mut now = Mono::from_micros(0);
        let mut samples = Vec::new();
        loop {
            match source.poll_block(now, &mut block).unwrap() {
                Polled::Ready => samples.extend_from_slice(&block.samples),
                Polled::NotBefore(due) => now = due,
                Polled::Ended => return samples,
            }
        }
    }

    #[test]
    fn file_at_48_khz_is_played_bit_exact_and_filled_up() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("ramp.wav");
        let ramp: Vec<i16> = (0..2_000).map(|index| (index * 32 - 32_000) as i16).collect();
        let mut writer = WavWriter::create(&target).unwrap();
        writer.write(&ramp).unwrap();
        writer.finish().unwrap();
        let played = play(&target);
        assert_eq!(played.len(), 3 * BLOCK_SAMPLES);
        assert_eq!(played[..2_000], ramp);
        assert!(played[2_000..].iter().all(|&sample| sample == 0));
    }

    #[test]
    fn text_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("notes.wav");
        std::fs::write(&target, "these are notes and no sound").unwrap();
        assert!(matches!(WavSource::open(&target), Err(DeviceError::Wav(_))));
        assert!(matches!(WavSource::open(folder.path()), Err(DeviceError::Read(_))));
    }
}
