//! Members whose key is lost are repaired by adding them again (wire.md §5). Only a lost key is repaired so, never
//! frames that somebody on the way altered: else an SFU could have people added again and again. And it is
//! rate-limited with a back-off, so that no member can keep another one busy with it.

use core::time::Duration;
use std::collections::BTreeMap;

use incamera_types::{MemberId, Mono};

/// Time during which media must not have opened before others are asked: an epoch change needs some of it.
pub(crate) const MISSING_AFTER: Duration = Duration::from_millis(500);

/// Shortest time between two requests about one member.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// Shortest time between two own rejoins, and between the first two that a member asks for.
const REJOIN_EVERY: Duration = Duration::from_secs(10);

/// Longest pause between two rejoins that one member asks for; it doubles with each of them.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Time without a request after which a member's next one is followed at once again.
const CALM: Duration = Duration::from_secs(1_200);

/// Whom we asked to be repaired, and when we were.
#[derive(Debug, Default)]
pub(crate) struct Repair {
    asked: BTreeMap<MemberId, Mono>,
    rejoined: Option<Mono>,
    /// Whose commit we could not follow, until we knock for it.
    committer: Option<MemberId>,
    followed: BTreeMap<MemberId, Followed>,
}

/// When we last followed a member's request for our repair, and how long its next ones are not followed.
#[derive(Clone, Copy, Debug)]
struct Followed {
    at: Mono,
    pause: Duration,
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

    /// Whether to follow a request of this member for our repair.
    pub(crate) fn follow(&mut self, now: Mono, reporter: MemberId) -> bool {
        self.followed.retain(|_, last| now.since(last.at) < CALM);
        let pause = match self.followed.get(&reporter) {
            Some(last) if now.since(last.at) < last.pause => return false,
            Some(last) => last.pause.saturating_mul(2).min(LONGEST_PAUSE),
            None => REJOIN_EVERY,
        };
        self.followed.insert(reporter, Followed { at: now, pause });
        true
    }

    /// Notes whose commit we could not follow.
    pub(crate) const fn left_behind(&mut self, committer: MemberId) {
        self.committer = Some(committer);
    }

    /// Whose commit we could not follow, if that is why we rejoin.
    pub(crate) const fn take_committer(&mut self) -> Option<MemberId> {
        self.committer.take()
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

    #[test]
    fn requests_that_go_on_are_followed_more_and_more_rarely() {
        let mut repair = Repair::default();
        let at = |seconds| Mono::from_micros(0).plus(Duration::from_secs(seconds));
        let (ada, ben) = (MemberId([1; 16]), MemberId([2; 16]));
        let followed: Vec<u64> = (0..=3_600).filter(|second| repair.follow(at(*second), ada)).collect();
        assert_eq!(followed, [0, 10, 30, 70, 150, 310, 630, 1_230, 1_830, 2_430, 3_030]);
        assert!(repair.follow(at(3_600), ben), "one who asks for nothing does not speak for another");
        assert!(repair.follow(at(9_000), ada) && repair.follow(at(9_010), ada), "it begins anew when calm");
        let now_and_then =
            (9_100..12_700).step_by(30).filter(|second| repair.follow(at(*second), ada)).count();
        assert!(now_and_then <= 10, "pauses between requests bring nothing: {now_and_then}");
    }
}
