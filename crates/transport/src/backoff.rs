//! When to try again: growing pauses with jitter, so that clients do not return in step.

use std::time::Duration;

/// Pauses between attempts: the first comes at once, then they double from `first` to `longest`, each between
/// half and all of its nominal length.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// For the SFU: media is to be back within 5 s of its port accepting, handshake included.
    pub(crate) const fn sfu() -> Self {
        Self::new(Duration::from_millis(250), Duration::from_millis(2_000))
    }

    /// For the relay: everybody is to be back within 5 s of its return.
    pub(crate) const fn relay() -> Self {
        Self::new(Duration::from_millis(250), Duration::from_millis(2_000))
    }

    const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// The connection worked: the next pause is none.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// The pause before the next attempt; `random` is uniform over its range.
    pub(crate) fn next_pause(&mut self, random: u16) -> Duration {
        let failures = self.failures;
        self.failures = failures.saturating_add(1);
        let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
        let nominal = self.first.saturating_mul(1 << doublings.min(10)).min(self.longest);
        nominal / 2 + nominal.mul_f32(f32::from(random) / f32::from(u16::MAX) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_none_to_the_longest_and_start_anew_after_success() {
        let mut backoff = Backoff::sfu();
        let pauses: Vec<_> = (0..7).map(|_| backoff.next_pause(u16::MAX).as_millis()).collect();
        assert_eq!(pauses, [0, 250, 500, 1_000, 2_000, 2_000, 2_000]);
        backoff.succeeded();
        assert_eq!(backoff.next_pause(0), Duration::ZERO);
        assert_eq!(backoff.next_pause(0).as_millis(), 125);
    }
}
