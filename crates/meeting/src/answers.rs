//! Replies to knocks, kept until the relay says that the knock is closed: with a connection that breaks none is lost.

use std::collections::VecDeque;

use incamera_relay_proto::{Blob, ClientRef, KnockId};

use crate::lobby::MAX_WAITING_KNOCKS;

/// A sealed reply on its way to a knocker.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) knock: KnockId,
    pub(crate) blob: Blob,
    /// The nonce of who was added: heartbeats echo it from when the reply leaves (SEC-19).
    pub(crate) echo: Option<[u8; 16]>,
}

/// The replies that the relay may not have yet. A relay that closes nothing costs no more than a full lobby.
#[derive(Default)]
pub(crate) struct Answers {
    waiting: VecDeque<(Answer, Option<ClientRef>)>,
}

impl Answers {
    /// Keeps a reply; the oldest goes when there are too many.
    pub(crate) fn keep(&mut self, answer: Answer) {
        if self.waiting.len() >= MAX_WAITING_KNOCKS {
            self.waiting.pop_front();
        }
        self.waiting.push_back((answer, None));
    }

    /// Whether this knock was answered and the relay may not know it yet.
    pub(crate) fn contains(&self, knock: KnockId) -> bool {
        self.waiting.iter().any(|(answer, _)| answer.knock == knock)
    }

    /// The replies that are to be sent, in order.
    pub(crate) fn due(&self) -> Vec<Answer> {
        let unsent = self.waiting.iter().filter(|(_, sent)| sent.is_none());
        unsent.map(|(answer, _)| answer.clone()).collect()
    }

    /// A reply was sent.
    pub(crate) fn sent(&mut self, knock: KnockId, client_ref: ClientRef) {
        if let Some((_, sent)) = self.waiting.iter_mut().find(|(answer, _)| answer.knock == knock) {
            *sent = Some(client_ref);
        }
    }

    /// Everything under way may be lost: all are to be sent again.
    pub(crate) fn repeat(&mut self) {
        self.waiting.iter_mut().for_each(|(_, sent)| *sent = None);
    }

    /// The relay has the reply, or nobody waits for it any more.
    pub(crate) fn closed(&mut self, knock: KnockId) {
        self.waiting.retain(|(answer, _)| answer.knock != knock);
    }

    /// The relay knows of no knock for the reply that was sent under this number.
    pub(crate) fn unwanted(&mut self, client_ref: ClientRef) {
        self.waiting.retain(|(_, sent)| *sent != Some(client_ref));
    }

    /// The relay has forgotten all knocks.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(number: u16) -> Answer {
        let mut wide = [0; 16];
        wide[..2].copy_from_slice(&number.to_be_bytes());
        Answer { knock: KnockId(wide), blob: Blob::pad(b"reply").unwrap(), echo: None }
    }

    #[test]
    fn answer_is_sent_once_and_again_until_its_knock_is_closed() {
        let mut answers = Answers::default();
        answers.keep(answer(1));
        answers.keep(answer(2));
        for (answer, client_ref) in answers.due().iter().zip([7, 8]) {
            answers.sent(answer.knock, ClientRef(client_ref));
        }
        assert!(answers.due().is_empty() && answers.contains(answer(1).knock));
        answers.unwanted(ClientRef(7));
        answers.repeat();
        assert_eq!(answers.due().len(), 1);
        answers.closed(answer(2).knock);
        assert!(answers.due().is_empty() && !answers.contains(answer(2).knock));
    }

    #[test]
    fn relay_that_closes_no_knock_costs_bounded_memory() {
        let mut answers = Answers::default();
        (0..10_000).for_each(|number| answers.keep(answer(number)));
        assert_eq!(answers.due().len(), MAX_WAITING_KNOCKS);
    }
}
