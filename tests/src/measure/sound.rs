//! Delay-aligned normalised correlation of two recordings.

use realfft::RealFftPlanner;
use serde::Serialize;

/// Samples of one window: one second at 48 kHz.
pub const WINDOW_SAMPLES: usize = 48_000;

/// A window whose mean square is below this (−60 dB of full scale) counts as quiet: correlation says nothing there.
const QUIET_POWER: f64 = 1e-6;

/// Why two recordings cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeasureError {
    /// One of them has no sound at all.
    #[error("one of the recordings is silent")]
    Silent,
    /// The transform refused its input.
    #[error("the correlation could not be computed")]
    Transform,
}

/// How alike a received recording is to the one that was sent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SoundLikeness {
    /// Samples by which the received recording is late (negative: early).
    pub delay_samples: i64,
    /// Normalised correlation (−1 to 1) over everything that both cover at this delay.
    pub correlation: f64,
    /// The same for each second of the sent recording that the received one covers, at the same delay. Where the
    /// source is quiet: 1 when the received recording is quiet too, else 0.
    pub windows: Vec<f64>,
}

impl SoundLikeness {
    /// The share (0 to 1) of the windows whose correlation is at least `least`; 0 without windows.
    #[must_use]
    pub fn share_of_windows(&self, least: f64) -> f64 {
        if self.windows.is_empty() {
            return 0.0;
        }
        let good = self.windows.iter().filter(|&&correlation| correlation >= least).count();
        good as f64 / self.windows.len() as f64
    }
}

/// Compares two mono recordings at 48 kHz, full scale ±1. The delay is the one at which they correlate most.
///
/// # Errors
/// [`MeasureError`].
pub fn compare_sound(sent: &[f32], received: &[f32]) -> Result<SoundLikeness, MeasureError> {
    if power(sent) == 0.0 || power(received) == 0.0 {
        return Err(MeasureError::Silent);
    }
    let delay = best_delay(sent, received)?;
    let (sent, received) = overlap(sent, received, delay);
    let windows = sent.chunks_exact(WINDOW_SAMPLES).zip(received.chunks_exact(WINDOW_SAMPLES));
    Ok(SoundLikeness {
        delay_samples: delay,
        correlation: correlation(sent, received),
        windows: windows.map(|(sent, received)| window_likeness(sent, received)).collect(),
    })
}

/// The delay with the greatest product sum, by way of the frequency domain. Both are padded to their common length,
/// so that the circular correlation does not fold one end into the other.
fn best_delay(sent: &[f32], received: &[f32]) -> Result<i64, MeasureError> {
    let length = (sent.len() + received.len()).next_power_of_two();
    let mut planner = RealFftPlanner::<f64>::new();
    let forward = planner.plan_fft_forward(length);
    let transform = |samples: &[f32]| {
        let mut padded = vec![0.0; length];
        for (place, sample) in padded.iter_mut().zip(samples) {
            *place = f64::from(*sample);
        }
        let mut spectrum = forward.make_output_vec();
        forward.process(&mut padded, &mut spectrum).map_err(|_| MeasureError::Transform)?;
        Ok(spectrum)
    };
    let mut product = transform(received)?;
    for (received, sent) in product.iter_mut().zip(transform(sent)?) {
        *received *= sent.conj();
    }
    let mut sums = vec![0.0; length];
    let inverse = planner.plan_fft_inverse(length);
    inverse.process(&mut product, &mut sums).map_err(|_| MeasureError::Transform)?;
    let best = (0..length).reduce(|best, next| if sums[next] > sums[best] { next } else { best });
    let best = best.unwrap_or_default();
    // The upper part of the circle stands for negative delays.
    let delay = if best < received.len() { best as i64 } else { best as i64 - length as i64 };
    Ok(delay)
}

/// The parts of both that stand for the same time when `received` is late by `delay`.
fn overlap<'a>(sent: &'a [f32], received: &'a [f32], delay: i64) -> (&'a [f32], &'a [f32]) {
    let late = usize::try_from(delay).unwrap_or_default();
    let early = usize::try_from(-delay).unwrap_or_default();
    let sent = sent.get(early..).unwrap_or_default();
    let received = received.get(late..).unwrap_or_default();
    let length = sent.len().min(received.len());
    (&sent[..length], &received[..length])
}

fn window_likeness(sent: &[f32], received: &[f32]) -> f64 {
    match (power(sent) < QUIET_POWER, power(received) < QUIET_POWER) {
        (true, true) => 1.0,
        (true, false) | (false, true) => 0.0,
        (false, false) => correlation(sent, received),
    }
}

fn power(samples: &[f32]) -> f64 {
    samples.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>() / samples.len().max(1) as f64
}

fn correlation(a: &[f32], b: &[f32]) -> f64 {
    let product: f64 = a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    let scale = (power(a) * power(b)).sqrt() * a.len() as f64;
    if scale == 0.0 { 0.0 } else { product / scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reproducible noise, low-passed like speech.
    fn sound(samples: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut smooth = 0.0;
        (0..samples)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                smooth = 0.9 * smooth + 0.1 * ((state >> 8) as f32 / 8_388_608.0 - 1.0);
                smooth
            })
            .collect()
    }

    #[test]
    fn delay_is_found_in_both_directions() {
        let sent = sound(5 * WINDOW_SAMPLES, 1);
        for delay in [-70_000_i64, -1, 0, 1, 4_711, 96_000] {
            let mut received = vec![0.0; usize::try_from(delay).unwrap_or_default()];
            received.extend(&sent[usize::try_from(-delay).unwrap_or_default()..]);
            let likeness = compare_sound(&sent, &received).unwrap();
            assert_eq!(likeness.delay_samples, delay);
            assert!(likeness.correlation > 0.999_999);
            assert!(likeness.share_of_windows(0.99) > 0.999);
        }
    }

    #[test]
    fn loudness_does_not_matter_and_other_sound_does() {
        let sent = sound(4 * WINDOW_SAMPLES, 1);
        let quieter: Vec<f32> = sent.iter().map(|sample| sample * 0.3).collect();
        assert!(compare_sound(&sent, &quieter).unwrap().correlation > 0.999_999);
        let other = compare_sound(&sent, &sound(4 * WINDOW_SAMPLES, 2)).unwrap();
        assert!(other.correlation < 0.2);
        assert!(other.share_of_windows(0.9) < 0.01);
    }

    #[test]
    fn a_missing_second_costs_its_windows() {
        let sent = sound(10 * WINDOW_SAMPLES, 3);
        let mut received = sent.clone();
        received[2 * WINDOW_SAMPLES..3 * WINDOW_SAMPLES].fill(0.0);
        let likeness = compare_sound(&sent, &received).unwrap();
        assert_eq!(likeness.windows.len(), 10);
        assert!((likeness.share_of_windows(0.9) - 0.9).abs() < 1e-9);
        assert!(likeness.correlation > 0.9);
    }

    #[test]
    fn silence_cannot_be_compared() {
        assert_eq!(compare_sound(&[0.0; 9], &[0.5; 9]), Err(MeasureError::Silent));
        assert_eq!(compare_sound(&[0.5; 9], &[]), Err(MeasureError::Silent));
    }
}
