//! The conversation with the relay on one connection: who asked what, and what is open.

use std::collections::BTreeMap;

use incamera_relay_proto::{ClientMessage, ClientRef, Request};

use crate::log::digest_of;

/// Requests remembered until their answer; a relay that answers nothing costs no more than this.
const MAX_UNANSWERED: usize = 256;

/// How far the conversation has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No connection.
    #[default]
    Away,
    /// Hello was sent.
    Greeting,
    /// A room was asked for.
    Opening,
    /// The room is open to knock at.
    AtTheDoor,
    /// The room is open; entries of the past are still coming.
    CatchingUp,
    /// The room is open and what comes is live.
    Live,
    /// The room is open to read up to where our capability was taken back.
    ReadOnly,
}

/// What a request was for; its answer or refusal goes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Greet,
    Create,
    Open,
    FetchCard,
    Knock,
    Commit,
    Heartbeat,
    Message,
    Reply,
    Order,
    Ticket,
}

/// A request without an answer yet.
#[derive(Clone, Copy, Debug)]
struct Asked {
    purpose: Purpose,
    /// By what the log must show an entry that is appended.
    entry: Option<[u8; 16]>,
}

/// One participant's conversation with the relay.
#[derive(Debug, Default)]
pub(crate) struct Session {
    phase: Phase,
    next_ref: u32,
    unanswered: BTreeMap<ClientRef, Asked>,
}

impl Session {
    /// How far the conversation has come.
    pub(crate) const fn phase(&self) -> Phase {
        self.phase
    }

    /// Moves on.
    pub(crate) const fn set_phase(&mut self, phase: Phase) {
        self.phase = phase;
    }

    /// The connection is gone: nothing that was asked on it will be answered.
    pub(crate) fn lost(&mut self) -> Vec<Purpose> {
        self.phase = Phase::Away;
        core::mem::take(&mut self.unanswered).into_values().map(|asked| asked.purpose).collect()
    }

    /// Whether members' requests can be sent now.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::CatchingUp | Phase::Live)
    }

    /// A message that asks for `request`.
    pub(crate) fn ask(&mut self, purpose: Purpose, request: Request) -> (ClientRef, ClientMessage) {
        self.next_ref = self.next_ref.wrapping_add(1);
        let client_ref = ClientRef(self.next_ref);
        if self.unanswered.len() >= MAX_UNANSWERED {
            self.unanswered.pop_first();
        }
        let entry = match &request {
            Request::Append { blob, .. } => Some(digest_of(blob)),
            _ => None,
        };
        self.unanswered.insert(client_ref, Asked { purpose, entry });
        (client_ref, ClientMessage { client_ref, request })
    }

    /// What an answer is for; `None` when nothing was asked under this number.
    pub(crate) fn answered(&mut self, in_reply_to: ClientRef) -> Option<Purpose> {
        self.unanswered.remove(&in_reply_to).map(|asked| asked.purpose)
    }

    /// Whether a request of this purpose is not answered yet.
    pub(crate) fn waits_for(&self, purpose: Purpose) -> bool {
        self.unanswered.values().any(|asked| asked.purpose == purpose)
    }

    /// The digest of the entry that an answer gives a place to; `None` when nothing was appended under this
    /// number.
    pub(crate) fn appended(&mut self, in_reply_to: ClientRef) -> Option<[u8; 16]> {
        self.unanswered.remove(&in_reply_to).and_then(|asked| asked.entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relay_that_answers_nothing_costs_bounded_memory() {
        let mut session = Session::default();
        for _ in 0..10_000 {
            session.ask(Purpose::FetchCard, Request::FetchCard);
        }
        assert_eq!(session.unanswered.len(), MAX_UNANSWERED);
    }

    #[test]
    fn answers_are_taken_once_and_die_with_the_connection() {
        let mut session = Session::default();
        let (first, _) = session.ask(Purpose::FetchCard, Request::FetchCard);
        assert_eq!(session.answered(first), Some(Purpose::FetchCard));
        assert_eq!(session.answered(first), None);
        let (second, _) = session.ask(Purpose::Knock, Request::WithdrawKnock);
        assert_eq!(session.lost(), [Purpose::Knock]);
        assert_eq!(session.answered(second), None);
    }
}
