//! Which client has which flow: as many as fit, and whoever was silent for long makes room.

use core::time::Duration;
use std::collections::HashMap;
use std::net::SocketAddr;

use tokio::time::Instant;

/// Clients that may use one relay at a time.
const MAX_FLOWS: usize = 256;

/// A client that sent nothing for this long has gone: WebRTC checks its paths every few seconds (RFC 7675 §5.1).
const IDLE: Duration = Duration::from_secs(30);

/// The flows of the clients that were heard lately. Generic over what a flow is.
pub(super) struct FlowTable<F> {
    flows: HashMap<SocketAddr, Flow<F>>,
}

struct Flow<F> {
    flow: F,
    heard: Instant,
}

impl<F> FlowTable<F> {
    pub(super) fn new() -> Self {
        Self { flows: HashMap::new() }
    }

    /// The flow of `client`, from which a packet came.
    pub(super) fn heard(&mut self, now: Instant, client: SocketAddr) -> Option<&F> {
        let known = self.flows.get_mut(&client)?;
        known.heard = now;
        Some(&known.flow)
    }

    /// Whether one more flow fits, once the one that was silent for longest is gone if it must be.
    pub(super) fn make_room(&mut self, now: Instant) -> bool {
        if self.flows.len() < MAX_FLOWS {
            return true;
        }
        let quietest = self.flows.iter().min_by_key(|(_, flow)| flow.heard);
        let idle = quietest.filter(|(_, flow)| now.saturating_duration_since(flow.heard) >= IDLE);
        let idle = idle.map(|(client, _)| *client);
        idle.is_some_and(|client| self.flows.remove(&client).is_some())
    }

    pub(super) fn insert(&mut self, now: Instant, client: SocketAddr, flow: F) {
        self.flows.insert(client, Flow { flow, heard: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: usize) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 1_024 + number as u16))
    }

    #[test]
    fn a_newcomer_takes_the_place_of_whoever_was_silent_for_longest() {
        let start = Instant::now();
        let mut table = FlowTable::new();
        for number in 0..MAX_FLOWS {
            assert!(table.make_room(start));
            table.insert(start, client(number), number);
        }
        let soon = start + IDLE / 2;
        assert!(!table.make_room(soon), "everybody sent something lately");
        for number in (0..MAX_FLOWS).filter(|number| *number != 7) {
            assert_eq!(table.heard(soon, client(number)), Some(&number));
        }
        let later = start + IDLE;
        assert!(table.make_room(later));
        assert_eq!(table.heard(later, client(7)), None);
        table.insert(later, client(MAX_FLOWS), MAX_FLOWS);
        assert!(!table.make_room(later), "the others were heard since");
    }
}
