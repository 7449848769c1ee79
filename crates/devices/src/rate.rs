//! Sample rate conversion between a device or file and 48 kHz.

use core::time::Duration;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Async, FixedAsync, Resampler, SincInterpolationParameters, WindowFunction};

use crate::DeviceError;

/// Input samples that are converted at once: below 6 ms at every common rate.
const CHUNK: usize = 256;

/// Length of the interpolation filter in input samples: transparent for speech, 1.3 ms of delay at 48 kHz.
const FILTER_LENGTH: usize = 128;

/// Converts a mono stream from one rate to another; does nothing when they are equal.
pub(crate) struct RateConverter {
    conversion: Option<Conversion>,
}

struct Conversion {
    resampler: Async<f32>,
    input: Vec<f32>,
    output: Vec<f32>,
    from_hz: u32,
    to_hz: u32,
    /// Samples taken in so far.
    taken: u64,
    /// Samples given out so far.
    given: u64,
    /// Samples of the filter's own delay at the start that are still to be left out.
    leading: usize,
}

impl core::fmt::Debug for RateConverter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let rates = self.conversion.as_ref().map(|conversion| (conversion.from_hz, conversion.to_hz));
        write!(f, "RateConverter({rates:?})")
    }
}

impl RateConverter {
    pub(crate) fn new(from_hz: u32, to_hz: u32) -> Result<Self, DeviceError> {
        if from_hz == to_hz {
            return Ok(Self { conversion: None });
        }
        let filter = SincInterpolationParameters::new(FILTER_LENGTH, WindowFunction::BlackmanHarris2);
        let ratio = f64::from(to_hz) / f64::from(from_hz);
        let resampler = Async::new_sinc(ratio, 1.0, &filter, CHUNK, 1, FixedAsync::Input)
            .map_err(|_| DeviceError::Unsupported)?;
        let conversion = Conversion {
            input: Vec::with_capacity(CHUNK),
            output: vec![0.0; resampler.output_frames_max()],
            from_hz,
            to_hz,
            taken: 0,
            given: 0,
            leading: resampler.output_delay(),
            resampler,
        };
        Ok(Self { conversion: Some(conversion) })
    }

    /// Takes one sample and appends what is ready to `out`.
    pub(crate) fn push(&mut self, sample: f32, out: &mut impl Extend<f32>) {
        match &mut self.conversion {
            None => out.extend([sample]),
            Some(conversion) => conversion.push(sample, usize::MAX, out),
        }
    }

    /// Appends what the end of the stream still owes to `out`.
    pub(crate) fn finish(&mut self, out: &mut impl Extend<f32>) {
        let Some(conversion) = &mut self.conversion else { return };
        let total = conversion.taken * u64::from(conversion.to_hz) / u64::from(conversion.from_hz);
        while let Some(owed) = total.checked_sub(conversion.given).filter(|&owed| owed > 0) {
            conversion.push(0.0, usize::try_from(owed).unwrap_or(usize::MAX), out);
        }
    }

    /// The time from the next sample to come out to the last one that went in.
    pub(crate) fn delay(&self) -> Duration {
        self.conversion.as_ref().map_or(Duration::ZERO, |conversion| {
            let filter = conversion.resampler.output_delay() as f64 / f64::from(conversion.to_hz);
            let waiting = conversion.input.len() as f64 / f64::from(conversion.from_hz);
            Duration::from_secs_f64(filter + waiting)
        })
    }
}

impl Conversion {
    /// Takes one sample; appends at most `most` to `out` when a chunk is whole.
    fn push(&mut self, sample: f32, most: usize, out: &mut impl Extend<f32>) {
        self.taken += 1;
        self.input.push(sample);
        if self.input.len() < CHUNK {
            return;
        }
        let ready = self.convert();
        self.input.clear();
        let skipped = self.leading.min(ready);
        self.leading -= skipped;
        let kept = (ready - skipped).min(most);
        self.given += kept as u64;
        out.extend(self.output.iter().skip(skipped).take(kept).copied());
    }

    /// Converts the whole chunk of input; gives the number of samples in the output buffer.
    fn convert(&mut self) -> usize {
        let frames = self.output.len();
        let input = InterleavedSlice::new(&self.input, 1, CHUNK);
        let output = InterleavedSlice::new_mut(&mut self.output, 1, frames);
        let (Ok(input), Ok(mut output)) = (input, output) else { return 0 };
        // Buffers of the sizes that the resampler asked for are always accepted.
        self.resampler.process_into_buffer(&input, &mut output, None).map_or(0, |(_, written)| written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::tone_share;

    fn convert(from_hz: u32, to_hz: u32, tone_hz: f64, seconds: u32) -> Vec<i16> {
        let mut converter = RateConverter::new(from_hz, to_hz).unwrap();
        let mut out = Vec::new();
        for index in 0..from_hz * seconds {
            let angle = core::f64::consts::TAU * tone_hz * f64::from(index) / f64::from(from_hz);
            converter.push(angle.sin() as f32 / 2.0, &mut out);
        }
        converter.finish(&mut out);
        out.iter().map(|sample| (sample * 32_768.0) as i16).collect()
    }

    #[test]
    fn tones_keep_their_pitch_and_length_from_every_common_rate() {
        for from_hz in [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000] {
            let out = convert(from_hz, 48_000, 1_000.0, 1);
            assert!(tone_share(&out[2_400..45_600], 1_000.0) > 0.999, "from {from_hz} Hz");
            assert_eq!(out.len(), 48_000, "from {from_hz} Hz");
        }
    }

    #[test]
    fn converted_sound_stays_where_it_was() {
        let out = convert(16_000, 48_000, 250.0, 1);
        // The 250 Hz sine crosses zero upwards every 192 samples at 48 kHz, from the first one on.
        for crossing in (192..47_000).step_by(192) {
            assert!(out[crossing - 4] < 0 && out[crossing + 4] > 0, "at {crossing}");
        }
    }

    #[test]
    fn equal_rates_pass_samples_unchanged() {
        let mut converter = RateConverter::new(48_000, 48_000).unwrap();
        let mut out = Vec::new();
        converter.push(0.25, &mut out);
        converter.finish(&mut out);
        assert_eq!(out, [0.25]);
        assert_eq!(converter.delay(), Duration::ZERO);
    }
}
