//! A stream of pictures that we send: what the network carries of it, and when its layers get key frames.

use std::sync::Arc;
use std::time::Duration;

use incamera_devices::{DriverHandle, VideoCaptured, VideoSource, capture_video};
use incamera_media::rate::{LayerLimits, RateConfig, RateMachine};
use incamera_media::vp8::{Layer, LayerRate};
use incamera_meeting::StreamView;
use incamera_transport::{LayerPlan, VideoPlan};
use incamera_types::{Context, Mono};

use crate::ClientError;
use crate::outgoing::{PictureControls, PicturePlan, SealingHandle, VideoEncoder};

/// A key frame that the SFU asks for is made at once, then not again for this long: one frame interval would let
/// an SFU that repeats itself 240 times a second eat the bit rate.
const KEY_FRAME_EVERY: Duration = Duration::from_millis(250);

/// After somebody joined, key frames that nobody asked for: until the slowest player has connected.
const REPEATED_KEY_FRAMES: [Duration; 4] = [
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1_200),
    Duration::from_millis(2_000),
];

/// Key frames of one layer. A request that comes too early is put off, not dropped: who asked may be somebody who
/// joined a moment after the last one.
#[derive(Clone, Copy, Default)]
struct KeyFrames {
    made: Option<Mono>,
    is_due: bool,
}

impl KeyFrames {
    fn deadline(&self) -> Option<Mono> {
        let after = self.made.map_or(Mono::default(), |made| made.plus(KEY_FRAME_EVERY));
        self.is_due.then_some(after)
    }
}

/// Camera or screen on its way to the others.
pub(super) struct VideoStream {
    plan: PicturePlan,
    controls: Arc<PictureControls>,
    rate: RateMachine,
    key_frames: [KeyFrames; 3],
    /// When key frames are due that nobody asked for, soonest first.
    repeated: Vec<Mono>,
}

impl VideoStream {
    /// A stream that leaves `audio_reserve_kbps` of the estimate to sound.
    pub(super) fn new(plan: PicturePlan, audio_reserve_kbps: u32) -> Self {
        let layers = plan
            .layer_kbps()
            .map(|kbps| (kbps > 0).then_some(LayerLimits { min_kbps: (kbps / 8).max(30), max_kbps: kbps }));
        Self {
            plan,
            controls: Arc::new(PictureControls::new(plan.layer_kbps())),
            rate: RateMachine::new(RateConfig { audio_reserve_kbps, layers }),
            key_frames: [KeyFrames::default(); 3],
            repeated: Vec::new(),
        }
    }

    pub(super) fn controls(&self) -> &PictureControls {
        &self.controls
    }

    /// The same for whoever gives the pictures.
    pub(super) fn shared_controls(&self) -> Arc<PictureControls> {
        Arc::clone(&self.controls)
    }

    /// What may be sent, for the SFU.
    pub(super) fn plan(&self) -> VideoPlan {
        let layer = |(layer, (width, height), kbps): (Layer, (u32, u32), u32)| LayerPlan {
            context: self.plan.context(layer),
            width: u16::try_from(width).unwrap_or(u16::MAX),
            height: u16::try_from(height).unwrap_or(u16::MAX),
            max_bitrate_bps: kbps.saturating_mul(1_000),
        };
        VideoPlan { layers: self.plan.layers().map(layer).collect() }
    }

    /// The same for the other members.
    pub(super) fn announcement(&self) -> impl Iterator<Item = StreamView> {
        let layers = self.plan().layers.into_iter();
        layers.map(|layer| StreamView { context: layer.context, width: layer.width, height: layer.height })
    }

    /// Encodes what `source` gives on a thread of its own, until it ends or the handle is dropped. `deliver` is told
    /// what came of each picture.
    pub(super) fn capture(
        &self,
        source: Box<dyn VideoSource>,
        sealing: SealingHandle,
        mut deliver: impl FnMut(Captured) + Send + 'static,
    ) -> Result<DriverHandle, ClientError> {
        let mut encoder = VideoEncoder::new(self.plan, Arc::clone(&self.controls), sealing)?;
        Ok(capture_video(source, move |captured| {
            deliver(match captured {
                VideoCaptured::Frame(frame) => match encoder.picture(frame) {
                    Ok(()) => return,
                    Err(error) => Captured::Failed(error.into()),
                },
                VideoCaptured::Ended => Captured::Ended,
                VideoCaptured::Failed(error) => Captured::Failed(error.into()),
            });
        })?)
    }

    /// Somebody joined: one key frame in each layer, at once.
    pub(super) fn force_key_frames(&mut self, now: Mono) {
        for layer in Layer::ALL {
            self.key_frames[layer.index()] = KeyFrames { made: Some(now), is_due: false };
            self.controls.request_key_frame(layer);
        }
    }

    /// Key frames again and again, for whoever may be on the way.
    pub(super) fn repeat_key_frames(&mut self, now: Mono) {
        self.repeated = REPEATED_KEY_FRAMES.map(|after| now.plus(after)).to_vec();
    }

    /// The SFU or a receiver needs a key frame of the layer with this context, if it is one of this stream.
    pub(super) fn key_frame_wanted(&mut self, now: Mono, context: Context) {
        if let Some(layer) = self.plan.layer(context) {
            self.key_frames[layer.index()].is_due = true;
            self.make_key_frames(now);
        }
    }

    /// Makes the key frames that were put off and may be made now.
    pub(super) fn make_key_frames(&mut self, now: Mono) {
        if self.repeated.extract_if(.., |at| *at <= now).count() > 0 {
            self.key_frames.iter_mut().for_each(|key_frames| key_frames.is_due = true);
        }
        for layer in Layer::ALL {
            let key_frames = &mut self.key_frames[layer.index()];
            if key_frames.deadline().is_some_and(|at| at <= now) {
                *key_frames = KeyFrames { made: Some(now), is_due: false };
                self.controls.request_key_frame(layer);
            }
        }
    }

    /// When [`VideoStream::make_key_frames`] has something to do.
    pub(super) fn next_key_frame(&self) -> Option<Mono> {
        let asked = self.key_frames.iter().filter_map(KeyFrames::deadline);
        asked.chain(self.repeated.iter().copied()).min()
    }

    /// Shares the latest estimate among the layers. Due once a second also when it has not changed: a layer comes on
    /// after it would have fit for a while.
    pub(super) fn share_bandwidth(&mut self, now: Mono, estimate_kbps: u32) {
        if let Some(decision) = self.rate.handle_estimate(now, estimate_kbps) {
            let kbps = decision.layers.map(|rate| match rate {
                LayerRate::Off => 0,
                LayerRate::Kbps(kbps) => kbps,
            });
            self.controls.set_layer_kbps(kbps);
        }
    }
}

/// What a capture thread has to say.
pub(super) enum Captured {
    /// The source has come to its end.
    Ended,
    /// It failed, or what it gave could not be encoded.
    Failed(ClientError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn early_requests_for_key_frames_are_put_off_and_not_dropped() {
        let at = |ms: u64| Mono::from_micros(ms * 1_000);
        let mut key_frames = KeyFrames::default();
        assert_eq!(key_frames.deadline(), None);
        key_frames.is_due = true;
        assert_eq!(key_frames.deadline(), Some(Mono::default()));
        key_frames = KeyFrames { made: Some(at(1_000)), is_due: true };
        assert_eq!(key_frames.deadline(), Some(at(1_250)));
    }
}
