//! Token buckets on virtual time.

use incamera_types::Mono;

use crate::Rate;

const MICRO: i64 = 1_000_000;

/// A token bucket that can go into debt, so that one large message is let through and paid for afterwards.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    per_second: i64,
    burst: i64,
    /// Millionths of a token; negative: debt.
    level: i64,
    at: Mono,
}

impl Meter {
    pub(crate) fn new(rate: Rate, now: Mono) -> Self {
        let burst = i64::from(rate.burst).saturating_mul(MICRO);
        Self { per_second: i64::from(rate.per_second), burst, level: burst, at: now }
    }

    fn refill(&mut self, now: Mono) {
        let micros = i64::try_from(now.since(self.at).as_micros()).unwrap_or(i64::MAX);
        self.level = self.level.saturating_add(micros.saturating_mul(self.per_second)).min(self.burst);
        self.at = self.at.max(now);
    }

    /// Takes `cost` tokens, into debt if need be.
    pub(crate) fn take(&mut self, now: Mono, cost: usize) {
        self.refill(now);
        let cost = i64::try_from(cost).unwrap_or(i64::MAX).saturating_mul(MICRO);
        self.level = self.level.saturating_sub(cost);
    }

    /// Whether at least one token is there.
    pub(crate) fn is_ready(&mut self, now: Mono) -> bool {
        self.refill(now);
        self.level >= MICRO
    }

    /// Whether nothing was taken for so long that the meter is as good as new.
    pub(crate) fn is_full(&mut self, now: Mono) -> bool {
        self.refill(now);
        self.level >= self.burst
    }

    /// When at least one token is there.
    pub(crate) fn ready_at(&self) -> Mono {
        let missing = MICRO.saturating_sub(self.level).max(0);
        let per_second = self.per_second.max(1);
        let micros =
            missing.saturating_add(per_second).saturating_sub(1).checked_div(per_second).unwrap_or(0);
        self.at.plus(core::time::Duration::from_micros(micros.unsigned_abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn a_meter_lets_the_burst_through_and_then_the_rate() {
        let mut now = Mono::from_micros(5);
        let mut meter = Meter::new(Rate { per_second: 10, burst: 3 }, now);
        let mut taken = 0;
        for _ in 0..1_000 {
            if meter.is_ready(now) {
                meter.take(now, 1);
                taken += 1;
            }
            now = now.plus(Duration::from_millis(1));
        }
        assert_eq!(taken, 3 + 9, "one second at ten a second after a burst of three");
    }

    #[test]
    fn debt_is_paid_before_the_next_token_and_the_time_of_it_is_exact() {
        let now = Mono::from_micros(0);
        let mut meter = Meter::new(Rate { per_second: 100, burst: 100 }, now);
        meter.take(now, 200);
        assert!(!meter.is_ready(now));
        let ready = meter.ready_at();
        assert_eq!(ready.since(now), Duration::from_millis(1_010));
        assert!(!meter.is_ready(ready.minus(Duration::from_micros(1))));
        assert!(meter.is_ready(ready));
    }

    #[test]
    fn extreme_times_and_costs_do_not_wrap() {
        let mut meter = Meter::new(Rate { per_second: u32::MAX, burst: u32::MAX }, Mono::from_micros(0));
        meter.take(Mono::from_micros(u64::MAX), usize::MAX);
        meter.take(Mono::from_micros(0), usize::MAX);
        assert!(!meter.is_ready(Mono::from_micros(u64::MAX)));
    }
}
