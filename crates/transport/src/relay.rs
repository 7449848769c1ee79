//! The connection to the relay: binary messages over WebSocket, kept up and resumed by itself (wire.md §8).

mod driver;
mod resume;

use incamera_relay_proto::{ClientMessage, ClientRef, Request, ServerMessage};
use incamera_types::RelayAddress;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

use crate::{Cleartext, RelayError, TlsTrust};
use driver::RelayDriver;

/// HTTP path of the relay's WebSocket.
pub const RELAY_PATH: &str = "/relay";

/// Requests that may wait to be written. The relay limits rates far below this.
const OUTGOING_QUEUE: usize = 256;

/// Events that may wait to be taken; when full, reading from the relay pauses.
const EVENT_QUEUE: usize = 256;

/// How long without anything from the relay until it counts as lost.
pub const RELAY_SILENCE_LIMIT: Duration = Duration::from_millis(4_500);

/// Which relay to connect to, and how.
#[derive(Clone, Debug)]
pub struct RelaySettings {
    /// Its host and port.
    pub address: RelayAddress,
    /// Whose certificate it may present.
    pub trust: TlsTrust,
    /// Whether it is spoken to without TLS: [`Cleartext::Refused`] means always with TLS; otherwise without TLS where
    /// the address allows it.
    pub cleartext: Cleartext,
}

/// What the relay connection reports.
#[derive(Debug)]
pub enum RelayEvent {
    /// Messages flow, for the first time or again. The room that was open and the knock that was waiting are being
    /// resumed; every other request without an answer is lost and may be repeated.
    Connected,
    /// A message, in order.
    Message(ServerMessage),
    /// The connection broke, or an attempt failed. Further attempts follow by themselves when the error's retry
    /// advice is not `Never`; else this was the last event.
    Lost {
        /// Why.
        why: RelayError,
    },
}

/// Sends to the relay. Clones share the connection; it ends when all are dropped.
#[derive(Clone)]
pub struct RelayHandle {
    outgoing: mpsc::Sender<ClientMessage>,
    connected: Arc<AtomicBool>,
    next_ref: Arc<AtomicU32>,
}

impl RelayHandle {
    /// Queues a request and gives the number under which its answer comes. Never waits.
    ///
    /// # Errors
    /// [`RelayError::NotConnected`] while there is no connection (nothing is queued for later),
    /// [`RelayError::QueueFull`] when too much waits, [`RelayError::Closed`] after the end.
    pub fn send(&self, request: Request) -> Result<ClientRef, RelayError> {
        if !self.connected.load(Ordering::Acquire) {
            return Err(RelayError::NotConnected);
        }
        let client_ref = ClientRef(self.next_ref.fetch_add(1, Ordering::Relaxed));
        match self.outgoing.try_send(ClientMessage { client_ref, request }) {
            Ok(()) => Ok(client_ref),
            Err(mpsc::error::TrySendError::Full(_)) => Err(RelayError::QueueFull),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(RelayError::Closed),
        }
    }

    /// Whether messages flow at the moment.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }
}

/// Begins to connect to a relay and keeps the connection up until every handle or the receiver is dropped.
///
/// Loss is noticed within 5 s ([`RELAY_SILENCE_LIMIT`]); attempts follow with growing pauses of at most 3 s. On every
/// connection the driver says hello; after a loss it opens the room again from the entry after the last one
/// received, and resumes an unsettled knock.
///
/// Must be called within a tokio runtime.
#[must_use]
pub fn connect_relay(settings: RelaySettings) -> (RelayHandle, mpsc::Receiver<RelayEvent>) {
    let (outgoing, requests) = mpsc::channel(OUTGOING_QUEUE);
    let (events, receiver) = mpsc::channel(EVENT_QUEUE);
    let connected = Arc::new(AtomicBool::new(false));
    let next_ref = Arc::new(AtomicU32::new(1));
    let driver = RelayDriver::new(settings, requests, events, Arc::clone(&connected));
    tokio::spawn(driver.run());
    (RelayHandle { outgoing, connected, next_ref }, receiver)
}
