//! Against the embedded SFU, which is another WebRTC stack.

use std::net::SocketAddr;
use std::time::Duration;

use incamera_relay_proto::{ResumeSecret, SfuKind, TextSecret, Ticket, TicketIdentity};
use incamera_sfu::{GrantRequest, Pseudonym, Rights, Sfu, SfuConfig, SfuHandle};
use incamera_transport::{SfuError, SfuSettings, Subscription};
use incamera_types::{Context, RoomId};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::party::{Party, exchange, plan, run_all, want};

const ROOM: RoomId = RoomId([9; 16]);

/// A running SFU with its HTTP server.
pub(crate) struct EmbeddedServer {
    handle: SfuHandle,
    http: SocketAddr,
    serving: JoinHandle<()>,
}

impl EmbeddedServer {
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap()).await
    }

    async fn start_at(http: SocketAddr) -> Self {
        let handle = Sfu::start(SfuConfig::default()).unwrap();
        let router = axum::Router::new().nest("/sfu", handle.router());
        let listener = TcpListener::bind(http).await.unwrap();
        let http = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { handle, http, serving }
    }

    /// Stops at once, as a crash does: connections get no farewell.
    async fn crash(self) -> SocketAddr {
        self.serving.abort();
        self.serving.await.unwrap_err();
        let Self { handle, http, .. } = self;
        handle.stop().await;
        http
    }

    fn ticket(&self, who: u8, play: &str) -> Ticket {
        let identity = TicketIdentity([who; 16]);
        let pseudonym = Pseudonym::parse(&identity.to_string()).unwrap();
        let request = GrantRequest {
            room: ROOM,
            identity: pseudonym,
            rights: Rights::WatchAndPublish,
            valid_for: Duration::from_secs(600),
        };
        let bearer = self.handle.grant(request).unwrap().reveal().to_owned();
        Ticket {
            identity,
            sfu: SfuKind::Embedded,
            publish_url: "/sfu/whip".to_owned(),
            subscribe_url: play.to_owned(),
            bearer: TextSecret::new(bearer),
            janus: None,
            ice_servers: Vec::new(),
            valid_until_unix_ms: u64::MAX,
            renewal: ResumeSecret::new([0; 16]),
        }
    }

    fn settings(&self) -> SfuSettings {
        SfuSettings { relay_origin: Some(format!("http://{}", self.http)), ..SfuSettings::default() }
    }

    fn join(&self, who: u8, play: &str) -> Party {
        Party::join(u32::from(who), self.ticket(who, play), self.settings())
    }
}

const SLOTS: &str = "/sfu/whep";
const PER_STREAM: &str = "/sfu/whep/{stream}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealed_frames_pass_both_ways_through_slots() {
    let server = EmbeddedServer::start().await;
    let (mut ada, mut ben) = (server.join(1, SLOTS), server.join(2, SLOTS));
    assert!(matches!(ada.sfu.capabilities().subscription, Subscription::Slots(_)));
    exchange(&mut ada, &mut ben, 1).await;
    assert!(ada.seen.hints.contains(&ben.stream()));
    assert!(ada.seen.available.contains(&ben.stream()) && !ada.seen.available.contains(&ada.stream()));
    ada.sfu.close().await;
    ben.sfu.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealed_frames_pass_both_ways_over_one_connection_per_stream() {
    let server = EmbeddedServer::start().await;
    let (mut ada, mut ben) = (server.join(1, PER_STREAM), server.join(2, PER_STREAM));
    assert_eq!(ada.sfu.capabilities().subscription, Subscription::PerStream);
    exchange(&mut ada, &mut ben, 1).await;
    assert!(ada.seen.hints.contains(&ben.stream()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wanted_layer_of_three_is_received_and_can_be_changed() {
    let server = EmbeddedServer::start().await;
    let (mut ada, mut ben) = (server.join(1, SLOTS), server.join(2, SLOTS));
    exchange(&mut ada, &mut ben, 3).await;
    let stream = ben.stream();
    ada.sfu.subscribe(&[want(&stream, 2)]).await.unwrap();
    let low = |seen: &[&crate::party::Seen]| seen[0].count(2, Context::CameraLow) > 20;
    assert!(run_all(&mut [&mut ada, &mut ben], low).await, "the small layer did not come");
    assert_eq!(ada.seen.refused, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_show_somebody_else_without_a_new_connection() {
    let server = EmbeddedServer::start().await;
    let (mut ada, mut ben, mut eve) = (server.join(1, SLOTS), server.join(2, SLOTS), server.join(3, SLOTS));
    exchange(&mut ada, &mut ben, 1).await;
    eve.sfu.publish(plan(1)).await.unwrap();
    ada.sfu.subscribe(&[want(&eve.stream(), 0)]).await.unwrap();
    let eve_came =
        |seen: &[&crate::party::Seen]| seen[0].camera(3) > 10 && seen[0].count(3, Context::Microphone) > 10;
    assert!(run_all(&mut [&mut ada, &mut ben, &mut eve], eve_came).await, "nothing of the third came");
    assert_eq!((ada.seen.lost, ada.seen.refused), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_comes_back_is_used_again_with_a_new_ticket() {
    let server = EmbeddedServer::start().await;
    let (mut ada, mut ben) = (server.join(1, SLOTS), server.join(2, SLOTS));
    exchange(&mut ada, &mut ben, 1).await;
    let address = server.crash().await;
    let crashed = tokio::time::Instant::now();
    let all_lost = |seen: &[&crate::party::Seen]| seen.iter().all(|seen| seen.lost >= 2);
    assert!(run_all(&mut [&mut ada, &mut ben], all_lost).await, "the loss was not noticed");
    println!("loss noticed after {:?}", crashed.elapsed());
    assert!(crashed.elapsed() < Duration::from_secs(2));

    let server = EmbeddedServer::start_at(address).await;
    let back = tokio::time::Instant::now();
    ada.sfu.renew(server.ticket(1, SLOTS));
    ben.sfu.renew(server.ticket(2, SLOTS));
    let before = (ada.seen.camera(2), ben.seen.camera(1));
    let flows =
        |seen: &[&crate::party::Seen]| seen[0].camera(2) > before.0 + 5 && seen[1].camera(1) > before.1 + 5;
    assert!(run_all(&mut [&mut ada, &mut ben], flows).await, "media did not come back");
    println!("media back after {:?}", back.elapsed());
    assert!(back.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_ticket_is_refused_by_name_and_nothing_is_sent() {
    let server = EmbeddedServer::start().await;
    let mut ticket = server.ticket(1, SLOTS);
    ticket.bearer = TextSecret::new("0".repeat(64));
    let mut ada = Party::join(1, ticket, server.settings());
    assert_eq!(ada.sfu.publish(plan(1)).await, Err(SfuError::Ticket));
    ada.send_round();
    assert_eq!(ada.sfu.statistics().frames_sent, 0);
    ada.sfu.renew(server.ticket(1, SLOTS));
    assert!(ada.run_until(|seen| seen.connected.len() == 2).await, "the new ticket was not tried");
}
