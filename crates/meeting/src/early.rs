//! What is said between our addition and its confirmation: nothing of it counts before (SEC-19), and all of it does
//! then, as its sender sees it delivered.

use std::collections::VecDeque;

use incamera_types::{MemberId, Pii};

use crate::wire::MeetingMessage;

/// Messages kept; later ones are lost. More than are said in the seconds that a join takes.
const MAX_EARLY: usize = 256;

/// A message that waits.
pub(crate) struct EarlyMessage {
    /// Its place in the log.
    pub(crate) seq: u64,
    pub(crate) sender: MemberId,
    /// The sender may be gone by then.
    pub(crate) name: Pii<String>,
    pub(crate) message: MeetingMessage,
}

/// Messages in the order of the log.
#[derive(Default)]
pub(crate) struct EarlyMessages(VecDeque<EarlyMessage>);

impl EarlyMessages {
    /// Keeps a message.
    pub(crate) fn keep(&mut self, message: EarlyMessage) {
        if self.0.len() < MAX_EARLY {
            self.0.push_back(message);
        }
    }

    /// The first that was not taken yet.
    pub(crate) fn take(&mut self) -> Option<EarlyMessage> {
        self.0.pop_front()
    }

    /// Forgets all: the group in which they were said is given up.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn member_that_talks_without_end_costs_a_joiner_bounded_memory() {
        let mut early = EarlyMessages::default();
        for seq in 0..10_000 {
            let (sender, name) = (MemberId([1; 16]), Pii::default());
            early.keep(EarlyMessage { seq, sender, name, message: MeetingMessage::Leaving });
        }
        assert_eq!(early.take().map(|message| message.seq), Some(0), "in the order of the log");
        assert_eq!(early.0.len(), MAX_EARLY - 1);
    }
}
