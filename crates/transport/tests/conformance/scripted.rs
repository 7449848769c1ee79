//! A WHIP and WHEP server that behaves as some third parties' do: redirects, answers with an offer of its own, refuses,
//! leaves out what it may and some things that it may not. Its media end is a real peer connection that counts packets.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use incamera_relay_proto::{ResumeSecret, SfuKind, TextSecret, Ticket, TicketIdentity};
use incamera_transport::{OwnStream, SfuError, SfuSettings, StreamId};
use rtc::peer_connection::transport::RTCDtlsRole;
use rtc::rtp_transceiver::rtp_sender::{RTCRtpCodec, RTCRtpCodecParameters, RtpCodecKind};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCPeerConnectionState, RTCSessionDescription, SettingEngine, SettingEngineBuilder,
};

use crate::party::{Party, Seen, plan, want};

const BEARER: &str = "Bearer secret";

/// How the server's media end differs from ours.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Manner {
    #[default]
    Usual,
    /// It answers connectivity checks and makes none (RFC 8445 §2.5).
    IceLite,
    /// Its answers say `a=setup:active`.
    ClientInDtls,
    /// VP8 and Opus under numbers of its own, behind codecs that we do not have.
    OtherNumbers,
    /// It has no codec for pictures.
    SoundOnly,
    /// Its descriptions have bare line ends, and candidates that mean nothing to us.
    Untidy,
}

#[derive(Default)]
struct Script {
    manner: Manner,
    peer: Mutex<Option<ServerPeer>>,
    connected: watch::Sender<u32>,
    /// Streams that packets came on, with their number.
    received: Arc<std::sync::Mutex<HashMap<u32, u32>>>,
    tags_seen: std::sync::Mutex<Vec<String>>,
    deleted: watch::Sender<u32>,
    requests: AtomicU32,
    requests_without_bearer: AtomicU32,
}

struct ServerPeer {
    connection: Arc<dyn PeerConnection>,
    gathered: watch::Receiver<bool>,
}

struct Watcher {
    gathered: watch::Sender<bool>,
    connected: watch::Sender<u32>,
    received: Arc<std::sync::Mutex<HashMap<u32, u32>>>,
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

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let received = Arc::clone(&self.received);
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    *received.lock().unwrap().entry(packet.header.ssrc).or_default() += 1;
                }
            }
        });
    }
}

fn codec(mime: &str, clock_rate: u32, channels: u16, payload_type: u8) -> RTCRtpCodecParameters {
    let rtp_codec = RTCRtpCodec {
        mime_type: mime.to_owned(),
        clock_rate,
        channels,
        sdp_fmtp_line: String::new(),
        rtcp_feedback: Vec::new(),
    };
    RTCRtpCodecParameters { rtp_codec, payload_type }
}

impl Manner {
    /// The description as this server writes it.
    fn written(self, sdp: String) -> String {
        let junk = "a=candidate:1 2 udp 2130706431 127.0.0.1 9 typ host\n\
            a=candidate:2 1 tcp 1671430143 127.0.0.1 9 typ host tcptype passive\n\
            a=candidate:3 1 udp 2130706431 4c1f.local 9 typ host\n\
            a=candidate:4 1 udp 2130706431 fe80::1%eth0 9 typ host\na=candidate:5 1 udp\na=mid:";
        match self {
            Self::Untidy => sdp.replace("\r\n", "\n").replace("a=mid:", junk),
            _ => sdp,
        }
    }

    fn media_engine(self) -> MediaEngine {
        let mut engine = MediaEngine::default();
        let [vp8, opus] = match self {
            Self::Usual | Self::IceLite | Self::ClientInDtls | Self::Untidy => {
                engine.register_default_codecs().unwrap();
                return engine;
            }
            Self::SoundOnly => {
                engine.register_codec(codec("audio/opus", 48_000, 2, 111), RtpCodecKind::Audio).unwrap();
                return engine;
            }
            Self::OtherNumbers => {
                engine.register_codec(codec("video/H264", 90_000, 0, 96), RtpCodecKind::Video).unwrap();
                engine.register_codec(codec("audio/PCMU", 8_000, 0, 0), RtpCodecKind::Audio).unwrap();
                [120, 98]
            }
        };
        engine.register_codec(codec("video/VP8", 90_000, 0, vp8), RtpCodecKind::Video).unwrap();
        engine.register_codec(codec("audio/opus", 48_000, 2, opus), RtpCodecKind::Audio).unwrap();
        engine
    }

    fn settings(self) -> SettingEngine {
        let settings = SettingEngineBuilder::new();
        match self {
            Self::IceLite => settings.with_lite(true).build(),
            Self::ClientInDtls => settings.with_answering_dtls_role(RTCDtlsRole::Client).build(),
            _ => settings.build(),
        }
    }
}

impl ServerPeer {
    async fn new(script: &Script) -> Self {
        let (gathered_in, gathered) = watch::channel(false);
        let watcher = Watcher {
            gathered: gathered_in,
            connected: script.connected.clone(),
            received: Arc::clone(&script.received),
        };
        let connection = PeerConnectionBuilder::new()
            .with_media_engine(script.manner.media_engine())
            .with_setting_engine(script.manner.settings())
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
    let answer = script.manner.written(peer.answer(offer).await);
    *script.peer.lock().await = Some(peer);
    sdp(StatusCode::CREATED, answer)
}

/// Knows nothing of the stream at first, then refuses every line of it, as servers do that answer before there is
/// anything to play, then answers.
async fn later(State(script): State<Arc<Script>>, headers: HeaderMap, offer: String) -> Response {
    match script.requests.fetch_add(1, SeqCst) {
        0 => StatusCode::NOT_FOUND.into_response(),
        1 => {
            let refusal = offer.replace("m=audio 9", "m=audio 0").replace("m=video 9", "m=video 0");
            sdp(StatusCode::CREATED, refusal)
        }
        _ => plain(State(script), headers, offer).await,
    }
}

/// Names its session by an address that may not be used.
async fn astray(state: State<Arc<Script>>, headers: HeaderMap, offer: String) -> Response {
    let mut response = plain(state, headers, offer).await;
    let location = axum::http::HeaderValue::from_static("http://sfu.invalid/session/1");
    response.headers_mut().insert(header::LOCATION, location);
    response
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
            script.deleted.send_modify(|count| *count += 1);
            StatusCode::OK
        }
        "PATCH" => {
            let tag = headers.get(header::IF_MATCH).and_then(|tag| tag.to_str().ok());
            script.tags_seen.lock().unwrap().extend(tag.map(str::to_owned));
            let peer = script.peer.lock().await;
            let answer = RTCSessionDescription::answer(answer).unwrap();
            peer.as_ref().unwrap().connection.set_remote_description(answer).await.unwrap();
            StatusCode::NO_CONTENT
        }
        _ => StatusCode::METHOD_NOT_ALLOWED,
    }
}

/// Takes an offer and answers with 200 and nothing but the description.
async fn terse(State(script): State<Arc<Script>>, offer: String) -> Response {
    let peer = ServerPeer::new(&script).await;
    let answer = peer.answer(offer).await;
    *script.peer.lock().await = Some(peer);
    (StatusCode::OK, [(header::CONTENT_TYPE, "text/plain")], answer).into_response()
}

fn redirect(status: StatusCode, to: &'static str) -> axum::routing::MethodRouter<Arc<Script>> {
    post(move || async move { (status, [(HeaderName::from_static("location"), to)]) })
}

async fn serve() -> (Arc<Script>, String) {
    serve_in(Manner::Usual).await
}

async fn serve_in(manner: Manner) -> (Arc<Script>, String) {
    let script = Arc::new(Script { manner, ..Script::default() });
    let router = Router::new()
        .route("/whip/plain", post(plain))
        .route("/whip/terse", post(terse))
        .route("/whip/counter", post(countering))
        .route("/whip/later", post(later))
        .route("/whip/astray", post(astray))
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
    party.sfu.publish(OwnStream::Person, plan(1)).await.unwrap();
    let mut connected = script.connected.subscribe();
    tokio::time::timeout(Duration::from_secs(5), connected.wait_for(|count| *count == 1))
        .await
        .unwrap()
        .unwrap();
    party.sfu.close().await;
    assert_eq!(*script.deleted.borrow(), 1, "the session was not ended");
    assert_eq!(script.requests_without_bearer.load(SeqCst), 0);
}

/// Publishes so many layers and waits until enough packets came on so many streams, and on no other.
async fn sends(manner: Manner, path: &str, layers: usize, streams: usize) -> Arc<Script> {
    let (script, origin) = serve_in(manner).await;
    let mut party = join(&origin, path, "secret");
    party.sfu.publish(OwnStream::Person, plan(layers)).await.unwrap();
    let came = |_: &Seen| {
        let received = script.received.lock().unwrap();
        received.len() >= streams && received.values().all(|packets| *packets > 20)
    };
    assert!(party.run_until(came).await, "{:?}", script.received.lock().unwrap());
    assert_eq!(script.received.lock().unwrap().len(), streams);
    party.sfu.close().await;
    script
}

async fn fails(path: &str, bearer: &str) -> SfuError {
    let (_, origin) = serve().await;
    join(&origin, path, bearer).sfu.publish(OwnStream::Person, plan(1)).await.unwrap_err()
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
async fn media_reaches_a_server_that_is_ice_lite_or_the_client_in_dtls() {
    sends(Manner::IceLite, "/whip/plain", 1, 2).await;
    sends(Manner::ClientInDtls, "/whip/plain", 1, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counter_offer_with_other_codecs_and_numbers_is_answered_and_its_version_named() {
    let script = sends(Manner::OtherNumbers, "/whip/counter", 1, 2).await;
    assert_eq!(*script.tags_seen.lock().unwrap(), ["\"1\""]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answer_without_location_or_type_is_an_answer() {
    let script = sends(Manner::Usual, "/whip/terse", 1, 2).await;
    assert_eq!(*script.deleted.borrow(), 0);
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
async fn stream_that_is_not_there_yet_is_looked_for_again() {
    let (script, origin) = serve().await;
    let mut party = join(&origin, "/whip/plain", "secret");
    party.sfu.subscribe(&[want(&StreamId::parse("later").unwrap(), 0)]).await.unwrap();
    assert!(party.run_until(|seen| seen.connected.len() == 1).await);
    assert_eq!(script.requests.load(SeqCst), 3);
    assert_eq!(party.seen.failures, [SfuError::Codecs.to_string()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_without_vp8_carries_the_sound_and_is_named() {
    let (script, origin) = serve_in(Manner::SoundOnly).await;
    let mut party = join(&origin, "/whip/plain", "secret");
    party.sfu.publish(OwnStream::Person, plan(1)).await.unwrap();
    let came = |_: &Seen| script.received.lock().unwrap().values().any(|packets| *packets > 20);
    assert!(party.run_until(came).await);
    assert_eq!(script.received.lock().unwrap().len(), 1);
    assert_eq!(party.seen.failures, [SfuError::NoPictures.to_string()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn untidy_descriptions_are_understood() {
    sends(Manner::Untidy, "/whip/plain", 1, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_at_an_address_that_may_not_be_used_connects() {
    let script = sends(Manner::Usual, "/whip/astray", 1, 2).await;
    assert_eq!(*script.deleted.borrow(), 0);
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
async fn layers_without_the_extension_that_tells_them_apart_are_not_sent() {
    let script = sends(Manner::Usual, "/whip/plain", 3, 2).await;
    assert_eq!(*script.deleted.borrow(), 2, "the session that was offered layers, and the one without");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bearer_does_not_follow_a_redirect_to_another_host() {
    let (other, there) = serve().await;
    let target = format!("{}/whip/plain", there.replace("127.0.0.1", "localhost"));
    let router = Router::new().route(
        "/whip/away",
        post(move || async move { (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, target)]) }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let refused = join(&origin, "/whip/away", "secret").sfu.publish(OwnStream::Person, plan(1)).await;
    assert_eq!(refused.unwrap_err(), SfuError::Ticket);
    assert_eq!(other.requests_without_bearer.load(SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_that_comes_to_nothing_is_ended() {
    let (script, origin) = serve().await;
    let party = join(&origin, "/whip/nonsense", "secret");
    assert_eq!(party.sfu.publish(OwnStream::Person, plan(1)).await.unwrap_err(), SfuError::Codecs);
    let mut deleted = script.deleted.subscribe();
    tokio::time::timeout(Duration::from_secs(5), deleted.wait_for(|count| *count == 1))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirect_does_not_lead_the_ticket_out_of_tls() {
    assert_eq!(fails("/whip/leak", "secret").await, SfuError::Cleartext);
}
