//! One lane of a room: appends wait here for their turn (wire.md §5, "Order").

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use incamera_relay_proto::{Blob, ClientRef};
use incamera_types::Mono;

use super::meter::Meter;
use super::{ConnectionId, Origin};
use crate::Rate;

/// Bytes that one connection may have waiting, beside a first append of any size.
const QUEUED_BYTES: usize = 64 * 1024;

/// An append whose turn has come.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) connection: ConnectionId,
    pub(super) client_ref: ClientRef,
    pub(super) blob: Blob,
}

/// Whose turn it is first; connections of one share take turns in it. The relay does not know its members, so a
/// share is what nobody has many of: an address, or the admin key. People behind one address share a turn, which
/// is short as long as none of them floods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Share {
    /// The connection has made the room or carried an order of its admin key: it goes before all others, so that
    /// nobody keeps its removals waiting until they are for an epoch that is over (SEC-05).
    Admin(ConnectionId),
    /// All other connections from there.
    Origin(Origin),
}

/// How much may wait in a lane, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueueLimits {
    /// After a turn of the admin key the others wait for this long: what comes from it next is made for what the log
    /// says now, and gets there in time from a host that is far away too (SEC-05).
    pub(super) after_admin: Duration,
    /// Appends of one connection.
    pub(super) backlog: Backlog,
    /// Bytes of all connections.
    pub(super) bytes: usize,
}

/// Which appends of one connection may wait.
#[derive(Clone, Copy, Debug)]
pub(super) enum Backlog {
    /// So many; one more is refused.
    UpTo(usize),
    /// The newest: of a member's commits no earlier one can be valid any more, it would only cost a turn.
    Newest,
}

/// Appends of one lane. Holders of the admin key go first, then the share served longest ago, and in it the connection served longest ago, so
/// whoever floods waits behind whoever does not, over however many connections, and a new connection is no better
/// off than one that was just served.
pub(super) struct LaneQueue {
    messages: Meter,
    bytes: Meter,
    limits: QueueLimits,
    turns: u64,
    others_wait_until: Mono,
    shares: BTreeMap<Share, u64>,
    waiting: BTreeMap<ConnectionId, Waiting>,
}

struct Waiting {
    share: Share,
    served: u64,
    appends: VecDeque<(ClientRef, Blob)>,
}

impl Waiting {
    const fn is_admin(&self) -> bool {
        matches!(self.share, Share::Admin(_))
    }

    fn bytes(&self) -> usize {
        self.appends.iter().map(|(_, blob)| blob.as_bytes().len()).sum()
    }

    /// Makes place for one more append, if there can be: what it takes the place of.
    fn make_place_for(&mut self, blob: &Blob, backlog: Backlog) -> Option<Vec<ClientRef>> {
        let appends = match backlog {
            Backlog::Newest => return Some(self.appends.drain(..).map(|(replaced, _)| replaced).collect()),
            Backlog::UpTo(appends) => appends,
        };
        let fits = self.bytes().saturating_add(blob.as_bytes().len()) <= QUEUED_BYTES;
        let has_place = self.appends.len() < appends && (self.appends.is_empty() || fits);
        has_place.then(Vec::new)
    }
}

impl LaneQueue {
    pub(super) fn new(messages: Rate, bytes: Rate, limits: QueueLimits, now: Mono) -> Self {
        Self {
            messages: Meter::new(messages, now),
            bytes: Meter::new(bytes, now),
            limits,
            turns: 0,
            others_wait_until: now,
            shares: BTreeMap::new(),
            waiting: BTreeMap::new(),
        }
    }

    /// Lets a connection take part, or changes its share. Its first turn comes after those who wait already.
    pub(super) fn admit(&mut self, connection: ConnectionId, share: Share) {
        let served = self.turns;
        self.shares.entry(share).or_insert(served);
        let new = Waiting { share, served, appends: VecDeque::new() };
        let waiting = self.waiting.entry(connection).or_insert(new);
        let before = core::mem::replace(&mut waiting.share, share);
        self.forget_if_empty(before);
    }

    /// Forgets a connection; the appends that it still waited for.
    pub(super) fn forget(&mut self, connection: ConnectionId) -> Vec<ClientRef> {
        let Some(waiting) = self.waiting.remove(&connection) else { return Vec::new() };
        self.forget_if_empty(waiting.share);
        waiting.appends.into_iter().map(|(client_ref, _)| client_ref).collect()
    }

    fn forget_if_empty(&mut self, share: Share) {
        if !self.waiting.values().any(|waiting| waiting.share == share) {
            self.shares.remove(&share);
        }
    }

    /// Bytes that wait.
    pub(super) fn queued_bytes(&self) -> usize {
        self.waiting.values().map(Waiting::bytes).sum()
    }

    /// Queues an append; gives it back when the connection's part of the queue is full or it takes no part. Returned
    /// are the appends that it replaces and, when the lane is full, what whoever holds most of it queued last.
    pub(super) fn push(
        &mut self,
        connection: ConnectionId,
        client_ref: ClientRef,
        blob: Blob,
    ) -> Result<Vec<(ConnectionId, ClientRef)>, Blob> {
        let Some(waiting) = self.waiting.get_mut(&connection) else { return Err(blob) };
        let Some(replaced) = waiting.make_place_for(&blob, self.limits.backlog) else { return Err(blob) };
        waiting.appends.push_back((client_ref, blob));
        let mut dropped: Vec<_> = replaced.into_iter().map(|replaced| (connection, replaced)).collect();
        self.drop_excess(&mut dropped);
        Ok(dropped)
    }

    fn drop_excess(&mut self, dropped: &mut Vec<(ConnectionId, ClientRef)>) {
        while self.queued_bytes() > self.limits.bytes {
            let mut held: BTreeMap<Share, usize> = BTreeMap::new();
            for waiting in self.waiting.values() {
                let share = held.entry(waiting.share).or_default();
                *share = share.saturating_add(waiting.bytes());
            }
            let largest = held.into_iter().max_by_key(|(_, bytes)| *bytes).map(|(share, _)| share);
            let of_largest = self.waiting.iter_mut().filter(|(_, waiting)| Some(waiting.share) == largest);
            let Some((connection, waiting)) = of_largest.max_by_key(|(_, waiting)| waiting.bytes()) else {
                break;
            };
            let Some((client_ref, _)) = waiting.appends.pop_back() else { break };
            dropped.push((*connection, client_ref));
        }
    }

    /// The next append, when the lane's rate allows one now.
    pub(super) fn pop(&mut self, now: Mono) -> Option<Turn> {
        if !self.messages.is_ready(now) || !self.bytes.is_ready(now) {
            return None;
        }
        let shares = &self.shares;
        let place = |connection: ConnectionId, waiting: &Waiting| {
            (!waiting.is_admin(), shares.get(&waiting.share).copied(), waiting.served, connection)
        };
        let waiting = self.waiting.iter_mut().filter(|(_, waiting)| !waiting.appends.is_empty());
        let (connection, waiting) =
            waiting.min_by_key(|(connection, waiting)| place(**connection, waiting))?;
        if waiting.is_admin() {
            self.others_wait_until = now.plus(self.limits.after_admin);
        } else if now < self.others_wait_until {
            return None;
        }
        let (client_ref, blob) = waiting.appends.pop_front()?;
        self.turns = self.turns.saturating_add(1);
        waiting.served = self.turns;
        self.shares.insert(waiting.share, self.turns);
        self.messages.take(now, 1);
        self.bytes.take(now, blob.as_bytes().len());
        Some(Turn { connection: *connection, client_ref, blob })
    }

    /// When [`LaneQueue::pop`] gives something again; `None` while nothing waits.
    pub(super) fn next_at(&self) -> Option<Mono> {
        let mut waiting = self.waiting.values().filter(|waiting| !waiting.appends.is_empty()).peekable();
        waiting.peek()?;
        let ready = self.messages.ready_at().max(self.bytes.ready_at());
        Some(if waiting.any(Waiting::is_admin) { ready } else { ready.max(self.others_wait_until) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    const FLOODER: ConnectionId = ConnectionId(1);
    const HONEST: ConnectionId = ConnectionId(2);
    const LIMITS: QueueLimits =
        QueueLimits { after_admin: Duration::ZERO, backlog: Backlog::UpTo(8), bytes: 1 << 20 };

    fn lane(per_second: u32, burst: u32) -> LaneQueue {
        let mut lane = LaneQueue::new(
            Rate { per_second, burst },
            Rate { per_second: 1 << 20, burst: 1 << 20 },
            LIMITS,
            Mono::from_micros(0),
        );
        lane.admit(FLOODER, home(FLOODER));
        lane
    }

    /// Everybody at an address of their own.
    fn home(connection: ConnectionId) -> Share {
        Share::Origin(Origin(connection.0))
    }

    fn push(lane: &mut LaneQueue, connection: ConnectionId, n: u32) -> bool {
        lane.push(connection, ClientRef(n), Blob::pad(b"commit").unwrap()).is_ok()
    }

    #[test]
    fn a_connection_that_floods_waits_behind_one_that_does_not() {
        let mut lane = lane(10, 1);
        lane.admit(HONEST, home(HONEST));
        let mut now = Mono::from_micros(0);
        while push(&mut lane, FLOODER, 0) {}
        assert_eq!(lane.pop(now).unwrap().connection, FLOODER);
        assert!(push(&mut lane, HONEST, 7));
        now = lane.next_at().unwrap();
        assert_eq!(lane.pop(now).unwrap().connection, HONEST, "served longest ago goes first");
        assert!(lane.pop(now).is_none(), "the rate holds for all together");
        assert_eq!(lane.next_at().unwrap().since(now), Duration::from_millis(100));
    }

    #[test]
    fn connections_of_one_address_share_its_turns() {
        let mut lane = lane(10, 1);
        lane.admit(HONEST, home(HONEST));
        for n in 100..355 {
            lane.admit(ConnectionId(n), home(FLOODER));
            assert!(push(&mut lane, ConnectionId(n), 0));
        }
        assert!(push(&mut lane, HONEST, 0) && push(&mut lane, HONEST, 1));
        let mut now = Mono::from_micros(0);
        let mut order = Vec::new();
        for _ in 0..5 {
            order.push(lane.pop(now).unwrap().connection);
            now = lane.next_at().unwrap();
        }
        assert_eq!(order.iter().filter(|connection| **connection == HONEST).count(), 2, "{order:?}");
    }

    #[test]
    fn sec_05_whoever_holds_the_admin_key_waits_for_no_flood_from_its_own_address() {
        let mut lane = lane(10, 1);
        let office = home(FLOODER);
        for n in 100..355 {
            lane.admit(ConnectionId(n), office);
            assert!(push(&mut lane, ConnectionId(n), 0));
        }
        lane.admit(HONEST, office);
        lane.admit(HONEST, Share::Admin(HONEST));
        assert!(push(&mut lane, HONEST, 0));
        assert_eq!(lane.pop(Mono::from_micros(0)).unwrap().connection, HONEST);
    }

    #[test]
    fn sec_05_whoever_holds_the_admin_key_goes_first_again_and_again() {
        let mut lane = lane(10, 1);
        lane.admit(HONEST, Share::Admin(HONEST));
        for n in 100..109 {
            lane.admit(ConnectionId(n), home(ConnectionId(n)));
            assert!(push(&mut lane, ConnectionId(n), 0));
        }
        let mut now = Mono::from_micros(0);
        for n in 0..5 {
            assert!(push(&mut lane, HONEST, n));
            assert_eq!(lane.pop(now).unwrap().connection, HONEST);
            now = lane.next_at().unwrap();
        }
        assert_ne!(lane.pop(now).unwrap().connection, HONEST);
    }

    #[test]
    fn sec_05_after_whoever_holds_the_admin_key_the_others_wait_until_its_next_can_be_there() {
        let mut lane = lane(10, 1);
        lane.limits.after_admin = Duration::from_secs(1);
        lane.admit(HONEST, Share::Admin(HONEST));
        let ms = |ms: u64| Mono::from_micros(ms * 1_000);
        assert!(push(&mut lane, HONEST, 0) && push(&mut lane, FLOODER, 0));
        assert_eq!(lane.pop(ms(0)).unwrap().connection, HONEST);
        assert_eq!(lane.next_at(), Some(ms(1_000)));
        assert!(lane.pop(ms(500)).is_none(), "a commit now would make the next of the admin key stale");
        assert!(push(&mut lane, HONEST, 1));
        assert_eq!(lane.next_at(), Some(ms(500)), "the admin key itself waits for the rate alone");
        assert_eq!(lane.pop(ms(700)).unwrap().connection, HONEST);
        assert!(lane.pop(ms(1_600)).is_none());
        assert_eq!(lane.pop(ms(1_700)).unwrap().connection, FLOODER);
    }

    #[test]
    fn a_full_lane_takes_from_whoever_holds_most() {
        let mut lane = lane(10, 1);
        let large = || Blob::pad(&[0; 200_000]).unwrap();
        lane.admit(HONEST, home(HONEST));
        assert_eq!(lane.push(HONEST, ClientRef(7), large()), Ok(vec![]));
        let mut dropped = Vec::new();
        for n in 100..200 {
            lane.admit(ConnectionId(n), home(FLOODER));
            dropped.extend(lane.push(ConnectionId(n), ClientRef(0), large()).unwrap());
            assert!(lane.queued_bytes() <= LIMITS.bytes);
        }
        assert_eq!(dropped.len(), 96, "five of about 200 kB fit");
        assert!(dropped.iter().all(|(connection, _)| *connection != HONEST));
    }

    #[test]
    fn a_new_connection_does_not_jump_the_queue() {
        let mut lane = lane(10, 1);
        assert!(push(&mut lane, FLOODER, 0) && push(&mut lane, FLOODER, 1));
        assert!(lane.pop(Mono::from_micros(0)).is_some());
        lane.admit(HONEST, home(HONEST));
        lane.admit(ConnectionId(3), home(ConnectionId(3)));
        assert!(push(&mut lane, HONEST, 0) && push(&mut lane, ConnectionId(3), 0));
        let order: Vec<_> = (1..=3)
            .filter_map(|s| lane.pop(Mono::from_micros(s * 1_000_000)))
            .map(|t| t.connection)
            .collect();
        assert_eq!(order, [FLOODER, HONEST, ConnectionId(3)]);
    }

    #[test]
    fn large_appends_are_paid_for_in_bytes() {
        let mut lane = LaneQueue::new(
            Rate { per_second: 1_000, burst: 1_000 },
            Rate { per_second: 1_024, burst: 512 },
            LIMITS,
            Mono::from_micros(0),
        );
        lane.admit(FLOODER, home(FLOODER));
        assert!(push(&mut lane, FLOODER, 0) && push(&mut lane, FLOODER, 1));
        let now = Mono::from_micros(0);
        assert!(lane.pop(now).is_some());
        assert!(lane.pop(now).is_none());
        assert!(lane.pop(lane.next_at().unwrap()).is_some());
    }

    #[test]
    fn one_large_append_waits_but_not_two() {
        let mut lane = lane(1, 1);
        let large = || Blob::pad(&[0; 200_000]).unwrap();
        assert!(lane.push(FLOODER, ClientRef(1), large()).is_ok());
        assert!(lane.push(FLOODER, ClientRef(2), large()).is_err());
        assert!(!push(&mut lane, FLOODER, 3));
        assert!(lane.pop(Mono::from_micros(0)).is_some());
        assert!(push(&mut lane, FLOODER, 4) && push(&mut lane, FLOODER, 5));
    }

    #[test]
    fn where_only_the_newest_counts_it_takes_the_place_of_the_one_before() {
        let rate = Rate { per_second: 10, burst: 1 };
        let limits = QueueLimits { after_admin: Duration::ZERO, backlog: Backlog::Newest, bytes: 1 << 20 };
        let mut lane = LaneQueue::new(rate, rate, limits, Mono::from_micros(0));
        lane.admit(HONEST, home(HONEST));
        let commit = || Blob::pad(b"commit").unwrap();
        assert_eq!(lane.push(HONEST, ClientRef(1), commit()), Ok(vec![]));
        assert_eq!(lane.push(HONEST, ClientRef(2), commit()), Ok(vec![(HONEST, ClientRef(1))]));
        assert_eq!(lane.pop(Mono::from_micros(0)).unwrap().client_ref, ClientRef(2));
        assert!(lane.next_at().is_none());
    }

    #[test]
    fn forgetting_a_connection_drops_what_it_queued() {
        let mut lane = lane(10, 5);
        assert!(push(&mut lane, FLOODER, 0));
        assert_eq!(lane.forget(FLOODER), [ClientRef(0)]);
        assert!(lane.next_at().is_none());
        assert!(!push(&mut lane, FLOODER, 1));
    }
}
