//! From a device or file to blocks.

use super::convert::{Converter, ResampleError, checked_channels};
use crate::audio::{BLOCK_SAMPLES, BlockSamples, SAMPLE_RATE_HZ, SILENCE, quantize};

/// Turns what a device delivers (any rate, channels, buffer size) into 20 ms blocks of 48 kHz mono.
pub struct CaptureResampler {
    channels: usize,
    converter: Converter,
    blocks: Blocks,
}

/// Collects samples into blocks.
struct Blocks {
    block: BlockSamples,
    filled: usize,
}

impl CaptureResampler {
    /// A resampler for interleaved samples with `channels` at `rate_hz`.
    ///
    /// # Errors
    /// [`ResampleError`] when the format is not supported.
    pub fn new(rate_hz: u32, channels: u16) -> Result<Self, ResampleError> {
        let channels = checked_channels(channels)?;
        let converter = Converter::new(rate_hz, SAMPLE_RATE_HZ, rate_hz)?;
        Ok(Self { channels, converter, blocks: Blocks { block: SILENCE, filled: 0 } })
    }

    /// Takes interleaved samples in ±1.0, any number of whole frames (an incomplete last one is dropped), and hands
    /// each complete block to `emit`. Channels are averaged.
    pub fn push(&mut self, interleaved: &[f32], emit: &mut dyn FnMut(&BlockSamples)) {
        let channels = self.channels;
        let mono = interleaved
            .chunks_exact(channels.max(1))
            .map(|frame| frame.iter().sum::<f32>() / channels as f32);
        self.converter.push(mono, |samples| self.blocks.push(samples, emit));
    }

    /// The input has ended: hands out what is left, the last block filled up with silence.
    pub fn finish(&mut self, emit: &mut dyn FnMut(&BlockSamples)) {
        let silence = core::iter::repeat_n(0.0, self.converter.latency_samples());
        self.converter.push(silence, |samples| self.blocks.push(samples, emit));
        if self.blocks.filled > 0 {
            let missing = BLOCK_SAMPLES.saturating_sub(self.blocks.filled);
            let silence = [0.0; BLOCK_SAMPLES];
            self.blocks.push(silence.get(..missing).unwrap_or_default(), emit);
        }
    }
}

impl Blocks {
    fn push(&mut self, samples: &[f32], emit: &mut dyn FnMut(&BlockSamples)) {
        for sample in samples {
            if let Some(place) = self.block.get_mut(self.filled) {
                *place = quantize(*sample);
            }
            self.filled = self.filled.saturating_add(1);
            if self.filled >= BLOCK_SAMPLES {
                emit(&self.block);
                self.filled = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate_hz: u32, channels: usize, seconds: u32) -> Vec<f32> {
        (0..rate_hz * seconds)
            .flat_map(|i| {
                let sample = 0.5 * (f64::from(i) * 440.0 / f64::from(rate_hz) * core::f64::consts::TAU).sin();
                core::iter::repeat_n(sample as f32, channels)
            })
            .collect()
    }

    fn run(rate_hz: u32, channels: u16, buffer: usize) -> Vec<i16> {
        let mut resampler = CaptureResampler::new(rate_hz, channels).unwrap();
        let mut out = Vec::new();
        for piece in tone(rate_hz, channels.into(), 2).chunks(buffer * usize::from(channels)) {
            resampler.push(piece, &mut |block| out.extend(block));
        }
        resampler.finish(&mut |block| out.extend(block));
        out
    }

    /// Signal-to-noise ratio of `samples` as a 440 Hz tone of any phase, in dB.
    fn tone_snr_db(samples: &[i16]) -> f64 {
        let phase = |i: usize| i as f64 * 440.0 / 48_000.0 * core::f64::consts::TAU;
        let project = |f: fn(f64) -> f64| {
            samples.iter().enumerate().map(|(i, s)| f64::from(*s) * f(phase(i))).sum::<f64>() * 2.0
                / samples.len() as f64
        };
        let (a, b) = (project(f64::sin), project(f64::cos));
        let error = |i: usize, s: i16| f64::from(s) - a * phase(i).sin() - b * phase(i).cos();
        let noise: f64 = samples.iter().enumerate().map(|(i, s)| error(i, *s).powi(2)).sum();
        let signal = samples.len() as f64 * (a * a + b * b) / 2.0;
        10.0 * (signal / noise).log10()
    }

    #[test]
    fn tones_survive_every_common_rate_and_odd_buffer_sizes() {
        for (rate_hz, channels, buffer) in [
            (48_000, 1, 960),
            (44_100, 2, 441),
            (44_100, 1, 37),
            (16_000, 1, 256),
            (96_000, 2, 1_000),
            (8_000, 1, 80),
        ] {
            let out = run(rate_hz, channels, buffer);
            assert!(out.len() >= 96_000 && out.len() <= 96_000 + 3 * 960, "{rate_hz}: {}", out.len());
            // A whole number of periods (11 per 1,200 samples) in the steady middle.
            let snr = tone_snr_db(&out[4_800..4_800 + 72_000]);
            assert!(snr > 60.0, "{rate_hz} Hz: {snr} dB");
        }
    }

    #[test]
    fn equal_rates_pass_unchanged() {
        let mut resampler = CaptureResampler::new(48_000, 1).unwrap();
        let input: Vec<f32> = (0..1_920_i16).map(|i| f32::from(i * 17) / 32_768.0).collect();
        let mut out: Vec<i16> = Vec::new();
        resampler.push(&input, &mut |block| out.extend(block));
        assert!(out.iter().enumerate().all(|(i, sample)| *sample == i as i16 * 17));
    }

    #[test]
    fn unsupported_formats_are_refused() {
        let error = |rate, channels| CaptureResampler::new(rate, channels).err();
        assert_eq!(error(44_101, 1), Some(ResampleError::Rate(44_101)));
        assert_eq!(error(0, 1), Some(ResampleError::Rate(0)));
        assert_eq!(error(u32::MAX, 1), Some(ResampleError::Rate(u32::MAX)));
        assert_eq!(error(48_000, 0), Some(ResampleError::Channels(0)));
        assert_eq!(error(48_000, 33), Some(ResampleError::Channels(33)));
    }
}
