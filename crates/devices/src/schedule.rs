//! When the next block or picture of a paced source is due.

use core::num::NonZeroU32;
use core::time::Duration;

use incamera_types::Mono;

use crate::audio::Polled;

/// How late a source may be before its schedule starts anew instead of catching up in a burst. Above any
/// scheduling hiccup of a busy machine, below what a receiver would bridge.
const MAX_LATENESS: Duration = Duration::from_millis(500);

/// Due times at a fixed rate without accumulated rounding: tick `n` is due `n · denominator / numerator`
/// seconds after the first one.
#[derive(Clone, Debug)]
pub struct Schedule {
    rate: FrameRate,
    start: Option<Mono>,
    tick: u64,
}

impl Schedule {
    /// A schedule at `rate` that starts when it is first asked.
    #[must_use]
    pub const fn new(rate: FrameRate) -> Self {
        Self { rate, start: None, tick: 0 }
    }

    /// When the next tick is due; the first one is due at the first `now`. After a standstill of more than half
    /// a second the schedule goes on from `now`, so that a machine that slept does not send a burst.
    pub fn due(&mut self, now: Mono) -> Mono {
        let start = *self.start.get_or_insert(now);
        let due = start.plus(self.rate.time_of(self.tick));
        if now.since(due) <= MAX_LATENESS {
            return due;
        }
        self.start = Some(now);
        self.tick = 0;
        now
    }

    /// Whether the current tick is due at `now`.
    pub fn poll(&mut self, now: Mono) -> Polled {
        let due = self.due(now);
        if now < due { Polled::NotBefore(due) } else { Polled::Ready }
    }

    /// Marks the current tick as done.
    pub const fn advance(&mut self) {
        self.tick = self.tick.saturating_add(1);
    }
}

/// Pictures (or blocks) per second as a fraction, e.g. 30000/1001.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameRate {
    numerator: NonZeroU32,
    denominator: NonZeroU32,
}

impl FrameRate {
    /// Audio blocks of 20 ms.
    pub const AUDIO_BLOCKS: Self = Self::whole(NonZeroU32::new(50).unwrap());

    /// 30 pictures per second.
    pub const VIDEO_30: Self = Self::whole(NonZeroU32::new(30).unwrap());

    /// 10 pictures per second: enough to follow a screen.
    pub const SCREEN_10: Self = Self::whole(NonZeroU32::new(10).unwrap());

    /// `numerator / denominator` per second; `None` outside of 1 to 240 per second.
    #[must_use]
    pub fn new(numerator: u32, denominator: u32) -> Option<Self> {
        let rate =
            Self { numerator: NonZeroU32::new(numerator)?, denominator: NonZeroU32::new(denominator)? };
        (1.0..=240.0).contains(&rate.per_second()).then_some(rate)
    }

    const fn whole(per_second: NonZeroU32) -> Self {
        Self { numerator: per_second, denominator: NonZeroU32::MIN }
    }

    /// The numerator of the fraction.
    #[must_use]
    pub const fn numerator(self) -> u32 {
        self.numerator.get()
    }

    /// The denominator of the fraction.
    #[must_use]
    pub const fn denominator(self) -> u32 {
        self.denominator.get()
    }

    /// Pictures per second.
    #[must_use]
    pub fn per_second(self) -> f64 {
        f64::from(self.numerator.get()) / f64::from(self.denominator.get())
    }

    /// The time from picture 0 to picture `number`, to the microsecond; saturates after 584,000 years.
    #[must_use]
    pub fn time_of(self, number: u64) -> Duration {
        let micros = u128::from(number) * u128::from(self.denominator.get()) * 1_000_000
            / u128::from(self.numerator.get());
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedule_does_not_drift_over_an_hour_of_ntsc() {
        let mut schedule = Schedule::new(FrameRate::new(30_000, 1_001).unwrap());
        let mut now = Mono::from_micros(7);
        for _ in 0..108_000 {
            now = schedule.due(now);
            schedule.advance();
        }
        assert_eq!(schedule.due(now), Mono::from_micros(7 + 3_603_600_000));
    }

    #[test]
    fn short_lateness_is_caught_up_and_a_standstill_is_not() {
        let mut schedule = Schedule::new(FrameRate::AUDIO_BLOCKS);
        let start = Mono::from_micros(1_000);
        assert_eq!(schedule.due(start), start);
        schedule.advance();
        let late = start.plus(Duration::from_millis(300));
        assert_eq!(schedule.due(late), start.plus(Duration::from_millis(20)));
        let asleep = start.plus(Duration::from_secs(60));
        assert_eq!(schedule.due(asleep), asleep);
        schedule.advance();
        assert_eq!(schedule.due(asleep), asleep.plus(Duration::from_millis(20)));
    }

    #[test]
    fn rates_outside_of_one_to_240_are_refused() {
        assert!(FrameRate::new(0, 1).is_none());
        assert!(FrameRate::new(30, 0).is_none());
        assert!(FrameRate::new(1, 2).is_none());
        assert!(FrameRate::new(241, 1).is_none());
        assert!(FrameRate::new(240, 1).is_some());
    }
}
