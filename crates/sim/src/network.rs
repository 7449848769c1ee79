//! What is under way, and when it arrives.

use std::collections::BTreeMap;
use std::sync::Arc;

use incamera_relay::ConnectionId;
use incamera_relay_proto::{ClientMessage, ServerMessage};
use incamera_types::{MediaKind, Mono};

/// Something that happens at a known time.
pub(crate) enum Happening {
    /// A client's message reaches the relay.
    ToRelay { connection: ConnectionId, message: ClientMessage, wire_bytes: usize },
    /// The relay's message reaches a client.
    ToClient { actor: usize, connection: ConnectionId, message: ServerMessage },
    /// A reply that no admitter made reaches a knocker.
    ForgedReply { actor: usize, connection: ConnectionId, message: ServerMessage },
    /// A frame reaches a client.
    Frame { actor: usize, track: MediaKind, bytes: Arc<[u8]> },
    /// A client tries to reach the relay again.
    Reconnect { actor: usize },
    /// A client's cut from the relay is over.
    Mend { actor: usize },
    /// The relay is there again.
    RelayReturns,
    /// A client whose messages the relay holds back ends without a word; what is held back goes on coming.
    Vanish { actor: usize },
    /// The host commits while a member's commit is under way.
    Race,
    /// A client sends media.
    Media { actor: usize },
    /// A member with a modified client commits as soon as it can.
    RenewLeaf { actor: usize },
    /// Somebody does something.
    Action,
}

/// Happenings in the order of their time; those of one time in the order in which they were scheduled.
#[derive(Default)]
pub(crate) struct Network {
    queue: BTreeMap<(Mono, u64), Happening>,
    scheduled: u64,
}

impl Network {
    pub(crate) fn schedule(&mut self, at: Mono, happening: Happening) {
        self.scheduled += 1;
        self.queue.insert((at, self.scheduled), happening);
    }

    pub(crate) fn next_at(&self) -> Option<Mono> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    pub(crate) fn pop_due(&mut self, now: Mono) -> Option<Happening> {
        let due = self.next_at().is_some_and(|at| at <= now);
        due.then(|| self.queue.pop_first()).flatten().map(|(_, happening)| happening)
    }
}
