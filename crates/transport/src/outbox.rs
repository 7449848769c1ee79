//! Sealed frames on their way to the current publication.

use std::sync::Arc;
use std::sync::RwLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use incamera_sframe::SealedFrame;
use incamera_types::{Context, MediaKind};
use tokio::sync::mpsc;

use crate::sink::Counters;
use crate::{OwnStream, SendOutcome};

/// Audio frames that may wait: 0.6 s.
const AUDIO_QUEUE: usize = 32;

/// Video frames that may wait: 0.7 s of three layers at 30 frames a second.
const VIDEO_QUEUE: usize = 64;

/// The sending end, shared with whoever seals frames.
#[derive(Clone)]
pub(crate) struct Outbox {
    audio: mpsc::Sender<SealedFrame>,
    video: mpsc::Sender<SealedFrame>,
    /// Contexts that the connected publication carries; empty while there is none.
    carried: Arc<RwLock<Vec<Context>>>,
    broken: Arc<BrokenLayers>,
    counters: Arc<Counters>,
}

/// The receiving end, of which there is one.
pub(crate) struct Outgoing {
    pub(crate) audio: mpsc::Receiver<SealedFrame>,
    pub(crate) video: mpsc::Receiver<SealedFrame>,
    carried: Arc<RwLock<Vec<Context>>>,
    broken: Arc<BrokenLayers>,
}

/// Something for each of our streams.
#[derive(Clone)]
pub(crate) struct PerOwnStream<T> {
    person: T,
    screen: T,
}

impl<T> PerOwnStream<T> {
    pub(crate) fn make(mut make: impl FnMut(OwnStream) -> T) -> Self {
        Self { person: make(OwnStream::Person), screen: make(OwnStream::Screen) }
    }

    pub(crate) fn map<U>(self, mut map: impl FnMut(T) -> U) -> PerOwnStream<U> {
        PerOwnStream { person: map(self.person), screen: map(self.screen) }
    }

    pub(crate) fn of(&self, stream: OwnStream) -> &T {
        match stream {
            OwnStream::Person => &self.person,
            OwnStream::Screen => &self.screen,
        }
    }

    pub(crate) fn of_mut(&mut self, stream: OwnStream) -> &mut T {
        match stream {
            OwnStream::Person => &mut self.person,
            OwnStream::Screen => &mut self.screen,
        }
    }
}

impl<A, B> PerOwnStream<(A, B)> {
    pub(crate) fn unzip(self) -> (PerOwnStream<A>, PerOwnStream<B>) {
        let ((a, b), (screen_a, screen_b)) = (self.person, self.screen);
        (PerOwnStream { person: a, screen: screen_a }, PerOwnStream { person: b, screen: screen_b })
    }
}

impl PerOwnStream<Outbox> {
    /// Queues a frame for the publication that carries its context.
    pub(crate) fn send(&self, frame: SealedFrame) -> SendOutcome {
        self.of(OwnStream::carrying(frame.context())).send(frame)
    }
}

/// Layers of which a frame was dropped, as bits by context number: nothing after it can be decoded until a key
/// frame.
#[derive(Default)]
struct BrokenLayers(AtomicU64);

impl BrokenLayers {
    fn add(&self, context: Context) {
        self.0.fetch_or(1 << context.number(), AcqRel);
    }

    fn take(&self) -> Vec<Context> {
        let bits = self.0.swap(0, AcqRel);
        Context::ALL.into_iter().filter(|context| bits & (1 << context.number()) != 0).collect()
    }
}

/// A pair of ends.
pub(crate) fn outbox(counters: Arc<Counters>) -> (Outbox, Outgoing) {
    let (audio_in, audio) = mpsc::channel(AUDIO_QUEUE);
    let (video_in, video) = mpsc::channel(VIDEO_QUEUE);
    let carried = Arc::new(RwLock::new(Vec::new()));
    let broken = Arc::new(BrokenLayers::default());
    let outgoing = Outgoing { audio, video, carried: Arc::clone(&carried), broken: Arc::clone(&broken) };
    (Outbox { audio: audio_in, video: video_in, carried, broken, counters }, outgoing)
}

/// The context on whose track a frame travels: attestations travel with what they attest.
pub(crate) fn carrier(context: Context) -> Context {
    context.attests().unwrap_or(context)
}

impl Outbox {
    /// Queues a frame for the connected publication.
    pub(crate) fn send(&self, frame: SealedFrame) -> SendOutcome {
        let context = carrier(frame.context());
        let carried = self.carried.read().is_ok_and(|carried| carried.contains(&context));
        if !carried {
            self.counters.frames_dropped.fetch_add(1, Relaxed);
            return SendOutcome::NotPublishing;
        }
        let queue = match context.kind() {
            MediaKind::Audio => &self.audio,
            MediaKind::Video => &self.video,
        };
        if queue.try_send(frame).is_ok() {
            self.counters.frames_sent.fetch_add(1, Relaxed);
            return SendOutcome::Queued;
        }
        self.counters.frames_dropped.fetch_add(1, Relaxed);
        if context.kind() == MediaKind::Video {
            self.broken.add(context);
        }
        SendOutcome::Dropped
    }
}

impl Outgoing {
    /// Begins to take frames of these contexts; what waited before is forgotten.
    pub(crate) fn open(&mut self, contexts: Vec<Context>) {
        self.drain();
        self.carry(contexts);
    }

    /// Takes no more frames.
    pub(crate) fn close(&mut self) {
        self.carry(Vec::new());
        self.drain();
    }

    /// Layers that need a key frame because a frame of theirs was dropped, each once.
    pub(crate) fn take_broken(&self) -> Vec<Context> {
        if self.broken.0.load(Acquire) == 0 { Vec::new() } else { self.broken.take() }
    }

    fn carry(&self, contexts: Vec<Context>) {
        match self.carried.write() {
            Ok(mut carried) => *carried = contexts,
            Err(poisoned) => *poisoned.into_inner() = contexts,
        }
    }

    fn drain(&mut self) {
        while self.audio.try_recv().is_ok() {}
        while self.video.try_recv().is_ok() {}
        self.broken.take();
    }
}
