//! A WHIP and WHEP server that behaves as some third parties' do: redirects, answers with an offer of its own, refuses.
//! Its media end is a real peer connection; what matters here is who connects, so no media flows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use incamera_relay_proto::{ResumeSecret, SfuKind, TextSecret, Ticket, TicketIdentity};
use incamera_transport::{SfuError, SfuSettings, StreamId};
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCPeerConnectionState, RTCSessionDescription,
};

use crate::party::{Party, plan, want};

const BEARER: &str = "Bearer secret";

#[derive(Default)]
struct Script {
    peer: Mutex<Option<ServerPeer>>,
    connected: watch::Sender<u32>,
    deleted: AtomicU32,
    requests_without_bearer: AtomicU32,
}

struct ServerPeer {
    connection: Arc<dyn PeerConnection>,
    gathered: watch::Receiver<bool>,
}

struct Watcher {
    gathered: watch::Sender<bool>,
    connected: watch::Sender<u32>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Watcher {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        self.gathered.send_replace(state == RTCIceGatheringState::Complete);
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        if state == RTCPeerConnectionState::Connected {
            self.connected.send_modify(|count| *count += 1);
        }
    }
}

impl ServerPeer {
    async fn new(script: &Script) -> Self {
        let mut engine = MediaEngine::default();
        engine.register_default_codecs().unwrap();
        let (gathered_in, gathered) = watch::channel(false);
        let watcher = Watcher { gathered: gathered_in, connected: script.connected.clone() };
        let connection = PeerConnectionBuilder::new()
            .with_media_engine(engine)
            .with_handler(Arc::new(watcher))
            .with_udp_addrs(vec!["127.0.0.1:0"])
            .build()
            .await
            .unwrap();
        Self { connection: Arc::new(connection), gathered }
    }

    async fn describe(&self, description: RTCSessionDescription) -> String {
        self.connection.set_local_description(description).await.unwrap();
        self.gathered.clone().wait_for(|done| *done).await.unwrap();
        self.connection.local_description().await.unwrap().sdp
    }

    async fn answer(&self, offer: String) -> String {
        self.connection.set_remote_description(RTCSessionDescription::offer(offer).unwrap()).await.unwrap();
        self.describe(self.connection.create_answer(None).await.unwrap()).await
    }

    async fn offer(&self) -> String {
        for kind in [RtpCodecKind::Audio, RtpCodecKind::Video] {
            let init = RTCRtpTransceiverInit {
                direction: RTCRtpTransceiverDirection::Recvonly,
                ..RTCRtpTransceiverInit::default()
            };
            self.connection.add_transceiver_from_kind(kind, Some(init)).await.unwrap();
        }
        self.describe(self.connection.create_offer(None).await.unwrap()).await
    }
}

fn sdp(status: StatusCode, body: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/sdp; charset=utf-8"),
        // Relative, as simple-whip-server has it.
        (header::LOCATION, "resource/1"),
        (header::ETAG, "\"1\""),
    ];
    (status, headers, body).into_response()
}

impl Script {
    fn admits(&self, headers: &HeaderMap) -> bool {
        let known = headers.get(header::AUTHORIZATION).is_some_and(|value| value == BEARER);
        if !known {
            self.requests_without_bearer.fetch_add(1, SeqCst);
        }
        known
    }
}

/// Takes an offer and answers.
async fn plain(State(script): State<Arc<Script>>, headers: HeaderMap, offer: String) -> Response {
    if !script.admits(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let peer = ServerPeer::new(&script).await;
    let answer = peer.answer(offer).await;
    *script.peer.lock().await = Some(peer);
    sdp(StatusCode::CREATED, answer)
}

/// Takes no offer, makes one.
async fn countering(State(script): State<Arc<Script>>, headers: HeaderMap, _offer: String) -> Response {
    if !script.admits(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let peer = ServerPeer::new(&script).await;
    let offer = peer.offer().await;
    *script.peer.lock().await = Some(peer);
    sdp(StatusCode::NOT_ACCEPTABLE, offer)
}

async fn resource(
    State(script): State<Arc<Script>>,
    method: axum::http::Method,
    headers: HeaderMap,
    answer: String,
) -> StatusCode {
    if !script.admits(&headers) {
        return StatusCode::FORBIDDEN;
    }
    match method.as_str() {
        "DELETE" => {
            script.deleted.fetch_add(1, SeqCst);
            StatusCode::OK
        }
        "PATCH" => {
            let peer = script.peer.lock().await;
            let answer = RTCSessionDescription::answer(answer).unwrap();
            peer.as_ref().unwrap().connection.set_remote_description(answer).await.unwrap();
            StatusCode::NO_CONTENT
        }
        _ => StatusCode::METHOD_NOT_ALLOWED,
    }
}

fn redirect(status: StatusCode, to: &'static str) -> axum::routing::MethodRouter<Arc<Script>> {
    post(move || async move { (status, [(HeaderName::from_static("location"), to)]) })
}

async fn serve() -> (Arc<Script>, String) {
    let script = Arc::new(Script::default());
    let router = Router::new()
        .route("/whip/plain", post(plain))
        .route("/whip/counter", post(countering))
        .route("/whip/moved", redirect(StatusCode::PERMANENT_REDIRECT, "/whip/balanced"))
        .route("/whip/balanced", redirect(StatusCode::TEMPORARY_REDIRECT, "plain"))
        .route("/whip/circle", redirect(StatusCode::TEMPORARY_REDIRECT, "/whip/circle"))
        .route("/whip/leak", redirect(StatusCode::TEMPORARY_REDIRECT, "http://sfu.invalid/whip"))
        .route("/whip/busy", post(|| async { StatusCode::SERVICE_UNAVAILABLE }))
        .route("/whip/nonsense", post(|| async { sdp(StatusCode::CREATED, "nonsense".to_owned()) }))
        .route("/whip/resource/1", any(resource))
        .with_state(Arc::clone(&script));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (script, origin)
}

fn join(origin: &str, path: &str, bearer: &str) -> Party {
    let ticket = Ticket {
        identity: TicketIdentity([1; 16]),
        sfu: SfuKind::Whip,
        publish_url: format!("{origin}{path}"),
        subscribe_url: format!("{origin}/whip/{{stream}}"),
        bearer: TextSecret::new(bearer.to_owned()),
        janus: None,
        ice_servers: Vec::new(),
        valid_until_unix_ms: u64::MAX,
        renewal: ResumeSecret::new([0; 16]),
    };
    Party::join(1, ticket, SfuSettings::default())
}

async fn connects(path: &str) {
    let (script, origin) = serve().await;
    let party = join(&origin, path, "secret");
    party.sfu.publish(plan(1)).await.unwrap();
    let mut connected = script.connected.subscribe();
    tokio::time::timeout(Duration::from_secs(5), connected.wait_for(|count| *count == 1))
        .await
        .unwrap()
        .unwrap();
    party.sfu.close().await;
    assert_eq!(script.deleted.load(SeqCst), 1, "the session was not ended");
    assert_eq!(script.requests_without_bearer.load(SeqCst), 0);
}

async fn fails(path: &str, bearer: &str) -> SfuError {
    let (_, origin) = serve().await;
    join(&origin, path, bearer).sfu.publish(plan(1)).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_at_a_relative_location_connects_and_is_ended() {
    connects("/whip/plain").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirects_are_followed_with_the_ticket() {
    connects("/whip/moved").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counter_offer_is_answered() {
    connects("/whip/counter").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_is_played_from_the_address_made_for_it() {
    let (script, origin) = serve().await;
    let mut party = join(&origin, "/whip/plain", "secret");
    party.sfu.subscribe(&[want(&StreamId::parse("plain").unwrap(), 0)]).await.unwrap();
    assert!(party.run_until(|seen| seen.connected.len() == 1).await);
    party.sfu.subscribe(&[]).await.unwrap();
    party.sfu.close().await;
    assert!(*script.connected.borrow() == 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_have_names() {
    assert_eq!(fails("/whip/plain", "wrong").await, SfuError::Ticket);
    assert_eq!(fails("/whip/busy", "secret").await, SfuError::Busy);
    assert_eq!(fails("/whip/nothing", "secret").await, SfuError::Refused(404));
    assert_eq!(fails("/whip/nonsense", "secret").await, SfuError::Codecs);
    assert!(matches!(fails("/whip/circle", "secret").await, SfuError::Protocol(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirect_does_not_lead_the_ticket_out_of_tls() {
    assert_eq!(fails("/whip/leak", "secret").await, SfuError::Cleartext);
}
