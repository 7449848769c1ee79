//! Choosing a format and opening a stream in it.

use core::ops::RangeInclusive;
use core::time::Duration;

use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{
    BufferSize, Device, ErrorKind, FromSample, I24, InputCallbackInfo, OutputCallbackInfo, SampleFormat,
    SizedSample, Stream, StreamConfig, SupportedBufferSize, SupportedStreamConfigRange,
};
use rtrb::{Consumer, RingBuffer};

use crate::DeviceError;
use crate::audio::SAMPLE_RATE_HZ;
use crate::microphone::CapturePort;
use crate::speaker::PlaybackPort;

/// Additional time until the first callback: wireless devices and idle audio systems take seconds to start.
pub(crate) const START_PATIENCE: Duration = Duration::from_secs(4);

/// How long opening a stream may take before the device counts as not responding.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// Callbacks per second that are asked for: 20 ms each. Shorter ones cost PulseAudio much processor time.
const CALLBACKS_PER_SECOND: u32 = 50;

/// Rates that a device may be driven at; the resampler bridges them to 48 kHz.
const RATES_HZ: RangeInclusive<u32> = 8_000..=192_000;

/// Errors that may wait to be looked at; the first one already ends the stream.
const FAULT_SLOTS: usize = 16;

/// A format in which a stream can be opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamShape {
    config: StreamConfig,
    format: SampleFormat,
}

impl StreamShape {
    /// Interleaved channels, at least 1: offers without any are passed over.
    pub(crate) const fn channels(self) -> u16 {
        self.config.channels
    }

    /// Samples per second and channel.
    pub(crate) const fn rate_hz(self) -> u32 {
        self.config.sample_rate
    }
}

/// The best format to record from `device`: 48 kHz, floating point, few channels.
pub(crate) fn input_config(device: &Device) -> Result<StreamShape, DeviceError> {
    choose(device.supported_input_configs().map_err(absent)?, 1).ok_or(DeviceError::Unsupported)
}

/// The best format to play on `device`: 48 kHz, floating point, two channels.
pub(crate) fn output_config(device: &Device) -> Result<StreamShape, DeviceError> {
    choose(device.supported_output_configs().map_err(absent)?, 2).ok_or(DeviceError::Unsupported)
}

/// A device that was never open cannot have been lost.
fn absent(error: cpal::Error) -> DeviceError {
    match DeviceError::from(error) {
        DeviceError::Lost => DeviceError::Missing,
        other => other,
    }
}

fn choose(
    offers: impl Iterator<Item = SupportedStreamConfigRange>,
    wanted_channels: u16,
) -> Option<StreamShape> {
    offers
        .filter(|offer| offer.channels() > 0)
        .filter_map(|offer| Some((offer, rate_of(&offer)?, format_rank(offer.sample_format())?)))
        .min_by_key(|(offer, rate_hz, format_rank)| {
            (rate_hz.abs_diff(SAMPLE_RATE_HZ), *format_rank, offer.channels().abs_diff(wanted_channels))
        })
        .map(|(offer, rate_hz, _)| StreamShape {
            config: StreamConfig {
                channels: offer.channels(),
                sample_rate: rate_hz,
                buffer_size: buffer_size(*offer.buffer_size(), rate_hz),
            },
            format: offer.sample_format(),
        })
}

/// The offered rate nearest to 48 kHz. PipeWire offers 0 as long as its clock has no rate: any will do then.
fn rate_of(offer: &SupportedStreamConfigRange) -> Option<u32> {
    if offer.max_sample_rate() == 0 {
        return Some(SAMPLE_RATE_HZ);
    }
    let rate_hz = SAMPLE_RATE_HZ.max(offer.min_sample_rate()).min(offer.max_sample_rate());
    RATES_HZ.contains(&rate_hz).then_some(rate_hz)
}

const fn format_rank(format: SampleFormat) -> Option<u8> {
    match format {
        SampleFormat::F32 => Some(0),
        SampleFormat::I32 => Some(1),
        SampleFormat::I24 => Some(2),
        SampleFormat::I16 => Some(3),
        SampleFormat::U8 => Some(4),
        _ => None,
    }
}

fn buffer_size(offered: SupportedBufferSize, rate_hz: u32) -> BufferSize {
    let wanted = rate_hz / CALLBACKS_PER_SECOND;
    match offered {
        SupportedBufferSize::Range { min, max } if min <= max && max > 0 => {
            BufferSize::Fixed(wanted.clamp(min, max))
        }
        _ => BufferSize::Default,
    }
}

/// What the error callback of a stream reported.
#[derive(Debug)]
pub(crate) struct Faults {
    queue: Consumer<cpal::Error>,
}

impl Faults {
    fn channel() -> (impl FnMut(cpal::Error) + Send + 'static, Self) {
        let (mut sender, queue) = RingBuffer::new(FAULT_SLOTS);
        let report = move |error: cpal::Error| {
            if is_fatal(error.kind()) {
                // When the queue is full the stream is ending anyway.
                let _ = sender.push(error);
            }
        };
        (report, Self { queue })
    }

    /// The first error that ended the stream.
    pub(crate) fn take(&mut self) -> Option<DeviceError> {
        self.queue.pop().ok().map(DeviceError::from)
    }
}

/// Lost samples, a refused real-time priority and a new default device do not end a stream.
const fn is_fatal(kind: ErrorKind) -> bool {
    !matches!(kind, ErrorKind::Xrun | ErrorKind::RealtimeDenied | ErrorKind::DeviceChanged)
}

/// Starts recording; `port` runs in the callback.
pub(crate) fn open_input(
    device: &Device,
    shape: StreamShape,
    port: CapturePort,
) -> Result<(Stream, Faults), DeviceError> {
    match shape.format {
        SampleFormat::F32 => open_input_as::<f32>(device, shape, port),
        SampleFormat::I32 => open_input_as::<i32>(device, shape, port),
        SampleFormat::I24 => open_input_as::<I24>(device, shape, port),
        SampleFormat::I16 => open_input_as::<i16>(device, shape, port),
        SampleFormat::U8 => open_input_as::<u8>(device, shape, port),
        _ => Err(DeviceError::Unsupported),
    }
}

fn open_input_as<T>(
    device: &Device,
    shape: StreamShape,
    mut port: CapturePort,
) -> Result<(Stream, Faults), DeviceError>
where
    T: SizedSample,
    f32: FromSample<T>,
{
    let (report, faults) = Faults::channel();
    let on_data = move |samples: &[T], info: &InputCallbackInfo| {
        let stamp = info.timestamp();
        port.captured(samples, stamp.callback.saturating_duration_since(stamp.capture));
    };
    let stream = device.build_input_stream(shape.config, on_data, report, Some(OPEN_TIMEOUT))?;
    stream.play()?;
    Ok((stream, faults))
}

/// Starts playing; `port` runs in the callback.
pub(crate) fn open_output(
    device: &Device,
    shape: StreamShape,
    port: PlaybackPort,
) -> Result<(Stream, Faults), DeviceError> {
    match shape.format {
        SampleFormat::F32 => open_output_as::<f32>(device, shape, port),
        SampleFormat::I32 => open_output_as::<i32>(device, shape, port),
        SampleFormat::I24 => open_output_as::<I24>(device, shape, port),
        SampleFormat::I16 => open_output_as::<i16>(device, shape, port),
        SampleFormat::U8 => open_output_as::<u8>(device, shape, port),
        _ => Err(DeviceError::Unsupported),
    }
}

fn open_output_as<T>(
    device: &Device,
    shape: StreamShape,
    mut port: PlaybackPort,
) -> Result<(Stream, Faults), DeviceError>
where
    T: SizedSample + FromSample<f32>,
{
    let (report, faults) = Faults::channel();
    let on_data = move |samples: &mut [T], info: &OutputCallbackInfo| {
        let stamp = info.timestamp();
        port.fill(samples, stamp.playback.saturating_duration_since(stamp.callback));
    };
    let stream = device.build_output_stream(shape.config, on_data, report, Some(OPEN_TIMEOUT))?;
    stream.play()?;
    Ok((stream, faults))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(channels: u16, rates: (u32, u32), format: SampleFormat) -> SupportedStreamConfigRange {
        SupportedStreamConfigRange::new(channels, rates.0, rates.1, SupportedBufferSize::Unknown, format)
    }

    #[test]
    fn native_rate_wins_over_format_and_channels() {
        let offers = [
            offer(1, (44_100, 44_100), SampleFormat::F32),
            offer(6, (8_000, 96_000), SampleFormat::I16),
            offer(2, (48_000, 48_000), SampleFormat::I16),
        ];
        let shape = choose(offers.into_iter(), 1).unwrap();
        assert_eq!((shape.channels(), shape.rate_hz(), shape.format), (2, 48_000, SampleFormat::I16));
    }

    #[test]
    fn unusable_offers_give_nothing() {
        let offers = [offer(1, (48_000, 48_000), SampleFormat::DsdU8), offer(0, (0, 0), SampleFormat::F32)];
        assert!(choose(offers.into_iter(), 1).is_none());
    }

    #[test]
    fn unknown_clock_rate_is_driven_at_48_khz() {
        let shape = choose([offer(2, (0, 0), SampleFormat::F32)].into_iter(), 2).unwrap();
        assert_eq!(shape.rate_hz(), 48_000);
    }

    #[test]
    fn callbacks_of_20_ms_are_asked_for_where_the_device_allows() {
        let range = |min, max| SupportedBufferSize::Range { min, max };
        assert_eq!(buffer_size(range(1, 9_999), 48_000), BufferSize::Fixed(960));
        assert_eq!(buffer_size(range(1_024, 9_999), 48_000), BufferSize::Fixed(1_024));
        assert_eq!(buffer_size(range(0, 0), 48_000), BufferSize::Default);
        assert_eq!(buffer_size(SupportedBufferSize::Unknown, 48_000), BufferSize::Default);
    }
}
