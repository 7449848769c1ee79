//! An audio source that plays a WAV file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use incamera_media::resample::CaptureResampler;
use incamera_types::Mono;

use super::header::WavError;
use super::read::WavReader;
use crate::DeviceError;
use crate::audio::{AudioBlock, AudioSource, BlockSamples, Polled};
use crate::read_ahead::{Next, POLL_INTERVAL, ReadAhead};
use crate::schedule::{FrameRate, Schedule};

/// Samples read from the file at once: 20 ms at 48 kHz.
const READ_SAMPLES: usize = 960;

/// Blocks read ahead of their time: half a second, which a busy disk may take.
const READ_AHEAD: usize = 25;

/// Plays a WAV file of any rate and number of channels as mono at 48 kHz; paced by its driver. Its last block is
/// filled up with silence. Blocks that come late from a pipe are stamped when they come.
#[derive(Debug)]
pub struct WavSource {
    schedule: Schedule,
    blocks: ReadAhead<BlockSamples>,
    waiting: Option<BlockSamples>,
}

impl WavSource {
    /// Opens the file at `path` and waits for its first samples.
    ///
    /// # Errors
    /// The file cannot be read, is no WAV file of a supported kind, or has no samples.
    pub fn open(path: &Path) -> Result<Self, DeviceError> {
        let mut blocks = Blocks::open(path)?;
        let first = blocks.next()?.ok_or(WavError::NoSamples)?;
        let blocks = ReadAhead::start("wav-read", READ_AHEAD, move || blocks.next())?;
        Ok(Self { schedule: Schedule::new(FrameRate::AUDIO_BLOCKS), blocks, waiting: Some(first) })
    }
}

impl AudioSource for WavSource {
    fn poll_block(&mut self, now: Mono, block: &mut AudioBlock) -> Result<Polled, DeviceError> {
        if self.waiting.is_none() {
            match self.blocks.next()? {
                Next::Item(samples) => self.waiting = Some(samples),
                Next::NotYet => return Ok(Polled::NotBefore(now.plus(POLL_INTERVAL))),
                Next::Ended => return Ok(Polled::Ended),
            }
        }
        let due = self.schedule.due(now);
        if now < due {
            return Ok(Polled::NotBefore(due));
        }
        let Some(samples) = self.waiting.take() else { return Ok(Polled::NotBefore(due)) };
        self.schedule.advance();
        *block = AudioBlock { captured: due, samples };
        Ok(Polled::Ready)
    }
}

/// The file as blocks of 20 ms.
struct Blocks {
    reader: WavReader<BufReader<File>>,
    /// `None` once the file has ended.
    resampler: Option<CaptureResampler>,
    pending: VecDeque<BlockSamples>,
}

impl Blocks {
    fn open(path: &Path) -> Result<Self, DeviceError> {
        let reader = WavReader::open(path)?;
        // The reader has averaged the channels.
        let resampler = CaptureResampler::new(reader.format().rate_hz, 1).map_err(|_| WavError::Rate)?;
        Ok(Self { reader, resampler: Some(resampler), pending: VecDeque::new() })
    }

    fn next(&mut self) -> Result<Option<BlockSamples>, DeviceError> {
        let Self { reader, resampler, pending } = self;
        let mut mono = [0.0; READ_SAMPLES];
        while pending.is_empty()
            && let Some(converter) = resampler
        {
            let count = reader.read_mono(&mut mono)?;
            converter.push(&mono[..count], &mut |block| pending.push_back(*block));
            if count < READ_SAMPLES {
                converter.finish(&mut |block| pending.push_back(*block));
                *resampler = None;
            }
        }
        Ok(pending.pop_front())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    use crate::audio::BLOCK_SAMPLES;
    use crate::tone::tone_share;
    use crate::wav::WavWriter;

    fn play(path: &Path) -> Vec<i16> {
        let mut source = WavSource::open(path).unwrap();
        let mut block = AudioBlock::silent();
        let mut now = Mono::from_micros(0);
        let mut samples = Vec::new();
        loop {
            match source.poll_block(now, &mut block).unwrap() {
                Polled::Ready => samples.extend_from_slice(&block.samples),
                Polled::NotBefore(due) if due.since(now) == Duration::from_millis(20) => now = due,
                // The reading thread is behind: virtual time stands still for it.
                Polled::NotBefore(_) => std::thread::yield_now(),
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
    fn file_at_another_rate_keeps_its_pitch_and_length() {
        let folder = tempfile::tempdir().unwrap();
        for rate_hz in [8_000, 11_025, 22_050, 44_100, 96_000_u32] {
            let target = folder.path().join("tone.wav");
            let tone = (0..rate_hz).map(|index| {
                let angle = core::f64::consts::TAU * 1_000.0 * f64::from(index) / f64::from(rate_hz);
                (angle.sin() * 16_000.0) as i16
            });
            let mut writer = WavWriter::create(&target).unwrap();
            writer.write(&tone.collect::<Vec<_>>()).unwrap();
            writer.finish().unwrap();
            let mut bytes = std::fs::read(&target).unwrap();
            bytes[24..28].copy_from_slice(&rate_hz.to_le_bytes());
            std::fs::write(&target, bytes).unwrap();
            let played = play(&target);
            assert!((48_000..=48_000 + 3 * BLOCK_SAMPLES).contains(&played.len()), "{rate_hz}");
            assert!(tone_share(&played[4_800..43_200], 1_000.0) > 0.999, "{rate_hz}");
        }
    }

    #[test]
    fn text_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("notes.wav");
        std::fs::write(&target, "these are notes and no sound").unwrap();
        assert!(matches!(WavSource::open(&target), Err(DeviceError::Wav(_))));
        assert!(matches!(WavSource::open(folder.path()), Err(DeviceError::Read(_))));
    }

    #[test]
    fn file_without_a_sample_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("nothing.wav");
        WavWriter::create(&target).unwrap().finish().unwrap();
        assert!(matches!(WavSource::open(&target), Err(DeviceError::Wav(WavError::NoSamples))));
    }

    #[test]
    fn pipe_that_stands_still_does_not_block_its_player() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sound.wav");
        let mut writer = WavWriter::create(&file).unwrap();
        writer.write(&[7; 4_800]).unwrap();
        writer.finish().unwrap();
        let (end, mut held_open) = std::io::pipe().unwrap();
        std::io::Write::write_all(&mut held_open, &std::fs::read(&file).unwrap()[..44 + 2 * 4_800]).unwrap();
        let pipe = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&end));
        let mut source = WavSource::open(Path::new(&pipe)).unwrap();
        let (mut block, mut now, mut played) = (AudioBlock::silent(), Mono::from_micros(0), 0);
        while played < 4 {
            match source.poll_block(now, &mut block).unwrap() {
                Polled::Ready => played += 1,
                Polled::NotBefore(due) => now = due,
                Polled::Ended => panic!("the pipe is open"),
            }
        }
        assert!(matches!(source.poll_block(now, &mut block), Ok(Polled::NotBefore(_))));
        drop(held_open);
    }
}
