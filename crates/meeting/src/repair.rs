//! Members whose media does not open are repaired by adding them again (wire.md §5); rate-limited, so that
//! no member can keep another one busy with it.

use core::time::Duration;
use std::collections::BTreeMap;

use incamera_types::{MemberId, Mono};

/// Time during which media must not have opened before others are asked: an epoch change needs some of it.
pub(crate) const MISSING_AFTER: Duration = Duration::from_millis(500);

/// Shortest time between two requests about one member.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// Shortest time between two own rejoins.
const REJOIN_EVERY: Duration = Duration::from_secs(10);

/// Whom we asked to be repaired, and when we were.
#[derive(Debug, Default)]
pub(crate) struct Repair {
    asked: BTreeMap<MemberId, Mono>,
    rejoined: Option<Mono>,
}

impl Repair {
    /// Whether to tell the group now that a member's media does not open.
    pub(crate) fn ask(&mut self, now: Mono, member: MemberId) -> bool {
        let due = self.asked.get(&member).is_none_or(|asked| now.since(*asked) >= ASK_EVERY);
        if due {
            self.asked.insert(member, now);
        }
        due
    }

    /// Forgets a member that is gone, or that opens again.
    pub(crate) fn settled(&mut self, member: MemberId) {
        self.asked.remove(&member);
    }

    /// When we may rejoin next; in the past when we may now.
    pub(crate) fn rejoin_from(&self, now: Mono) -> Mono {
        self.rejoined.map_or(now, |rejoined| rejoined.plus(REJOIN_EVERY))
    }

    /// Notes that we rejoin.
    pub(crate) const fn rejoins(&mut self, now: Mono) {
        self.rejoined = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repairs_are_asked_for_and_answered_at_a_bounded_rate() {
        let mut repair = Repair::default();
        let member = MemberId([1; 16]);
        let at = |seconds| Mono::from_micros(0).plus(Duration::from_secs(seconds));
        assert_eq!((0..100).filter(|second| repair.ask(at(*second), member)).count(), 10);
        assert_eq!(repair.rejoin_from(at(3)), at(3));
        repair.rejoins(at(3));
        assert_eq!(repair.rejoin_from(at(4)), at(13));
    }
}
