//! A running SFU with its HTTP server, and clients that speak WHIP and WHEP to it.

use std::net::SocketAddr;
use std::time::Duration;

use incamera_sfu::{GrantRequest, Pseudonym, Rights, Sfu, SfuConfig, SfuHandle};
use incamera_types::RoomId;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::peer::{Offering, PATIENCE, Peer};

pub(crate) const ROOM: RoomId = RoomId([1; 16]);
pub(crate) const OTHER_ROOM: RoomId = RoomId([2; 16]);

/// An SFU and an HTTP client for it.
pub(crate) struct Server {
    pub(crate) sfu: SfuHandle,
    pub(crate) http: Client,
    address: SocketAddr,
}

/// A session and the peer behind it.
pub(crate) struct Session {
    pub(crate) peer: Peer,
    pub(crate) url: String,
    pub(crate) etag: String,
    pub(crate) bearer: String,
    pub(crate) links: Vec<String>,
}

pub(crate) fn name(text: &str) -> Pseudonym {
    Pseudonym::parse(text).unwrap()
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(SfuConfig::default()).await
    }

    pub(crate) async fn with(config: SfuConfig) -> Self {
        let sfu = Sfu::start(config).unwrap();
        let app = axum::Router::new().nest("/sfu", sfu.router());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { sfu, http: http_client(), address }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn bearer(&self, room: RoomId, identity: &str, rights: Rights) -> String {
        let request =
            GrantRequest { room, identity: name(identity), rights, valid_for: Duration::from_secs(60) };
        self.sfu.grant(request).unwrap().reveal().to_owned()
    }

    pub(crate) fn request(&self, method: Method, path: &str, bearer: &str) -> RequestBuilder {
        self.http.request(method, self.url(path)).bearer_auth(bearer).timeout(PATIENCE)
    }

    pub(crate) async fn offer(&self, path: &str, bearer: &str, offer: &str) -> Response {
        self.request(Method::POST, path, bearer)
            .header("content-type", "application/sdp")
            .body(offer.to_owned())
            .send()
            .await
            .unwrap()
    }

    async fn open(&self, path: &str, bearer: String, offering: Offering) -> Session {
        let response = self.offer(path, &bearer, &offering.offer).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        let (url, etag) = (header("location"), header("etag"));
        let links = response.headers().get_all("link").iter();
        let links = links.map(|l| l.to_str().unwrap().to_owned()).collect();
        let peer = offering.connect(&response.text().await.unwrap());
        Session { peer, url, etag, bearer, links }
    }

    /// Publishes as `identity`, marked `who`, and waits until media can flow.
    pub(crate) async fn publish(&self, identity: &str, who: u8, rids: &[&str]) -> Session {
        let bearer = self.bearer(ROOM, identity, Rights::WatchAndPublish);
        let session = self.open("/sfu/whip", bearer, Offering::publisher(rids).await).await;
        session.peer.publish(who);
        session.peer.connected().await;
        session
    }

    /// A plain WHEP player of `stream`.
    pub(crate) async fn play(&self, identity: &str, stream: &str) -> Session {
        let bearer = self.bearer(ROOM, identity, Rights::Watch);
        let path = format!("/sfu/whep/{stream}");
        self.open(&path, bearer, Offering::player(1).await).await
    }

    /// A player with `count` audio and `count` video slots.
    pub(crate) async fn slots(&self, identity: &str, count: usize) -> Session {
        let bearer = self.bearer(ROOM, identity, Rights::Watch);
        self.open("/sfu/whep", bearer, Offering::player(count).await).await
    }

    /// Binds slots and returns what the server says about all of them.
    pub(crate) async fn bind(&self, session: &Session, slots: Value) -> Value {
        let path = format!("{}/slots", session.url);
        let request = self.request(Method::PUT, &path, &session.bearer);
        let response = request.json(&json!({ "slots": slots })).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.json().await.unwrap()
    }
}

/// A client for plain HTTP. It wants a TLS provider all the same, when the workspace is built as a whole.
fn http_client() -> Client {
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new()
}
