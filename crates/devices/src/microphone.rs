//! The microphone: callback → ring buffer → blocks of 20 ms.

use std::collections::VecDeque;

use core::time::Duration;

use cpal::{FromSample, SizedSample, Stream};
use incamera_types::Mono;
use rtrb::{Consumer, Producer, RingBuffer};

use crate::DeviceError;
use crate::audio::{AudioBlock, AudioSource, BLOCK_SAMPLES, Polled, SAMPLE_RATE_HZ, VoiceProcessing, to_i16};
use crate::clock::SystemClock;
use crate::host::{AudioHost, DeviceChoice, Direction, Faults, StreamShape, input_config, open_input};
use crate::rate::RateConverter;
use crate::stamp::StampSmoother;

/// Seconds of sound that may wait between the callback and the blocks.
const RING_SECONDS: usize = 1;

/// Callbacks whose times may wait: a second of the shortest ones.
const MARK_SLOTS: usize = 1_024;

/// How soon to look again when there is no whole block yet.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Silence of the callbacks after which the device counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(2);

/// The time of one position in the stream of samples.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Samples (per channel) before the first one of the callback.
    position: u64,
    /// When that sample was captured.
    captured: Mono,
}

/// The callback's end of the ring buffers.
#[derive(Debug)]
pub(crate) struct CapturePort {
    samples: Producer<f32>,
    marks: Producer<Mark>,
    channels: usize,
    position: u64,
}

impl CapturePort {
    /// Runs in the callback: touches only the rings and the clock, which take no lock and no memory. What does
    /// not fit is dropped in whole frames.
    pub(crate) fn captured<T>(&mut self, samples: &[T], age: Duration)
    where
        T: SizedSample,
        f32: FromSample<T>,
    {
        let captured = SystemClock.now().minus(age);
        let frames = samples.len().min(self.samples.slots()) / self.channels;
        let _ = self.marks.push(Mark { position: self.position, captured });
        let kept = samples.iter().take(frames * self.channels);
        if let Ok(chunk) = self.samples.write_chunk_uninit(kept.len()) {
            chunk.fill_from_iter(kept.map(|&sample| sample.to_sample::<f32>()));
            self.position += frames as u64;
        }
    }
}

/// A microphone in use.
pub struct Microphone {
    /// Dropping it ends the callbacks.
    _stream: Stream,
    faults: Faults,
    feed: Feed,
}

impl core::fmt::Debug for Microphone {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Microphone").field("feed", &self.feed).finish_non_exhaustive()
    }
}

impl Microphone {
    /// Opens a microphone and starts it.
    ///
    /// # Errors
    /// The device does not exist, is busy, forbidden, or offers no usable format.
    pub fn open(host: &AudioHost, choice: &DeviceChoice) -> Result<Self, DeviceError> {
        let device = host.device(Direction::Input, choice)?;
        let shape = input_config(&device)?;
        let (port, feed) = Feed::connect(shape, SystemClock.now())?;
        let (stream, faults) = open_input(&device, shape, port)?;
        Ok(Self { _stream: stream, faults, feed })
    }
}

impl AudioSource for Microphone {
    fn poll_block(&mut self, now: Mono, block: &mut AudioBlock) -> Result<Polled, DeviceError> {
        if let Some(error) = self.faults.take() {
            return Err(error);
        }
        self.feed.poll_block(now, block)
    }

    fn voice_processing(&self) -> VoiceProcessing {
        VoiceProcessing::Apply
    }
}

/// Turns what the callback delivers into blocks.
#[derive(Debug)]
struct Feed {
    samples: Consumer<f32>,
    marks: Consumer<Mark>,
    channels: usize,
    rate_hz: u32,
    /// Samples (per channel) taken from the ring.
    position: u64,
    mark: Option<Mark>,
    converter: RateConverter,
    /// Mono at 48 kHz, not yet a whole block.
    pending: VecDeque<f32>,
    smoother: StampSmoother,
    last_heard: Mono,
}

impl Feed {
    fn connect(shape: StreamShape, now: Mono) -> Result<(CapturePort, Self), DeviceError> {
        Self::with_layout(shape.channels(), shape.rate_hz(), now)
    }

    fn with_layout(channels: usize, rate_hz: u32, now: Mono) -> Result<(CapturePort, Self), DeviceError> {
        let (sample_writer, samples) = RingBuffer::new(rate_hz as usize * channels * RING_SECONDS);
        let (mark_writer, marks) = RingBuffer::new(MARK_SLOTS);
        let port = CapturePort { samples: sample_writer, marks: mark_writer, channels, position: 0 };
        let feed = Self {
            samples,
            marks,
            channels,
            rate_hz,
            position: 0,
            mark: None,
            converter: RateConverter::new(rate_hz, SAMPLE_RATE_HZ)?,
            pending: VecDeque::with_capacity(4 * BLOCK_SAMPLES),
            smoother: StampSmoother::default(),
            last_heard: now,
        };
        Ok((port, feed))
    }

    fn poll_block(&mut self, now: Mono, block: &mut AudioBlock) -> Result<Polled, DeviceError> {
        if self.pending.len() < BLOCK_SAMPLES {
            self.drain_ring(now);
        }
        if self.pending.len() < BLOCK_SAMPLES {
            if now.since(self.last_heard) > LOST_AFTER {
                return Err(DeviceError::Lost);
            }
            return Ok(Polled::NotBefore(now.plus(POLL_INTERVAL)));
        }
        block.captured = self.smoother.stamp(self.first_pending_captured(now));
        for (sample, value) in block.samples.iter_mut().zip(self.pending.drain(..BLOCK_SAMPLES)) {
            *sample = to_i16(value);
        }
        Ok(Polled::Ready)
    }

    fn drain_ring(&mut self, now: Mono) {
        let frames = self.samples.slots() / self.channels;
        let Ok(chunk) = self.samples.read_chunk(frames * self.channels) else { return };
        if frames == 0 {
            return;
        }
        self.last_heard = now;
        while let Ok(mark) = self.marks.pop() {
            self.mark = Some(mark);
        }
        let mut frame = 0.0;
        let channels = self.channels as f32;
        for (index, sample) in chunk.into_iter().enumerate() {
            frame += sample;
            if (index + 1) % self.channels == 0 {
                self.converter.push(frame / channels, &mut self.pending);
                frame = 0.0;
            }
        }
        self.position += frames as u64;
    }

    /// When the first pending sample was captured: the newest known time, moved by the samples in between.
    fn first_pending_captured(&self, now: Mono) -> Mono {
        let mark = self.mark.unwrap_or(Mark { position: self.position, captured: now });
        let ahead = duration_of(self.position.saturating_sub(mark.position), self.rate_hz);
        let behind = duration_of(mark.position.saturating_sub(self.position), self.rate_hz);
        let pending = duration_of(self.pending.len() as u64, SAMPLE_RATE_HZ);
        mark.captured.plus(ahead).minus(behind).minus(pending).minus(self.converter.delay())
    }
}

fn duration_of(samples: u64, rate_hz: u32) -> Duration {
    Duration::from_micros(samples.saturating_mul(1_000_000) / u64::from(rate_hz))
}
