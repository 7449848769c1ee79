//! The log of those who were cut off from the rest: it goes on where the common one ended.

use incamera_relay_proto::{Blob, Lane, Seq, ServerMessage};

/// Numbers of the entries that the second half appends.
#[derive(Default)]
pub(super) struct SplitLog {
    common: Seq,
    appended: u64,
}

impl SplitLog {
    /// A log that parts from the common one after `head`.
    pub(super) const fn after(head: Seq) -> Self {
        Self { common: head, appended: 0 }
    }

    /// Orders a blob: its number, and the entry for the members of this half.
    pub(super) fn append(&mut self, lane: Lane, blob: Blob) -> (Seq, ServerMessage) {
        self.appended += 1;
        let seq = Seq(self.common.0 + self.appended);
        (seq, ServerMessage::Entry { seq, lane, blob })
    }

    /// Whether this half is told what the common log says.
    pub(super) fn lets_through(&self, message: &ServerMessage) -> bool {
        match message {
            ServerMessage::Entry { seq, .. } => *seq <= self.common,
            ServerMessage::Rotated { .. } => false,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_have_other_entries_under_the_same_numbers() {
        let mut split = SplitLog::after(Seq(7));
        let blob = || Blob::pad(b"ours").unwrap();
        let entry = |seq| ServerMessage::Entry { seq: Seq(seq), lane: Lane::Application, blob: blob() };
        assert_eq!(split.append(Lane::Application, blob()), (Seq(8), entry(8)));
        assert!(split.lets_through(&entry(7)) && !split.lets_through(&entry(8)));
    }
}
