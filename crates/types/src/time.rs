//! Time as cores see it: always passed in, never read.

use core::time::Duration;

use serde::{Deserialize, Serialize};

/// A monotonic instant in microseconds since an arbitrary start that is the same for the whole process
/// (or the whole simulation).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mono(u64);

impl Mono {
    /// An instant `micros` microseconds after the start.
    #[inline]
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the start.
    #[inline]
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`; zero when `earlier` is later.
    #[inline]
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// This instant moved later by `by`, saturating.
    #[inline]
    #[must_use]
    pub const fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(micros(by)))
    }

    /// This instant moved earlier by `by`, saturating at the start.
    #[must_use]
    pub const fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(micros(by)))
    }
}

/// The current time, handed to every core machine with every input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// Monotonic time: every deadline and duration is computed from this.
    pub mono: Mono,
    /// Wall clock in milliseconds since the Unix epoch: only compared with times that other machines
    /// wrote (card validity, knock freshness, heartbeat time).
    pub unix_ms: u64,
}

impl Now {
    /// The same wall and monotonic clocks moved later by `by`.
    #[must_use]
    pub const fn plus(self, by: Duration) -> Self {
        Self { mono: self.mono.plus(by), unix_ms: self.unix_ms.saturating_add(micros(by).wrapping_div(1000)) }
    }
}

const fn micros(by: Duration) -> u64 {
    let micros = by.as_micros();
    if micros > u64::MAX as u128 { u64::MAX } else { micros as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_saturate_instead_of_wrapping() {
        let early = Mono::from_micros(5);
        assert_eq!(early.since(Mono::from_micros(9)), Duration::ZERO);
        assert_eq!(early.minus(Duration::from_secs(1)), Mono::from_micros(0));
        assert_eq!(early.plus(Duration::MAX), Mono::from_micros(u64::MAX));
    }

    #[test]
    fn now_moves_both_clocks() {
        let now = Now { mono: Mono::from_micros(7), unix_ms: 100 }.plus(Duration::from_millis(3));
        assert_eq!((now.mono.as_micros(), now.unix_ms), (3_007, 103));
    }
}
