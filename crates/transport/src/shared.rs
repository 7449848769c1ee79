//! What all parts of one adapter share: settings, the ticket that counts at present, and where reports go.

use std::sync::{Arc, PoisonError, RwLock};

use incamera_relay_proto::{IceServer, Ticket};
use tokio::sync::watch;

use crate::peer::{PeerPlan, Retransmission};
use crate::sink::Sink;
use crate::ticket::Endpoint;
use crate::whip::Clients;
use crate::{Clock, Direction, SfuSettings};

/// One for each SFU that a client is connected to.
pub(crate) struct Shared {
    pub(crate) settings: SfuSettings,
    pub(crate) sink: Sink,
    pub(crate) clock: Clock,
    pub(crate) clients: Clients,
    ticket: RwLock<Ticket>,
    /// STUN and TURN servers that the SFU itself named last (RFC 9725 §4.6): for the next connection.
    named_ice_servers: RwLock<Vec<IceServer>>,
    /// Counts tickets and restarts: whoever waits for a change looks at it.
    changes: watch::Sender<u64>,
}

impl Shared {
    pub(crate) fn new(ticket: Ticket, settings: SfuSettings, sink: Sink, clock: Clock) -> Arc<Self> {
        let (changes, _) = watch::channel(0);
        let named_ice_servers = RwLock::default();
        let (clients, ticket) = (Clients::new(settings.cleartext), RwLock::new(ticket));
        Arc::new(Self { settings, sink, clock, clients, ticket, named_ice_servers, changes })
    }

    pub(crate) fn ticket(&self) -> Ticket {
        self.ticket.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on this ticket counts.
    pub(crate) fn renew(&self, ticket: Ticket) {
        *self.ticket.write().unwrap_or_else(PoisonError::into_inner) = ticket;
        self.changed();
    }

    /// What was given up may be worth another attempt.
    pub(crate) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Takes the STUN and TURN servers that the SFU named.
    pub(crate) fn note_ice_servers(&self, servers: Vec<IceServer>) {
        *self.named_ice_servers.write().unwrap_or_else(PoisonError::into_inner) = servers;
    }

    /// How a connection to the server at `endpoint` is to be made.
    pub(crate) fn peer_plan(
        &self,
        direction: Direction,
        endpoint: &Endpoint,
        ticket: &Ticket,
        retransmission: Retransmission,
    ) -> PeerPlan {
        let named = self.named_ice_servers.read().unwrap_or_else(PoisonError::into_inner).clone();
        PeerPlan {
            direction,
            settings: self.settings.clone(),
            server_host: endpoint.url.host_str().unwrap_or_default().to_owned(),
            ice_servers: ticket.ice_servers.iter().cloned().chain(named).collect(),
            retransmission,
            counters: Arc::clone(&self.sink.counters),
        }
    }
}
