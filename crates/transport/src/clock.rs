//! The process's monotonic clock.

use std::time::Instant;

use incamera_types::Mono;

/// Reads the monotonic clock as [`Mono`]. Every part of one process uses copies of the same clock, so that
/// their instants can be compared.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    start_reading: Mono,
}

impl Clock {
    /// A clock that reads zero now.
    #[must_use]
    pub fn start() -> Self {
        Self::reading(Mono::from_micros(0))
    }

    /// A clock that reads `reading` now: in step with another monotonic clock of this machine.
    #[must_use]
    pub fn reading(reading: Mono) -> Self {
        Self { start: Instant::now(), start_reading: reading }
    }

    /// The current instant.
    #[must_use]
    pub fn now(&self) -> Mono {
        self.at(Instant::now())
    }

    /// The reading of this clock at `instant`; that of its start for instants before it.
    #[must_use]
    pub fn at(&self, instant: Instant) -> Mono {
        self.start_reading.plus(instant.saturating_duration_since(self.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn readings_of_copies_are_comparable() {
        let clock = Clock::start();
        let copy = clock;
        let later = clock.start + Duration::from_millis(7);
        assert_eq!(copy.at(later).as_micros(), 7_000);
        assert_eq!(copy.at(clock.start), Mono::from_micros(0));
    }
}
