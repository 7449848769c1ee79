//! The loop that keeps the relay connection up.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use incamera_relay_proto::{ClientMessage, ServerMessage, limits};
use incamera_types::{Fault, Retry};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use url::Url;

use super::{Link, Order, Passed, RELAY_PATH, RELAY_SILENCE_LIMIT, RelayEvent, RelaySettings};
use crate::backoff::Backoff;
use crate::socket::{self, Socket, SocketError, SocketPlan};
use crate::{Cleartext, RelayError, TlsTrust, random};

/// How often the relay is asked for a sign of life.
const PING_INTERVAL: Duration = Duration::from_millis(1_500);

/// How long one write may take: a full TCP window that nobody empties is a loss.
const WRITE_LIMIT: Duration = RELAY_SILENCE_LIMIT;

/// A connection that lived at least this long was a success; shorter ones count as failed attempts, so that a
/// relay that accepts and drops is not hammered.
const STABLE_AFTER: Duration = Duration::from_secs(5);

/// Why the loop over one connection ended.
enum End {
    /// Nobody is interested any more.
    Abandoned,
    Lost(RelayError),
}

pub(super) struct RelayDriver {
    settings: RelaySettings,
    orders: mpsc::Receiver<Order>,
    events: mpsc::Sender<RelayEvent>,
    link: Arc<Link>,
}

impl RelayDriver {
    pub(super) fn new(
        settings: RelaySettings,
        orders: mpsc::Receiver<Order>,
        events: mpsc::Sender<RelayEvent>,
        link: Arc<Link>,
    ) -> Self {
        Self { settings, orders, events, link }
    }

    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::relay();
        loop {
            let pause = backoff.next_pause(random::u16());
            if self.pause(pause).await {
                return;
            }
            let begun = Instant::now();
            let end = self.run_once().await;
            self.link.connected.store(false, Ordering::Release);
            let End::Lost(why) = end else { return };
            tracing::info!(code = why.code(), "relay connection lost");
            if begun.elapsed() >= STABLE_AFTER {
                backoff.succeeded();
            }
            let last = why.retry() == Retry::Never;
            if self.events.send(RelayEvent::Lost { why }).await.is_err() || last {
                return;
            }
        }
    }

    /// Waits, forgetting requests from before the loss. Whether everybody has gone meanwhile.
    async fn pause(&mut self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            tokio::select! {
                () = sleep_until(until) => return self.events.is_closed(),
                order = self.orders.recv() => if order.is_none() { return true },
            }
        }
    }

    async fn run_once(&mut self) -> End {
        let mut socket = match self.connect().await {
            Ok(socket) => socket,
            Err(error) => return End::Lost(error),
        };
        // What was queued before this moment belonged to the connection before.
        while self.orders.try_recv().is_ok() {}
        self.link.is_cut.store(false, Ordering::Release);
        self.link.connected.store(true, Ordering::Release);
        if self.events.send(RelayEvent::Connected).await.is_err() {
            return End::Abandoned;
        }
        let end = self.exchange(&mut socket).await;
        if matches!(end, End::Abandoned) {
            // The relay notices a closed TCP connection too; this is only quicker.
            drop(timeout(Duration::from_millis(200), socket.close(None)).await);
        }
        end
    }

    async fn connect(&self) -> Result<Socket, RelayError> {
        let url = endpoint(&self.settings)?;
        let plan = SocketPlan {
            url: &url,
            trust: self.settings.trust,
            cleartext: self.settings.cleartext,
            protocol: None,
            largest_message: limits::MESSAGE,
        };
        socket::open(&plan).await.map_err(|error| match error {
            SocketError::Address(what) => RelayError::Address(what),
            SocketError::Cleartext => RelayError::Cleartext,
            SocketError::Unreachable(why) => RelayError::Unreachable(why),
            SocketError::Certificate => RelayError::Certificate,
            SocketError::Http(status) => RelayError::NotARelay(status),
        })
    }

    async fn exchange(&mut self, socket: &mut Socket) -> End {
        let mut heard = Instant::now();
        let mut next_ping = heard + PING_INTERVAL;
        loop {
            tokio::select! {
                order = self.orders.recv() => match order {
                    None => return End::Abandoned,
                    Some(_) if self.link.is_cut.load(Ordering::Acquire) => {
                        return End::Lost(RelayError::QueueFull);
                    }
                    Some(Order::Reconnect) => return End::Lost(RelayError::Protocol),
                    Some(Order::Send(message)) => {
                        if let Err(error) = write(socket, &message, &self.link.sent).await {
                            return End::Lost(error);
                        }
                    }
                },
                incoming = socket.next() => {
                    if let Err(end) = self.take(incoming).await {
                        return end;
                    }
                    // After taking it: while we are too busy to listen, the relay is not silent.
                    heard = Instant::now();
                }
                () = sleep_until(heard + RELAY_SILENCE_LIMIT) => return End::Lost(RelayError::Silent),
                () = sleep_until(next_ping) => {
                    next_ping = Instant::now() + PING_INTERVAL;
                    if let Err(error) = write_raw(socket, Message::Ping(bytes::Bytes::new())).await {
                        return End::Lost(error);
                    }
                }
            }
        }
    }

    async fn take(
        &mut self,
        incoming: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>,
    ) -> Result<(), End> {
        let bytes = match incoming {
            Some(Ok(Message::Binary(bytes))) => bytes,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(()),
            Some(Ok(Message::Text(_) | Message::Frame(_))) => return Err(End::Lost(RelayError::Protocol)),
            Some(Ok(Message::Close(_))) | None => return Err(End::Lost(RelayError::ClosedByRelay)),
            Some(Err(tokio_tungstenite::tungstenite::Error::Capacity(_))) => {
                return Err(End::Lost(RelayError::Protocol));
            }
            Some(Err(_)) => return Err(End::Lost(RelayError::ClosedByRelay)),
        };
        self.link.received.count(bytes.len());
        let message = ServerMessage::parse(&bytes).map_err(|_| End::Lost(RelayError::Protocol))?;
        self.events.send(RelayEvent::Message(message)).await.map_err(|_| End::Abandoned)
    }
}

/// The WebSocket address of a relay.
fn endpoint(settings: &RelaySettings) -> Result<Url, RelayError> {
    let host = settings.address.host();
    let pinned = matches!(settings.trust, TlsTrust::Pinned(_));
    let clear = !pinned && settings.cleartext != Cleartext::Refused && settings.cleartext.allows(host);
    let scheme = if clear { "ws" } else { "wss" };
    Url::parse(&format!("{scheme}://{}{RELAY_PATH}", settings.address))
        .map_err(|_| RelayError::Address("not a host and port"))
}

async fn write(socket: &mut Socket, message: &ClientMessage, sent: &Passed) -> Result<(), RelayError> {
    let bytes = match message.encode() {
        Ok(bytes) => bytes,
        Err(error) => {
            // The relay would refuse it; the connection is not to blame.
            tracing::error!(%error, "a request to the relay cannot be encoded");
            return Ok(());
        }
    };
    sent.count(bytes.len());
    write_raw(socket, Message::Binary(bytes.into())).await
}

async fn write_raw(socket: &mut Socket, message: Message) -> Result<(), RelayError> {
    match timeout(WRITE_LIMIT, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(RelayError::ClosedByRelay),
        Err(_) => Err(RelayError::Silent),
    }
}
