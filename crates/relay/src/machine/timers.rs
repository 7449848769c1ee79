//! One deadline per subject, and the earliest of all.

use std::collections::{BTreeMap, BTreeSet};

use incamera_types::{Mono, RoomId};

use super::ConnectionId;

/// Whose deadline it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    Room(RoomId),
    Connection(ConnectionId),
}

#[derive(Default)]
pub(super) struct Timers {
    queue: BTreeSet<(Mono, Subject)>,
    set: BTreeMap<Subject, Mono>,
}

impl Timers {
    /// Replaces the deadline of `subject`.
    pub(super) fn set(&mut self, subject: Subject, at: Option<Mono>) {
        let before = match at {
            Some(at) => self.set.insert(subject, at),
            None => self.set.remove(&subject),
        };
        if let Some(before) = before {
            self.queue.remove(&(before, subject));
        }
        if let Some(at) = at {
            self.queue.insert((at, subject));
        }
    }

    pub(super) fn next_at(&self) -> Option<Mono> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes one subject whose deadline is not after `now`.
    pub(super) fn pop_due(&mut self, now: Mono) -> Option<Subject> {
        let (at, subject) = *self.queue.first()?;
        if at > now {
            return None;
        }
        self.set(subject, None);
        Some(subject)
    }
}
