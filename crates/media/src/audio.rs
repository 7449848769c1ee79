//! Audio as it is everywhere inside: 20 ms blocks of 48 kHz mono.

/// Samples a second.
pub const SAMPLE_RATE_HZ: u32 = 48_000;

/// Samples of one block, 20 ms.
pub const BLOCK_SAMPLES: usize = 960;

/// One block: 20 ms of 16-bit mono at 48 kHz.
pub type BlockSamples = [i16; BLOCK_SAMPLES];

/// Silence.
pub const SILENCE: BlockSamples = [0; BLOCK_SAMPLES];

/// A sample in ±1.0 as 16 bits, rounded and limited; what is no number is silence.
pub(crate) fn quantize(sample: f32) -> i16 {
    // The cast limits to the range of i16 and turns NaN into 0.
    (sample * 32_768.0).round() as i16
}

/// A 16-bit sample in ±1.0.
pub(crate) fn to_float(sample: i16) -> f32 {
    f32::from(sample) / 32_768.0
}
