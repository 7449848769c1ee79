//! Which connection a datagram belongs to, without asking every connection.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use str0m::ice::{StunMessage, TransId};

use super::ConnectionId;
use crate::stack::guarded;

/// STUN requests of ours whose answers are still awaited, over all connections.
const MAX_TRANSACTIONS: usize = 16_384;
/// Addresses kept per connection: ICE probes a few before it settles.
const MAX_ADDRESSES: usize = 16;
/// ICE user fragments kept per connection: the one before counts until the restart is through (RFC 8445 §9).
const MAX_UFRAGS: usize = 2;

/// Where a datagram arrived and where it came from.
pub(crate) type Path = (usize, SocketAddr);

/// What a STUN message says about its connection.
enum Hint {
    Username(String),
    Transaction(TransId),
}

/// Maps from what datagrams carry to connections.
#[derive(Default)]
pub(crate) struct Demux {
    by_path: HashMap<Path, ConnectionId>,
    paths: HashMap<ConnectionId, VecDeque<Path>>,
    by_ufrag: HashMap<String, ConnectionId>,
    ufrags: HashMap<ConnectionId, VecDeque<String>>,
    by_transaction: HashMap<TransId, ConnectionId>,
    transactions: VecDeque<TransId>,
}

impl Demux {
    /// The connection that a datagram probably belongs to. STUN is told by what it says, everything else
    /// by where it comes from.
    pub(crate) fn lookup(&self, path: Path, datagram: &[u8]) -> Option<ConnectionId> {
        let by_path = self.by_path.get(&path).copied();
        match stun_hint(datagram) {
            Some(Hint::Username(ufrag)) => self.by_ufrag.get(&ufrag).copied(),
            Some(Hint::Transaction(id)) => self.by_transaction.get(&id).copied().or(by_path),
            None => by_path,
        }
    }

    /// A STUN message from `path` was authenticated by connection `id`: what follows from there is its.
    pub(crate) fn confirm(&mut self, path: Path, id: ConnectionId) {
        if self.by_path.insert(path, id) == Some(id) {
            return;
        }
        let paths = self.paths.entry(id).or_default();
        paths.push_back(path);
        if paths.len() > MAX_ADDRESSES
            && let Some(oldest) = paths.pop_front()
            && self.by_path.get(&oldest) == Some(&id)
        {
            self.by_path.remove(&oldest);
        }
    }

    /// Connection `id` now answers to `ufrag`; it goes on answering to the one before while ICE restarts.
    pub(crate) fn add_ufrag(&mut self, ufrag: String, id: ConnectionId) {
        let ufrags = self.ufrags.entry(id).or_default();
        ufrags.push_back(ufrag.clone());
        let outdated = (ufrags.len() > MAX_UFRAGS).then(|| ufrags.pop_front()).flatten();
        self.by_ufrag.insert(ufrag, id);
        if let Some(outdated) = outdated
            && self.by_ufrag.get(&outdated) == Some(&id)
        {
            self.by_ufrag.remove(&outdated);
        }
    }

    /// Remembers a STUN request that connection `id` sends, so that its answer is recognised.
    pub(crate) fn note_sent(&mut self, id: ConnectionId, datagram: &[u8]) {
        let Some(Hint::Username(_)) = stun_hint(datagram) else {
            return;
        };
        let Ok(message) = StunMessage::parse(datagram) else {
            return;
        };
        let transaction = message.trans_id();
        if self.by_transaction.insert(transaction, id).is_none() {
            self.transactions.push_back(transaction);
        }
        if self.transactions.len() > MAX_TRANSACTIONS
            && let Some(oldest) = self.transactions.pop_front()
        {
            self.by_transaction.remove(&oldest);
        }
    }

    /// Forgets connection `id`.
    pub(crate) fn remove(&mut self, id: ConnectionId) {
        for path in self.paths.remove(&id).unwrap_or_default() {
            if self.by_path.get(&path) == Some(&id) {
                self.by_path.remove(&path);
            }
        }
        for ufrag in self.ufrags.remove(&id).unwrap_or_default() {
            if self.by_ufrag.get(&ufrag) == Some(&id) {
                self.by_ufrag.remove(&ufrag);
            }
        }
        self.by_transaction.retain(|_, owner| *owner != id);
        let known = &self.by_transaction;
        self.transactions.retain(|t| known.contains_key(t));
    }
}

/// Whether the first byte says STUN (RFC 7983 §7).
pub(crate) fn is_stun(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| *first < 4)
}

fn stun_hint(datagram: &[u8]) -> Option<Hint> {
    if !is_stun(datagram) {
        return None;
    }
    let message = guarded(|| StunMessage::parse(datagram).ok())??;
    if message.is_binding_request() {
        let (receiver, _sender) = message.split_username()?;
        return Some(Hint::Username(receiver.to_owned()));
    }
    Some(Hint::Transaction(message.trans_id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(port: u16) -> Path {
        (0, SocketAddr::from(([127, 0, 0, 1], port)))
    }

    #[test]
    fn media_is_told_by_its_address_until_the_connection_goes() {
        let mut demux = Demux::default();
        let rtp = [0x80, 96, 0, 1];
        assert_eq!(demux.lookup(path(1), &rtp), None);
        demux.confirm(path(1), 7);
        assert_eq!(demux.lookup(path(1), &rtp), Some(7));
        demux.confirm(path(1), 8);
        assert_eq!(demux.lookup(path(1), &rtp), Some(8));
        demux.remove(7);
        assert_eq!(demux.lookup(path(1), &rtp), Some(8));
        demux.remove(8);
        assert_eq!(demux.lookup(path(1), &rtp), None);
    }

    #[test]
    fn a_connection_keeps_a_bounded_number_of_addresses() {
        let mut demux = Demux::default();
        for port in 1..1_000 {
            demux.confirm(path(port), 7);
        }
        assert_eq!(demux.by_path.len(), MAX_ADDRESSES);
        assert_eq!(demux.lookup(path(999), &[0x80]), Some(7));
    }

    #[test]
    fn a_connection_answers_to_its_last_two_ufrags() {
        let mut demux = Demux::default();
        for restart in 0..100 {
            demux.add_ufrag(format!("ufrag{restart}"), 7);
        }
        let mut known: Vec<_> = demux.by_ufrag.keys().map(String::as_str).collect();
        known.sort_unstable();
        assert_eq!(known, ["ufrag98", "ufrag99"]);
        demux.remove(7);
        assert!(demux.by_ufrag.is_empty() && demux.ufrags.is_empty());
    }

    #[test]
    fn junk_has_no_owner() {
        let demux = Demux::default();
        for junk in [&[][..], &[0], &[1; 20], &[0xff; 1_500]] {
            assert_eq!(demux.lookup(path(1), junk), None);
        }
    }
}
