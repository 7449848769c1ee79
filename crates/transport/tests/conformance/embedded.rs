//! Against the embedded SFU, which is another WebRTC stack.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use incamera_relay_proto::{ResumeSecret, SfuKind, TextSecret, Ticket, TicketIdentity};
use incamera_sfu::{GrantRequest, Pseudonym, Rights, Sfu, SfuConfig, SfuHandle};
use incamera_transport::{LossReason, OwnStream, SfuError, SfuSettings, Subscription};
use incamera_types::{Context, RoomId};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::party::{Party, Seen, exchange, plan, run_all, share_a_screen, want};

const ROOM: RoomId = RoomId([9; 16]);

/// How long without packets the parties of most tests go on: a busy machine is no loss.
const PATIENT: Duration = Duration::from_secs(20);

/// Rounds of 20 ms within which a loss is noticed, and media is back: 2 s and 5 s.
const NOTICED_WITHIN: u64 = 100;
const BACK_WITHIN: u64 = 250;

/// A running SFU with its HTTP server, on threads of their own.
pub(crate) struct EmbeddedServer {
    handle: SfuHandle,
    http: SocketAddr,
    runtime: Option<Runtime>,
}

/// What is left of a server that vanished.
struct Vanished {
    http: SocketAddr,
    /// Takes what still comes, so that no error message of the kernel gives the loss away.
    _silence: UdpSocket,
}

impl EmbeddedServer {
    pub(crate) fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap())
    }

    fn start_at(http: SocketAddr) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let entered = runtime.enter();
        let handle = Sfu::start(SfuConfig::default()).unwrap();
        let router = axum::Router::new().nest("/sfu", handle.router());
        let listener = std::net::TcpListener::bind(http).unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let http = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        drop(entered);
        Self { handle, http, runtime: Some(runtime) }
    }

    /// Takes it away as a power cut does: nobody is told anything.
    async fn vanish(mut self) -> Vanished {
        let runtime = self.runtime.take().unwrap();
        // Dropping its tasks closes the sockets; nothing of ours runs that could say goodbye.
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(PATIENT)).await.unwrap();
        Vanished { http: self.http, _silence: UdpSocket::bind(self.handle.local_addr()).unwrap() }
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
            publish_url: "/sfu/whip/{stream}".to_owned(),
            subscribe_url: play.to_owned(),
            bearer: TextSecret::new(bearer),
            janus: None,
            ice_servers: Vec::new(),
            valid_until_unix_ms: u64::MAX,
            renewal: ResumeSecret::new([0; 16]),
        }
    }

    fn settings(&self) -> SfuSettings {
        SfuSettings {
            relay_origin: Some(format!("http://{}", self.http)),
            silence_limit: PATIENT,
            ..SfuSettings::default()
        }
    }

    /// Somebody who takes silence for a loss as soon as usual.
    fn join_alert(&self, who: u8) -> Party {
        let silence_limit = SfuSettings::default().silence_limit;
        let settings = SfuSettings { silence_limit, ..self.settings() };
        Party::join(u32::from(who), self.ticket(who, SLOTS), settings)
    }

    fn join(&self, who: u8, play: &str) -> Party {
        Party::join(u32::from(who), self.ticket(who, play), self.settings())
    }
}

impl Drop for EmbeddedServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

const SLOTS: &str = "/sfu/whep";
const PER_STREAM: &str = "/sfu/whep/{stream}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealed_frames_pass_both_ways_through_slots() {
    let server = EmbeddedServer::start();
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
    let server = EmbeddedServer::start();
    let (mut ada, mut ben) = (server.join(1, PER_STREAM), server.join(2, PER_STREAM));
    assert_eq!(ada.sfu.capabilities().subscription, Subscription::PerStream);
    exchange(&mut ada, &mut ben, 1).await;
    assert!(ada.seen.hints.contains(&ben.stream()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn screen_comes_and_goes_beside_the_camera() {
    let server = EmbeddedServer::start();
    for (first, play) in [(1, SLOTS), (3, PER_STREAM)] {
        let (mut ada, mut ben) = (server.join(first, play), server.join(first + 1, play));
        exchange(&mut ada, &mut ben, 1).await;
        share_a_screen(&mut ada, &mut ben).await;
        ada.sfu.close().await;
        ben.sfu.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wanted_layer_of_three_is_received_and_can_be_changed() {
    let server = EmbeddedServer::start();
    let (mut ada, mut ben) = (server.join(1, SLOTS), server.join(2, SLOTS));
    exchange(&mut ada, &mut ben, 3).await;
    let stream = ben.stream();
    ada.sfu.subscribe(&[want(&stream, 2)]).await.unwrap();
    let low = |seen: &[&Seen]| seen[0].count(2, Context::CameraLow) > 20;
    assert!(run_all(&mut [&mut ada, &mut ben], low).await, "the small layer did not come");
    assert_eq!(ada.seen.refused, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_show_somebody_else_without_a_new_connection() {
    let server = EmbeddedServer::start();
    let (mut ada, mut ben, mut eve) = (server.join(1, SLOTS), server.join(2, SLOTS), server.join(3, SLOTS));
    exchange(&mut ada, &mut ben, 1).await;
    eve.sfu.publish(OwnStream::Person, plan(1)).await.unwrap();
    ada.sfu.subscribe(&[want(&eve.stream(), 0)]).await.unwrap();
    let eve_came = |seen: &[&Seen]| seen[0].camera(3) > 10 && seen[0].count(3, Context::Microphone) > 10;
    assert!(run_all(&mut [&mut ada, &mut ben, &mut eve], eve_came).await, "nothing of the third came");
    assert_eq!((ada.seen.losses.len(), ada.seen.refused), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_vanishes_is_noticed_by_its_silence_and_used_again_with_a_new_ticket() {
    let server = EmbeddedServer::start();
    let (mut ada, mut ben) = (server.join_alert(1), server.join_alert(2));
    exchange(&mut ada, &mut ben, 1).await;
    let vanished = server.vanish().await;
    let (since, round) = (Instant::now(), ada.rounds());
    for party in [&mut ada, &mut ben] {
        party.seen.losses.clear();
    }
    let all_lost = |seen: &[&Seen]| seen.iter().all(|seen| seen.losses.len() >= 2);
    assert!(run_all(&mut [&mut ada, &mut ben], all_lost).await, "the loss was not noticed");
    println!("loss noticed after {:?}", since.elapsed());
    let silent = |party: &Party| party.seen.losses[..2].iter().all(|why| *why == LossReason::Silence);
    assert!(silent(&ada) && silent(&ben), "{:?} {:?}", ada.seen.losses, ben.seen.losses);
    assert!(since.elapsed() > Duration::from_secs(1), "noticed before silence can have told");
    assert!(ada.rounds() - round <= NOTICED_WITHIN, "{} rounds", ada.rounds() - round);

    let server = EmbeddedServer::start_at(vanished.http);
    let (since, round) = (Instant::now(), ada.rounds());
    ada.sfu.renew(server.ticket(1, SLOTS));
    ben.sfu.renew(server.ticket(2, SLOTS));
    let before = (ada.seen.camera(2), ben.seen.camera(1));
    let flows = |seen: &[&Seen]| seen[0].camera(2) > before.0 + 5 && seen[1].camera(1) > before.1 + 5;
    assert!(run_all(&mut [&mut ada, &mut ben], flows).await, "media did not come back");
    println!("media back after {:?}", since.elapsed());
    assert!(ada.rounds() - round <= BACK_WITHIN, "{} rounds", ada.rounds() - round);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_ticket_is_refused_by_name_and_nothing_is_sent() {
    let server = EmbeddedServer::start();
    let mut ticket = server.ticket(1, SLOTS);
    ticket.bearer = TextSecret::new("0".repeat(64));
    let mut ada = Party::join(1, ticket, server.settings());
    assert_eq!(ada.sfu.publish(OwnStream::Person, plan(1)).await, Err(SfuError::Ticket));
    ada.send_round();
    assert_eq!(ada.sfu.statistics().frames_sent, 0);
    ada.sfu.renew(server.ticket(1, SLOTS));
    assert!(ada.run_until(|seen| seen.connected.len() == 2).await, "the new ticket was not tried");
}
