//! A participant without codecs: seals random payloads, and opens and compares what comes.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use incamera_relay_proto::Ticket;
use incamera_sframe::{
    BaseKey, EpochKeyring, FrameKind, FrameNumber, FrameSender, MediaFrame, MediaTime, Padding, PictureSize,
    TemporalLayer, UnopenedFrame,
};
use incamera_transport::{
    AudioPlan, AudioWant, Clock, LayerPlan, LossReason, OwnStream, PublishPlan, ReceivedFrame, SendOutcome,
    Sfu, SfuEvent, SfuSettings, StreamId, VideoPlan, VideoWant, Want, connect_sfu,
};
use incamera_types::{Context, Epoch, FrameBuf, FrameSuite, Kid, LeafIndex, MediaKind, Mono};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

const EPOCH: Epoch = Epoch(3);
const PATIENCE: Duration = Duration::from_secs(20);

fn base_key() -> BaseKey {
    BaseKey::new(FrameSuite::Aes256GcmSha512, vec![7; 32].into()).unwrap()
}

/// A payload that everybody can compute from what the frame says of itself.
fn payload(leaf: LeafIndex, context: Context, counter: u32, key_frame: bool) -> Vec<u8> {
    let seed = u64::from(leaf.0) << 40 | u64::from(context.number()) << 32 | u64::from(counter);
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let most = match (context.kind(), key_frame) {
        (MediaKind::Audio, _) => 120,
        (MediaKind::Video, true) => 12_000,
        (MediaKind::Video, false) => 3_000,
    };
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let len = 40 + next() as usize % most;
    (0..len).map(|_| next() as u8).collect()
}

struct SealedStream {
    context: Context,
    sender: FrameSender,
    frames: u64,
    wants_key_frame: bool,
}

/// A participant.
pub(crate) struct Party {
    pub(crate) sfu: Arc<dyn Sfu>,
    pub(crate) events: mpsc::Receiver<SfuEvent>,
    pub(crate) leaf: LeafIndex,
    streams: Vec<SealedStream>,
    keyring: EpochKeyring,
    clock: Clock,
    tick: u64,
    pub(crate) seen: Seen,
}

/// What came.
#[derive(Default)]
pub(crate) struct Seen {
    /// Frames opened and equal to what was sealed, by leaf and context.
    pub(crate) frames: HashMap<(u32, Context), u32>,
    /// Frames that did not open.
    pub(crate) refused: u32,
    pub(crate) first_after: Option<Duration>,
    pub(crate) hints: HashSet<StreamId>,
    pub(crate) available: HashSet<StreamId>,
    pub(crate) losses: Vec<LossReason>,
    pub(crate) reconnected: u32,
    pub(crate) connected: Vec<Duration>,
    pub(crate) failures: Vec<String>,
    pub(crate) key_frames_wanted: HashSet<Context>,
}

impl Seen {
    pub(crate) fn count(&self, leaf: u32, context: Context) -> u32 {
        self.frames.get(&(leaf, context)).copied().unwrap_or(0)
    }

    /// Frames of all layers of somebody's camera.
    pub(crate) fn camera(&self, leaf: u32) -> u32 {
        Context::CAMERA.into_iter().map(|context| self.count(leaf, context)).sum()
    }
}

pub(crate) fn plan(layers: usize) -> PublishPlan {
    let layer = |(index, context): (usize, &Context)| LayerPlan {
        context: *context,
        width: 1_280 >> index,
        height: 720 >> index,
        max_bitrate_bps: 1_500_000 >> (2 * index),
    };
    PublishPlan {
        audio: Some(AudioPlan { context: Context::Microphone }),
        video: Some(VideoPlan {
            layers: Context::CAMERA.iter().take(layers).enumerate().map(layer).collect(),
        }),
    }
}

fn screen_plan() -> PublishPlan {
    let layer =
        LayerPlan { context: Context::ScreenHigh, width: 1_280, height: 720, max_bitrate_bps: 2_500_000 };
    PublishPlan { audio: None, video: Some(VideoPlan { layers: vec![layer] }) }
}

pub(crate) fn want(stream: &StreamId, layer: u8) -> Want {
    Want { stream: stream.clone(), audio: AudioWant::Play, video: VideoWant::Layer(layer) }
}

fn since_start() -> Mono {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    Mono::default().plus(START.elapsed())
}

impl Party {
    pub(crate) fn join(leaf: u32, ticket: Ticket, settings: SfuSettings) -> Self {
        let clock = Clock::new(since_start);
        let (sfu, events) = connect_sfu(ticket, settings, clock).unwrap();
        let leaf = LeafIndex(leaf);
        let mut key = base_key();
        let contexts = [Context::Microphone].into_iter().chain(Context::CAMERA).chain([Context::ScreenHigh]);
        let streams = contexts.map(|context| SealedStream {
            context,
            sender: key.take_sender(Kid::new(context, leaf, EPOCH).unwrap()).unwrap(),
            frames: 0,
            wants_key_frame: true,
        });
        let streams = streams.collect();
        let keyring = EpochKeyring::new(base_key(), EPOCH, 64, Mono::default());
        Self { sfu, events, leaf, streams, keyring, clock, tick: 0, seen: Seen::default() }
    }

    pub(crate) fn stream(&self) -> StreamId {
        self.sfu.own_stream().expect("known once published")
    }

    /// Rounds of 20 ms so far. A machine that is too busy for them makes fewer, not shorter ones: what has to happen
    /// within so many rounds may take longer there.
    pub(crate) fn rounds(&self) -> u64 {
        self.tick
    }

    /// One round of 20 ms: a frame of audio, every second time one of each video layer.
    pub(crate) fn send_round(&mut self) -> Vec<SendOutcome> {
        self.tick += 1;
        let video = self.tick.is_multiple_of(2);
        let (leaf, tick, now) = (self.leaf, self.tick, self.clock.now());
        let due = self.streams.iter_mut().filter(|stream| video || stream.context == Context::Microphone);
        due.map(|stream| self.sfu.send(stream.next(leaf, tick, now))).collect()
    }

    /// Sends in real time and takes what comes, until `done` or patience ends.
    pub(crate) async fn run_until(&mut self, done: impl Fn(&Seen) -> bool) -> bool {
        run_all(&mut [self], |seen| done(seen[0])).await
    }

    fn take(&mut self, event: SfuEvent, begun: Instant) {
        match event {
            SfuEvent::Received(frame) => self.open(frame, begun),
            SfuEvent::KeyFrameWanted { context } => {
                self.seen.key_frames_wanted.insert(context);
                for stream in self.streams.iter_mut().filter(|stream| stream.context == context) {
                    stream.wants_key_frame = true;
                }
            }
            SfuEvent::StreamsChanged { available } => {
                self.seen.available = available.into_iter().map(|stream| stream.id).collect();
            }
            SfuEvent::Lost { why, .. } => self.seen.losses.push(why),
            SfuEvent::Reconnected { .. } => self.seen.reconnected += 1,
            SfuEvent::Connected { took, .. } => self.seen.connected.push(took),
            SfuEvent::AttemptFailed { error, .. } => self.seen.failures.push(error.to_string()),
            SfuEvent::Bandwidth { .. } | SfuEvent::Reception { .. } => {}
        }
    }

    fn open(&mut self, frame: ReceivedFrame, begun: Instant) {
        let stream = frame.stream.clone();
        let opened = UnopenedFrame::parse(frame.kind, frame.payload)
            .ok()
            .and_then(|unopened| self.keyring.open(unopened, self.clock.now()).ok());
        let Some(opened) = opened else {
            self.seen.refused += 1;
            return;
        };
        let expected =
            payload(opened.leaf(), opened.context(), opened.counter(), opened.kind().is_key_frame());
        assert!(opened.payload() == expected, "a frame opened, but is another one");
        assert_ne!(opened.leaf(), self.leaf, "our own frame came back");
        self.seen.first_after.get_or_insert_with(|| begun.elapsed());
        self.seen.hints.extend(stream);
        *self.seen.frames.entry((opened.leaf().0, opened.context())).or_default() += 1;
    }
}

impl SealedStream {
    fn next(&mut self, leaf: LeafIndex, tick: u64, now: Mono) -> incamera_sframe::SealedFrame {
        let key_frame = core::mem::take(&mut self.wants_key_frame);
        let mut layers = [Context::CAMERA, Context::SCREEN].into_iter();
        let index = layers.find_map(|layers| layers.iter().position(|context| *context == self.context));
        let kind = match index {
            None => FrameKind::Opus,
            Some(index) if key_frame => {
                FrameKind::Vp8Key(PictureSize::new(1_280 >> index, 720 >> index).unwrap())
            }
            Some(_) => FrameKind::Vp8Delta,
        };
        let hz = if index.is_none() { 48_000 } else { 90_000 };
        let counter = self.sender.frames_sealed();
        let frame = MediaFrame {
            buf: FrameBuf::from_slice(&payload(leaf, self.context, counter, kind.is_key_frame())),
            kind,
            media_time: MediaTime(tick * hz / 50),
            temporal_layer: TemporalLayer::BASE,
            capture: now,
            padding: Padding::None,
        };
        self.frames += 1;
        self.sender.seal(frame, FrameNumber::of(self.frames)).unwrap()
    }
}

/// Lets everybody send in real time and take what comes, until `done` or patience ends. Whether it was `done`.
pub(crate) async fn run_all(parties: &mut [&mut Party], done: impl Fn(&[&Seen]) -> bool) -> bool {
    let begun = Instant::now();
    let deadline = begun + PATIENCE;
    let mut round = interval(Duration::from_millis(20));
    round.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while timeout_at(deadline, round.tick()).await.is_ok() {
        for party in parties.iter_mut() {
            party.send_round();
            while let Ok(event) = party.events.try_recv() {
                party.take(event, begun);
            }
        }
        let seen: Vec<_> = parties.iter().map(|party| &party.seen).collect();
        if done(&seen) {
            return true;
        }
    }
    false
}

/// Publishes and subscribes both ways and waits until media of every kind came, bit by bit the same.
pub(crate) async fn exchange(ada: &mut Party, ben: &mut Party, layers: usize) {
    let (ada_leaf, ben_leaf) = (ada.leaf.0, ben.leaf.0);
    let (ada_plan, ben_plan) = (plan(layers), plan(layers));
    let (first, second) = tokio::join!(
        ada.sfu.publish(OwnStream::Person, ada_plan),
        ben.sfu.publish(OwnStream::Person, ben_plan)
    );
    first.unwrap();
    second.unwrap();
    let (to_ben, to_ada) = ([want(&ben.stream(), 0)], [want(&ada.stream(), 0)]);
    let (first, second) = tokio::join!(ada.sfu.subscribe(&to_ben), ben.sfu.subscribe(&to_ada));
    first.unwrap();
    second.unwrap();
    let enough = |seen: &Seen, leaf| seen.count(leaf, Context::Microphone) > 50 && seen.camera(leaf) > 30;
    let done = run_all(&mut [ada, ben], |seen| enough(seen[0], ben_leaf) && enough(seen[1], ada_leaf)).await;
    for party in [&*ada, &*ben] {
        let Seen { frames, refused, connected, failures, first_after, .. } = &party.seen;
        println!(
            "leaf {}: {frames:?}, first after {first_after:?}, refused {refused}, connected {connected:?}, {failures:?}, {:?}",
            party.leaf.0,
            party.sfu.statistics()
        );
        assert_eq!(*refused, 0);
    }
    assert!(done, "media did not come both ways");
}

/// Ada, whom Ben receives, shares a screen beside her camera, stops, and shares again: the camera never notices.
pub(crate) async fn share_a_screen(ada: &mut Party, ben: &mut Party) {
    let leaf = ada.leaf.0;
    let person = want(&ada.stream(), 0);
    let stream = ada.stream().screen().unwrap();
    let screen = Want { stream: stream.clone(), audio: AudioWant::Skip, video: VideoWant::Layer(0) };
    for _ in 0..2 {
        ada.sfu.publish(OwnStream::Screen, screen_plan()).await.unwrap();
        ben.sfu.subscribe(&[screen.clone(), person.clone()]).await.unwrap();
        let (camera, shared) = (ben.seen.camera(leaf), ben.seen.count(leaf, Context::ScreenHigh));
        let both = |seen: &[&Seen]| {
            seen[1].camera(leaf) > camera + 20 && seen[1].count(leaf, Context::ScreenHigh) > shared + 20
        };
        assert!(run_all(&mut [ada, ben], both).await, "screen and camera did not come");
        assert!(ben.seen.hints.contains(&stream));
        ada.sfu.unpublish(OwnStream::Screen).await;
        ben.sfu.subscribe(std::slice::from_ref(&person)).await.unwrap();
        let camera = ben.seen.camera(leaf);
        let alone = |seen: &[&Seen]| seen[1].camera(leaf) > camera + 20;
        assert!(run_all(&mut [ada, ben], alone).await, "the camera did not go on");
    }
    assert_eq!((ada.seen.losses.len(), ben.seen.losses.len(), ben.seen.refused), (0, 0, 0));
}
