//! For how long the relay has been out of reach.

use core::time::Duration;

use incamera_types::Mono;

/// Time without a word of the relay after which the meeting is over for us. A relay keeps a room in which nobody is for
/// as long (`room_idle_seconds`, unless configured otherwise): what comes back after that is another room.
pub(crate) const RELAY_AWAY_LIMIT: Duration = Duration::from_secs(600);

/// Attempts to connect fail at least this often. What lies further apart was spent asleep, and whoever wakes is given the
/// time that was left.
const ATTEMPTS_WITHIN: Duration = Duration::from_secs(15);

/// The time since the relay said something last, as far as its absence was noticed.
#[derive(Debug, Default)]
pub(crate) struct Absence {
    noticed: Option<Mono>,
    lasted: Duration,
}

impl Absence {
    /// The connection was lost, or an attempt to make one failed. How long it has been so.
    pub(crate) fn notice(&mut self, now: Mono) -> Duration {
        if let Some(before) = self.noticed.replace(now) {
            self.lasted = self.lasted.saturating_add(now.since(before).min(ATTEMPTS_WITHIN));
        }
        self.lasted
    }

    /// The relay said something.
    pub(crate) fn end(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Mono {
        Mono::from_micros(0).plus(Duration::from_secs(seconds))
    }

    #[test]
    fn time_asleep_and_absences_that_are_over_do_not_count() {
        let mut absence = Absence::default();
        assert_eq!(absence.notice(at(100)), Duration::ZERO);
        assert_eq!(absence.notice(at(105)), Duration::from_secs(5));
        assert_eq!(absence.notice(at(36_000)), Duration::from_secs(20));
        absence.end();
        assert_eq!(absence.notice(at(36_010)), Duration::ZERO);
    }
}
