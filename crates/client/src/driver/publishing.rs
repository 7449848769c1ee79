//! What we send: the plan, the capture threads, and how much the network carries.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use incamera_devices::{
    AudioCaptured, AudioSource, DriverHandle, VideoSource, VoiceProcessing, capture_audio,
};
use incamera_media::opus::Signal;
use incamera_meeting::StreamView;
use incamera_transport::{AudioPlan, OwnStream, PublishPlan};
use incamera_types::{Context, Fault, Mono};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::video_stream::{Captured, VideoStream};
use crate::ClientError;
use crate::event::{Event, LocalEvent, Problem, Source};
use crate::exchange::{Heard, Opener, Order, Seen};
use crate::options::Begin;
use crate::outgoing::{Flow, PicturePlan, SealingHandle, SoundControls, SoundEncoder, Switch};

/// Announcements that cross each other come within this time.
const JUST_BEGUN: Duration = Duration::from_secs(5);

/// Kept free for sound with its headers, kbit/s.
const AUDIO_RESERVE_KBPS: u32 = 60;

/// Where captured media goes and what is known about sending.
pub(crate) struct Publishing {
    audio: Option<Heard>,
    video: Option<Seen>,
    microphone_orders: Sender<Order<dyn AudioSource>>,
    /// `None` where nothing is ever seen of us.
    camera_orders: Option<Sender<Order<dyn VideoSource>>>,
    /// What a camera that is switched off is opened by again.
    camera_opener: Option<Opener<dyn VideoSource>>,
    begin: Begin,
    microphone: Arc<SoundControls>,
    camera: Option<VideoStream>,
    screen: Option<SharedScreen>,
    sealing: SealingHandle,
    events: UnboundedSender<Event>,
    /// `None` until the first estimate.
    estimate_kbps: Option<u32>,
    flow: Flow,
    is_connected: bool,
    captures: Vec<DriverHandle>,
}

/// The screen that is shared.
struct SharedScreen {
    stream: VideoStream,
    source: Option<Box<dyn VideoSource>>,
    /// When the others were first told; `None` before we are in the meeting.
    announced: Option<Mono>,
    is_connected: bool,
    /// `None` until the first estimate.
    estimate_kbps: Option<u32>,
    capture: Option<Capture>,
}

/// A running capture thread, and how its end is noticed.
struct Capture {
    _thread: DriverHandle,
    /// Closed when the thread is over.
    over: oneshot::Receiver<()>,
}

impl Publishing {
    pub(crate) fn new(
        audio: Option<Box<dyn AudioSource>>,
        video: Option<Box<dyn VideoSource>>,
        begin: Begin,
        camera: Option<PicturePlan>,
        audio_kbps: u32,
        sealing: SealingHandle,
        events: UnboundedSender<Event>,
    ) -> Self {
        let (audio, microphone_orders) = Heard::new(audio, events.clone());
        let camera = camera.map(|plan| (plan.format, VideoStream::new(plan, AUDIO_RESERVE_KBPS)));
        let seen = camera
            .as_ref()
            .map(|(format, stream)| Seen::new(*format, video, stream.shared_controls(), events.clone()));
        let (video, camera_orders) = seen.unzip();
        Self {
            audio: Some(audio),
            video,
            microphone_orders,
            camera_orders,
            camera_opener: None,
            begin,
            microphone: Arc::new(SoundControls::new(audio_kbps)),
            camera: camera.map(|(_, stream)| stream),
            screen: None,
            sealing,
            events,
            estimate_kbps: None,
            flow: Flow::Stopped,
            is_connected: false,
            captures: Vec::new(),
        }
    }

    pub(super) fn set_microphone(&self, switch: Switch) {
        self.microphone.set_microphone(switch);
    }

    /// Shows the camera or not; one that can be opened again is closed meanwhile.
    pub(super) fn set_camera(&self, switch: Switch) {
        if let Some(camera) = &self.camera {
            camera.controls().switch(switch);
        }
        if let Some(opener) = &self.camera_opener {
            self.order_camera((switch == Switch::On).then(|| opener.clone()));
        }
    }

    /// Speaks through another microphone.
    pub(super) fn use_microphone(&self, opener: Opener<dyn AudioSource>) {
        // The capture thread has ended: its problem was told.
        let _ = self.microphone_orders.send(Order::Use(Some(opener)));
    }

    /// What tells the microphone which devices there are.
    pub(super) fn microphone_orders(&self) -> Sender<Order<dyn AudioSource>> {
        self.microphone_orders.clone()
    }

    /// Shows another camera, or none.
    pub(super) fn use_camera(&mut self, opener: Option<Opener<dyn VideoSource>>) {
        self.camera_opener = opener;
        let is_on = self.camera.as_ref().is_some_and(|camera| camera.controls().is_on());
        self.order_camera(self.camera_opener.clone().filter(|_| is_on));
    }

    fn order_camera(&self, opener: Option<Opener<dyn VideoSource>>) {
        if let Some(orders) = &self.camera_orders {
            // The capture thread has ended: its problem was told.
            let _ = orders.send(Order::Use(opener));
        }
    }

    pub(super) fn estimate_kbps(&self) -> u32 {
        let screen = self.screen.as_ref().and_then(|screen| screen.estimate_kbps);
        self.estimate_kbps.unwrap_or_default() + screen.unwrap_or_default()
    }

    /// Sound and camera, for the SFU.
    pub(super) fn plan(&self) -> PublishPlan {
        PublishPlan {
            audio: Some(AudioPlan { context: Context::Microphone }),
            video: self.camera.as_ref().map(VideoStream::plan),
        }
    }

    /// The screen, for the SFU.
    pub(super) fn screen_plan(&self) -> Option<PublishPlan> {
        let video = Some(self.screen.as_ref()?.stream.plan());
        Some(PublishPlan { audio: None, video })
    }

    /// What is on of all that we may send, for the other members.
    pub(super) fn announcement(&self) -> Vec<StreamView> {
        let sound = StreamView { context: Context::Microphone, width: 0, height: 0 };
        let sound = self.microphone.microphone_is_on().then_some(sound);
        let pictures = self.pictures().filter(|stream| stream.controls().is_on());
        sound.into_iter().chain(pictures.flat_map(VideoStream::announcement)).collect()
    }

    fn pictures(&self) -> impl Iterator<Item = &VideoStream> {
        self.camera.iter().chain(self.screen.as_ref().map(|screen| &screen.stream))
    }

    fn pictures_mut(&mut self) -> impl Iterator<Item = &mut VideoStream> {
        self.camera.iter_mut().chain(self.screen.as_mut().map(|screen| &mut screen.stream))
    }

    pub(super) fn set_flow(&mut self, flow: Flow) {
        self.flow = flow;
    }

    pub(super) fn is_flowing(&self) -> bool {
        self.flow == Flow::Open
    }

    pub(super) fn set_connected(&mut self, stream: OwnStream) {
        match (stream, &mut self.screen) {
            (OwnStream::Person, _) => self.is_connected = true,
            (OwnStream::Screen, Some(screen)) => screen.is_connected = true,
            (OwnStream::Screen, None) => {}
        }
    }

    /// Whether nothing is sent before another participant is there.
    pub(super) fn waits_for_company(&self) -> bool {
        self.begin == Begin::InCompany
    }

    /// Another participant is there.
    pub(super) fn set_in_company(&mut self) {
        self.begin = Begin::AtOnce;
    }

    /// Begins to share a screen, in the place of the one that is shared so far.
    pub(super) fn share(&mut self, source: Box<dyn VideoSource>) {
        let stream = VideoStream::new(PicturePlan::screen(source.format()), 0);
        // The same plan is not published again.
        let same = self.screen.as_ref().filter(|shared| shared.stream.plan() == stream.plan());
        let is_connected = same.is_some_and(|shared| shared.is_connected);
        let estimate_kbps = same.and_then(|shared| shared.estimate_kbps);
        let source = Some(source);
        self.screen = Some(SharedScreen {
            stream,
            source,
            announced: None,
            is_connected,
            estimate_kbps,
            capture: None,
        });
    }

    /// Ends the capture of the screen. Whether one was shared.
    pub(super) fn stop_sharing(&mut self) -> bool {
        self.screen.take().is_some()
    }

    /// The others are told what we send.
    pub(super) fn announced(&mut self, now: Mono) {
        if let Some(screen) = &mut self.screen {
            screen.announced.get_or_insert(now);
        }
    }

    /// Whether a screen is shared of which the others can hardly have known when they began themselves.
    pub(super) fn has_just_begun_sharing(&self, now: Mono) -> bool {
        let announced = self.screen.as_ref().map(|screen| screen.announced);
        announced.is_some_and(|at| at.is_none_or(|at| now.since(at) < JUST_BEGUN))
    }

    /// Waits until the screen that is shared gives no more pictures; for ever while none is.
    pub(super) async fn screen_ended(&mut self) {
        match self.screen.as_mut().and_then(|screen| screen.capture.as_mut()) {
            // Nothing is ever sent: the thread holds the other end.
            Some(capture) => drop((&mut capture.over).await),
            None => std::future::pending().await,
        }
    }

    /// Starts the capture threads, once, when what they give can be sent, and received if that matters.
    pub(super) fn start_capture(&mut self) -> Result<(), ClientError> {
        if self.flow != Flow::Open || self.begin == Begin::InCompany {
            return Ok(());
        }
        if self.is_connected {
            if let Some(source) = self.audio.take() {
                self.captures.push(self.capture_sound(source)?);
            }
            if let (Some(source), Some(camera)) = (self.video.take(), &self.camera) {
                let (sealing, events) = (self.sealing.clone(), self.events.clone());
                let tell = move |captured| tell_captured(&events, Source::Video, captured);
                self.captures.push(camera.capture(Box::new(source), sealing, tell)?);
            }
        }
        if let Some(screen) = self.screen.as_mut().filter(|screen| screen.is_connected)
            && let Some(source) = screen.source.take()
        {
            let (sealing, events) = (self.sealing.clone(), self.events.clone());
            let (held, over) = oneshot::channel::<()>();
            let thread = screen.stream.capture(source, sealing, move |captured| {
                let _held = &held;
                tell_captured(&events, Source::Screen, captured);
            })?;
            screen.capture = Some(Capture { _thread: thread, over });
        }
        Ok(())
    }

    fn capture_sound(&self, source: Heard) -> Result<DriverHandle, ClientError> {
        let signal = match source.voice_processing() {
            VoiceProcessing::Apply => Signal::Voice,
            VoiceProcessing::Bypass => Signal::Music,
        };
        let mut encoder = SoundEncoder::new(signal, Arc::clone(&self.microphone), self.sealing.clone())?;
        let events = self.events.clone();
        Ok(capture_audio(source, move |captured| match captured {
            AudioCaptured::Block(block) => report(&events, encoder.block(block)),
            AudioCaptured::Ended => {}
            AudioCaptured::Failed(error) => tell(&events, LocalEvent::Problem(Problem::of(&error))),
        })?)
    }

    /// Somebody joined: one key frame in each layer, at once.
    pub(super) fn force_key_frames(&mut self, now: Mono) {
        self.pictures_mut().for_each(|stream| stream.force_key_frames(now));
    }

    /// Key frames again and again, for whoever may be on the way.
    pub(super) fn repeat_key_frames(&mut self, now: Mono) {
        self.pictures_mut().for_each(|stream| stream.repeat_key_frames(now));
    }

    /// The SFU or a receiver needs a key frame.
    pub(super) fn key_frame_wanted(&mut self, now: Mono, context: Context) {
        self.pictures_mut().for_each(|stream| stream.key_frame_wanted(now, context));
    }

    /// Makes the key frames that were put off and may be made now.
    pub(super) fn make_key_frames(&mut self, now: Mono) {
        self.pictures_mut().for_each(|stream| stream.make_key_frames(now));
    }

    /// When [`Publishing::make_key_frames`] has something to do.
    pub(super) fn next_key_frame(&self) -> Option<Mono> {
        self.pictures().filter_map(VideoStream::next_key_frame).min()
    }

    /// The network carries so much of a stream.
    pub(super) fn bandwidth(&mut self, now: Mono, stream: OwnStream, target_bps: u32) {
        let estimate_kbps = Some(target_bps / 1_000);
        match (stream, &mut self.screen) {
            (OwnStream::Person, _) => self.estimate_kbps = estimate_kbps,
            (OwnStream::Screen, Some(screen)) => screen.estimate_kbps = estimate_kbps,
            (OwnStream::Screen, None) => {}
        }
        self.share_bandwidth(now);
    }

    /// Shares the latest estimates among the layers.
    pub(super) fn share_bandwidth(&mut self, now: Mono) {
        if let (Some(camera), Some(estimate_kbps)) = (&mut self.camera, self.estimate_kbps) {
            camera.share_bandwidth(now, estimate_kbps);
        }
        if let Some(SharedScreen { stream, estimate_kbps: Some(estimate_kbps), .. }) = &mut self.screen {
            stream.share_bandwidth(now, *estimate_kbps);
        }
    }

    /// Ends the capture threads.
    pub(super) fn stop(&mut self) {
        self.captures.clear();
        self.screen = None;
    }
}

fn tell(events: &UnboundedSender<Event>, event: LocalEvent) {
    // Nobody listens: the meeting is over.
    let _ = events.send(event.into());
}

fn tell_captured(events: &UnboundedSender<Event>, source: Source, captured: Captured) {
    tell(
        events,
        match captured {
            Captured::Ended => LocalEvent::SourceEnded { source },
            Captured::Failed(error) => LocalEvent::Problem(Problem::of(&error)),
        },
    );
}

fn report<E: Fault>(events: &UnboundedSender<Event>, encoded: Result<(), E>) {
    if let Err(error) = encoded {
        tell(events, LocalEvent::Problem(Problem::of(&error)));
    }
}
