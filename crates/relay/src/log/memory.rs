//! The log in memory: nothing of it outlives the process.

use std::collections::{BTreeMap, VecDeque};

use incamera_relay_proto::{Blob, Lane, Seq};
use incamera_types::RoomId;

use super::{AppendId, Entry, Extent, LogChange, RoomLog};

/// How much is kept: whichever limit is reached first. The last entry of a room is always kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// Entries per room.
    pub entries: usize,
    /// Bytes of blobs per room.
    pub bytes: usize,
    /// Bytes of blobs in all rooms. Beyond it a room that grows drops its own oldest entries.
    pub bytes_in_all: usize,
}

/// A [`RoomLog`] in memory that keeps the newest entries of each room.
pub struct MemoryLog {
    limits: LogLimits,
    rooms: BTreeMap<RoomId, RoomEntries>,
    bytes: usize,
    changes: VecDeque<LogChange>,
}

#[derive(Default)]
struct RoomEntries {
    entries: VecDeque<(Lane, Blob)>,
    bytes: usize,
    head: u64,
}

impl RoomEntries {
    fn oldest(&self) -> u64 {
        let kept = u64::try_from(self.entries.len()).unwrap_or(u64::MAX);
        self.head.saturating_sub(kept).saturating_add(1)
    }

    fn push(&mut self, lane: Lane, blob: Blob) {
        self.head = self.head.saturating_add(1);
        self.bytes = self.bytes.saturating_add(blob.as_bytes().len());
        self.entries.push_back((lane, blob));
    }

    /// Drops old entries down to the room's limits, and beyond them to make up for `excess` bytes.
    fn truncate(&mut self, limits: LogLimits, excess: usize) {
        let bytes = limits.bytes.min(self.bytes.saturating_sub(excess));
        while self.entries.len() > 1 && (self.entries.len() > limits.entries || self.bytes > bytes) {
            if let Some((_, dropped)) = self.entries.pop_front() {
                self.bytes = self.bytes.saturating_sub(dropped.as_bytes().len());
            }
        }
    }
}

impl MemoryLog {
    /// An empty log.
    #[must_use]
    pub const fn new(limits: LogLimits) -> Self {
        Self { limits, rooms: BTreeMap::new(), bytes: 0, changes: VecDeque::new() }
    }
}

impl RoomLog for MemoryLog {
    fn append(&mut self, room: RoomId, lane: Lane, blob: Blob, append: AppendId) {
        if let Some(entries) = self.rooms.get_mut(&room) {
            let before = entries.bytes;
            entries.push(lane, blob);
            let in_all = self.bytes.saturating_sub(before).saturating_add(entries.bytes);
            entries.truncate(self.limits, in_all.saturating_sub(self.limits.bytes_in_all));
            self.bytes = self.bytes.saturating_sub(before).saturating_add(entries.bytes);
            self.changes.push_back(LogChange { room, seq: Seq(entries.head), append: Some(append) });
        }
    }

    fn read_from(&self, room: RoomId, from: Seq) -> Option<Entry> {
        let entries = self.rooms.get(&room)?;
        let seq = from.0.max(entries.oldest());
        let at = usize::try_from(seq.saturating_sub(entries.oldest())).ok()?;
        let (lane, blob) = entries.entries.get(at)?;
        Some(Entry { seq: Seq(seq), lane: *lane, blob: blob.clone() })
    }

    fn extent(&self, room: RoomId) -> Extent {
        self.rooms.get(&room).map_or(Extent { oldest: Seq::FIRST, head: Seq(0) }, |entries| Extent {
            oldest: Seq(entries.oldest()),
            head: Seq(entries.head),
        })
    }

    fn subscribe(&mut self, room: RoomId) {
        self.rooms.entry(room).or_default();
    }

    fn purge(&mut self, room: RoomId) {
        let purged = self.rooms.remove(&room);
        self.bytes = self.bytes.saturating_sub(purged.map_or(0, |entries| entries.bytes));
        self.changes.retain(|change| change.room != room);
    }

    fn poll_change(&mut self) -> Option<LogChange> {
        self.changes.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: RoomId = RoomId([1; 16]);

    fn blob(text: &str) -> Blob {
        Blob::pad(text.as_bytes()).unwrap()
    }

    /// What every implementation of [`RoomLog`] must do.
    fn conforms(log: &mut dyn RoomLog) {
        log.append(ROOM, Lane::Commit, blob("before"), AppendId(0));
        assert_eq!(log.poll_change(), None, "rooms that nobody subscribed are not made");
        log.subscribe(ROOM);
        assert_eq!(log.extent(ROOM), Extent { oldest: Seq(1), head: Seq(0) });
        assert_eq!(log.read_from(ROOM, Seq(0)), None);
        for (n, lane) in [(1, Lane::Commit), (2, Lane::Application), (3, Lane::Commit)] {
            log.append(ROOM, lane, blob(&n.to_string()), AppendId(n));
            let change = LogChange { room: ROOM, seq: Seq(n), append: Some(AppendId(n)) };
            assert_eq!(log.poll_change(), Some(change));
        }
        assert_eq!(log.poll_change(), None);
        let entry = log.read_from(ROOM, Seq(2)).unwrap();
        assert_eq!(entry, Entry { seq: Seq(2), lane: Lane::Application, blob: blob("2") });
        assert_eq!(log.read_from(ROOM, Seq(0)).unwrap().seq, Seq(1));
        assert_eq!(log.read_from(ROOM, Seq(4)), None);
        log.subscribe(ROOM);
        assert_eq!(log.extent(ROOM).head, Seq(3), "subscribing again changes nothing");
        log.append(ROOM, Lane::Commit, blob("4"), AppendId(4));
        log.purge(ROOM);
        assert_eq!(log.poll_change(), None, "a purged room reports nothing");
        assert_eq!(log.read_from(ROOM, Seq(1)), None);
        log.subscribe(ROOM);
        assert_eq!(log.extent(ROOM).head, Seq(0), "a purged room begins anew");
    }

    #[test]
    fn memory_log_conforms() {
        conforms(&mut MemoryLog::new(LogLimits { entries: 10, bytes: 1 << 20, bytes_in_all: 1 << 20 }));
    }

    #[test]
    fn old_entries_go_when_either_limit_is_reached() {
        let roomy = LogLimits { entries: 100, bytes: 1 << 20, bytes_in_all: 1 << 20 };
        for limits in [
            LogLimits { entries: 3, ..roomy },
            LogLimits { bytes: 3 * 512 + 100, ..roomy },
            LogLimits { bytes_in_all: 3 * 512, ..roomy },
        ] {
            let mut log = MemoryLog::new(limits);
            log.subscribe(ROOM);
            for n in 1..=10 {
                log.append(ROOM, Lane::Commit, blob(&n.to_string()), AppendId(n));
            }
            assert_eq!(log.extent(ROOM), Extent { oldest: Seq(8), head: Seq(10) });
            assert_eq!(log.read_from(ROOM, Seq(1)).unwrap().seq, Seq(8));
        }
    }

    #[test]
    fn the_last_entry_stays_however_large() {
        let mut log = MemoryLog::new(LogLimits { entries: 9, bytes: 100, bytes_in_all: 100 });
        log.subscribe(ROOM);
        log.append(ROOM, Lane::Commit, blob("large"), AppendId(1));
        assert!(log.read_from(ROOM, Seq(1)).is_some());
    }

    #[test]
    fn a_room_that_grows_beyond_all_bytes_takes_nothing_from_others() {
        let other = RoomId([2; 16]);
        let limits = LogLimits { entries: 100, bytes: 1 << 20, bytes_in_all: 6 * 512 };
        let mut log = MemoryLog::new(limits);
        for room in [ROOM, other] {
            log.subscribe(room);
            (0..4).for_each(|n| log.append(room, Lane::Commit, blob("x"), AppendId(n)));
        }
        assert_eq!((log.extent(ROOM).oldest, log.extent(other).oldest), (Seq(1), Seq(3)));
        log.purge(ROOM);
        (0..4).for_each(|n| log.append(other, Lane::Commit, blob("x"), AppendId(n)));
        assert_eq!(log.extent(other).oldest, Seq(3), "what a purged room held is free again");
    }
}
