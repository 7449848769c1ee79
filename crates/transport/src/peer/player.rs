//! Media of others on its way from the SFU: one connection, its remote tracks, and who is on which m-line.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use incamera_types::MediaKind;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use webrtc::media_stream::track_remote::TrackRemote;

use super::feedback::Feedback;
use super::receive::TrackReceiver;
use super::reports::ReportBook;
use super::{Peer, PeerEvent, PeerPlan, PeerSignalling, local};
use crate::sink::Sink;
use crate::{Clock, LossReason, SfuError, StreamId};

/// Which stream each m-line carries, and how its key frames are asked for. Shared with the receiving tasks.
#[derive(Clone, Default)]
pub(crate) struct PlayerHandle(Arc<Bindings>);

#[derive(Default)]
struct Bindings {
    streams: RwLock<HashMap<String, StreamId>>,
    asks: Mutex<HashMap<String, Arc<Notify>>>,
}

impl PlayerHandle {
    /// Says which stream an m-line carries from now on.
    pub(crate) fn bind(&self, mid: &str, stream: Option<StreamId>) {
        let mut streams = self.0.streams.write().unwrap_or_else(PoisonError::into_inner);
        match stream {
            Some(stream) => streams.insert(mid.to_owned(), stream),
            None => streams.remove(mid),
        };
    }

    /// The stream on an m-line.
    pub(crate) fn stream(&self, mid: &str) -> Option<StreamId> {
        self.0.streams.read().ok()?.get(mid).cloned()
    }

    /// Asks for a key frame of everything that a stream sends.
    pub(crate) fn ask_key_frame(&self, stream: &StreamId) {
        let Ok(streams) = self.0.streams.read() else { return };
        let Ok(asks) = self.0.asks.lock() else { return };
        for (mid, _) in streams.iter().filter(|(_, bound)| *bound == stream) {
            if let Some(ask) = asks.get(mid) {
                ask.notify_one();
            }
        }
    }

    /// Asks for a key frame on one m-line.
    pub(crate) fn ask_key_frame_on(&self, mid: &str) {
        if let Some(ask) = self.0.asks.lock().ok().and_then(|asks| asks.get(mid).cloned()) {
            ask.notify_one();
        }
    }

    fn register(&self, mid: &str) -> Arc<Notify> {
        let mut asks = self.0.asks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(asks.entry(mid.to_owned()).or_default())
    }
}

/// A connection that plays.
pub(crate) struct Player {
    peer: Peer,
    handle: PlayerHandle,
    reports: Arc<ReportBook>,
    sink: Sink,
    clock: Clock,
    receivers: JoinSet<()>,
}

impl Player {
    /// Makes a connection without m-lines.
    pub(crate) async fn new(plan: &PeerPlan, sink: Sink, clock: Clock) -> Result<Self, SfuError> {
        Ok(Self {
            // Nothing is sent.
            peer: Peer::new(plan, 0).await?,
            handle: PlayerHandle::default(),
            reports: Arc::default(),
            sink,
            clock,
            receivers: JoinSet::new(),
        })
    }

    /// Adds m-lines to receive.
    pub(crate) async fn add_lines(&self, kind: MediaKind, count: u8) -> Result<(), SfuError> {
        let kind = match kind {
            MediaKind::Audio => RtpCodecKind::Audio,
            MediaKind::Video => RtpCodecKind::Video,
        };
        for _ in 0..count {
            let init = RTCRtpTransceiverInit {
                direction: RTCRtpTransceiverDirection::Recvonly,
                ..RTCRtpTransceiverInit::default()
            };
            self.peer.connection().add_transceiver_from_kind(kind, Some(init)).await.map_err(local)?;
        }
        Ok(())
    }

    /// What signalling needs.
    pub(crate) fn signalling(&self) -> &PeerSignalling {
        self.peer.signalling()
    }

    /// Who is on which m-line.
    pub(crate) fn handle(&self) -> PlayerHandle {
        self.handle.clone()
    }

    /// Waits until media can flow.
    pub(crate) async fn connected(&mut self) -> Result<(), SfuError> {
        for event in self.peer.connected().await? {
            self.take(event).await;
        }
        Ok(())
    }

    /// Receives until the connection is lost. Dropping the future is safe.
    pub(crate) async fn run(&mut self) -> LossReason {
        loop {
            tokio::select! {
                event = self.peer.events.recv() => match event {
                    Some(PeerEvent::Silent) => return LossReason::Silence,
                    Some(PeerEvent::Ended) | None => return LossReason::ClosedByServer,
                    Some(event) => self.take(event).await,
                },
                Some(feedback) = self.peer.feedback.recv() => {
                    if let Feedback::SenderReport(report) = feedback {
                        self.reports.note(report);
                    }
                }
            }
        }
    }

    /// Ends the connection in an orderly way.
    pub(crate) async fn close(&self) {
        self.peer.close().await;
    }

    async fn take(&mut self, event: PeerEvent) {
        let PeerEvent::Track(track) = event else { return };
        let kind = match track.kind().await {
            RtpCodecKind::Audio => MediaKind::Audio,
            RtpCodecKind::Video => MediaKind::Video,
            _ => return,
        };
        let Some(mid) = self.mid_of(&track).await else {
            tracing::warn!("a remote track has no m-line");
            return;
        };
        let receiver = TrackReceiver {
            ask: self.handle.register(&mid),
            mid,
            kind,
            track,
            player: self.handle.clone(),
            reports: Arc::clone(&self.reports),
            sink: self.sink.clone(),
            clock: self.clock,
        };
        self.receivers.spawn(receiver.run());
    }

    async fn mid_of(&self, track: &Arc<dyn TrackRemote>) -> Option<String> {
        let wanted = track.track_id().await;
        for transceiver in self.peer.connection().get_transceivers().await {
            if let Ok(Some(receiver)) = transceiver.receiver().await
                && receiver.track().track_id().await == wanted
            {
                return transceiver.mid().await.ok().flatten();
            }
        }
        None
    }
}
