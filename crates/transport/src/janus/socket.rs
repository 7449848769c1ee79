//! Janus' WebSocket: requests and their answers by transaction, and events between them.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, interval_at, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::messages::{RoomEvent, room_event};
use crate::socket::{self, Socket, SocketError, SocketPlan};
use crate::ticket::Endpoint;
use crate::{Cleartext, SfuError, random};

/// Time for an answer.
const ANSWER_LIMIT: Duration = Duration::from_millis(4_000);

/// Janus forgets sessions after 60 s without a sign of life.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// Largest message: descriptions of a large room.
const LARGEST_MESSAGE: usize = 1 << 20;

/// Events that may wait.
const EVENT_QUEUE: usize = 256;

/// Requests that may wait to be written.
const REQUEST_QUEUE: usize = 32;

struct Pending {
    message: Value,
    answer: oneshot::Sender<Value>,
}

/// Sends requests over an open socket. When dropped, the socket closes.
pub(super) struct JanusSocket {
    requests: mpsc::Sender<Pending>,
    /// What happens in the room; ends with the socket.
    pub(super) events: mpsc::Receiver<RoomEvent>,
    session: Option<u64>,
    token: String,
}

impl JanusSocket {
    pub(super) async fn open(
        endpoint: &Endpoint,
        cleartext: Cleartext,
        token: &str,
    ) -> Result<Self, SfuError> {
        let plan = SocketPlan {
            url: &endpoint.url,
            trust: endpoint.trust,
            cleartext,
            protocol: Some("janus-protocol"),
            largest_message: LARGEST_MESSAGE,
        };
        let socket = socket::open(&plan).await.map_err(|error| match error {
            SocketError::Address(what) => SfuError::Address(what),
            SocketError::Cleartext => SfuError::Cleartext,
            SocketError::Unreachable(why) => SfuError::Unreachable(why),
            SocketError::Certificate => SfuError::Certificate,
            SocketError::Http(status) => SfuError::Refused(u32::from(status)),
        })?;
        let (requests, pending) = mpsc::channel(REQUEST_QUEUE);
        let (told, events) = mpsc::channel(EVENT_QUEUE);
        tokio::spawn(carry(socket, pending, told));
        let mut janus = Self { requests, events, session: None, token: token.to_owned() };
        let created = janus.ask(json!({"janus": "create"})).await?;
        janus.session = Some(number(&created)?);
        Ok(janus)
    }

    /// A new handle of the VideoRoom plugin.
    pub(super) async fn attach(&self) -> Result<u64, SfuError> {
        let attached = self.ask(json!({"janus": "attach", "plugin": "janus.plugin.videoroom"})).await?;
        number(&attached)
    }

    /// A request to the plugin. The answer may be a refusal.
    pub(super) async fn message(
        &self,
        handle: u64,
        body: Value,
        description: Option<(&str, String)>,
    ) -> Result<Value, SfuError> {
        let mut message = json!({"janus": "message", "handle_id": handle, "body": body});
        if let Some((kind, sdp)) = description
            && let Some(fields) = message.as_object_mut()
        {
            fields.insert("jsep".to_owned(), json!({"type": kind, "sdp": sdp}));
        }
        self.ask(message).await
    }

    /// Ends a handle.
    pub(super) async fn detach(&self, handle: u64) {
        if let Err(error) = self.ask(json!({"janus": "detach", "handle_id": handle})).await {
            tracing::debug!(%error, "a Janus handle was not ended");
        }
    }

    /// Ends the session.
    pub(super) async fn destroy(&self) {
        if let Err(error) = self.ask(json!({"janus": "destroy"})).await {
            tracing::debug!(%error, "a Janus session was not ended");
        }
    }

    /// A sign of life, due every [`KEEPALIVE`].
    pub(super) async fn keepalive(&self) -> Result<(), SfuError> {
        // Its answer is an "ack", which is not waited for.
        let (answer, _) = oneshot::channel();
        self.queue(json!({"janus": "keepalive"}), answer).await
    }

    async fn ask(&self, message: Value) -> Result<Value, SfuError> {
        let (answer, answered) = oneshot::channel();
        self.queue(message, answer).await?;
        match timeout(ANSWER_LIMIT, answered).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(SfuError::Unreachable("the connection ended".to_owned())),
            Err(_) => Err(SfuError::Unreachable("no answer in time".to_owned())),
        }
    }

    async fn queue(&self, mut message: Value, answer: oneshot::Sender<Value>) -> Result<(), SfuError> {
        if let Some(fields) = message.as_object_mut() {
            if let Some(session) = self.session {
                fields.insert("session_id".to_owned(), json!(session));
            }
            if !self.token.is_empty() {
                fields.insert("token".to_owned(), json!(self.token));
            }
        }
        let pending = Pending { message, answer };
        self.requests
            .send(pending)
            .await
            .map_err(|_| SfuError::Unreachable("the connection ended".to_owned()))
    }
}

/// A timer for [`JanusSocket::keepalive`].
pub(super) fn keepalive_timer() -> tokio::time::Interval {
    interval_at(Instant::now() + KEEPALIVE, KEEPALIVE)
}

fn number(message: &Value) -> Result<u64, SfuError> {
    if let Some(refusal) = super::messages::refusal(message) {
        return Err(refusal.into());
    }
    let id = message.get("data").and_then(|data| data.get("id")).and_then(Value::as_u64);
    id.ok_or(SfuError::Protocol("an answer of Janus without an id"))
}

/// Reads and writes until either end is gone.
async fn carry(mut socket: Socket, mut pending: mpsc::Receiver<Pending>, told: mpsc::Sender<RoomEvent>) {
    let mut waiting: HashMap<String, oneshot::Sender<Value>> = HashMap::new();
    loop {
        tokio::select! {
            request = pending.recv() => {
                let Some(Pending { mut message, answer }) = request else { break };
                let transaction = format!("{:08x}{:08x}", random::u32(), random::u32());
                if let Some(fields) = message.as_object_mut() {
                    fields.insert("transaction".to_owned(), json!(transaction));
                }
                waiting.retain(|_, answer| !answer.is_closed());
                waiting.insert(transaction, answer);
                let sent = timeout(ANSWER_LIMIT, socket.send(Message::text(message.to_string()))).await;
                if !matches!(sent, Ok(Ok(()))) {
                    return;
                }
            }
            incoming = socket.next() => {
                let text = match incoming {
                    Some(Ok(Message::Text(text))) => text,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    _ => return,
                };
                let Ok(message) = serde_json::from_str::<Value>(&text) else { return };
                if !deliver(message, &mut waiting, &told) {
                    return;
                }
            }
        }
    }
    drop(timeout(Duration::from_millis(200), socket.close(None)).await);
}

/// Whether to go on: an event queue that overflows would leave us with a wrong picture of the room.
fn deliver(
    message: Value,
    waiting: &mut HashMap<String, oneshot::Sender<Value>>,
    told: &mpsc::Sender<RoomEvent>,
) -> bool {
    let acknowledges = message.get("janus").and_then(Value::as_str) == Some("ack");
    if acknowledges {
        return true;
    }
    let transaction = message.get("transaction").and_then(Value::as_str);
    if let Some(answer) = transaction.and_then(|transaction| waiting.remove(transaction)) {
        drop(answer.send(message));
        return true;
    }
    room_event(&message).is_none_or(|event| told.try_send(event).is_ok())
}
