//! The connection to the relay: binary messages over WebSocket, kept up by itself (wire.md §8). What is said on it, and
//! how a room is resumed after a loss, is the meeting's business.

mod driver;

use incamera_relay_proto::{ClientMessage, ServerMessage};
use incamera_types::RelayAddress;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

use crate::{Cleartext, RelayError, TlsTrust};
use driver::RelayDriver;

/// HTTP path of the relay's WebSocket.
pub const RELAY_PATH: &str = "/relay";

/// Requests that may wait to be written. The relay limits rates far below this.
const OUTGOING_QUEUE: usize = 1_024;

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
    /// Messages can flow, for the first time or again. Nothing was sent on this connection yet; every request without
    /// an answer is lost.
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

/// What the loop is told.
enum Order {
    Send(Box<ClientMessage>),
    Reconnect,
}

/// What the handles and the loop know of the present connection.
#[derive(Default)]
struct Link {
    connected: AtomicBool,
    /// Something did not fit into the queue: nothing after it is sent, and the loop makes another connection.
    is_cut: AtomicBool,
    sent: Passed,
    received: Passed,
}

/// Messages that passed one way, over all connections.
#[derive(Default)]
struct Passed {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Passed {
    fn count(&self, bytes: usize) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// What the relay was told and what it said, over all connections: messages inside WebSocket and TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayTraffic {
    /// Requests written.
    pub messages_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Messages that came.
    pub messages_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
}

/// Sends to the relay. Clones share the connection; it ends when all are dropped.
#[derive(Clone)]
pub struct RelayHandle {
    orders: mpsc::Sender<Order>,
    link: Arc<Link>,
}

impl RelayHandle {
    /// Queues a message. Never waits.
    ///
    /// # Errors
    /// [`RelayError::NotConnected`] while there is no connection (nothing is queued for later),
    /// [`RelayError::QueueFull`] when too much waits: the connection is lost then, which is told as any other loss;
    /// [`RelayError::Closed`] after the end.
    pub fn send(&self, message: ClientMessage) -> Result<(), RelayError> {
        if !self.is_connected() {
            return Err(RelayError::NotConnected);
        }
        if self.link.is_cut.load(Ordering::Acquire) {
            return Err(RelayError::QueueFull);
        }
        self.order(Order::Send(Box::new(message)))
    }

    /// Gives the present connection up and makes another: what came on it makes no sense, or it may be dead.
    pub fn reconnect(&self) {
        // Without a connection, or with a full queue, the loop reconnects by itself.
        let _ = self.order(Order::Reconnect);
    }

    fn order(&self, order: Order) -> Result<(), RelayError> {
        match self.orders.try_send(order) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.link.is_cut.store(true, Ordering::Release);
                Err(RelayError::QueueFull)
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Err(RelayError::Closed),
        }
    }

    /// What was said so far.
    #[must_use]
    pub fn traffic(&self) -> RelayTraffic {
        let Link { sent, received, .. } = &*self.link;
        RelayTraffic {
            messages_sent: sent.messages.load(Ordering::Relaxed),
            bytes_sent: sent.bytes.load(Ordering::Relaxed),
            messages_received: received.messages.load(Ordering::Relaxed),
            bytes_received: received.bytes.load(Ordering::Relaxed),
        }
    }

    /// Whether messages flow at the moment.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.link.connected.load(Ordering::Acquire)
    }
}

/// Begins to connect to a relay and keeps the connection up until every handle or the receiver is dropped.
///
/// Loss is noticed within 5 s ([`RELAY_SILENCE_LIMIT`]); attempts follow with growing pauses of at most 2 s.
///
/// Must be called within a tokio runtime.
#[must_use]
pub fn connect_relay(settings: RelaySettings) -> (RelayHandle, mpsc::Receiver<RelayEvent>) {
    let (orders, ordered) = mpsc::channel(OUTGOING_QUEUE);
    let (events, receiver) = mpsc::channel(EVENT_QUEUE);
    let link = Arc::new(Link::default());
    let driver = RelayDriver::new(settings, ordered, events, Arc::clone(&link));
    tokio::spawn(driver.run());
    (RelayHandle { orders, link }, receiver)
}
