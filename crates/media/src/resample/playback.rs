//! From blocks to a device: the mirror image of `capture.rs`.

use super::convert::{Converter, ResampleError, checked_channels};
use crate::audio::{BlockSamples, SAMPLE_RATE_HZ, to_float};

/// Turns 20 ms blocks of 48 kHz mono into what a device wants.
pub struct PlaybackResampler {
    channels: usize,
    converter: Converter,
}

impl PlaybackResampler {
    /// A resampler to interleaved samples with `channels` at `rate_hz`.
    ///
    /// # Errors
    /// [`ResampleError`] when the format is not supported.
    pub fn new(rate_hz: u32, channels: u16) -> Result<Self, ResampleError> {
        let channels = checked_channels(channels)?;
        Ok(Self { channels, converter: Converter::new(SAMPLE_RATE_HZ, rate_hz, rate_hz)? })
    }

    /// Takes one block and appends interleaved samples in ±1.0 to `out`, the same in every channel. About 20 ms come out
    /// each time; which whole number of pieces that is depends on the rate.
    pub fn push(&mut self, block: &BlockSamples, out: &mut Vec<f32>) {
        let channels = self.channels;
        self.converter.push(block.iter().copied().map(to_float), |samples| {
            out.extend(samples.iter().flat_map(|sample| core::iter::repeat_n(*sample, channels)));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn playback_gives_the_device_as_much_time_as_it_took() {
        for (rate_hz, channels) in [(48_000, 2), (44_100, 2), (16_000, 1), (96_000, 6)] {
            let mut resampler = PlaybackResampler::new(rate_hz, channels).unwrap();
            let mut out = Vec::new();
            for _ in 0..100 {
                resampler.push(&[1_000; 960], &mut out);
            }
            let frames = out.len() / usize::from(channels);
            let wanted = rate_hz as usize * 2;
            assert!(frames <= wanted && frames + rate_hz as usize / 20 >= wanted, "{rate_hz}: {frames}");
            assert!(out[out.len() / 2..].iter().all(|sample| (sample - 1_000.0 / 32_768.0).abs() < 1e-3));
        }
    }
}
