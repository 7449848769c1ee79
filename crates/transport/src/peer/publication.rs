//! Our media on its way to the SFU: one connection, its tracks, and the loop that sends.

use std::time::Duration;

use incamera_types::{Context, MediaKind};
use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use tokio::time::{Instant, sleep_until};

use super::description::media_lines;
use super::feedback::Feedback;
use super::keyframes::KeyFrameThrottle;
use super::pacer::Pacer;
use super::send_track::{SendTrack, track_plans};
use super::{Peer, PeerEvent, PeerPlan, PeerSignalling};
use crate::outbox::Outgoing;
use crate::sink::Sink;
use crate::{LossReason, OwnStream, PublishPlan, SfuError, SfuEvent};

/// Key frames asked of one layer: at most one in this time (wire.md §9).
const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(100);

/// How often a changed bandwidth estimate is reported, at most.
const BANDWIDTH_INTERVAL: Duration = Duration::from_millis(200);

/// Later than anything that happens.
const NEVER: Duration = Duration::from_secs(3_600);

/// A connection that publishes.
pub(crate) struct Publication {
    stream: OwnStream,
    peer: Peer,
    tracks: Vec<SendTrack>,
}

impl Publication {
    /// Makes a connection with the tracks of `plan`.
    pub(crate) async fn new(
        peer_plan: &PeerPlan,
        stream: OwnStream,
        plan: &PublishPlan,
    ) -> Result<Self, SfuError> {
        let plans = track_plans(plan)?;
        let peer = Peer::new(peer_plan, plan.start_bandwidth_bps()).await?;
        let mut tracks = Vec::with_capacity(plans.len());
        for plan in &plans {
            tracks.push(SendTrack::add(peer.connection(), plan).await?);
        }
        Ok(Self { stream, peer, tracks })
    }

    /// What signalling needs.
    pub(crate) fn signalling(&self) -> &PeerSignalling {
        self.peer.signalling()
    }

    /// Keeps the tracks that the server takes by the description that was `agreed` on.
    pub(crate) fn keep_accepted(&mut self, agreed: &str) {
        let lines = media_lines(agreed);
        self.tracks.retain(|track| lines.iter().any(|line| line.active && line.kind == Some(track.kind())));
    }

    /// What of `plan` the server does not take.
    pub(crate) fn refused(&self, plan: &PublishPlan) -> Option<SfuError> {
        let carries = |kind| self.tracks.iter().any(|track| track.kind() == kind);
        if plan.audio.is_some() && !carries(MediaKind::Audio) {
            return Some(SfuError::NoSound);
        }
        (plan.video.is_some() && !carries(MediaKind::Video)).then_some(SfuError::NoPictures)
    }

    /// Waits until media can flow.
    pub(crate) async fn connected(&mut self) -> Result<(), SfuError> {
        self.peer.connected().await?;
        for track in &mut self.tracks {
            track.bind().await?;
        }
        Ok(())
    }

    /// What this connection carries.
    pub(crate) fn contexts(&self) -> Vec<Context> {
        self.tracks.iter().flat_map(SendTrack::contexts).collect()
    }

    /// Sends what comes until the connection is lost. Dropping the future is safe.
    pub(crate) async fn run(&mut self, outgoing: &mut Outgoing, sink: &Sink) -> LossReason {
        let mut flow = Flow::new(self.stream, *self.peer.bandwidth.borrow());
        loop {
            let wake = flow.next_wake();
            tokio::select! {
                biased;
                event = self.peer.events.recv() => match event {
                    Some(PeerEvent::Silent) => return LossReason::Silence,
                    Some(PeerEvent::Ended) | None => return LossReason::ClosedByServer,
                    Some(PeerEvent::Connected | PeerEvent::Track(_)) => {}
                },
                Some(frame) = outgoing.audio.recv() => {
                    // Straight to the network: speech does not wait behind pictures.
                    for packet in packets(&mut self.tracks, MediaKind::Audio, &frame) {
                        self.write(MediaKind::Audio, packet, sink).await;
                    }
                }
                Some(feedback) = self.peer.feedback.recv() => self.take_feedback(feedback, &mut flow, sink),
                () = sleep_until(wake) => self.wake(&mut flow, sink).await,
                Some(frame) = outgoing.video.recv() => {
                    for packet in packets(&mut self.tracks, MediaKind::Video, &frame) {
                        flow.pacer.push(packet);
                    }
                    for context in outgoing.take_broken() {
                        flow.want_key_frame(context, sink);
                    }
                }
                Ok(()) = self.peer.bandwidth.changed() => {
                    let target = *self.peer.bandwidth.borrow_and_update();
                    flow.set_target(target);
                }
            }
        }
    }

    /// Ends the connection in an orderly way.
    pub(crate) async fn close(&self) {
        self.peer.close().await;
    }

    fn take_feedback(&self, feedback: Feedback, flow: &mut Flow, sink: &Sink) {
        if let Feedback::KeyFrameWanted { ssrc } = feedback
            && let Some(context) = self.tracks.iter().find_map(|track| track.context_of(ssrc))
            && context.kind() == MediaKind::Video
        {
            flow.want_key_frame(context, sink);
        }
    }

    async fn wake(&self, flow: &mut Flow, sink: &Sink) {
        let now = Instant::now();
        while let Some(packet) = flow.pacer.pop(now) {
            self.write(MediaKind::Video, packet, sink).await;
        }
        flow.report(now, sink);
    }

    async fn write(&self, kind: MediaKind, packet: rtc::rtp::Packet, sink: &Sink) {
        let Some(track) = self.tracks.iter().find(|track| track.kind() == kind) else { return };
        let payload_bytes = packet.payload.len() as u64;
        match track.write(packet).await {
            Ok(()) => {
                sink.counters.packets_sent.fetch_add(1, Relaxed);
                sink.counters.payload_bytes_sent.fetch_add(payload_bytes, Relaxed);
            }
            Err(error) => tracing::debug!(%error, "a packet was not sent"),
        }
    }
}

fn packets(
    tracks: &mut [SendTrack],
    kind: MediaKind,
    frame: &incamera_sframe::SealedFrame,
) -> Vec<rtc::rtp::Packet> {
    tracks.iter_mut().find(|track| track.kind() == kind).map(|track| track.packets(frame)).unwrap_or_default()
}

/// What the sending loop keeps in mind.
struct Flow {
    stream: OwnStream,
    pacer: Pacer,
    key_frames: HashMap<Context, KeyFrameThrottle>,
    target_bps: u32,
    reported_bps: u32,
    report_at: Instant,
}

impl Flow {
    fn new(stream: OwnStream, target_bps: u32) -> Self {
        let now = Instant::now();
        Self {
            stream,
            pacer: Pacer::new(now, target_bps),
            key_frames: HashMap::new(),
            target_bps,
            reported_bps: 0,
            report_at: now,
        }
    }

    fn set_target(&mut self, target_bps: u32) {
        self.target_bps = target_bps;
        self.pacer.set_target(target_bps);
    }

    fn want_key_frame(&mut self, context: Context, sink: &Sink) {
        let throttle =
            self.key_frames.entry(context).or_insert_with(|| KeyFrameThrottle::new(KEY_FRAME_INTERVAL));
        if throttle.request(Instant::now()) {
            sink.hint(SfuEvent::KeyFrameWanted { context });
        }
    }

    fn next_wake(&self) -> Instant {
        let requests = self.key_frames.values().filter_map(KeyFrameThrottle::deadline);
        let report = (self.target_bps != self.reported_bps).then_some(self.report_at);
        let earliest = requests.chain(self.pacer.deadline()).chain(report).min();
        earliest.unwrap_or_else(|| Instant::now() + NEVER)
    }

    fn report(&mut self, now: Instant, sink: &Sink) {
        for (context, throttle) in &mut self.key_frames {
            if throttle.poll(now) {
                sink.hint(SfuEvent::KeyFrameWanted { context: *context });
            }
        }
        if self.target_bps != self.reported_bps && now >= self.report_at {
            self.reported_bps = self.target_bps;
            self.report_at = now + BANDWIDTH_INTERVAL;
            sink.hint(SfuEvent::Bandwidth { stream: self.stream, target_bps: self.target_bps });
        }
    }
}
