//! Who is there, judged from heartbeats: the three deadlines of wire.md §5, and whether our own view of the
//! meeting is confirmed (SEC-08).
//!
//! Two clocks are kept apart. **Observed time** only runs while the relay delivers something, so silence
//! that nobody could break (the relay is down for all) counts against no one. **Real time** bounds how long
//! our own media goes on without confirmation: that fails closed.
//!
//! An arrival proves nothing about when a heartbeat was made, a relay can stretch time. A heartbeat is
//! therefore as old as its clock says, compared with the best heartbeat of the same sender, but no older than
//! the newest heartbeat of ours that its log head covers: it was made after that.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use incamera_types::{MemberId, Mono, Now};

/// What a tick may come late.
const TICK_LATENESS: Duration = Duration::from_millis(200);

/// Silence after which a member is shown as lost: 10 s (wire.md §5), less what a tick may come late.
pub const QUIET_AFTER: Duration = Duration::from_millis(9_800);

/// Age up to which a confirmation of our own view counts: 10 s (wire.md §5), less what a tick may come late.
pub const CONFIRMED_FOR: Duration = Duration::from_millis(9_800);

/// Longest stretch without any delivery that still counts as observed time: one heartbeat interval, in which
/// at least our own heartbeat comes back.
const OBSERVED_GAP: Duration = Duration::from_secs(5);

/// Pause between two heartbeats of a member after which it counts as returned and is answered at once.
const RETURNED_AFTER: Duration = Duration::from_millis(7_500);

/// Own heartbeats remembered; more than are sent in any deadline.
const MAX_OWN: usize = 64;

/// The deadlines of a room, from its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Silence after which media of a member stops, and time without confirmation after which ours does.
    pub media_stops_after: Duration,
    /// Silence after which a member is removed by commit.
    pub removed_after: Duration,
}

/// How a member stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Heard.
    Heard,
    /// Silent for [`QUIET_AFTER`].
    Lost,
    /// Silent for the room's media deadline.
    Held,
    /// Silent for the room's removal deadline.
    Overdue,
}

/// A change of a member's standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) member: MemberId,
    pub(crate) from: Standing,
    pub(crate) to: Standing,
    pub(crate) silent_for: Duration,
}

#[derive(Debug)]
struct MemberLink {
    counter: u32,
    heard_at: Duration,
    arrived_at: Mono,
    best_offset_ms: Option<i128>,
    quiet_after: Duration,
    standing: Standing,
}

/// What of a heartbeat matters for liveness.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sign {
    pub(crate) counter: u32,
    pub(crate) time_ms: u64,
    pub(crate) head_seq: u64,
}

/// Whether a heartbeat was new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// It repeats an older counter.
    Replayed,
    /// It is new but was made too long ago to say that the member is there.
    Stale,
    /// The member is there.
    Fresh {
        /// Whether the member had been silent for longer than a heartbeat should take.
        returned: bool,
    },
}

/// The liveness of every other member.
#[derive(Debug, Default)]
pub(crate) struct Liveness {
    observed: Duration,
    last_delivery: Option<Mono>,
    own: VecDeque<OwnHeartbeat>,
    members: BTreeMap<MemberId, MemberLink>,
}

#[derive(Clone, Copy, Debug)]
struct OwnHeartbeat {
    counter: u32,
    sent: Mono,
    seq: Option<u64>,
    covered: bool,
}

impl Liveness {
    /// Notes that the relay delivered something: observed time runs.
    pub(crate) fn delivered(&mut self, now: Mono) {
        self.observed = self.observed_at(now);
        self.last_delivery = Some(now);
    }

    /// Notes that the connection to the relay is gone: observed time stands still.
    pub(crate) fn link_lost(&mut self, now: Mono) {
        self.observed = self.observed_at(now);
        self.last_delivery = None;
    }

    fn observed_at(&self, now: Mono) -> Duration {
        let gap = self.last_delivery.map_or(Duration::ZERO, |last| now.since(last).min(OBSERVED_GAP));
        self.observed.saturating_add(gap)
    }

    /// A member is in the roster from now on; it counts as heard.
    pub(crate) fn add(&mut self, now: Mono, member: MemberId, every: Duration) {
        let heard_at = self.observed_at(now);
        self.members.entry(member).or_insert(MemberLink {
            counter: 0,
            heard_at,
            arrived_at: now,
            best_offset_ms: None,
            quiet_after: QUIET_AFTER,
            standing: Standing::Heard,
        });
        self.expect_every(member, every);
    }

    /// A member sends a heartbeat each `every`; one that is slow by design is lost after two of them.
    pub(crate) fn expect_every(&mut self, member: MemberId, every: Duration) {
        if let Some(link) = self.members.get_mut(&member) {
            link.quiet_after = QUIET_AFTER.max(every.saturating_mul(2).saturating_sub(TICK_LATENESS));
        }
    }

    /// A member is out of the roster.
    pub(crate) fn remove(&mut self, member: MemberId) {
        self.members.remove(&member);
    }

    /// Notes an own heartbeat that goes out.
    pub(crate) fn sent(&mut self, now: Mono, counter: u32) {
        if self.own.len() >= MAX_OWN {
            self.own.pop_front();
        }
        self.own.push_back(OwnHeartbeat { counter, sent: now, seq: None, covered: false });
    }

    /// Notes the place in the log of an own heartbeat; says when it was sent.
    pub(crate) fn placed(&mut self, counter: u32, seq: u64) -> Option<Mono> {
        let own = self.own.iter_mut().find(|own| own.counter == counter)?;
        own.seq = Some(seq);
        Some(own.sent)
    }

    /// Notes that a member which counts as a witness has seen our heartbeats up to `counter`.
    pub(crate) fn covered(&mut self, counter: u32) {
        for own in self.own.iter_mut().filter(|own| own.counter <= counter) {
            own.covered = true;
        }
    }

    /// When the newest own heartbeat that was covered was sent, if those who count as witnesses keep up with ours,
    /// of which we send one each `every`: it is young, and none after it waits for longer than [`CONFIRMED_FOR`].
    /// What is read in the log long after it was written proves nothing about now (SEC-05, SEC-08).
    pub(crate) fn covered_lately(&self, now: Mono, every: Duration) -> Option<Mono> {
        let newest = self.newest_covered_own()?;
        let mut later = self.own.iter().filter(|own| own.counter > newest.counter);
        let keeps_up = now.since(newest.sent) <= CONFIRMED_FOR.saturating_add(every)
            && later.all(|own| now.since(own.sent) <= CONFIRMED_FOR);
        keeps_up.then_some(newest.sent)
    }

    /// When the newest own heartbeat was sent that a witness covered.
    pub(crate) fn newest_covered(&self) -> Option<Mono> {
        self.newest_covered_own().map(|own| own.sent)
    }

    fn newest_covered_own(&self) -> Option<&OwnHeartbeat> {
        self.own.iter().rev().find(|own| own.covered)
    }

    /// Judges a heartbeat of another member.
    pub(crate) fn hear(&mut self, now: Now, member: MemberId, sign: Sign, check: Freshness) -> Hearing {
        let made_after = self.newest_own_covered_by(sign.head_seq);
        let observed = self.observed_at(now.mono);
        let Some(link) = self.members.get_mut(&member) else { return Hearing::Stale };
        if sign.counter <= link.counter {
            return Hearing::Replayed;
        }
        link.counter = sign.counter;
        let offset = i128::from(now.unix_ms).saturating_sub(i128::from(sign.time_ms));
        let best = link.best_offset_ms.map_or(offset, |best| best.min(offset));
        let by_clock = millis(offset.saturating_sub(best));
        let by_proof = made_after.map_or(Duration::MAX, |sent| now.mono.since(sent));
        let age = by_clock.min(by_proof);
        // Younger than its clock says: that clock was set back. Short of such a proof a later arrival is a
        // delay, never a new clock: else a relay could stretch time little by little.
        link.best_offset_ms = Some(offset.saturating_sub(i128::try_from(age.as_millis()).unwrap_or(0)));
        let age = if check == Freshness::Ignored { Duration::ZERO } else { age };
        let heard_at = observed.saturating_sub(age);
        let returned = now.mono.since(core::mem::replace(&mut link.arrived_at, now.mono)) > RETURNED_AFTER;
        link.heard_at = link.heard_at.max(heard_at);
        if age > CONFIRMED_FOR { Hearing::Stale } else { Hearing::Fresh { returned } }
    }

    fn newest_own_covered_by(&self, head_seq: u64) -> Option<Mono> {
        self.own.iter().rev().find(|own| own.seq.is_some_and(|seq| seq <= head_seq)).map(|own| own.sent)
    }

    /// Changes of standing since the last call.
    pub(crate) fn changes(&mut self, now: Mono, deadlines: Deadlines) -> Vec<Change> {
        let observed = self.observed_at(now);
        let mut changes = Vec::new();
        for (member, link) in &mut self.members {
            let silent_for = observed.saturating_sub(link.heard_at);
            let to = standing(silent_for, link.quiet_after, deadlines);
            if to != link.standing {
                changes.push(Change { member: *member, from: link.standing, to, silent_for });
                link.standing = to;
            }
        }
        changes
    }

    /// How a member stands; `None` for ourselves and strangers.
    pub(crate) fn standing(&self, member: MemberId) -> Option<Standing> {
        self.members.get(&member).map(|link| link.standing)
    }

    /// Members that stand so, or worse.
    pub(crate) fn silent(&self, standing: Standing) -> impl Iterator<Item = MemberId> + '_ {
        self.members.iter().filter(move |(_, link)| link.standing >= standing).map(|(member, _)| *member)
    }

    /// Members that are heard.
    pub(crate) fn heard(&self) -> impl Iterator<Item = MemberId> + '_ {
        self.members.iter().filter(|(_, link)| link.standing == Standing::Heard).map(|(member, _)| *member)
    }

    /// The next time at which a standing can change.
    pub(crate) fn next_deadline(&self, now: Mono, deadlines: Deadlines) -> Option<Mono> {
        let observed = self.observed_at(now);
        let next = |link: &MemberLink| {
            let silent = observed.saturating_sub(link.heard_at);
            let step = steps(link.quiet_after, deadlines).into_iter().find(|step| *step > silent)?;
            Some(step.saturating_sub(silent))
        };
        let wait = self.members.values().filter_map(next).min()?;
        // Observed time stands still after a while without deliveries; the next one brings us here again.
        let runs_for = OBSERVED_GAP.saturating_sub(now.since(self.last_delivery?));
        (wait <= runs_for).then(|| now.plus(wait))
    }
}

/// Whether the age of a heartbeat counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// It does.
    Checked,
    /// Sabotage: its arrival is enough.
    Ignored,
}

fn steps(quiet_after: Duration, deadlines: Deadlines) -> [Duration; 3] {
    let held = deadlines.media_stops_after.max(quiet_after);
    [quiet_after, held, deadlines.removed_after.max(held)]
}

fn standing(silent: Duration, quiet_after: Duration, deadlines: Deadlines) -> Standing {
    let [quiet, held, overdue] = steps(quiet_after, deadlines);
    match silent {
        _ if silent >= overdue => Standing::Overdue,
        _ if silent >= held => Standing::Held,
        _ if silent >= quiet => Standing::Lost,
        _ => Standing::Heard,
    }
}

fn millis(value: i128) -> Duration {
    Duration::from_millis(u64::try_from(value).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: MemberId = MemberId([1; 16]);
    const DEADLINES: Deadlines =
        Deadlines { media_stops_after: Duration::from_secs(30), removed_after: Duration::from_secs(60) };

    fn at(seconds: u64) -> Now {
        Now::default().plus(Duration::from_secs(10_000 + seconds))
    }

    fn sign(counter: u32, made_at: u64, head_seq: u64) -> Sign {
        Sign { counter, time_ms: at(made_at).unix_ms, head_seq }
    }

    fn watching() -> Liveness {
        let mut liveness = Liveness::default();
        liveness.delivered(at(0).mono);
        liveness.add(at(0).mono, ADA, Duration::from_secs(5));
        liveness
    }

    /// The relay delivers something each second from `from` to `to`.
    fn deliver(liveness: &mut Liveness, from: u64, to: u64) {
        (from..=to).for_each(|second| liveness.delivered(at(second).mono));
    }

    fn standing_of(liveness: &mut Liveness, second: u64) -> Standing {
        liveness.changes(at(second).mono, DEADLINES);
        liveness.standing(ADA).unwrap()
    }

    /// SEC-08
    #[test]
    fn silent_member_is_lost_then_held_then_overdue() {
        let mut liveness = watching();
        deliver(&mut liveness, 1, 9);
        assert_eq!(standing_of(&mut liveness, 9), Standing::Heard);
        deliver(&mut liveness, 10, 10);
        assert_eq!(standing_of(&mut liveness, 10), Standing::Lost);
        deliver(&mut liveness, 11, 30);
        assert_eq!(standing_of(&mut liveness, 30), Standing::Held);
        deliver(&mut liveness, 31, 60);
        assert_eq!(standing_of(&mut liveness, 60), Standing::Overdue);
        assert_eq!(
            liveness.hear(at(60), ADA, sign(1, 60, 0), Freshness::Checked),
            Hearing::Fresh { returned: true }
        );
        assert_eq!(standing_of(&mut liveness, 60), Standing::Heard);
    }

    #[test]
    fn silence_while_nothing_is_delivered_counts_against_nobody() {
        let mut liveness = watching();
        deliver(&mut liveness, 1, 2);
        assert_eq!(standing_of(&mut liveness, 300), Standing::Heard);
        liveness.link_lost(at(300).mono);
        assert_eq!(standing_of(&mut liveness, 900), Standing::Heard);
        assert_eq!(liveness.next_deadline(at(900).mono, DEADLINES), None);
    }

    /// SEC-08: heartbeats arrive every five seconds but each was made only two seconds after the last.
    #[test]
    fn relay_that_stretches_time_cannot_keep_a_gone_member_alive() {
        let mut liveness = watching();
        let mut lost_at = None;
        for round in 0..20_u64 {
            deliver(&mut liveness, round * 5 + 1, round * 5 + 5);
            let made_at = round * 2;
            liveness.hear(at(round * 5 + 5), ADA, sign(round as u32 + 1, made_at, 0), Freshness::Checked);
            if standing_of(&mut liveness, round * 5 + 5) >= Standing::Lost {
                lost_at.get_or_insert(round * 5 + 5);
            }
        }
        assert!(lost_at.is_some_and(|second| second <= 25), "{lost_at:?}");
    }

    #[test]
    fn clock_that_was_set_back_does_not_lose_a_member_that_covers_our_heartbeats() {
        let mut liveness = watching();
        assert!(matches!(
            liveness.hear(at(1), ADA, sign(1, 1, 0), Freshness::Checked),
            Hearing::Fresh { .. }
        ));
        liveness.sent(at(4).mono, 1);
        liveness.placed(1, 7);
        let an_hour_back = Sign { counter: 2, time_ms: at(5).unix_ms - 3_600_000, head_seq: 7 };
        assert!(matches!(liveness.hear(at(5), ADA, an_hour_back, Freshness::Checked), Hearing::Fresh { .. }));
    }

    #[test]
    fn repeated_heartbeat_is_told_apart() {
        let mut liveness = watching();
        liveness.hear(at(1), ADA, sign(3, 1, 0), Freshness::Checked);
        assert_eq!(liveness.hear(at(2), ADA, sign(3, 2, 0), Freshness::Checked), Hearing::Replayed);
        assert_eq!(liveness.hear(at(2), ADA, sign(2, 2, 0), Freshness::Checked), Hearing::Replayed);
    }

    #[test]
    fn own_heartbeat_that_nobody_covers_is_noticed_after_ten_seconds() {
        let mut liveness = watching();
        liveness.sent(at(0).mono, 1);
        liveness.sent(at(5).mono, 2);
        let every = Duration::from_secs(5);
        assert!(liveness.covered_lately(at(5).mono, every).is_none(), "nobody covers anything yet");
        liveness.covered(1);
        assert!(liveness.covered_lately(at(14).mono, every).is_some());
        assert!(liveness.covered_lately(at(15).mono, every).is_none());
        liveness.covered(2);
        assert!(liveness.covered_lately(at(16).mono, every).is_some());
    }

    #[test]
    fn cover_that_is_read_long_after_it_was_written_confirms_nothing() {
        // SEC-05: after an outage the log still holds answers to what was said before it.
        let mut liveness = watching();
        liveness.sent(at(0).mono, 1);
        liveness.covered(1);
        assert!(liveness.covered_lately(at(10).mono, Duration::from_secs(5)).is_some());
        assert!(liveness.covered_lately(at(30).mono, Duration::from_secs(5)).is_none());
        assert_eq!(liveness.placed(1, 9), Some(at(0).mono));
        assert_eq!(liveness.placed(7, 9), None);
    }

    #[test]
    fn time_that_is_stretched_little_by_little_makes_no_heartbeat_younger() {
        // SEC-08: each heartbeat covers one of ours that is a few seconds old, so that its true age is in doubt.
        let mut liveness = watching();
        deliver(&mut liveness, 1, 2);
        let mut counter = 0;
        for second in (0..60).step_by(5) {
            let delay = second / 5;
            liveness.delivered(at(second + delay).mono);
            liveness.sent(at(second).mono, counter + 1);
            liveness.placed(counter + 1, u64::from(counter));
            counter += 1;
            liveness.hear(
                at(second + delay),
                ADA,
                sign(counter, second, u64::from(counter)),
                Freshness::Checked,
            );
        }
        // The last one was made at second 55 and came at second 66.
        assert!(standing_of(&mut liveness, 66) >= Standing::Lost);
    }

    #[test]
    fn member_that_is_slow_by_design_is_not_lost_after_ten_seconds() {
        let mut liveness = watching();
        liveness.expect_every(ADA, Duration::from_secs(50));
        deliver(&mut liveness, 1, 90);
        assert_eq!(standing_of(&mut liveness, 90), Standing::Heard);
        deliver(&mut liveness, 91, 100);
        assert!(standing_of(&mut liveness, 100) >= Standing::Lost);
    }
}
