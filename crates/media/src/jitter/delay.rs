//! How late packets come, and how long playing should wait for them.

use core::time::Duration;

use incamera_types::Mono;

use crate::audio::SAMPLE_RATE_HZ;

/// Blocks held at most: 2 s. More is not live (SEC-15, SEC-18).
pub const MAX_BUFFERED_BLOCKS: usize = 100;

/// Bounds of the adaptive delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayLimits {
    /// Least time between the earliest possible arrival of a block and its playing.
    pub min: Duration,
    /// Most; what comes later than this is lost.
    pub max: Duration,
}

impl Default for DelayLimits {
    /// 20 ms to 400 ms: mouth to ear stays below 100 ms on a quiet network.
    fn default() -> Self {
        Self { min: Duration::from_millis(20), max: Duration::from_millis(400) }
    }
}

/// Arrivals remembered: 5 s of blocks. Long enough to see bursts, short enough that clock drift (100 ppm: 0.5 ms)
/// does not matter.
const WINDOW: usize = 256;

/// Arrivals, of those remembered, that may be later than the delay allows: about 2 %.
const TOLERATED_LATE: usize = 5;

/// The target is computed anew after this many arrivals.
const UPDATE_EVERY: usize = 8;

/// Learns from arrivals how much delay makes almost all packets come in time.
pub(super) struct DelayEstimator {
    limits: DelayLimits,
    /// Arrival minus media time in microseconds, newest overwriting oldest.
    transits_us: [i64; WINDOW],
    count: usize,
    position: usize,
    base_us: i64,
    target: Duration,
}

impl DelayEstimator {
    pub(super) fn new(limits: DelayLimits) -> Self {
        Self {
            limits,
            transits_us: [0; WINDOW],
            count: 0,
            position: 0,
            base_us: 0,
            // Until something is known: one block of reserve above the least.
            target: (limits.min.saturating_add(Duration::from_millis(20))).min(limits.max),
        }
    }

    /// The sender's clock changed: earlier arrivals say nothing more. The target stays until more is known.
    pub(super) fn restart(&mut self) {
        self.count = 0;
        self.position = 0;
    }

    /// Whether a packet comes at a time that has nothing to do with the earlier arrivals.
    pub(super) fn is_foreign(&self, now: Mono, timestamp: u64) -> bool {
        self.count > 0 && self.delay_us(now, timestamp).unsigned_abs() > self.limits.max.as_micros() as u64
    }

    pub(super) fn handle_arrival(&mut self, now: Mono, timestamp: u64) {
        let transit = micros(now).saturating_sub(media_micros(timestamp));
        if let Some(place) = self.transits_us.get_mut(self.position) {
            *place = transit;
        }
        self.position = self.position.saturating_add(1).checked_rem(WINDOW).unwrap_or(0);
        self.count = self.count.saturating_add(1).min(WINDOW);
        self.base_us = if self.count == 1 { transit } else { self.base_us.min(transit) };
        if self.position.is_multiple_of(UPDATE_EVERY) {
            self.update();
        }
    }

    fn update(&mut self) {
        let mut sorted = self.transits_us;
        let Some(seen) = sorted.get_mut(..self.count) else { return };
        seen.sort_unstable();
        let Some(earliest) = seen.first().copied() else { return };
        // While little is known nothing is ignored.
        let ignored = TOLERATED_LATE.saturating_mul(self.count).checked_div(WINDOW).unwrap_or(0);
        let latest = seen.iter().rev().nth(ignored).copied().unwrap_or(earliest);
        self.base_us = earliest;
        let jitter_us = u64::try_from(latest.saturating_sub(earliest)).unwrap_or(0);
        let wanted = self.limits.min.saturating_add(Duration::from_micros(jitter_us));
        self.target = wanted.clamp(self.limits.min, self.limits.max.max(self.limits.min));
    }

    /// The delay that playing should have.
    pub(super) fn target(&self) -> Duration {
        self.target
    }

    /// The delay that a block has if it is played now, in microseconds; negative when it can hardly have come.
    pub(super) fn delay_us(&self, now: Mono, timestamp: u64) -> i64 {
        micros(now).saturating_sub(media_micros(timestamp)).saturating_sub(self.base_us)
    }
}

fn micros(now: Mono) -> i64 {
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}

/// Media time of an extended 48 kHz timestamp in microseconds.
fn media_micros(timestamp: u64) -> i64 {
    let wide = u128::from(timestamp).saturating_mul(1_000_000);
    let micros = wide.checked_div(u128::from(SAMPLE_RATE_HZ)).unwrap_or(0);
    i64::try_from(micros).unwrap_or(i64::MAX)
}
