//! How loud a block is.

use crate::audio::BlockSamples;

/// The level of digital silence (RFC 6464 §3).
pub const SILENCE_DBOV: i8 = -127;

/// Root mean square level in dBov, `-127..=0` (RFC 6464): 0 is the loudest square wave, -3 the loudest sine.
#[must_use]
pub fn level_dbov(block: &BlockSamples) -> i8 {
    let energy: f64 = block.iter().map(|sample| f64::from(*sample) * f64::from(*sample)).sum();
    let mean_square = energy / block.len() as f64 / (32_768.0 * 32_768.0);
    // The cast limits -∞ (silence) and rounding.
    (10.0 * mean_square.log10()).round().clamp(f64::from(SILENCE_DBOV), 0.0) as i8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{BLOCK_SAMPLES, SILENCE};

    #[test]
    fn levels_of_known_signals() {
        assert_eq!(level_dbov(&SILENCE), SILENCE_DBOV);
        assert_eq!(level_dbov(&[i16::MIN; BLOCK_SAMPLES]), 0);
        let sine = core::array::from_fn(|i| {
            (32_767.0 * (i as f64 * core::f64::consts::TAU / 48.0).sin()).round() as i16
        });
        assert_eq!(level_dbov(&sine), -3);
        assert_eq!(level_dbov(&[328; BLOCK_SAMPLES]), -40);
    }
}
