//! What we send: the plan, the capture threads, and how much the network carries.

use std::sync::Arc;
use std::time::Duration;

use incamera_devices::{
    AudioBlock, AudioCaptured, AudioSource, DeviceError, DriverHandle, Polled, SilenceSource, VideoCaptured,
    VideoSource, VoiceProcessing, capture_audio, capture_video,
};
use incamera_media::opus::Signal;
use incamera_media::rate::{LayerLimits, RateConfig, RateMachine};
use incamera_media::vp8::{Layer, LayerRate};
use incamera_meeting::StreamView;
use incamera_transport::{AudioPlan, LayerPlan, PublishPlan, VideoPlan};
use incamera_types::{Context, Fault, Mono};
use tokio::sync::mpsc::UnboundedSender;

use crate::ClientError;
use crate::event::{Event, LocalEvent, Problem, Source};
use crate::options::Begin;
use crate::outgoing::{
    CameraPlan, Flow, SealingHandle, SendControls, SoundEncoder, VideoEncoder, camera_context,
};

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

/// Kept free for sound with its headers, kbit/s.
const AUDIO_RESERVE_KBPS: u32 = 60;

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

/// Where captured media goes and what is known about sending.
pub(crate) struct Publishing {
    audio: Option<Box<dyn AudioSource>>,
    video: Option<Box<dyn VideoSource>>,
    begin: Begin,
    camera: Option<CameraPlan>,
    controls: Arc<SendControls>,
    sealing: SealingHandle,
    events: UnboundedSender<Event>,
    rate: RateMachine,
    /// `None` until the first estimate.
    estimate_kbps: Option<u32>,
    flow: Flow,
    is_connected: bool,
    key_frames: [KeyFrames; 3],
    /// When key frames are due that nobody asked for, soonest first.
    repeated: Vec<Mono>,
    captures: Vec<DriverHandle>,
}

impl Publishing {
    pub(crate) fn new(
        audio: Box<dyn AudioSource>,
        video: Option<Box<dyn VideoSource>>,
        begin: Begin,
        camera: Option<CameraPlan>,
        audio_kbps: u32,
        sealing: SealingHandle,
        events: UnboundedSender<Event>,
    ) -> Self {
        let layer_kbps = camera.map_or([0; 3], |plan| plan.layer_kbps);
        let limits = layer_kbps
            .map(|kbps| (kbps > 0).then_some(LayerLimits { min_kbps: (kbps / 8).max(30), max_kbps: kbps }));
        let rate = RateMachine::new(RateConfig { audio_reserve_kbps: AUDIO_RESERVE_KBPS, layers: limits });
        Self {
            audio: Some(audio),
            video,
            begin,
            camera,
            controls: Arc::new(SendControls::new(layer_kbps, audio_kbps)),
            sealing,
            events,
            rate,
            estimate_kbps: None,
            flow: Flow::Stopped,
            is_connected: false,
            key_frames: [KeyFrames::default(); 3],
            repeated: Vec::new(),
            captures: Vec::new(),
        }
    }

    pub(super) fn controls(&self) -> &SendControls {
        &self.controls
    }

    pub(super) fn estimate_kbps(&self) -> u32 {
        self.estimate_kbps.unwrap_or_default()
    }

    /// Everything that we may send, for the SFU.
    pub(super) fn plan(&self) -> PublishPlan {
        let layer = |(layer, (width, height), kbps): (Layer, (u32, u32), u32)| LayerPlan {
            context: camera_context(layer),
            width: u16::try_from(width).unwrap_or(u16::MAX),
            height: u16::try_from(height).unwrap_or(u16::MAX),
            max_bitrate_bps: kbps.saturating_mul(1_000),
        };
        PublishPlan {
            audio: Some(AudioPlan { context: Context::Microphone }),
            video: self.camera.map(|camera| VideoPlan { layers: camera.layers().map(layer).collect() }),
        }
    }

    /// The same for the other members.
    pub(super) fn announcement(&self) -> Vec<StreamView> {
        let plan = self.plan();
        let audio = plan.audio.map(|audio| StreamView { context: audio.context, width: 0, height: 0 });
        let layers = plan.video.into_iter().flat_map(|video| video.layers);
        let video = layers.map(|layer| StreamView {
            context: layer.context,
            width: layer.width,
            height: layer.height,
        });
        audio.into_iter().chain(video).collect()
    }

    /// The most that we want to send, in bit/s: where the bandwidth estimate begins.
    pub(super) fn start_bandwidth_bps(&self) -> u32 {
        let video_kbps: u32 = self.camera.map_or(0, |plan| plan.layer_kbps.iter().sum());
        // Media takes 90 % of an estimate at the most, and a little must be left to grow.
        (video_kbps + AUDIO_RESERVE_KBPS).saturating_mul(1_250)
    }

    pub(super) fn set_flow(&mut self, flow: Flow) {
        self.flow = flow;
    }

    pub(super) fn is_flowing(&self) -> bool {
        self.flow == Flow::Open
    }

    pub(super) fn set_connected(&mut self) {
        self.is_connected = true;
    }

    /// Whether nothing is sent before another participant is there.
    pub(super) fn waits_for_company(&self) -> bool {
        self.begin == Begin::InCompany
    }

    /// Another participant is there.
    pub(super) fn set_in_company(&mut self) {
        self.begin = Begin::AtOnce;
    }

    /// Starts the capture threads, once, when what they give can be sent, and received if that matters.
    pub(super) fn start_capture(&mut self) -> Result<(), ClientError> {
        if self.flow != Flow::Open || !self.is_connected || self.begin == Begin::InCompany {
            return Ok(());
        }
        if let Some(source) = self.audio.take() {
            self.captures.push(self.capture_sound(source)?);
        }
        if let (Some(source), Some(camera)) = (self.video.take(), self.camera) {
            self.captures.push(self.capture_pictures(source, &camera)?);
        }
        Ok(())
    }

    fn capture_sound(&self, source: Box<dyn AudioSource>) -> Result<DriverHandle, ClientError> {
        let signal = match source.voice_processing() {
            VoiceProcessing::Apply => Signal::Voice,
            VoiceProcessing::Bypass => Signal::Music,
        };
        let mut encoder = SoundEncoder::new(signal, Arc::clone(&self.controls), self.sealing.clone())?;
        let events = self.events.clone();
        let source =
            EndsInSilence { source: Some(source), silence: SilenceSource::new(), events: events.clone() };
        Ok(capture_audio(source, move |captured| match captured {
            AudioCaptured::Block(block) => report(&events, encoder.block(block)),
            AudioCaptured::Ended => {}
            AudioCaptured::Failed(error) => tell(&events, LocalEvent::Problem(Problem::of(&error))),
        })?)
    }

    fn capture_pictures(
        &self,
        source: Box<dyn VideoSource>,
        camera: &CameraPlan,
    ) -> Result<DriverHandle, ClientError> {
        let mut encoder = VideoEncoder::new(camera, Arc::clone(&self.controls), self.sealing.clone())?;
        let events = self.events.clone();
        Ok(capture_video(source, move |captured| match captured {
            VideoCaptured::Frame(frame) => report(&events, encoder.picture(frame)),
            VideoCaptured::Ended => tell(&events, LocalEvent::SourceEnded { source: Source::Video }),
            VideoCaptured::Failed(error) => tell(&events, LocalEvent::Problem(Problem::of(&error))),
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

    /// The SFU or a receiver needs a key frame.
    pub(super) fn key_frame_wanted(&mut self, now: Mono, context: Context) {
        let Some(layer) = Layer::ALL.into_iter().find(|layer| camera_context(*layer) == context) else {
            return;
        };
        self.key_frames[layer.index()].is_due = true;
        self.make_key_frames(now);
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

    /// When [`Publishing::make_key_frames`] has something to do.
    pub(super) fn next_key_frame(&self) -> Option<Mono> {
        let asked = self.key_frames.iter().filter_map(KeyFrames::deadline);
        asked.chain(self.repeated.iter().copied()).min()
    }

    /// The network carries so much.
    pub(super) fn bandwidth(&mut self, now: Mono, target_bps: u32) {
        self.estimate_kbps = Some(target_bps / 1_000);
        self.share_bandwidth(now);
    }

    /// Shares the latest estimate among the layers. Due once a second also when it has not changed: a layer comes on
    /// after it would have fit for a while.
    pub(super) fn share_bandwidth(&mut self, now: Mono) {
        let Some(estimate_kbps) = self.estimate_kbps else { return };
        if let Some(decision) = self.rate.handle_estimate(now, estimate_kbps) {
            let kbps = decision.layers.map(|rate| match rate {
                LayerRate::Off => 0,
                LayerRate::Kbps(kbps) => kbps,
            });
            self.controls.set_layer_kbps(kbps);
        }
    }

    /// Ends the capture threads.
    pub(super) fn stop(&mut self) {
        self.captures.clear();
    }
}

/// A recording that has come to its end is followed by silence: a stream that stops would look like a fault.
struct EndsInSilence {
    source: Option<Box<dyn AudioSource>>,
    silence: SilenceSource,
    events: UnboundedSender<Event>,
}

impl AudioSource for EndsInSilence {
    fn poll_block(&mut self, now: Mono, block: &mut AudioBlock) -> Result<Polled, DeviceError> {
        if let Some(source) = &mut self.source {
            match source.poll_block(now, block)? {
                Polled::Ended => {
                    self.source = None;
                    tell(&self.events, LocalEvent::SourceEnded { source: Source::Audio });
                }
                polled => return Ok(polled),
            }
        }
        self.silence.poll_block(now, block)
    }
}

fn tell(events: &UnboundedSender<Event>, event: LocalEvent) {
    // Nobody listens: the meeting is over.
    let _ = events.send(event.into());
}

fn report<E: Fault>(events: &UnboundedSender<Event>, encoded: Result<(), E>) {
    if let Err(error) = encoded {
        tell(events, LocalEvent::Problem(Problem::of(&error)));
    }
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
