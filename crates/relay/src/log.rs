//! Where the entries of rooms are kept, behind a trait: memory here, a cluster's log elsewhere.

mod memory;

use incamera_relay_proto::{Blob, Lane, Seq};
use incamera_types::RoomId;

pub use memory::{LogLimits, MemoryLog};

/// One entry of a room's log. Opaque to the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Position.
    pub seq: Seq,
    /// Lane that it came by.
    pub lane: Lane,
    /// Content.
    pub blob: Blob,
}

/// Number of an append, given by the caller of [`RoomLog::append`] to know its own again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppendId(pub u64);

/// What happened in a subscribed room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogChange {
    /// The room.
    pub room: RoomId,
    /// The new entry.
    pub seq: Seq,
    /// Set when it was appended through this log value, not by another node.
    pub append: Option<AppendId>,
}

/// Which entries of a room are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The oldest kept entry, or the next one to come when none is kept.
    pub oldest: Seq,
    /// The last entry (0: none yet).
    pub head: Seq,
}

/// An ordered log per room (wire.md §8).
///
/// Appending is not answered at once, so that a log over a network fits: the position comes by
/// [`RoomLog::poll_change`]. Positions begin at 1 and have no gaps; old entries may be dropped from the front.
pub trait RoomLog: Send {
    /// Asks to append. Ignored for a room that is not subscribed.
    fn append(&mut self, room: RoomId, lane: Lane, blob: Blob, append: AppendId);
    /// The first kept entry at or after `from`; `None` when there is none yet.
    fn read_from(&self, room: RoomId, from: Seq) -> Option<Entry>;
    /// Which entries are kept; an empty extent for a room that is not subscribed.
    fn extent(&self, room: RoomId) -> Extent;
    /// Begins to follow a room: its entries can be read and its changes are reported.
    fn subscribe(&mut self, room: RoomId);
    /// Forgets a room and everything in it.
    fn purge(&mut self, room: RoomId);
    /// The next change in a subscribed room, in the order of each room's log.
    fn poll_change(&mut self) -> Option<LogChange>;
}
