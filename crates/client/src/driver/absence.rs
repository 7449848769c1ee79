//! Whether this program has not run for a while: the computer slept, or somebody had stopped it.

use std::time::Duration;

use incamera_types::Mono;

/// The loop looks at the clock every second. When so much has gone by at once, both servers have heard nothing for longer
/// than a connection is believed in (`RELAY_SILENCE_LIMIT`), and what is left of it is of before.
const ABSENT_AFTER: Duration = Duration::from_secs(5);

/// Notices when the loop has not run.
pub(crate) struct Attendance {
    seen: Mono,
}

impl Attendance {
    pub(crate) const fn new(now: Mono) -> Self {
        Self { seen: now }
    }

    /// Whether we were away until now. To be asked whenever the loop runs.
    pub(super) fn was_absent(&mut self, now: Mono) -> bool {
        now.since(std::mem::replace(&mut self.seen, now)) >= ABSENT_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standstill_is_noticed_once() {
        let at = |seconds| Mono::default().plus(Duration::from_secs(seconds));
        let mut attendance = Attendance::new(at(0));
        let absent: Vec<u64> =
            [1, 2, 6, 46, 47].into_iter().filter(|now| attendance.was_absent(at(*now))).collect();
        assert_eq!(absent, [46]);
    }
}
