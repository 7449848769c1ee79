//! One lane of a room: appends wait here for their turn (wire.md §5, "Order").

use std::collections::{BTreeMap, VecDeque};

use incamera_relay_proto::{Blob, ClientRef};
use incamera_types::Mono;

use super::ConnectionId;
use super::meter::Meter;
use crate::Rate;

/// Bytes that one connection may have waiting, beside a first append of any size: bounds what a room's members can
/// make the relay hold.
const QUEUED_BYTES: usize = 64 * 1024;

/// An append whose turn has come.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) connection: ConnectionId,
    pub(super) client_ref: ClientRef,
    pub(super) blob: Blob,
}

/// Appends of one lane. The connection served longest ago goes next, so whoever floods waits behind whoever does
/// not, and a new connection is no better off than one that was just served.
pub(super) struct LaneQueue {
    messages: Meter,
    bytes: Meter,
    per_connection: usize,
    turns: u64,
    waiting: BTreeMap<ConnectionId, Waiting>,
}

struct Waiting {
    served: u64,
    appends: VecDeque<(ClientRef, Blob)>,
}

impl Waiting {
    fn has_place_for(&self, blob: &Blob, appends: usize) -> bool {
        let queued: usize = self.appends.iter().map(|(_, queued)| queued.as_bytes().len()).sum();
        let fits = queued.saturating_add(blob.as_bytes().len()) <= QUEUED_BYTES;
        self.appends.len() < appends && (self.appends.is_empty() || fits)
    }
}

impl LaneQueue {
    pub(super) fn new(messages: Rate, bytes: Rate, per_connection: usize, now: Mono) -> Self {
        Self {
            messages: Meter::new(messages, now),
            bytes: Meter::new(bytes, now),
            per_connection,
            turns: 0,
            waiting: BTreeMap::new(),
        }
    }

    /// Lets a connection take part. Its first turn comes after those who wait already.
    pub(super) fn admit(&mut self, connection: ConnectionId) {
        let served = self.turns;
        self.waiting.entry(connection).or_insert(Waiting { served, appends: VecDeque::new() });
    }

    /// Forgets a connection; the appends that it still waited for.
    pub(super) fn forget(&mut self, connection: ConnectionId) -> Vec<ClientRef> {
        let waiting = self.waiting.remove(&connection);
        waiting.map(|w| w.appends.into_iter().map(|(client_ref, _)| client_ref).collect()).unwrap_or_default()
    }

    /// Queues an append; gives it back when the connection's share of the queue is full or it takes no part.
    pub(super) fn push(
        &mut self,
        connection: ConnectionId,
        client_ref: ClientRef,
        blob: Blob,
    ) -> Result<(), Blob> {
        match self.waiting.get_mut(&connection) {
            Some(waiting) if waiting.has_place_for(&blob, self.per_connection) => {
                waiting.appends.push_back((client_ref, blob));
                Ok(())
            }
            _ => Err(blob),
        }
    }

    /// The next append, when the lane's rate allows one now.
    pub(super) fn pop(&mut self, now: Mono) -> Option<Turn> {
        if !self.messages.is_ready(now) || !self.bytes.is_ready(now) {
            return None;
        }
        let (connection, waiting) = self
            .waiting
            .iter_mut()
            .filter(|(_, waiting)| !waiting.appends.is_empty())
            .min_by_key(|(connection, waiting)| (waiting.served, **connection))?;
        let (client_ref, blob) = waiting.appends.pop_front()?;
        self.turns = self.turns.saturating_add(1);
        waiting.served = self.turns;
        self.messages.take(now, 1);
        self.bytes.take(now, blob.as_bytes().len());
        Some(Turn { connection: *connection, client_ref, blob })
    }

    /// When [`LaneQueue::pop`] gives something again; `None` while nothing waits.
    pub(super) fn next_at(&self) -> Option<Mono> {
        let waits = self.waiting.values().any(|waiting| !waiting.appends.is_empty());
        waits.then(|| self.messages.ready_at().max(self.bytes.ready_at()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    const FLOODER: ConnectionId = ConnectionId(1);
    const HONEST: ConnectionId = ConnectionId(2);

    fn lane(per_second: u32, burst: u32) -> LaneQueue {
        let mut lane = LaneQueue::new(
            Rate { per_second, burst },
            Rate { per_second: 1 << 20, burst: 1 << 20 },
            8,
            Mono::from_micros(0),
        );
        lane.admit(FLOODER);
        lane
    }

    fn push(lane: &mut LaneQueue, connection: ConnectionId, n: u32) -> bool {
        lane.push(connection, ClientRef(n), Blob::pad(b"commit").unwrap()).is_ok()
    }

    #[test]
    fn a_connection_that_floods_waits_behind_one_that_does_not() {
        let mut lane = lane(10, 1);
        lane.admit(HONEST);
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
    fn a_new_connection_does_not_jump_the_queue() {
        let mut lane = lane(10, 1);
        assert!(push(&mut lane, FLOODER, 0) && push(&mut lane, FLOODER, 1));
        assert!(lane.pop(Mono::from_micros(0)).is_some());
        lane.admit(HONEST);
        lane.admit(ConnectionId(3));
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
            8,
            Mono::from_micros(0),
        );
        lane.admit(FLOODER);
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
    fn forgetting_a_connection_drops_what_it_queued() {
        let mut lane = lane(10, 5);
        assert!(push(&mut lane, FLOODER, 0));
        assert_eq!(lane.forget(FLOODER), [ClientRef(0)]);
        assert!(lane.next_at().is_none());
        assert!(!push(&mut lane, FLOODER, 1));
    }
}
