//! The machine's monotonic clock, read in one place.

use incamera_types::Mono;
use rustix::time::{ClockId, clock_gettime};

/// The monotonic clock of the machine in microseconds. The time that it sleeps counts: whoever wakes after an hour has
/// heard nothing for an hour, and may send nothing until it has (SEC-08).
///
/// It is the same for every process of one machine, so that capture stamps of one process can be compared
/// with decoding times of another; it says nothing across machines.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The current instant. Takes no lock and may be called from an audio callback.
    #[must_use]
    pub fn now(self) -> Mono {
        let time = clock_gettime(ClockId::Boottime);
        // It starts at boot: neither part can be negative.
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
        Mono::from_micros(seconds.saturating_mul(1_000_000).saturating_add(nanos / 1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_asleep_counts() {
        let since_boot = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(since_boot.tv_sec).unwrap();
        assert!(SystemClock.now() >= Mono::from_micros(seconds * 1_000_000));
    }

    #[test]
    fn clock_never_runs_backwards() {
        let mut last = SystemClock.now();
        for _ in 0..1_000 {
            let now = SystemClock.now();
            assert!(now >= last);
            last = now;
        }
        assert!(last > Mono::from_micros(0));
    }
}
