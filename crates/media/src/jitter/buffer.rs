//! The audio jitter buffer. Generic over the payload: it orders and times, it decodes nothing.

use core::time::Duration;
use std::collections::VecDeque;

use incamera_types::Mono;

use super::delay::{DelayEstimator, DelayLimits, MAX_BUFFERED_BLOCKS};
use crate::audio::BLOCK_SAMPLES;

/// Media ticks of one block.
const BLOCK_TICKS: u64 = BLOCK_SAMPLES as u64;

/// Blocks concealed in a row before the stream counts as paused: after 100 ms Opus' concealment is silent.
const MAX_CONCEALED: u32 = 5;

/// A timestamp further away than this (5 s) starts the stream anew.
const RESTART_TICKS: u64 = 5 * 48_000;

/// Late packets in a row that show that the sender's clock was set back: 0.5 s of them.
const LATE_RUN: u32 = 25;

/// The delay shrinks only after it was too long in each of this many pulls: 1 s.
const SHRINK_AFTER: u32 = 50;

/// Delay beyond the target that is put up with, in microseconds: two blocks.
const TOLERATED_EXCESS_US: i64 = 40_000;

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It will be played.
    Stored,
    /// Its time has passed.
    Late,
    /// It is there already.
    Duplicate,
    /// The buffer was full: the oldest packet was dropped for it.
    Overflowed,
    /// The stream started anew with it.
    Restarted,
}

/// What to play for the next 20 ms.
#[derive(Debug, PartialEq, Eq)]
pub enum Playout<'a, P> {
    /// A packet.
    Packet {
        /// Media time of the block.
        timestamp: u64,
        /// The packet.
        payload: P,
    },
    /// Two packets to be merged into one block: the delay had become longer than needed.
    Merge {
        /// Media time of the first block.
        timestamp: u64,
        /// The first packet.
        first: P,
        /// The packet after it.
        second: P,
    },
    /// The packet is lost: recover the block from the packet after it, or conceal it.
    Lost {
        /// Media time of the block.
        timestamp: u64,
        /// The packet after it, if it is there; it will be played next.
        following: Option<&'a P>,
    },
    /// The packet is expected yet: fill the time, media time stands still.
    Hold,
    /// The stream has not begun or is paused: silence.
    Idle,
}

/// Counters of one stream since its start, in blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitterStatistics {
    /// Played from a packet.
    pub played: u64,
    /// Lost: not there when their time came.
    pub lost: u64,
    /// Packets that came after their time.
    pub late: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Inserted because the packet was waited for.
    pub held: u64,
    /// Left out, merged into another, to shorten the delay.
    pub merged: u64,
    /// Times that the stream started anew.
    pub restarts: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is played; packets gather.
    Idle,
    /// `next` is played at the next pull.
    Playing { next: u64 },
}

/// Orders the packets of one audio stream and says every 20 ms what to play.
///
/// The delay follows the network: long enough for about 98 % of the packets of the last 5 s. It grows when a packet
/// is not there in time, and shrinks by merging two blocks. That also takes up the drift between the sender's clock
/// and the one that pulls. Packets are told apart by media time alone.
pub struct JitterBuffer<P> {
    estimator: DelayEstimator,
    state: State,
    /// By rising timestamp.
    packets: VecDeque<Packet<P>>,
    concealed: u32,
    late_run: u32,
    excess_run: u32,
    statistics: JitterStatistics,
}

struct Packet<P> {
    timestamp: u64,
    arrival: Mono,
    payload: P,
}

impl<P> JitterBuffer<P> {
    /// An empty buffer.
    #[must_use]
    pub fn new(limits: DelayLimits) -> Self {
        Self {
            estimator: DelayEstimator::new(limits),
            state: State::Idle,
            packets: VecDeque::with_capacity(MAX_BUFFERED_BLOCKS),
            concealed: 0,
            late_run: 0,
            excess_run: 0,
            statistics: JitterStatistics::default(),
        }
    }

    /// Takes a packet whose block begins at `timestamp` (48 kHz, extended).
    pub fn insert(&mut self, now: Mono, timestamp: u64, payload: P) -> Inserted {
        if self.is_discontinuous(now, timestamp) {
            return self.restart(now, timestamp, payload);
        }
        if let State::Playing { next } = self.state
            && timestamp < next
        {
            return self.insert_late(now, timestamp, payload);
        }
        self.late_run = 0;
        let place = self.packets.partition_point(|packet| packet.timestamp < timestamp);
        if self.packets.get(place).is_some_and(|packet| packet.timestamp == timestamp) {
            self.statistics.duplicates = self.statistics.duplicates.saturating_add(1);
            return Inserted::Duplicate;
        }
        self.estimator.handle_arrival(now, timestamp);
        self.packets.insert(place, Packet { timestamp, arrival: now, payload });
        if self.packets.len() <= MAX_BUFFERED_BLOCKS {
            return Inserted::Stored;
        }
        self.packets.pop_front();
        if let (State::Playing { next }, Some(front)) = (&mut self.state, self.packets.front()) {
            *next = (*next).max(front.timestamp);
        }
        Inserted::Overflowed
    }

    fn insert_late(&mut self, now: Mono, timestamp: u64, payload: P) -> Inserted {
        self.late_run = self.late_run.saturating_add(1);
        if self.late_run >= LATE_RUN {
            return self.restart(now, timestamp, payload);
        }
        if !self.estimator.is_foreign(now, timestamp) {
            self.estimator.handle_arrival(now, timestamp);
        }
        self.statistics.late = self.statistics.late.saturating_add(1);
        Inserted::Late
    }

    /// Whether the sender's clock was set anew, as far as one packet can tell.
    fn is_discontinuous(&self, now: Mono, timestamp: u64) -> bool {
        let reference = match (self.state, self.packets.back()) {
            (State::Playing { next }, _) => next,
            (State::Idle, Some(newest)) => newest.timestamp,
            // After a pause the clock must have gone on with ours.
            (State::Idle, None) => return self.estimator.is_foreign(now, timestamp),
        };
        reference.abs_diff(timestamp) > RESTART_TICKS
    }

    fn restart(&mut self, now: Mono, timestamp: u64, payload: P) -> Inserted {
        self.estimator.restart();
        self.packets.clear();
        self.pause();
        self.late_run = 0;
        self.statistics.restarts = self.statistics.restarts.saturating_add(1);
        self.estimator.handle_arrival(now, timestamp);
        self.packets.push_back(Packet { timestamp, arrival: now, payload });
        Inserted::Restarted
    }

    /// What to play for the next 20 ms. Called once for each block that the output wants, in bursts if it likes.
    pub fn pull(&mut self, now: Mono) -> Playout<'_, P> {
        if self.state == State::Idle && !self.begin(now) {
            return Playout::Idle;
        }
        let State::Playing { next } = self.state else { return Playout::Idle };
        let delay_us = self.estimator.delay_us(now, next);
        match self.packets.front().map(|packet| packet.timestamp) {
            Some(front) if front <= next => self.play(delay_us),
            front => self.miss(next, front, delay_us),
        }
    }

    /// Begins to play when the first packet has waited for the target delay, or so much has gathered.
    fn begin(&mut self, now: Mono) -> bool {
        let Some(front) = self.packets.front() else { return false };
        let target = self.estimator.target();
        let waited = now.since(front.arrival) >= target;
        let gathered_blocks = u32::try_from(self.packets.len()).unwrap_or(u32::MAX);
        let gathered = Duration::from_millis(20).saturating_mul(gathered_blocks) > target;
        if waited || gathered {
            self.state = State::Playing { next: front.timestamp };
        }
        waited || gathered
    }

    fn play(&mut self, delay_us: i64) -> Playout<'_, P> {
        let excess_us = delay_us.saturating_sub(duration_us(self.estimator.target()));
        self.excess_run = if excess_us > TOLERATED_EXCESS_US { self.excess_run.saturating_add(1) } else { 0 };
        self.concealed = 0;
        let Some(packet) = self.packets.pop_front() else { return Playout::Idle };
        self.statistics.played = self.statistics.played.saturating_add(1);
        let timestamp = packet.timestamp;
        let after = timestamp.saturating_add(BLOCK_TICKS);
        let second = if self.excess_run > SHRINK_AFTER { self.take_at(after) } else { None };
        let Some(second) = second else {
            self.state = State::Playing { next: after };
            return Playout::Packet { timestamp, payload: packet.payload };
        };
        self.excess_run = 0;
        self.statistics.merged = self.statistics.merged.saturating_add(1);
        self.state = State::Playing { next: after.saturating_add(BLOCK_TICKS) };
        Playout::Merge { timestamp, first: packet.payload, second }
    }

    fn take_at(&mut self, timestamp: u64) -> Option<P> {
        if self.packets.front()?.timestamp == timestamp {
            self.packets.pop_front().map(|packet| packet.payload)
        } else {
            None
        }
    }

    /// The packet of the block at `next` is not there.
    fn miss(&mut self, next: u64, front: Option<u64>, delay_us: i64) -> Playout<'_, P> {
        self.excess_run = 0;
        if self.concealed >= MAX_CONCEALED {
            self.pause();
            return Playout::Idle;
        }
        self.concealed = self.concealed.saturating_add(1);
        if delay_us < duration_us(self.estimator.target()) {
            self.statistics.held = self.statistics.held.saturating_add(1);
            return Playout::Hold;
        }
        self.statistics.lost = self.statistics.lost.saturating_add(1);
        let after = next.saturating_add(BLOCK_TICKS);
        self.state = State::Playing { next: after };
        let following = self.packets.front().filter(|_| front == Some(after)).map(|packet| &packet.payload);
        Playout::Lost { timestamp: next, following }
    }

    fn pause(&mut self) {
        self.state = State::Idle;
        self.concealed = 0;
        self.excess_run = 0;
    }

    /// The delay that the buffer works towards.
    #[must_use]
    pub fn target_delay(&self) -> Duration {
        self.estimator.target()
    }

    /// Blocks held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether no block is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Counters since the start.
    #[must_use]
    pub fn statistics(&self) -> JitterStatistics {
        self.statistics
    }
}

fn duration_us(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
