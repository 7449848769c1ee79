//! A Janus without media that says what a test wants it to say.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use futures_util::{SinkExt, StreamExt};
use incamera_relay_proto::{JanusRoom, ResumeSecret, SfuKind, TextSecret, Ticket, TicketIdentity};
use incamera_transport::{SfuError, SfuSettings, StreamId};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::party::{Party, want};

/// A reason that the client does not know.
const REFUSED: u32 = 499;

/// What is said to somebody who begins to receive, and who then changes what it receives.
struct Script {
    subscribed: Value,
    updated: Value,
    handles: AtomicU64,
    sessions: watch::Sender<u32>,
    subscriptions: watch::Sender<u32>,
}

impl Script {
    fn new(subscribed: Value, updated: Value) -> Self {
        Self {
            subscribed,
            updated,
            handles: AtomicU64::default(),
            sessions: watch::Sender::default(),
            subscriptions: watch::Sender::default(),
        }
    }

    fn answer(&self, message: &Value) -> Value {
        match message["janus"].as_str() {
            Some("create") => {
                self.sessions.send_modify(|count| *count += 1);
                json!({"janus": "success", "data": {"id": 1}})
            }
            Some("attach") => json!({"janus": "success", "data": {"id": self.handles.fetch_add(1, SeqCst)}}),
            Some("message") if message["body"]["ptype"] == "publisher" => plugin(&json!({
                "videoroom": "joined",
                "publishers": [{"id": 7, "display": "ben", "streams": [{"type": "audio", "mid": "0"}]}],
            })),
            Some("message") if message["body"]["ptype"] == "subscriber" => {
                self.subscriptions.send_modify(|count| *count += 1);
                plugin(&self.subscribed)
            }
            Some("message") => plugin(&self.updated),
            _ => json!({"janus": "success"}),
        }
    }
}

fn plugin(data: &Value) -> Value {
    json!({"janus": "event", "plugindata": {"plugin": "janus.plugin.videoroom", "data": data}})
}

#[expect(clippy::result_large_err, reason = "the refusal of the handshake is the library's type")]
async fn talk(script: Arc<Script>, stream: TcpStream) {
    let accepted = accept_hdr_async(stream, |_: &Request, mut response: Response| {
        let protocol = HeaderValue::from_static("janus-protocol");
        response.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
        Ok(response)
    });
    let mut socket = accepted.await.unwrap();
    while let Some(Ok(Message::Text(text))) = socket.next().await {
        let message: Value = serde_json::from_str(&text).unwrap();
        let mut answer = script.answer(&message);
        answer["transaction"] = message["transaction"].clone();
        if socket.send(Message::text(answer.to_string())).await.is_err() {
            return;
        }
    }
}

async fn serve(script: Script) -> (Arc<Script>, Party) {
    let script = Arc::new(script);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let serving = Arc::clone(&script);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(Arc::clone(&serving), stream));
        }
    });
    let ticket = Ticket {
        identity: TicketIdentity([1; 16]),
        sfu: SfuKind::Janus,
        publish_url: url,
        subscribe_url: String::new(),
        bearer: TextSecret::default(),
        janus: Some(JanusRoom { number: 4_711, pin: TextSecret::new("open sesame".to_owned()) }),
        ice_servers: Vec::new(),
        valid_until_unix_ms: u64::MAX,
        renewal: ResumeSecret::new([0; 16]),
    };
    (script, Party::join(1, ticket, SfuSettings::default()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscription_that_janus_refuses_is_told_and_tried_anew_in_another_session() {
    let refused = json!({"error_code": REFUSED, "error": "not today"});
    let (script, mut party) = serve(Script::new(refused, Value::Null)).await;
    let ben = StreamId::parse("ben").unwrap();
    assert!(party.run_until(|seen| seen.available.contains(&ben)).await);
    assert_eq!(party.sfu.subscribe(&[want(&ben, 0)]).await, Err(SfuError::Refused(REFUSED)));
    begins_anew(&script, &mut party).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn change_that_janus_puts_off_is_told_and_tried_anew_in_another_session() {
    let (subscribed, updating) = (json!({"videoroom": "attached"}), json!({"videoroom": "updating"}));
    let (script, mut party) = serve(Script::new(subscribed, updating)).await;
    let ben = StreamId::parse("ben").unwrap();
    assert!(party.run_until(|seen| seen.available.contains(&ben)).await);
    assert_eq!(party.sfu.subscribe(&[want(&ben, 0)]).await, Ok(()));
    assert!(matches!(party.sfu.subscribe(&[want(&ben, 0)]).await, Err(SfuError::Protocol(_))));
    begins_anew(&script, &mut party).await;
}

async fn begins_anew(script: &Script, party: &mut Party) {
    let (sessions, subscriptions) = (script.sessions.subscribe(), script.subscriptions.subscribe());
    let again = party.run_until(|_| *sessions.borrow() >= 2 && *subscriptions.borrow() >= 2).await;
    assert!(again, "{} sessions, {} subscriptions", *sessions.borrow(), *subscriptions.borrow());
    party.sfu.close().await;
}
