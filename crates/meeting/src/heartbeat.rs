//! Heartbeats: what each member says about itself and its view, how often, and to whom it matters
//! (wire.md §5).

use core::time::Duration;
use std::collections::BTreeMap;

use incamera_types::{LeafIndex, MAX_LEAVES, Mono};
use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize};

use crate::wire::Bounded;

/// Time between the heartbeats of an anchor, and of everybody in rooms of up to [`FULL_RATE_MEMBERS`].
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(5);

/// Senders that never slow down, however large the room is (wire.md §5).
pub const ANCHORS: usize = 4;

/// Heartbeats a second that a room sends in all (wire.md §5: at most about 20).
const ROOM_RATE_PER_SECOND: u64 = 20;

/// Members up to which everybody sends at the full rate: 20 a second, one each 5 s.
const FULL_RATE_MEMBERS: u64 = 100;

/// Shortest time between two heartbeats of one member, whatever calls for an early one.
const MIN_GAP: Duration = Duration::from_secs(1);

/// Delay of a heartbeat that answers a returned member, so that several returns share one.
const ANSWER_WITHIN: Duration = Duration::from_millis(200);

/// Most nonces of joiners in one heartbeat; one commit adds no more people than that.
pub const MAX_NONCES: usize = 128;

/// The newest counter that a committer saw of another member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct Echo {
    /// The member's leaf in the heartbeat's epoch.
    pub leaf: u16,
    /// Its newest counter.
    pub counter: u32,
}

/// One heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct Heartbeat {
    /// Counts up from 1 per member.
    pub counter: u32,
    /// The sender's wall clock, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// The epoch that the sender is in.
    pub epoch: u64,
    /// First 16 bytes of SHA-256 of that epoch's authenticator.
    pub authenticator: [u8; 16],
    /// Hash of the roster and the rules.
    pub state: [u8; 16],
    /// Sequence number of the newest log entry that the sender processed.
    pub head_seq: u64,
    /// The log's hash chain there, begun at the commit of this epoch.
    pub head_hash: [u8; 16],
    /// Newest counters of other members, those that changed since the last one; anchors alone send them.
    pub echoes: Vec<Echo>,
    /// Nonces of the joiners that the sender saw added in this epoch; admitters alone send them (SEC-19).
    pub nonces: Vec<[u8; 16]>,
}

impl Bounded for Heartbeat {
    fn is_bounded(&self) -> bool {
        self.counter > 0
            && self.echoes.len() <= MAX_LEAVES as usize
            && self.nonces.len() <= MAX_NONCES
            && self.echoes.iter().all(|echo| u32::from(echo.leaf) < MAX_LEAVES)
    }
}

/// The leaves that never slow down and that echo: those who may admit, by leaf, then the lowest leaves.
#[must_use]
pub(crate) fn anchors(members: impl Iterator<Item = (LeafIndex, Admits)> + Clone) -> Vec<LeafIndex> {
    let mut by_rank: Vec<_> = members.map(|(leaf, admits)| (admits == Admits::No, leaf)).collect();
    by_rank.sort_unstable();
    by_rank.into_iter().take(ANCHORS).map(|(_, leaf)| leaf).collect()
}

/// Whether a member may admit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admits {
    /// It may.
    Yes,
    /// It may not.
    No,
}

/// Time between the heartbeats of a member of a room with `members` members.
#[must_use]
pub(crate) fn interval(members: usize, rank: Rank) -> Duration {
    let members = u64::try_from(members).unwrap_or(u64::MAX);
    if rank == Rank::Anchor || members <= FULL_RATE_MEMBERS {
        return HEARTBEAT_EVERY;
    }
    Duration::from_millis(members.saturating_mul(1_000) / ROOM_RATE_PER_SECOND)
}

/// Whether a member is one of the senders that never slow down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rank {
    /// One of [`ANCHORS`].
    Anchor,
    /// Everybody else.
    Ordinary,
}

/// When the own heartbeats are due, and what they say about others.
#[derive(Debug, Default)]
pub(crate) struct HeartbeatClock {
    counter: u32,
    last_sent: Option<Mono>,
    due: Option<Mono>,
    echoed: BTreeMap<LeafIndex, u32>,
    heard: BTreeMap<LeafIndex, u32>,
}

impl HeartbeatClock {
    /// The time at which the next heartbeat is due; `None` before the first was asked for.
    pub(crate) const fn due(&self) -> Option<Mono> {
        self.due
    }

    /// Asks for a heartbeat as soon as the shortest gap allows (a join to confirm, a new epoch).
    pub(crate) fn hurry(&mut self, now: Mono) {
        let earliest = self.last_sent.map_or(now, |sent| sent.plus(MIN_GAP).max(now));
        self.due = Some(self.due.map_or(earliest, |due| due.min(earliest)));
    }

    /// Asks for one without regard to the gap: a joiner waits in silence for it.
    pub(crate) const fn send_now(&mut self, now: Mono) {
        self.due = Some(now);
    }

    /// Asks for one shortly, to answer a member that was away.
    pub(crate) fn answer(&mut self, now: Mono) {
        self.hurry(now.plus(ANSWER_WITHIN));
    }

    /// Notes the counter of another member's heartbeat.
    pub(crate) fn heard(&mut self, leaf: LeafIndex, counter: u32) {
        self.heard.insert(leaf, counter);
    }

    /// A commit came: forgets what was heard from members that are gone. The next heartbeat echoes all others
    /// again, since the last one may have been overtaken; so nobody waits for an echo while commits go on.
    pub(crate) fn epoch_changed(&mut self, gone: impl Iterator<Item = LeafIndex>) {
        for leaf in gone {
            self.heard.remove(&leaf);
        }
        self.echoed.clear();
    }

    /// Begins the next heartbeat: its counter, and the echoes that an anchor owes.
    pub(crate) fn next(&mut self, now: Mono, every: Duration, rank: Rank) -> (u32, Vec<Echo>) {
        self.counter = self.counter.saturating_add(1);
        self.last_sent = Some(now);
        self.due = Some(now.plus(every));
        let echoes = if rank == Rank::Anchor { self.changed_echoes() } else { Vec::new() };
        (self.counter, echoes)
    }

    fn changed_echoes(&mut self) -> Vec<Echo> {
        let changed: Vec<_> = self
            .heard
            .iter()
            .filter(|(leaf, counter)| self.echoed.get(leaf) != Some(counter))
            .map(|(leaf, counter)| (*leaf, *counter))
            .collect();
        self.echoed.extend(changed.iter().copied());
        changed
            .into_iter()
            .filter_map(|(leaf, counter)| Some(Echo { leaf: u16::try_from(leaf.0).ok()?, counter }))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::MeetingMessage;

    fn heartbeat() -> Heartbeat {
        Heartbeat {
            counter: 1,
            time_ms: 2,
            epoch: 3,
            authenticator: [4; 16],
            state: [5; 16],
            head_seq: 6,
            head_hash: [7; 16],
            echoes: vec![Echo { leaf: 8, counter: 9 }],
            nonces: vec![[10; 16]],
        }
    }

    #[test]
    fn heartbeats_round_trip_and_out_of_range_ones_are_refused() {
        let bytes = MeetingMessage::Heartbeat(heartbeat()).to_bytes().unwrap();
        assert!(MeetingMessage::parse(&bytes) == Ok(MeetingMessage::Heartbeat(heartbeat())));
        let far = Heartbeat { echoes: vec![Echo { leaf: 1_024, counter: 1 }], ..heartbeat() };
        assert!(MeetingMessage::parse(&MeetingMessage::Heartbeat(far).to_bytes().unwrap()).is_err());
        let zero = Heartbeat { counter: 0, ..heartbeat() };
        assert!(MeetingMessage::parse(&MeetingMessage::Heartbeat(zero).to_bytes().unwrap()).is_err());
    }

    #[test]
    fn heartbeat_of_a_committer_in_a_full_room_fits_a_message() {
        let echoes = (0..1_024).map(|leaf| Echo { leaf, counter: u32::MAX }).collect();
        let full = Heartbeat { echoes, nonces: vec![[1; 16]; MAX_NONCES], ..heartbeat() };
        assert!(MeetingMessage::Heartbeat(full).to_bytes().is_ok());
    }

    #[test]
    fn room_of_a_thousand_sends_about_twenty_heartbeats_a_second() {
        let ordinary = interval(1_000, Rank::Ordinary);
        let per_second = 996.0 / ordinary.as_secs_f64() + 4.0 / 5.0;
        assert!(per_second < 21.0, "{per_second}");
        assert_eq!(interval(1_000, Rank::Anchor), HEARTBEAT_EVERY);
        assert_eq!(interval(100, Rank::Ordinary), HEARTBEAT_EVERY);
    }

    #[test]
    fn anchors_are_admitters_first_and_then_the_lowest_leaves() {
        let members = [(0, Admits::No), (1, Admits::No), (2, Admits::No), (5, Admits::Yes), (9, Admits::Yes)];
        let members = members.map(|(leaf, admits)| (LeafIndex(leaf), admits));
        assert_eq!(anchors(members.into_iter()), [5, 9, 0, 1].map(LeafIndex));
    }

    #[test]
    fn anchors_echo_only_what_changed() {
        let mut clock = HeartbeatClock::default();
        clock.heard(LeafIndex(3), 7);
        let at = Mono::from_micros(1);
        assert_eq!(clock.next(at, HEARTBEAT_EVERY, Rank::Anchor).1, [Echo { leaf: 3, counter: 7 }]);
        assert!(clock.next(at, HEARTBEAT_EVERY, Rank::Anchor).1.is_empty());
        clock.heard(LeafIndex(3), 8);
        assert!(clock.next(at, HEARTBEAT_EVERY, Rank::Ordinary).1.is_empty());
        assert_eq!(clock.next(at, HEARTBEAT_EVERY, Rank::Anchor).1, [Echo { leaf: 3, counter: 8 }]);
    }

    #[test]
    fn commits_delay_no_echo_but_of_who_is_gone() {
        let mut clock = HeartbeatClock::default();
        let at = Mono::from_micros(1);
        clock.heard(LeafIndex(3), 7);
        clock.heard(LeafIndex(4), 9);
        assert_eq!(clock.next(at, HEARTBEAT_EVERY, Rank::Anchor).1.len(), 2);
        clock.epoch_changed([LeafIndex(4)].into_iter());
        assert_eq!(clock.next(at, HEARTBEAT_EVERY, Rank::Anchor).1, [Echo { leaf: 3, counter: 7 }]);
    }

    #[test]
    fn hurried_heartbeats_keep_the_shortest_gap() {
        let mut clock = HeartbeatClock::default();
        let start = Mono::from_micros(0);
        clock.next(start, HEARTBEAT_EVERY, Rank::Ordinary);
        clock.hurry(start);
        assert_eq!(clock.due(), Some(start.plus(MIN_GAP)));
    }
}
