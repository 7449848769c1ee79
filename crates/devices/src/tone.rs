//! Generated audio: a tone per sender, and silence.

use core::f64::consts::TAU;

use incamera_types::Mono;

use crate::DeviceError;
use crate::audio::{AudioBlock, AudioSource, Polled, SAMPLE_RATE_HZ};
use crate::mark::SenderMark;
use crate::schedule::{FrameRate, Schedule};

/// Peak of the generated tone: −12 dB of full scale, so that three of them mix without clipping.
const TONE_PEAK: f64 = 8_192.0;

/// A steady sine tone, paced by its driver.
#[derive(Clone, Debug)]
pub struct ToneSource {
    schedule: Schedule,
    /// Phase in turns, 0 to 1.
    phase: f64,
    /// Turns per sample.
    step: f64,
}

impl ToneSource {
    /// The tone of a sender.
    #[must_use]
    pub fn new(mark: SenderMark) -> Self {
        Self {
            schedule: Schedule::new(FrameRate::AUDIO_BLOCKS),
            phase: 0.0,
            step: mark.tone_hz() / f64::from(SAMPLE_RATE_HZ),
        }
    }
}

impl AudioSource for ToneSource {
    fn poll_block(&mut self, now: Mono, block: &mut AudioBlock) -> Result<Polled, DeviceError> {
        let due = self.schedule.due(now);
        if now < due {
            return Ok(Polled::NotBefore(due));
        }
        self.schedule.advance();
        block.captured = due;
        for sample in &mut block.samples {
            *sample = ((self.phase * TAU).sin() * TONE_PEAK) as i16;
            self.phase = (self.phase + self.step).fract();
        }
        Ok(Polled::Ready)
    }
}

/// Digital silence, paced by its driver.
#[derive(Clone, Debug)]
pub struct SilenceSource {
    schedule: Schedule,
}

impl SilenceSource {
    /// Silence from now on.
    #[must_use]
    pub const fn new() -> Self {
        Self { schedule: Schedule::new(FrameRate::AUDIO_BLOCKS) }
    }
}

impl Default for SilenceSource {
    fn default() -> Self {
        Self::new()
    }
}

impl AudioSource for SilenceSource {
    fn poll_block(&mut self, now: Mono, block: &mut AudioBlock) -> Result<Polled, DeviceError> {
        let due = self.schedule.due(now);
        if now < due {
            return Ok(Polled::NotBefore(due));
        }
        self.schedule.advance();
        block.captured = due;
        block.samples.fill(0);
        Ok(Polled::Ready)
    }
}

/// The share (0 to 1) of the energy of `samples` at 48 kHz that lies at `frequency_hz`: 1 for a pure tone, near 0
/// for silence, speech or another tone. Goertzel's algorithm; resolution is 48,000 / `samples.len()` hertz.
#[must_use]
pub fn tone_share(samples: &[i16], frequency_hz: f64) -> f64 {
    let energy: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
    if samples.is_empty() || energy == 0.0 {
        return 0.0;
    }
    let angle = TAU * frequency_hz / f64::from(SAMPLE_RATE_HZ);
    let coefficient = 2.0 * angle.cos();
    let (last, before) = samples.iter().fold((0.0, 0.0), |(last, before), &sample| {
        (coefficient.mul_add(last, f64::from(sample) - before), last)
    });
    let power = last.mul_add(last, before * before) - coefficient * last * before;
    (2.0 * power / (energy * samples.len() as f64)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(source: &mut dyn AudioSource, blocks: usize) -> Vec<i16> {
        let mut block = AudioBlock::silent();
        let mut now = Mono::from_micros(5);
        let mut samples = Vec::new();
        while samples.len() < blocks * block.samples.len() {
            match source.poll_block(now, &mut block).unwrap() {
                Polled::Ready => samples.extend_from_slice(&block.samples),
                Polled::NotBefore(due) => now = due,
                Polled::Ended => break,
            }
        }
        samples
    }

    #[test]
    fn tone_is_continuous_over_blocks_and_has_its_own_frequency() {
        let mark = SenderMark::new(3);
        let samples = record(&mut ToneSource::new(mark), 50);
        assert!(tone_share(&samples, mark.tone_hz()) > 0.999);
        assert!(tone_share(&samples, SenderMark::new(4).tone_hz()) < 0.001);
    }

    #[test]
    fn silence_has_no_tone() {
        let samples = record(&mut SilenceSource::new(), 5);
        assert_eq!(samples.len(), 4_800);
        assert!(tone_share(&samples, 440.0).abs() < f64::EPSILON);
    }

    #[test]
    fn blocks_are_stamped_20_ms_apart() {
        let mut source = ToneSource::new(SenderMark::new(0));
        let mut block = AudioBlock::silent();
        let start = Mono::from_micros(1_000_000);
        assert_eq!(source.poll_block(start, &mut block), Ok(Polled::Ready));
        assert_eq!(block.captured, start);
        let next = Mono::from_micros(1_020_000);
        assert_eq!(source.poll_block(start, &mut block), Ok(Polled::NotBefore(next)));
        let late = Mono::from_micros(1_033_000);
        assert_eq!(source.poll_block(late, &mut block), Ok(Polled::Ready));
        assert_eq!(block.captured, next);
    }
}
