//! Sealed chat: ordered by the log, bounded, sent again when a commit overtook it (SEC-12).

use std::collections::VecDeque;

use incamera_identity::sha256_parts;
use incamera_types::{Epoch, MemberId, Pii};
use serde::{Deserialize, Serialize};
use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::CommandError;
use crate::log::shorten;
use crate::wire::Bounded;

const LABEL: &[u8] = b"Incamera 1.0 chat line";

/// Longest chat line in UTF-8 bytes.
pub const MAX_CHAT_BYTES: usize = 4_096;

/// Chat lines kept; the oldest goes first.
pub const MAX_CHAT_LINES: usize = 500;

/// Bytes of chat text kept in all.
pub const MAX_CHAT_HISTORY_BYTES: usize = 256 * 1_024;

/// Own lines that may be under way at a time.
pub const MAX_CHAT_PENDING: usize = 32;

/// Digests of lines remembered, to take a line that was sent twice only once.
const MAX_SEEN: usize = 1_024;

/// A chat line on the wire.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct ChatText {
    /// Random; the same when the line is sent again.
    pub id: [u8; 8],
    /// The sender's wall clock when it was typed, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// 1 to 4,096 bytes of UTF-8.
    pub text: Vec<u8>,
}

impl Bounded for ChatText {
    fn is_bounded(&self) -> bool {
        (1..=MAX_CHAT_BYTES).contains(&self.text.len()) && str::from_utf8(&self.text).is_ok()
    }
}

impl ChatText {
    /// Two lines are one when all of this is the same. The id alone would not do: with another's id somebody could
    /// keep a line of its own in that one's place.
    fn digest(&self) -> [u8; 16] {
        shorten(&sha256_parts(&[LABEL, &self.id, &self.time_ms.to_be_bytes(), &self.text]))
    }
}

/// A chat line as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatLine {
    /// Place in the log: all members see the same order.
    pub seq: u64,
    /// Who wrote it.
    pub member: MemberId,
    /// The name of who wrote it.
    pub name: Pii<String>,
    /// The text. Not sanitised: it is drawn as plain text in a box of its own.
    pub text: Pii<String>,
    /// The writer's wall clock, milliseconds since the Unix epoch.
    pub time_ms: u64,
}

/// Lines received, and own lines under way.
#[derive(Default)]
pub(crate) struct Chat {
    history: VecDeque<ChatLine>,
    history_bytes: usize,
    seen: VecDeque<[u8; 16]>,
    pending: VecDeque<Pending>,
}

struct Pending {
    text: ChatText,
    sealed_in: Option<Epoch>,
}

impl Chat {
    /// Queues an own line.
    ///
    /// # Errors
    /// [`CommandError::ChatLength`] for an empty or too long text, [`CommandError::ChatBusy`] when too many
    /// lines are under way.
    pub(crate) fn queue(&mut self, text: ChatText) -> Result<(), CommandError> {
        if !text.is_bounded() {
            return Err(CommandError::ChatLength);
        }
        if self.pending.len() >= MAX_CHAT_PENDING {
            return Err(CommandError::ChatBusy);
        }
        self.pending.push_back(Pending { text, sealed_in: None });
        Ok(())
    }

    /// The own lines that have to be sealed in `epoch`: new ones, and those that a commit overtook. Marks
    /// them as sealed in it.
    pub(crate) fn seal_in(&mut self, epoch: Epoch) -> Vec<ChatText> {
        let unsealed = self.pending.iter_mut().filter(|pending| pending.sealed_in != Some(epoch));
        unsealed
            .map(|pending| {
                pending.sealed_in = Some(epoch);
                pending.text.clone()
            })
            .collect()
    }

    /// The text of an own line that is under way.
    pub(crate) fn pending_text(&self, id: [u8; 8]) -> Option<ChatText> {
        self.pending.iter().find(|pending| pending.text.id == id).map(|pending| pending.text.clone())
    }

    /// Lets every line that is under way be sealed again: the connection was lost.
    pub(crate) fn unseal_all(&mut self) {
        for pending in &mut self.pending {
            pending.sealed_in = None;
        }
    }

    /// Takes a line at its place in the log; `None` when it is there already. The same line from another member
    /// is the same: whoever was added again has another member id and repeats what it has not seen arrive.
    pub(crate) fn receive(
        &mut self,
        seq: u64,
        member: MemberId,
        name: Pii<String>,
        chat: &ChatText,
    ) -> Option<ChatLine> {
        self.pending.retain(|pending| pending.text != *chat);
        let digest = chat.digest();
        if self.seen.contains(&digest) {
            return None;
        }
        if self.seen.len() >= MAX_SEEN {
            self.seen.pop_front();
        }
        self.seen.push_back(digest);
        let text = String::from_utf8(chat.text.clone()).ok()?;
        let line = ChatLine { seq, member, name, text: Pii::new(text), time_ms: chat.time_ms };
        self.keep(line.clone());
        Some(line)
    }

    fn keep(&mut self, line: ChatLine) {
        self.history_bytes = self.history_bytes.saturating_add(line.text.reveal().len());
        self.history.push_back(line);
        while self.history.len() > MAX_CHAT_LINES || self.history_bytes > MAX_CHAT_HISTORY_BYTES {
            let Some(oldest) = self.history.pop_front() else { break };
            self.history_bytes = self.history_bytes.saturating_sub(oldest.text.reveal().len());
        }
    }

    /// The lines kept, oldest first.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &ChatLine> {
        self.history.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: MemberId = MemberId([1; 16]);

    fn text(id: u8, text: &str) -> ChatText {
        ChatText { id: [id; 8], time_ms: 1, text: text.as_bytes().to_vec() }
    }

    #[test]
    fn line_overtaken_by_a_commit_is_sealed_again_until_it_has_its_place() {
        let mut chat = Chat::default();
        chat.queue(text(1, "hello")).unwrap();
        assert_eq!(chat.seal_in(Epoch(3)).len(), 1);
        assert_eq!(chat.seal_in(Epoch(3)).len(), 0);
        assert_eq!(chat.seal_in(Epoch(4)).len(), 1);
        chat.receive(9, ADA, Pii::default(), &text(1, "hello")).unwrap();
        assert_eq!(chat.seal_in(Epoch(5)).len(), 0);
    }

    #[test]
    fn line_that_arrives_twice_is_shown_once_even_when_its_author_was_added_again_meanwhile() {
        let mut chat = Chat::default();
        assert!(chat.receive(1, ADA, Pii::default(), &text(1, "a")).is_some());
        assert!(chat.receive(2, ADA, Pii::default(), &text(1, "a")).is_none());
        assert!(chat.receive(3, MemberId([2; 16]), Pii::default(), &text(1, "a")).is_none());
        assert!(chat.receive(4, MemberId([2; 16]), Pii::default(), &text(1, "b")).is_some());
    }

    #[test]
    fn history_is_bounded_in_lines_and_bytes() {
        let mut chat = Chat::default();
        let long = "x".repeat(MAX_CHAT_BYTES);
        for number in 0..2_000_u64 {
            let line = ChatText {
                id: number.to_be_bytes(),
                time_ms: 0,
                text: if number < 1_000 { b"short".to_vec() } else { long.as_bytes().to_vec() },
            };
            chat.receive(number, ADA, Pii::default(), &line).unwrap();
            assert!(chat.history.len() <= MAX_CHAT_LINES && chat.history_bytes <= MAX_CHAT_HISTORY_BYTES);
        }
        assert_eq!(chat.lines().last().unwrap().seq, 1_999);
    }

    #[test]
    fn empty_huge_and_too_many_lines_are_refused() {
        let mut chat = Chat::default();
        assert_eq!(chat.queue(text(1, "")), Err(CommandError::ChatLength));
        assert_eq!(chat.queue(text(1, &"x".repeat(MAX_CHAT_BYTES + 1))), Err(CommandError::ChatLength));
        for id in 0..32 {
            chat.queue(text(id, "x")).unwrap();
        }
        assert_eq!(chat.queue(text(99, "x")), Err(CommandError::ChatBusy));
    }
}
