//! Mixing without clipping.

use crate::audio::{BLOCK_SAMPLES, BlockSamples};

/// Largest sample that leaves the mixer: 1 dB below full scale, so that a later conversion does not clip either.
const CEILING: f32 = 29_204.0;

/// The gain comes back to 1 by this factor each block: 6 dB in about a third of a second.
const RELEASE: f32 = 1.04;

/// Samples over which the gain falls, 2 ms: no click, and what is cut in that time is short.
const ATTACK_SAMPLES: f32 = 96.0;

/// Adds up the blocks of several streams and keeps the sum within 16 bits by turning it down smoothly.
///
/// A lone stream passes bit by bit as long as no gain is applied.
#[derive(Clone, Debug)]
pub struct Mixer {
    sum: [i32; BLOCK_SAMPLES],
    gain: f32,
}

impl Default for Mixer {
    fn default() -> Self {
        Self::new()
    }
}

impl Mixer {
    /// A mixer at full gain.
    #[must_use]
    pub const fn new() -> Self {
        Self { sum: [0; BLOCK_SAMPLES], gain: 1.0 }
    }

    /// Adds the block of one stream to the present 20 ms. Any number of streams.
    pub fn add(&mut self, block: &BlockSamples) {
        for (sum, sample) in self.sum.iter_mut().zip(block) {
            *sum = sum.saturating_add(i32::from(*sample));
        }
    }

    /// Writes the mix of the present 20 ms and begins the next.
    pub fn finish(&mut self, out: &mut BlockSamples) {
        let peak = self.sum.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
        let unity = self.gain >= 1.0 && peak <= i16::MAX.unsigned_abs().into();
        if unity {
            for (out, sum) in out.iter_mut().zip(&self.sum) {
                *out = i16::try_from(*sum).unwrap_or(i16::MAX);
            }
        } else {
            self.limit(peak as f32, out);
        }
        self.sum.fill(0);
    }

    fn limit(&mut self, peak: f32, out: &mut BlockSamples) {
        let needed = if peak > 0.0 { CEILING / peak } else { 1.0 };
        let target = needed.min(self.gain * RELEASE).min(1.0);
        let step =
            (target - self.gain) / if target < self.gain { ATTACK_SAMPLES } else { BLOCK_SAMPLES as f32 };
        let falling = step < 0.0;
        for (out, sum) in out.iter_mut().zip(&self.sum) {
            let reached = if falling { self.gain <= target } else { self.gain >= target };
            self.gain = if reached { target } else { self.gain + step };
            // Only in the 2 ms of a falling gain can a sample exceed the ceiling.
            *out = (*sum as f32 * self.gain).clamp(-CEILING, CEILING).round() as i16;
        }
        self.gain = target;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::SILENCE;

    fn sine(amplitude: f32, period: f32, block: usize) -> BlockSamples {
        core::array::from_fn(|i| {
            let t = (block * BLOCK_SAMPLES + i) as f32;
            (amplitude * (t * core::f32::consts::TAU / period).sin()) as i16
        })
    }

    #[test]
    fn a_lone_stream_passes_unchanged() {
        let mut mixer = Mixer::new();
        let mut out = SILENCE;
        let block = sine(32_767.0, 109.0, 0);
        mixer.add(&block);
        mixer.finish(&mut out);
        assert_eq!(out, block);
    }

    #[test]
    fn many_loud_streams_neither_clip_nor_jump() {
        let mut mixer = Mixer::new();
        let mut last = 0;
        for block in 0..50 {
            for stream in 0..12 {
                mixer.add(&sine(30_000.0, 400.0 + 3.0 * stream as f32, block));
            }
            let mut out = SILENCE;
            mixer.finish(&mut out);
            for sample in out {
                assert!(i32::from(sample).abs() <= CEILING as i32);
                // The loudest step of the slowest sine at full scale is below 600; a click is far above.
                assert!(block == 0 || (i32::from(sample) - last).abs() < 1_500, "a click of {}", sample);
                last = i32::from(sample);
            }
        }
    }

    #[test]
    fn gain_comes_back_after_a_loud_moment() {
        let mut mixer = Mixer::new();
        let mut out = SILENCE;
        for _ in 0..3 {
            mixer.add(&[30_000; BLOCK_SAMPLES]);
        }
        mixer.finish(&mut out);
        let quiet = sine(1_000.0, 48.0, 0);
        for _ in 0..60 {
            mixer.add(&quiet);
            mixer.finish(&mut out);
        }
        assert_eq!(out, quiet);
    }
}
