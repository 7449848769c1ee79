//! What participants send and what they are given to play.

use core::time::Duration;

use incamera_meeting::frames::{DeliveredFrame, FrameOutput, FrameSealError};
use incamera_meeting::{EpochKeys, Input};
use incamera_sframe::{FrameKind, MediaFrame, MediaTime, Padding, PictureSize, TemporalLayer, UnopenedFrame};
use incamera_types::{Context, FrameBuf, MediaKind, Now};

use crate::actor::Life;
use crate::invariants::Seal;
use crate::network::Happening;
use crate::world::World;

/// Time between two frames of one participant.
const FRAME_EVERY: Duration = Duration::from_millis(200);

impl World {
    pub(crate) fn install(&mut self, actor: usize, keys: EpochKeys) {
        self.check_keys(actor, &keys);
        let client = &mut self.actors[actor];
        client.epochs.insert(keys.epoch.0, keys.authenticator);
        let epoch = keys.epoch.0;
        let sealed = client.sealer.install(&keys);
        let received = client.receiver.install(self.now, keys);
        if let Err(error) = sealed.and(received) {
            self.broken(format_args!(
                "participant {actor} could not take the keys of epoch {epoch}: {error}"
            ));
        }
        self.drain_receiver(actor);
    }

    /// One frame, and the time of the next.
    pub(crate) fn send_media(&mut self, actor: usize) {
        if self.actors[actor].life != Life::Running {
            return;
        }
        let jitter = self.chance.millis(0, 5);
        self.network.schedule(self.now.mono.plus(FRAME_EVERY + jitter), Happening::Media { actor });
        let number = self.actors[actor].frames_sent;
        let (context, kind) = match number % 3 {
            0 if number.is_multiple_of(30) => (Context::CameraHigh, key_frame()),
            0 => (Context::CameraHigh, Some(FrameKind::Vp8Delta)),
            _ => (Context::Microphone, Some(FrameKind::Opus)),
        };
        let Some(kind) = kind else { return };
        let payload = format!("canary media {number} of {actor} in {}", self.seed);
        let client = &mut self.actors[actor];
        let newest = client.sealer.epoch(self.now);
        match client.sealer.seal(self.now, context, frame(self.now, kind, payload.as_bytes())) {
            Ok(sealed) => {
                client.frames_sent += 1;
                let Some(epoch) = newest else { return };
                let bytes = sealed.payload().to_vec();
                let Ok(unopened) = UnopenedFrame::parse(context.kind(), FrameBuf::from_slice(&bytes)) else {
                    return self.broken("a sealed frame does not parse");
                };
                let name = (epoch.0, unopened.kid().value(), sealed.counter());
                let seal = Seal { actor, at: self.now.mono, context, payload };
                self.check_seal(actor, name, seal);
                self.forward(actor, context.kind(), &bytes);
            }
            Err(FrameSealError::Stopped | FrameSealError::NoKeys) => self.counts.add("frame not sent"),
            Err(error) => self.broken(format_args!("participant {actor} could not seal: {error}")),
        }
    }

    pub(crate) fn receive_frame(&mut self, actor: usize, track: MediaKind, bytes: &[u8]) {
        let client = &mut self.actors[actor];
        if client.life == Life::Crashed {
            return;
        }
        let before = client.opened.len();
        client.receiver.handle_frame(self.now, track, FrameBuf::from_slice(bytes));
        self.drain_receiver(actor);
        let client = &self.actors[actor];
        let is_refused = client.opened.len() == before;
        if client.removed_at.is_some() && is_refused {
            self.counts.add("frame after removal refused");
        }
        if is_refused && client.is_in() && client.media_flows && !client.held.is_empty() {
            self.counts.add("frame refused while a member is held");
        }
    }

    pub(crate) fn drain_receiver(&mut self, actor: usize) {
        while let Some(output) = self.actors[actor].receiver.poll_output() {
            match output {
                FrameOutput::Frame(frame) => self.play(actor, &frame),
                FrameOutput::Report(report) if self.actors[actor].life == Life::Running => {
                    self.feed(actor, Input::Media(report));
                }
                FrameOutput::Report(_) => {}
            }
        }
    }

    fn play(&mut self, actor: usize, frame: &DeliveredFrame) {
        self.counts.add("frame opened");
        self.check_opened(actor, frame);
    }
}

fn key_frame() -> Option<FrameKind> {
    PictureSize::new(640, 360).map(FrameKind::Vp8Key)
}

fn frame(now: Now, kind: FrameKind, payload: &[u8]) -> MediaFrame {
    MediaFrame {
        buf: FrameBuf::from_slice(payload),
        kind,
        media_time: MediaTime::default(),
        temporal_layer: TemporalLayer::BASE,
        capture: now.mono,
        padding: Padding::None,
    }
}
