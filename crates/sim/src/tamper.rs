//! What a hostile relay makes of the messages to one client.

use incamera_relay_proto::{Blob, Lane, ServerMessage};
use incamera_types::Mono;

use crate::world::World;

/// One trick, played on one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trick {
    /// The next entry of the application lane does not come.
    LeaveOut,
    /// The next entry comes twice.
    Repeat,
    /// The next entry of the application lane is another one.
    Replace,
    /// No entries come until then.
    Withhold { until: Mono },
    /// Entries come later and later from then on.
    Stretch { since: Mono },
    /// What the client sends comes later and later from then on.
    HoldBack { since: Mono },
    /// The card is not the one that was signed.
    AlterCard,
}

impl World {
    /// The messages that really go to `actor` instead of `message`.
    pub(crate) fn tampered(&mut self, actor: usize, message: ServerMessage) -> Vec<ServerMessage> {
        let Some(trick) = self.actors[actor].trick else { return vec![message] };
        // Who knocks reads no log: entries that still come to it were meant for the member that it was.
        let reads = self.actors[actor].machine.epoch().is_some();
        match (trick, message) {
            (Trick::LeaveOut, ServerMessage::Entry { seq, lane: Lane::Application, .. }) if reads => {
                self.played(actor, "relay entry left out");
                self.expect_gap(actor, seq);
                Vec::new()
            }
            (Trick::Repeat, entry @ ServerMessage::Entry { .. }) => {
                self.played(actor, "relay entry repeated");
                vec![entry.clone(), entry]
            }
            (Trick::Replace, ServerMessage::Entry { seq, lane: Lane::Application, .. }) if reads => {
                self.played(actor, "relay entry replaced");
                self.expect_fork(actor, seq);
                Blob::pad(b"something else")
                    .map(|blob| vec![ServerMessage::Entry { seq, lane: Lane::Application, blob }])
                    .unwrap_or_default()
            }
            (Trick::Withhold { until }, ServerMessage::Entry { .. }) if self.now.mono < until => Vec::new(),
            (Trick::AlterCard, ServerMessage::Card { in_reply_to, mut card }) => {
                self.played(actor, "card altered");
                if let Some(last) = card.last_mut() {
                    *last ^= 1;
                }
                self.invariants.bad_card_shown.insert(actor);
                vec![ServerMessage::Card { in_reply_to, card }]
            }
            (_, message) => vec![message],
        }
    }

    /// Numbers the replies to a knock anew where forged ones came first.
    pub(crate) fn renumbered(&self, actor: usize, message: ServerMessage) -> ServerMessage {
        match message {
            ServerMessage::Replied { number, standing, blob } => {
                let number = number.saturating_add(self.actors[actor].forged_replies);
                ServerMessage::Replied { number, standing, blob }
            }
            other => other,
        }
    }

    fn played(&mut self, actor: usize, kind: &'static str) {
        self.counts.add(kind);
        self.note(actor, kind);
        let client = &mut self.actors[actor];
        client.trick = None;
        client.hindered = Some(self.now.mono);
    }
}
