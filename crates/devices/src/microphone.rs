//! The microphone: callback → ring buffer → blocks of 20 ms.

use std::collections::VecDeque;

use core::time::Duration;

use cpal::{FromSample, SizedSample, Stream};
use incamera_media::resample::CaptureResampler;
use incamera_types::Mono;
use rtrb::{Consumer, Producer, RingBuffer};

use crate::DeviceError;
use crate::audio::{
    AudioBlock, AudioSource, BLOCK_SAMPLES, BlockSamples, Polled, SAMPLE_RATE_HZ, VoiceProcessing,
};
use crate::clock::SystemClock;
use crate::host::{
    AudioHost, DeviceChoice, Direction, Faults, START_PATIENCE, StreamShape, input_config, open_input,
};
use crate::silence::Silence;
use crate::stamp::StampSmoother;

/// Seconds of sound that may wait between the callback and the blocks.
const RING_SECONDS: usize = 1;

/// Callbacks whose times may wait: a second of the shortest ones.
const MARK_SLOTS: usize = 1_024;

/// How soon to look again when there is no whole block yet.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

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
        f.debug_struct("Microphone").field("blocks", &self.feed.blocks).finish_non_exhaustive()
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
struct Feed {
    samples: Consumer<f32>,
    marks: Consumer<Mark>,
    channels: usize,
    rate_hz: u32,
    resampler: CaptureResampler,
    taken: Vec<f32>,
    pending: VecDeque<BlockSamples>,
    /// Where the first block begins in the stream of samples; `None` until somebody asks for a block. What was said
    /// before that, while its speaker waited to be let in, is nobody's to hear.
    begins: Option<u64>,
    /// Blocks handed out so far.
    blocks: u64,
    mark: Option<Mark>,
    smoother: StampSmoother,
    silence: Silence,
}

impl Feed {
    fn connect(shape: StreamShape, now: Mono) -> Result<(CapturePort, Self), DeviceError> {
        Self::with_layout(shape.channels(), shape.rate_hz(), now)
    }

    fn with_layout(channels: u16, rate_hz: u32, now: Mono) -> Result<(CapturePort, Self), DeviceError> {
        let resampler = CaptureResampler::new(rate_hz, channels).map_err(|_| DeviceError::Unsupported)?;
        let channels = usize::from(channels);
        let (sample_writer, samples) = RingBuffer::new(rate_hz as usize * channels * RING_SECONDS);
        let (mark_writer, marks) = RingBuffer::new(MARK_SLOTS);
        let port = CapturePort { samples: sample_writer, marks: mark_writer, channels, position: 0 };
        let feed = Self {
            samples,
            marks,
            channels,
            rate_hz,
            resampler,
            taken: Vec::new(),
            pending: VecDeque::new(),
            begins: None,
            blocks: 0,
            mark: None,
            smoother: StampSmoother::default(),
            silence: Silence::from(now.plus(START_PATIENCE)),
        };
        Ok((port, feed))
    }

    fn poll_block(&mut self, now: Mono, block: &mut AudioBlock) -> Result<Polled, DeviceError> {
        if self.begins.is_none() {
            self.begin(now);
        }
        if self.pending.is_empty() {
            self.drain_ring(now);
        }
        let Some(samples) = self.pending.pop_front() else {
            if self.silence.is_loss(now) {
                return Err(DeviceError::Lost);
            }
            return Ok(Polled::NotBefore(now.plus(POLL_INTERVAL)));
        };
        let captured = self.smoother.stamp(self.block_captured(now));
        self.blocks += 1;
        *block = AudioBlock { captured, samples };
        Ok(Polled::Ready)
    }

    /// Throws away what waits, and begins after it.
    fn begin(&mut self, now: Mono) {
        let waiting = self.samples.slots() / self.channels * self.channels;
        if let Ok(chunk) = self.samples.read_chunk(waiting) {
            chunk.commit_all();
        }
        if waiting > 0 {
            self.silence.broken(now);
        }
        self.keep_newest_mark();
        self.begins = Some((waiting / self.channels) as u64);
    }

    fn keep_newest_mark(&mut self) {
        while let Ok(mark) = self.marks.pop() {
            self.mark = Some(mark);
        }
    }

    fn drain_ring(&mut self, now: Mono) {
        let Self { samples, resampler, taken, pending, .. } = self;
        let ready = samples.slots() / self.channels * self.channels;
        taken.resize(ready, 0.0);
        if ready == 0 || samples.pop_entire_slice(taken).is_err() {
            return;
        }
        resampler.push(taken, &mut |block| pending.push_back(*block));
        self.silence.broken(now);
        self.keep_newest_mark();
    }

    /// When the next block was captured: the newest known time, moved by the samples in between.
    fn block_captured(&self, now: Mono) -> Mono {
        let since_begin =
            self.blocks * BLOCK_SAMPLES as u64 * u64::from(self.rate_hz) / u64::from(SAMPLE_RATE_HZ);
        let block_position = self.begins.unwrap_or_default() + since_begin;
        let mark = self.mark.unwrap_or(Mark { position: block_position, captured: now });
        let duration = |samples: u64| Duration::from_micros(samples * 1_000_000 / u64::from(self.rate_hz));
        let after = duration(block_position.saturating_sub(mark.position));
        let before = duration(mark.position.saturating_sub(block_position));
        mark.captured.plus(after).minus(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::silence::LOST_AFTER;

    const CALLBACK: Duration = Duration::from_millis(10);

    /// Plays the callback of a microphone with `channels` at `rate_hz` for a second of virtual time.
    fn record(channels: u16, rate_hz: u32) -> Vec<AudioBlock> {
        let (mut port, mut feed) = Feed::with_layout(channels, rate_hz, Mono::default()).unwrap();
        let buffer = vec![0.5_f32; rate_hz as usize / 100 * usize::from(channels)];
        let mut block = AudioBlock::silent();
        let mut blocks = Vec::new();
        assert_ne!(feed.poll_block(Mono::default(), &mut block), Ok(Polled::Ready));
        for _ in 0..100 {
            port.captured(&buffer, CALLBACK);
            let now = SystemClock.now();
            while feed.poll_block(now, &mut block).unwrap() == Polled::Ready {
                blocks.push(block.clone());
            }
        }
        blocks
    }

    #[test]
    fn callbacks_of_any_layout_become_blocks() {
        for (channels, rate_hz) in [(1, 48_000), (2, 48_000), (2, 44_100), (6, 96_000)] {
            let blocks = record(channels, rate_hz);
            assert!((47..=50).contains(&blocks.len()), "{channels} × {rate_hz}: {}", blocks.len());
            let loud = blocks[5..].iter().flat_map(|block| block.samples);
            assert!(loud.into_iter().all(|sample| (16_300..16_500).contains(&sample)));
        }
    }

    #[test]
    fn stamps_say_when_the_sound_was_there() {
        let (mut port, mut feed) = Feed::with_layout(1, 48_000, Mono::default()).unwrap();
        let mut block = AudioBlock::silent();
        // Half a second that nobody asked for, with its marks.
        for _ in 0..50 {
            port.captured(&[0.0_f32; 480], CALLBACK);
        }
        assert_ne!(feed.poll_block(SystemClock.now(), &mut block), Ok(Polled::Ready));
        let before = SystemClock.now();
        port.captured(&[0.0_f32; 1_920], Duration::from_millis(40));
        let after = SystemClock.now();
        assert_eq!(feed.poll_block(after, &mut block), Ok(Polled::Ready));
        assert!(block.captured >= before.minus(Duration::from_millis(40)));
        assert!(block.captured <= after.minus(Duration::from_millis(40)));
        let first = block.captured;
        assert_eq!(feed.poll_block(after, &mut block), Ok(Polled::Ready));
        assert_eq!(block.captured, first.plus(Duration::from_millis(20)));
    }

    #[test]
    fn callback_that_is_not_emptied_drops_sound_and_goes_on() {
        let (mut port, mut feed) = Feed::with_layout(2, 48_000, Mono::default()).unwrap();
        let mut block = AudioBlock::silent();
        assert_ne!(feed.poll_block(SystemClock.now(), &mut block), Ok(Polled::Ready));
        for _ in 0..200 {
            port.captured(&[0.25_f32; 960 * 2], CALLBACK);
        }
        let mut blocks = 0;
        while feed.poll_block(SystemClock.now(), &mut block) == Ok(Polled::Ready) {
            blocks += 1;
        }
        assert_eq!(blocks, 50);
        port.captured(&[0.25_f32; 960 * 2], CALLBACK);
        assert_eq!(feed.poll_block(SystemClock.now(), &mut block), Ok(Polled::Ready));
    }

    #[test]
    fn what_was_said_before_anybody_asked_is_not_handed_out() {
        let (mut port, mut feed) = Feed::with_layout(2, 48_000, Mono::default()).unwrap();
        for _ in 0..200 {
            port.captured(&[0.5_f32; 960 * 2], CALLBACK);
        }
        let mut block = AudioBlock::silent();
        assert_ne!(feed.poll_block(SystemClock.now(), &mut block), Ok(Polled::Ready));
        for _ in 0..5 {
            port.captured(&[0.0_f32; 960 * 2], CALLBACK);
        }
        let mut blocks = 0;
        while feed.poll_block(SystemClock.now(), &mut block) == Ok(Polled::Ready) {
            assert!(block.samples.iter().all(|sample| *sample == 0));
            blocks += 1;
        }
        assert_eq!(blocks, 5);
    }

    #[test]
    fn microphone_that_falls_silent_is_lost() {
        let start = Mono::from_micros(9);
        let (_port, mut feed) = Feed::with_layout(1, 48_000, start).unwrap();
        let mut block = AudioBlock::silent();
        let patient = start.plus(START_PATIENCE).plus(LOST_AFTER);
        assert_eq!(feed.poll_block(patient, &mut block), Ok(Polled::NotBefore(patient.plus(POLL_INTERVAL))));
        let late = patient.plus(POLL_INTERVAL);
        assert_eq!(feed.poll_block(late, &mut block), Err(DeviceError::Lost));
    }
}
