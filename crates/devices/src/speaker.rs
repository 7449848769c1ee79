//! The speaker: blocks of 20 ms → ring buffer → callback.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use core::time::Duration;

use cpal::{FromSample, SizedSample, Stream};
use incamera_media::resample::PlaybackResampler;
use incamera_types::Mono;
use rtrb::{Producer, RingBuffer};

use crate::DeviceError;
use crate::audio::{AudioSink, BlockSamples, Polled};
use crate::clock::SystemClock;
use crate::host::{
    AudioHost, DeviceChoice, Direction, Faults, START_PATIENCE, StreamShape, open_output, output_config,
};
use crate::silence::Silence;

/// Sound that is kept ready beyond what the largest callback takes: one block and some scheduling jitter.
const RESERVE: Duration = Duration::from_millis(25);

/// Sound that fits between the blocks and the callback: more than any callback takes at once.
const RING: Duration = Duration::from_secs(1);

/// What the callback tells about itself, without locks.
#[derive(Debug, Default)]
struct CallbackReport {
    /// Callbacks so far.
    count: AtomicU64,
    /// Samples (per channel) of the largest callback.
    largest: AtomicU32,
    /// Microseconds from the last callback until its first sample is heard.
    ahead_micros: AtomicU32,
    /// Samples (per channel) that were wanted and not there.
    missed: AtomicU64,
}

/// The callback's end of the ring buffer.
#[derive(Debug)]
pub(crate) struct PlaybackPort {
    samples: rtrb::Consumer<f32>,
    channels: usize,
    report: Arc<CallbackReport>,
}

impl PlaybackPort {
    /// Runs in the callback: touches only the ring and four atomics. What is missing stays silent, as the
    /// audio system prepared it. Mono goes to the first two channels.
    pub(crate) fn fill<T>(&mut self, out: &mut [T], ahead: Duration)
    where
        T: SizedSample + FromSample<f32>,
    {
        let wanted = out.len() / self.channels;
        let there = wanted.min(self.samples.slots());
        if let Ok(chunk) = self.samples.read_chunk(there) {
            for (frame, sample) in out.chunks_exact_mut(self.channels).zip(chunk) {
                for channel in frame.iter_mut().take(2) {
                    *channel = T::from_sample(sample);
                }
            }
        }
        let report = &self.report;
        report.largest.fetch_max(u32::try_from(wanted).unwrap_or(u32::MAX), Ordering::Relaxed);
        report.missed.fetch_add((wanted - there) as u64, Ordering::Relaxed);
        let ahead_micros = u32::try_from(ahead.as_micros()).unwrap_or(u32::MAX);
        report.ahead_micros.store(ahead_micros, Ordering::Relaxed);
        report.count.fetch_add(1, Ordering::Relaxed);
    }
}

/// A speaker in use.
pub struct Speaker {
    /// Dropping it ends the callbacks.
    _stream: Stream,
    faults: Faults,
    feed: Feed,
}

impl core::fmt::Debug for Speaker {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Speaker").field("callbacks", &self.feed.report).finish_non_exhaustive()
    }
}

impl Speaker {
    /// Opens a speaker and starts it.
    ///
    /// # Errors
    /// The device does not exist, is busy, forbidden, or offers no usable format.
    pub fn open(host: &AudioHost, choice: &DeviceChoice) -> Result<Self, DeviceError> {
        let device = host.device(Direction::Output, choice)?;
        let shape = output_config(&device)?;
        let (port, feed) = Feed::connect(shape, SystemClock.now())?;
        let (stream, faults) = open_output(&device, shape, port)?;
        Ok(Self { _stream: stream, faults, feed })
    }

    /// Sound that was missing when the device wanted it, since the start.
    #[must_use]
    pub fn missed(&self) -> Duration {
        duration_of(self.feed.report.missed.load(Ordering::Relaxed), self.feed.rate_hz)
    }
}

impl AudioSink for Speaker {
    fn poll_wanted(&mut self, now: Mono) -> Result<Polled, DeviceError> {
        if let Some(error) = self.faults.take() {
            return Err(error);
        }
        self.feed.poll_wanted(now)
    }

    fn write_block(&mut self, samples: &BlockSamples) -> Result<(), DeviceError> {
        self.feed.write_block(samples);
        Ok(())
    }

    fn delay(&self) -> Duration {
        let ahead = u64::from(self.feed.report.ahead_micros.load(Ordering::Relaxed));
        self.feed.queued() + Duration::from_micros(ahead)
    }
}

/// Turns blocks into what the callback takes.
struct Feed {
    samples: Producer<f32>,
    capacity: usize,
    rate_hz: u32,
    resampler: PlaybackResampler,
    converted: Vec<f32>,
    report: Arc<CallbackReport>,
    callbacks_seen: u64,
    silence: Silence,
}

impl Feed {
    fn connect(shape: StreamShape, now: Mono) -> Result<(PlaybackPort, Self), DeviceError> {
        Self::with_layout(shape.channels(), shape.rate_hz(), now)
    }

    fn with_layout(channels: u16, rate_hz: u32, now: Mono) -> Result<(PlaybackPort, Self), DeviceError> {
        let capacity = rate_hz as usize * RING.as_millis() as usize / 1_000;
        let (producer, consumer) = RingBuffer::new(capacity);
        let report = Arc::new(CallbackReport::default());
        let port =
            PlaybackPort { samples: consumer, channels: usize::from(channels), report: Arc::clone(&report) };
        let feed = Self {
            samples: producer,
            capacity,
            rate_hz,
            // Mono: the callback spreads it over the channels.
            resampler: PlaybackResampler::new(rate_hz, 1).map_err(|_| DeviceError::Unsupported)?,
            converted: Vec::new(),
            report,
            callbacks_seen: 0,
            silence: Silence::from(now.plus(START_PATIENCE)),
        };
        Ok((port, feed))
    }

    fn poll_wanted(&mut self, now: Mono) -> Result<Polled, DeviceError> {
        let callbacks = self.report.count.load(Ordering::Relaxed);
        if callbacks != self.callbacks_seen {
            self.callbacks_seen = callbacks;
            self.silence.broken(now);
        } else if self.silence.is_loss(now) {
            return Err(DeviceError::Lost);
        }
        let largest = u64::from(self.report.largest.load(Ordering::Relaxed));
        let target = (duration_of(largest, self.rate_hz) + RESERVE).min(RING / 2);
        match self.queued().checked_sub(target) {
            Some(excess) if !excess.is_zero() => Ok(Polled::NotBefore(now.plus(excess))),
            _ => Ok(Polled::Ready),
        }
    }

    fn write_block(&mut self, samples: &BlockSamples) {
        self.converted.clear();
        self.resampler.push(samples, &mut self.converted);
        // A block that was not wanted and does not fit is cut: the newest sound is worth the least delay.
        let _ = self.samples.push_partial_slice(&self.converted);
    }

    fn queued(&self) -> Duration {
        duration_of((self.capacity - self.samples.slots()) as u64, self.rate_hz)
    }
}

fn duration_of(samples: u64, rate_hz: u32) -> Duration {
    Duration::from_micros(samples.saturating_mul(1_000_000) / u64::from(rate_hz))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::BLOCK_SAMPLES;
    use crate::silence::LOST_AFTER;

    #[test]
    fn sound_reaches_the_first_two_channels_and_gaps_are_counted() {
        let (mut port, mut feed) = Feed::with_layout(4, 48_000, Mono::default()).unwrap();
        feed.write_block(&[16_384; BLOCK_SAMPLES]);
        let mut out = vec![0.0_f32; 1_000 * 4];
        port.fill(&mut out, Duration::from_millis(5));
        assert_eq!(out[..8], [0.5, 0.5, 0.0, 0.0, 0.5, 0.5, 0.0, 0.0]);
        assert!(out[BLOCK_SAMPLES * 4..].iter().all(|&sample| sample == 0.0));
        assert_eq!(feed.report.missed.load(Ordering::Relaxed), 40);
    }

    #[test]
    fn speaker_wants_enough_for_its_largest_callback_and_no_more() {
        let (mut port, mut feed) = Feed::with_layout(1, 48_000, Mono::default()).unwrap();
        let now = Mono::from_micros(1);
        let fill_up = |feed: &mut Feed| {
            let mut blocks = 0;
            while feed.poll_wanted(now) == Ok(Polled::Ready) {
                feed.write_block(&[1; BLOCK_SAMPLES]);
                blocks += 1;
            }
            blocks
        };
        assert_eq!(fill_up(&mut feed), 2);
        assert_eq!(feed.poll_wanted(now), Ok(Polled::NotBefore(Mono::from_micros(15_001))));
        port.fill(&mut [0.0_f32; 1_920], Duration::ZERO);
        assert_eq!(fill_up(&mut feed), 4);
    }

    #[test]
    fn speaker_at_another_rate_gets_as_much_time() {
        let (mut port, mut feed) = Feed::with_layout(2, 44_100, Mono::default()).unwrap();
        let mut silent = 0;
        for round in 0..100 {
            feed.write_block(&[8_192; BLOCK_SAMPLES]);
            let mut out = [0.0_f32; 882 * 2];
            port.fill(&mut out, Duration::ZERO);
            if round > 5 {
                silent += out.iter().filter(|sample| (**sample - 0.25).abs() > 0.01).count();
            }
        }
        assert_eq!(silent, 0);
    }

    #[test]
    fn speaker_whose_callbacks_stop_is_lost() {
        let (mut port, mut feed) = Feed::with_layout(1, 48_000, Mono::default()).unwrap();
        let now = Mono::from_micros(1);
        port.fill(&mut [0.0_f32; 96], Duration::ZERO);
        assert_eq!(feed.poll_wanted(now), Ok(Polled::Ready));
        assert_eq!(feed.poll_wanted(now.plus(LOST_AFTER)), Ok(Polled::Ready));
        let late = now.plus(LOST_AFTER).plus(Duration::from_micros(1));
        assert_eq!(feed.poll_wanted(late), Err(DeviceError::Lost));
    }

    #[test]
    fn speaker_may_take_longer_to_start() {
        let (_port, mut feed) = Feed::with_layout(1, 48_000, Mono::default()).unwrap();
        let patient = Mono::default().plus(START_PATIENCE).plus(LOST_AFTER);
        assert!(feed.poll_wanted(patient).is_ok());
        assert_eq!(feed.poll_wanted(patient.plus(Duration::from_micros(1))), Err(DeviceError::Lost));
    }
}
