//! One WebRTC peer connection: the only module that knows the WebRTC stack.
//!
//! The stack (webrtc 0.21.1 over the sans-IO rtc 0.21.1) is wrapped twice: [`Peer`] sets a connection up and reports
//! what happens to it; [`Publication`] and [`Player`] carry media out and in. Adapters do the signalling.

mod bandwidth;
mod description;
mod engine;
mod feedback;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod keyframes;
mod pacer;
mod player;
mod publication;
mod receive;
mod reports;
mod retransmit;
mod rtx;
mod send_track;
mod tidy;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCIceGatheringState, RTCIceTransportPolicy, RTCPeerConnectionState, RTCSessionDescription,
};

use incamera_relay_proto::IceServer;

use crate::access::is_loopback;
use crate::sink::Counters;
use crate::ticket;
use crate::{Candidates, Direction, IcePolicy, SfuError, SfuSettings};
pub(crate) use description::{MAX_DESCRIPTION, media_lines, takes_layers};
pub(crate) use engine::Retransmission;
use feedback::Feedback;
pub(crate) use player::{Player, PlayerHandle};
pub(crate) use publication::Publication;

/// How long candidates are gathered when STUN or TURN servers have to answer.
const GATHER_LIMIT: Duration = Duration::from_millis(1_000);

/// How long ICE and DTLS may take together.
const CONNECT_LIMIT: Duration = Duration::from_millis(6_000);

/// Feedback of the SFU that may wait; more is dropped, since all of it is repeated.
const FEEDBACK_QUEUE: usize = 256;

/// How a peer connection is to be made.
#[derive(Clone)]
pub(crate) struct PeerPlan {
    pub(crate) direction: Direction,
    pub(crate) settings: SfuSettings,
    /// Host of the signalling server: decides which interface to bind.
    pub(crate) server_host: String,
    pub(crate) ice_servers: Vec<IceServer>,
    pub(crate) retransmission: Retransmission,
    /// What the connection is doing is counted here.
    pub(crate) counters: Arc<Counters>,
}

/// What happens to a connection.
pub(crate) enum PeerEvent {
    Connected,
    /// Packets stopped.
    Silent,
    /// It will not come back.
    Ended,
    Track(Arc<dyn TrackRemote>),
}

/// The signalling side of a peer connection. Clones share the connection.
#[derive(Clone)]
pub(crate) struct PeerSignalling {
    connection: Arc<dyn PeerConnection>,
    gathered: watch::Receiver<bool>,
    candidates: Candidates,
    direction: Direction,
}

/// A peer connection. Closed when dropped.
pub(crate) struct Peer {
    signalling: PeerSignalling,
    events: mpsc::UnboundedReceiver<PeerEvent>,
    feedback: mpsc::Receiver<Feedback>,
    bandwidth: watch::Receiver<u32>,
}

impl Peer {
    /// Makes a connection that is not connected yet; what may be sent over it is first thought to be
    /// `start_bandwidth_bps`.
    async fn new(plan: &PeerPlan, start_bandwidth_bps: u32) -> Result<Self, SfuError> {
        let (events_in, events) = mpsc::unbounded_channel();
        let (feedback_in, feedback) = mpsc::channel(FEEDBACK_QUEUE);
        let (gathered_in, gathered) = watch::channel(false);
        let (bandwidth_in, bandwidth) = watch::channel(start_bandwidth_bps);
        let engine = engine::media_engine(plan.direction, plan.retransmission).map_err(local)?;
        let building = PeerConnectionBuilder::new()
            .with_configuration(configuration(plan))
            .with_media_engine(engine)
            .with_setting_engine(engine::settings(plan.settings.silence_limit))
            .with_interceptor_registry(engine::interceptors(plan, feedback_in, bandwidth_in))
            .with_handler(Arc::new(Handler { events: events_in, gathered: gathered_in }))
            .with_udp_addrs(bind_addresses(plan))
            .build();
        // Boxed: the future carries the whole configuration, 20 kB.
        let connection = Box::pin(building).await.map_err(local)?;
        let signalling = PeerSignalling {
            connection: Arc::new(connection),
            gathered,
            candidates: plan.settings.candidates,
            direction: plan.direction,
        };
        Ok(Self { signalling, events, feedback, bandwidth })
    }

    /// What signalling needs.
    pub(crate) fn signalling(&self) -> &PeerSignalling {
        &self.signalling
    }

    fn connection(&self) -> &dyn PeerConnection {
        self.signalling.connection.as_ref()
    }

    /// Waits until media can flow. Gives the tracks that opened meanwhile.
    async fn connected(&mut self) -> Result<Vec<PeerEvent>, SfuError> {
        let deadline = Instant::now() + CONNECT_LIMIT;
        let mut early = Vec::new();
        loop {
            match timeout_at(deadline, self.events.recv()).await {
                Ok(Some(PeerEvent::Connected)) => return Ok(early),
                Ok(Some(track @ PeerEvent::Track(_))) => early.push(track),
                Ok(Some(PeerEvent::Silent)) => {}
                Ok(Some(PeerEvent::Ended) | None) | Err(_) => return Err(SfuError::NoMediaPath),
            }
        }
    }

    /// Closes the connection; the other side is told at once.
    async fn close(&self) {
        if let Err(error) = self.connection().close().await {
            tracing::debug!(%error, "closing a peer connection");
        }
    }
}

impl PeerSignalling {
    /// Our offer, with all candidates that may be shown.
    pub(crate) async fn offer(&self) -> Result<String, SfuError> {
        let offer = self.connection.create_offer(None).await.map_err(local)?;
        self.describe(offer).await
    }

    /// Our answer to the server's offer.
    pub(crate) async fn answer(&self, offer: &str) -> Result<String, SfuError> {
        let offer = self.shown(&tidy::tidied_offer(offer));
        let offer = RTCSessionDescription::offer(offer).map_err(|_| malformed())?;
        self.connection.set_remote_description(offer).await.map_err(|_| malformed())?;
        let answer = self.connection.create_answer(None).await.map_err(local)?;
        self.describe(answer).await
    }

    /// Takes the server's answer.
    pub(crate) async fn accept(&self, answer: &str) -> Result<(), SfuError> {
        let offer = self.connection.local_description().await.ok_or(SfuError::Closed)?;
        let answer = self.shown(&tidy::tidied_answer(answer, &offer.sdp));
        let answer = RTCSessionDescription::answer(answer).map_err(|_| malformed())?;
        self.connection.set_remote_description(answer).await.map_err(|_| malformed())
    }

    async fn describe(&self, description: RTCSessionDescription) -> Result<String, SfuError> {
        self.connection.set_local_description(description).await.map_err(local)?;
        let deadline = Instant::now() + GATHER_LIMIT;
        // Late candidates are not worth a wait: the server learns our address from the first check.
        drop(timeout_at(deadline, self.gathered.clone().wait_for(|done| *done)).await);
        let description = self.connection.local_description().await.ok_or(SfuError::Closed)?;
        Ok(match self.candidates {
            Candidates::Offered => description.sdp,
            Candidates::Through(_) => description::without_candidates(&description.sdp),
        })
    }

    fn shown(&self, remote: &str) -> String {
        match (self.candidates, self.direction) {
            (Candidates::Offered, _) => remote.to_owned(),
            (Candidates::Through(through), Direction::Publish(_)) => {
                description::with_candidate(remote, through.publish)
            }
            (Candidates::Through(through), Direction::Play) => {
                description::with_candidate(remote, through.play)
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let connection = Arc::clone(&self.signalling.connection);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { connection.close().await });
        }
    }
}

/// An error of the WebRTC stack about something that we did.
pub(crate) fn local(error: impl core::fmt::Display) -> SfuError {
    SfuError::Local(error.to_string())
}

fn malformed() -> SfuError {
    SfuError::Protocol("a session description that cannot be used")
}

fn configuration(plan: &PeerPlan) -> webrtc::peer_connection::RTCConfiguration {
    let servers = plan.ice_servers.iter().map(ticket::webrtc_server).collect();
    let policy = match plan.settings.ice_policy {
        IcePolicy::All => RTCIceTransportPolicy::All,
        IcePolicy::RelayOnly => RTCIceTransportPolicy::Relay,
    };
    RTCConfigurationBuilder::new().with_ice_servers(servers).with_ice_transport_policy(policy).build()
}

/// A wildcard skips loopback in this stack, so a server on this computer needs loopback by name.
fn bind_addresses(plan: &PeerPlan) -> Vec<SocketAddr> {
    let any = |address: IpAddr| SocketAddr::new(address, 0);
    if let Some(address) = plan.settings.bind {
        return vec![any(address)];
    }
    let through_loopback = match plan.settings.candidates {
        Candidates::Through(through) => through.publish.ip().is_loopback(),
        Candidates::Offered => false,
    };
    if through_loopback || is_loopback(&plan.server_host) {
        let v4 = any(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let is_v6 = plan.server_host.starts_with('[');
        return if is_v6 { vec![v4, any(IpAddr::V6(Ipv6Addr::LOCALHOST))] } else { vec![v4] };
    }
    vec![any(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), any(IpAddr::V6(Ipv6Addr::UNSPECIFIED))]
}

struct Handler {
    /// Unbounded, but what goes in is bounded: a few state changes and one entry for each m-line.
    events: mpsc::UnboundedSender<PeerEvent>,
    gathered: watch::Sender<bool>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.gathered.send_replace(true);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        let event = match state {
            RTCPeerConnectionState::Connected => PeerEvent::Connected,
            RTCPeerConnectionState::Disconnected => PeerEvent::Silent,
            RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed => PeerEvent::Ended,
            _ => return,
        };
        drop(self.events.send(event));
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        drop(self.events.send(PeerEvent::Track(track)));
    }
}
