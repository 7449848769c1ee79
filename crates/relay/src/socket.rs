//! One client's WebSocket: bytes to messages and back, at the client's pace.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use incamera_relay_proto::ClientMessage;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::driver::RelayDriver;
use crate::{ConnectionId, Origin, RelayInput, Transmit};

/// How often a silent client is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(20);
/// Silence after which a client is taken for gone: three unanswered pings.
const SILENCE: Duration = Duration::from_secs(60);
/// Longest time that one message may take to be written.
const WRITE_LIMIT: Duration = Duration::from_secs(20);
/// Time for the last messages to a connection that is closed.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Why reading ended.
#[derive(PartialEq, Eq)]
enum ReadEnd {
    /// The client is gone.
    Gone,
    /// The client sent what is no message; it is told so.
    Garbled,
}

/// Serves one client until it goes or is closed.
pub(crate) async fn serve_socket(driver: Arc<RelayDriver>, socket: WebSocket, origin: Origin) {
    let (connection, waker) = driver.connect(origin);
    let (sink, stream) = socket.split();
    let mut writing = std::pin::pin!(write(&driver, connection, &waker, sink));
    let read_end = tokio::select! {
        () = &mut writing => None,
        end = read(&driver, connection, stream) => Some(end),
    };
    if read_end == Some(ReadEnd::Garbled) {
        driver.input(RelayInput::Garbled { connection });
        // When it does not end in time, the client does not read: nothing more can be said to it.
        let _ = timeout(LAST_WORDS, writing).await;
    }
    driver.disconnect(connection);
}

/// Sends what the machine has for the client; one message at a time, so that a slow client holds up only itself.
async fn write(
    driver: &RelayDriver,
    connection: ConnectionId,
    waker: &Notify,
    mut sink: SplitSink<WebSocket, Message>,
) {
    let mut ping = interval(PING_EVERY);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let message = match driver.poll_message(connection) {
            Transmit::Message(message) => match message.encode() {
                Ok(bytes) => {
                    #[cfg(feature = "danger-record")]
                    driver.record(crate::RecordedSender::Relay, &bytes);
                    Message::Binary(bytes.into())
                }
                Err(error) => {
                    tracing::error!(%error, "a message to a client cannot be encoded");
                    return;
                }
            },
            Transmit::Idle => {
                tokio::select! {
                    () = waker.notified() => continue,
                    _ = ping.tick() => Message::Ping(Bytes::new()),
                }
            }
            Transmit::Close => {
                let _ = timeout(LAST_WORDS, sink.close()).await;
                return;
            }
        };
        if !matches!(timeout(WRITE_LIMIT, sink.send(message)).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// Reads the client's messages, no faster than its rate allows.
async fn read(driver: &RelayDriver, connection: ConnectionId, mut stream: SplitStream<WebSocket>) -> ReadEnd {
    loop {
        let delay = driver.read_delay(connection);
        if !delay.is_zero() {
            sleep(delay).await;
        }
        let bytes = match timeout(SILENCE, stream.next()).await {
            Ok(Some(Ok(Message::Binary(bytes)))) => bytes,
            Ok(Some(Ok(Message::Ping(bytes) | Message::Pong(bytes)))) => {
                driver.input(RelayInput::Pinged { connection, wire_bytes: bytes.len() });
                continue;
            }
            Ok(Some(Ok(Message::Text(_)))) => return ReadEnd::Garbled,
            Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) | Err(_) => return ReadEnd::Gone,
        };
        #[cfg(feature = "danger-record")]
        driver.record(crate::RecordedSender::Client, &bytes);
        let Ok(message) = ClientMessage::parse(&bytes) else { return ReadEnd::Garbled };
        driver.receive(connection, message, bytes.len());
    }
}
