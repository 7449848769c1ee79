//! The relay's log as one member sees it: order, gaps, and a hash chain by which members notice that the
//! relay shows them different logs (SEC-09).
//!
//! There is one chain for the whole life of the log: a member that was once shown something else never agrees
//! with the others again, however soon a commit follows. A joiner, who never saw what came before its Welcome,
//! goes on from the hash that its admitter had there.

use std::collections::{BTreeMap, VecDeque};

use incamera_identity::sha256_parts;
use incamera_relay_proto::{Blob, Incarnation, Lane, Seq};

const LABEL: &[u8] = b"Incamera 1.0 log chain";

/// Heads remembered, to compare with members that are ahead or behind: ten seconds of all that a relay lets a room
/// append (wire.md, "Order of the log").
const MAX_HEADS: usize = 4_096;

/// Own entries that the relay has given a place and not shown yet; more than requests can be under way.
const MAX_PROMISES: usize = 256;

/// A place in the log and the hash of everything up to there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogHead {
    pub(crate) seq: u64,
    pub(crate) hash: [u8; 16],
}

/// What to do with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is the next one.
    Next,
    /// It was there before.
    Repeated,
    /// Entries before it are missing.
    Gap,
}

/// How another member's head compares with ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// The same log.
    Consistent,
    /// We never had that head, or do not remember it.
    Unknown,
    /// Another log: the relay forked the room.
    Forked,
}

/// The log so far.
#[derive(Debug, Default)]
pub(crate) struct LogView {
    incarnation: Option<Incarnation>,
    /// Entries of earlier lives of the log, so that the group sees positions that only grow.
    before: u64,
    last: u64,
    heads: VecDeque<Taken>,
    /// Digests of own entries by the place that the relay says they have.
    promises: BTreeMap<u64, [u8; 16]>,
}

#[derive(Clone, Copy, Debug)]
struct Taken {
    head: LogHead,
    digest: [u8; 16],
}

impl LogView {
    /// The view of a joiner: its commit is the entry taken last in this life of the log, and the chain there is what
    /// its admitter says.
    pub(crate) fn continuing(incarnation: Option<Incarnation>, last: u64, hash: [u8; 16]) -> Self {
        let mut view = Self { incarnation, last, ..Self::default() };
        view.push(LogHead { seq: last, hash }, [0; 16]);
        view
    }

    /// Begins the chain of a log that holds nothing yet, from the authenticator of the epoch.
    pub(crate) fn begin(&mut self, authenticator: &[u8]) {
        self.heads.clear();
        self.promises.clear();
        let digest = sha256_parts(&[LABEL, &self.last.to_be_bytes(), authenticator]);
        self.push(LogHead { seq: self.last, hash: shorten(&digest) }, [0; 16]);
    }

    /// Whether this is the life of the log that the view belongs to; the first that is seen becomes it.
    pub(crate) fn check_incarnation(&mut self, incarnation: Incarnation) -> bool {
        *self.incarnation.get_or_insert(incarnation) == incarnation
    }

    /// Begins anew in another life of the log: its positions start again.
    pub(crate) fn restart(&mut self, incarnation: Incarnation, authenticator: &[u8]) {
        self.incarnation = Some(incarnation);
        self.before = self.before.saturating_add(self.last);
        self.last = 0;
        self.begin(authenticator);
    }

    /// A position that grows over all lives of the log.
    pub(crate) const fn lasting(&self, seq: Seq) -> u64 {
        self.before.saturating_add(seq.0)
    }

    /// The entry taken last.
    pub(crate) const fn last(&self) -> Seq {
        Seq(self.last)
    }

    /// The life of the log, once known.
    pub(crate) const fn incarnation(&self) -> Option<Incarnation> {
        self.incarnation
    }

    /// The first entry that is wanted.
    pub(crate) const fn wanted(&self) -> Seq {
        Seq(self.last.saturating_add(1))
    }

    /// Where an entry stands.
    pub(crate) const fn place(&self, seq: Seq) -> Place {
        if seq.0 <= self.last {
            Place::Repeated
        } else if seq.0 == self.last.saturating_add(1) {
            Place::Next
        } else {
            Place::Gap
        }
    }

    /// Takes an entry into the chain; forked when the relay said that something of ours is in its place.
    pub(crate) fn take(&mut self, seq: Seq, lane: Lane, blob: &Blob) -> Comparison {
        self.last = seq.0;
        let before = self.head().hash;
        let chained = sha256_parts(&[LABEL, &before, &seq.0.to_be_bytes(), &[lane as u8], blob.as_bytes()]);
        let digest = digest_of(blob);
        self.push(LogHead { seq: seq.0, hash: shorten(&chained) }, digest);
        match self.promises.remove(&seq.0) {
            Some(promised) if promised != digest => Comparison::Forked,
            _ => Comparison::Consistent,
        }
    }

    /// The relay says that an own entry with this digest is at `seq`; forked when it showed us another there.
    pub(crate) fn promised(&mut self, seq: Seq, digest: [u8; 16]) -> Comparison {
        if seq.0 > self.last {
            if self.promises.len() >= MAX_PROMISES {
                self.promises.pop_first();
            }
            self.promises.insert(seq.0, digest);
            return Comparison::Consistent;
        }
        match self.heads.iter().rev().find(|taken| taken.head.seq == seq.0) {
            Some(taken) if taken.digest != digest => Comparison::Forked,
            _ => Comparison::Consistent,
        }
    }

    fn push(&mut self, head: LogHead, digest: [u8; 16]) {
        if self.heads.len() >= MAX_HEADS {
            self.heads.pop_front();
        }
        self.heads.push_back(Taken { head, digest });
    }

    /// The newest entry.
    pub(crate) fn head(&self) -> LogHead {
        self.heads.back().map_or(LogHead { seq: self.last, hash: [0; 16] }, |taken| taken.head)
    }

    /// Compares another member's head with ours.
    pub(crate) fn compare(&self, theirs: LogHead) -> Comparison {
        match self.heads.iter().rev().map(|taken| taken.head).find(|head| head.seq == theirs.seq) {
            Some(ours) if ours.hash != theirs.hash => Comparison::Forked,
            Some(_) => Comparison::Consistent,
            None => Comparison::Unknown,
        }
    }
}

/// By what an own entry is known again.
pub(crate) fn digest_of(blob: &Blob) -> [u8; 16] {
    shorten(&sha256_parts(&[blob.as_bytes()]))
}

/// The first half of a digest: 128 bits are enough against collisions that a relay could prepare in one
/// meeting, and heartbeats stay small.
pub(crate) fn shorten(digest: &[u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    for (byte, from) in half.iter_mut().zip(digest) {
        *byte = *from;
    }
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(content: &[u8]) -> Blob {
        Blob::pad(content).unwrap()
    }

    fn log(entries: &[(u64, &[u8])]) -> LogView {
        let mut log = LogView::default();
        log.begin(b"authenticator");
        for (seq, content) in entries {
            log.take(Seq(*seq), Lane::Application, &blob(content));
        }
        log
    }

    #[test]
    fn repetitions_and_gaps_are_told_apart() {
        let log = log(&[(1, b"a"), (2, b"b")]);
        assert_eq!(log.place(Seq(2)), Place::Repeated);
        assert_eq!(log.place(Seq(3)), Place::Next);
        assert_eq!(log.place(Seq(4)), Place::Gap);
        assert_eq!(log.wanted(), Seq(3));
    }

    #[test]
    fn logs_that_differ_in_one_entry_are_forked_from_there_on() {
        let ours = log(&[(1, b"a"), (2, b"b"), (3, b"c")]);
        let theirs = log(&[(1, b"a"), (2, b"x"), (3, b"c")]);
        assert_eq!(ours.compare(theirs.head()), Comparison::Forked);
        let behind = log(&[(1, b"a")]);
        assert_eq!(ours.compare(behind.head()), Comparison::Consistent);
        assert_eq!(behind.compare(ours.head()), Comparison::Unknown);
    }

    #[test]
    fn joiner_that_saw_nothing_earlier_goes_on_from_its_admitters_chain() {
        let mut old = log(&[(1, b"a"), (2, b"commit")]);
        let mut joiner = LogView::continuing(None, 2, old.head().hash);
        assert_eq!(joiner.wanted(), Seq(3));
        old.take(Seq(3), Lane::Application, &blob(b"c"));
        joiner.take(Seq(3), Lane::Application, &blob(b"c"));
        assert_eq!(old.head(), joiner.head());
    }

    #[test]
    fn log_that_was_replaced_once_stays_forked_whatever_follows() {
        // SEC-09
        let mut ours = log(&[(1, b"a")]);
        let mut theirs = log(&[(1, b"x")]);
        for seq in 2..50 {
            ours.take(Seq(seq), Lane::Commit, &blob(b"commit"));
            theirs.take(Seq(seq), Lane::Commit, &blob(b"commit"));
            assert_eq!(ours.compare(theirs.head()), Comparison::Forked);
        }
    }

    #[test]
    fn own_entry_that_is_another_in_the_log_is_noticed_by_its_author_alone() {
        // SEC-09: also when nobody else is there to compare with, and whichever comes first.
        let mut log = log(&[]);
        assert_eq!(log.promised(Seq(1), digest_of(&blob(b"ours"))), Comparison::Consistent);
        assert_eq!(log.promised(Seq(2), digest_of(&blob(b"ours too"))), Comparison::Consistent);
        assert_eq!(log.take(Seq(1), Lane::Application, &blob(b"ours")), Comparison::Consistent);
        assert_eq!(log.take(Seq(2), Lane::Application, &blob(b"other")), Comparison::Forked);
        assert_eq!(log.take(Seq(3), Lane::Application, &blob(b"other")), Comparison::Consistent);
        assert_eq!(log.promised(Seq(3), digest_of(&blob(b"ours again"))), Comparison::Forked);
        assert_eq!(log.promised(Seq(3), digest_of(&blob(b"other"))), Comparison::Consistent);
        for seq in 10..5_000 {
            log.promised(Seq(seq), [0; 16]);
        }
        assert_eq!(log.promises.len(), MAX_PROMISES);
    }

    #[test]
    fn positions_grow_over_the_lives_of_a_log() {
        let mut log = log(&[(1, b"a"), (2, b"b")]);
        assert!(log.check_incarnation(Incarnation(1)));
        assert!(!log.check_incarnation(Incarnation(2)));
        log.restart(Incarnation(2), b"authenticator");
        assert_eq!((log.wanted(), log.lasting(Seq(1))), (Seq(1), 3));
    }

    #[test]
    fn sec_09_head_that_is_forgotten_or_was_never_seen_proves_nothing() {
        let mut ours = log(&[(1, b"a")]);
        let theirs = log(&[(1, b"x")]);
        for seq in 2..=MAX_HEADS as u64 + 1 {
            ours.take(Seq(seq), Lane::Application, &blob(b"junk"));
        }
        assert_eq!(ours.compare(theirs.head()), Comparison::Unknown);
        let joiner = LogView::continuing(None, 7, [1; 16]);
        assert_eq!(joiner.compare(LogHead { seq: 6, hash: [2; 16] }), Comparison::Unknown);
    }

    #[test]
    fn heads_are_bounded() {
        let mut log = log(&[]);
        for seq in 1..5_000 {
            log.take(Seq(seq), Lane::Application, &blob(b"x"));
        }
        assert_eq!(log.heads.len(), MAX_HEADS);
    }
}
