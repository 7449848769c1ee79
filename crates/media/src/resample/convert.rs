//! Streaming sample rate conversion of one channel.

use incamera_types::{Blame, Fault};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};

/// A format that is not converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResampleError {
    /// The sample rate is outside `8_000..=192_000` or has too little in common with 48 kHz.
    #[error("audio at {0} Hz is not supported")]
    Rate(u32),
    /// No channel, or more than [`super::MAX_CHANNELS`].
    #[error("audio with {0} channels is not supported")]
    Channels(u16),
}

impl Fault for ResampleError {
    fn code(&self) -> &'static str {
        match self {
            Self::Rate(_) => "media.resample.rate",
            Self::Channels(_) => "media.resample.channels",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Device
    }

    fn advice(&self) -> &'static str {
        "Choose another device, or a file at 44.1 or 48 kHz."
    }
}

/// Longest conversion unit on either side: 100 ms at 48 kHz. Rates that have less in common with 48 kHz would need more.
const MAX_UNIT_SAMPLES: u32 = 4_800;

/// Channels as a size, if they are supported.
pub(super) fn checked_channels(channels: u16) -> Result<usize, ResampleError> {
    if (1..=super::MAX_CHANNELS).contains(&channels) {
        Ok(usize::from(channels))
    } else {
        Err(ResampleError::Channels(channels))
    }
}

/// Converts one channel between two rates, in whatever pieces it comes.
pub(super) struct Converter {
    /// `None` when the rates are equal.
    resampler: Option<Fft<f32>>,
    pending: Vec<f32>,
    output: Vec<f32>,
}

impl Converter {
    /// A converter; `device_hz` is the rate to be refused when it does not fit.
    pub(super) fn new(from_hz: u32, to_hz: u32, device_hz: u32) -> Result<Self, ResampleError> {
        let refused = ResampleError::Rate(device_hz);
        if !(8_000..=192_000).contains(&device_hz) {
            return Err(refused);
        }
        if from_hz == to_hz {
            return Ok(Self { resampler: None, pending: Vec::new(), output: Vec::new() });
        }
        let unit = from_hz.max(to_hz).checked_div(greatest_common_divisor(from_hz, to_hz));
        if unit.is_none_or(|unit| unit > MAX_UNIT_SAMPLES) {
            return Err(refused);
        }
        // 10 ms at a time, or one unit if that is longer.
        let chunk = from_hz.div_euclid(100);
        let size = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
        let resampler = Fft::new(size(from_hz), size(to_hz), size(chunk), 1, FixedSync::Both)
            .map_err(|_| ResampleError::Rate(device_hz))?;
        let output = vec![0.0; resampler.output_frames_max()];
        Ok(Self { resampler: Some(resampler), pending: Vec::new(), output })
    }

    /// Converts `input` together with what was left over and hands each piece of the result to `emit`.
    pub(super) fn push(&mut self, input: impl Iterator<Item = f32>, mut emit: impl FnMut(&[f32])) {
        self.pending.extend(input);
        let Some(resampler) = &mut self.resampler else {
            emit(&self.pending);
            self.pending.clear();
            return;
        };
        let mut consumed = 0;
        loop {
            let wanted = resampler.input_frames_next();
            let rest = self.pending.get(consumed..).unwrap_or_default();
            let Some(piece) = rest.get(..wanted).filter(|piece| !piece.is_empty()) else { break };
            let capacity = self.output.len();
            // Neither fails: both slices hold exactly the samples that they are described with.
            let (Ok(source), Ok(mut target)) = (
                InterleavedSlice::new(piece, 1, wanted),
                InterleavedSlice::new_mut(&mut self.output, 1, capacity),
            ) else {
                break;
            };
            let written = resampler.process_into_buffer(&source, &mut target, None).map_or(0, |(_, out)| out);
            emit(self.output.get(..written).unwrap_or_default());
            consumed = consumed.saturating_add(wanted);
        }
        self.pending.drain(..consumed.min(self.pending.len()));
    }

    /// Input samples whose result has not come out yet.
    pub(super) fn latency_samples(&self) -> usize {
        self.resampler
            .as_ref()
            .map_or(0, |resampler| resampler.input_frames_next().saturating_add(resampler.output_delay()))
    }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    let (mut a, mut b) = (a, b);
    while let Some(rest) = a.checked_rem(b) {
        (a, b) = (b, rest);
    }
    a
}
