//! The process's monotonic clock.

use std::time::Instant;

use incamera_types::Mono;

/// Reads the monotonic clock as [`Mono`]. Every part of one process uses copies of the same clock, so that
/// their instants can be compared.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that reads zero now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The current instant.
    #[must_use]
    pub fn now(&self) -> Mono {
        self.at(Instant::now())
    }

    /// The reading of this clock at `instant`; zero for instants before its start.
    #[must_use]
    pub fn at(&self, instant: Instant) -> Mono {
        let micros = instant.saturating_duration_since(self.start).as_micros();
        Mono::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
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
