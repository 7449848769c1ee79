//! The thread that seals: it alone owns the senders of the meeting's keys, so that no counter is ever shared
//! (SEC-17), and what it cannot seal is dropped (SEC-01).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use incamera_meeting::EpochKeys;
use incamera_meeting::frames::FrameSealer;
use incamera_sframe::{MediaFrame, SealedFrame};
use incamera_transport::{SendOutcome, Sfu};
use incamera_types::{Context, Fault as _, MediaKind};

use crate::ClientError;
use crate::clock;
use crate::inbox::{Inbox, InboxHandle, Next, inbox};
use crate::incoming::{Inbound, IncomingHandle};
use crate::reception::{SentFrame, SharedReception};

/// Frames that may wait: a second of sound and three layers of video.
const QUEUE: usize = 256;

/// Nothing has a deadline here.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Whether media may leave at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// It may.
    Open,
    /// It is dropped: we are not (or no longer) confirmed members.
    Stopped,
}

/// What the thread is told, beside frames.
pub(crate) enum Outbound {
    /// Keys of an epoch; passed on to the opening thread, so that both know them in the same order.
    Keys(Box<EpochKeys>),
    /// Passed on to the opening thread: what concerns members stays in order with the keys.
    Opening(Inbound),
    /// Send through this SFU from now on.
    Publisher(Arc<dyn Sfu>),
    /// Whether media may leave.
    Flow(Flow),
    /// End.
    Stop,
}

/// Counts of what was sent.
#[derive(Default)]
pub(crate) struct SentCounts {
    pub(crate) video_frames: AtomicU64,
    pub(crate) audio_frames: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

/// Talks to the sealing thread.
#[derive(Clone)]
pub(crate) struct SealingHandle {
    inbox: InboxHandle<Outbound, (Context, MediaFrame)>,
    counts: Arc<SentCounts>,
}

impl SealingHandle {
    /// Starts the thread.
    pub(crate) fn start(
        incoming: IncomingHandle,
        reception: Option<SharedReception>,
    ) -> Result<(Self, JoinHandle<()>), ClientError> {
        let (handle, inbox) = inbox(QUEUE);
        let counts = Arc::new(SentCounts::default());
        let sealing = SealingThread {
            sealer: FrameSealer::new(),
            publisher: None,
            counts: Arc::clone(&counts),
            incoming,
            reception,
        };
        let thread = std::thread::Builder::new()
            .name("sealing".to_owned())
            .spawn(move || sealing.run(inbox))
            .map_err(|why| ClientError::Thread(why.kind()))?;
        Ok((Self { inbox: handle, counts }, thread))
    }

    /// Hands on an encoded frame, to be sealed and sent; it is dropped and counted when too many wait.
    pub(crate) fn frame(&self, context: Context, frame: MediaFrame) {
        if self.inbox.frame((context, frame)).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Gives an order.
    pub(crate) fn order(&self, order: Outbound) {
        self.inbox.order(order);
    }

    pub(crate) fn counts(&self) -> &SentCounts {
        &self.counts
    }
}

struct SealingThread {
    sealer: FrameSealer,
    publisher: Option<Arc<dyn Sfu>>,
    counts: Arc<SentCounts>,
    incoming: IncomingHandle,
    reception: Option<SharedReception>,
}

impl SealingThread {
    fn run(mut self, mut inbox: Inbox<Outbound, (Context, MediaFrame)>) {
        loop {
            match inbox.next(LONGEST_WAIT) {
                Next::Order(Outbound::Stop) | Next::Abandoned => break,
                Next::Order(order) => self.order(order),
                Next::Frame((context, frame)) => self.frame(context, frame),
                Next::Idle => {}
            }
        }
    }

    fn order(&mut self, order: Outbound) {
        match order {
            Outbound::Keys(keys) => {
                if let Err(why) = self.sealer.install(&keys) {
                    tracing::warn!(code = why.code(), "keys were not installed for sending");
                }
                self.incoming.order(Inbound::Keys(keys));
            }
            Outbound::Opening(order) => self.incoming.order(order),
            Outbound::Publisher(sfu) => self.publisher = Some(sfu),
            Outbound::Flow(flow) => {
                match flow {
                    Flow::Open => self.sealer.start(),
                    Flow::Stopped => self.sealer.stop(),
                }
                self.incoming.order(Inbound::Flow(flow));
            }
            Outbound::Stop => {}
        }
    }

    fn frame(&mut self, context: Context, frame: MediaFrame) {
        if self.seal_and_send(context, frame).is_none() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// `None` when the frame was dropped: not sealed, or no room in the transport.
    fn seal_and_send(&mut self, context: Context, frame: MediaFrame) -> Option<()> {
        let publisher = self.publisher.as_ref()?;
        let sealed = self.sealer.seal(clock::now(), context, frame).ok()?;
        let sent = sent_frame(&sealed);
        if publisher.send(sealed) != SendOutcome::Queued {
            return None;
        }
        let frames = match context.kind() {
            MediaKind::Audio => &self.counts.audio_frames,
            MediaKind::Video => &self.counts.video_frames,
        };
        frames.fetch_add(1, Ordering::Relaxed);
        self.counts.bytes.fetch_add(sent.bytes as u64, Ordering::Relaxed);
        if let Some(Err(error)) = self.reception.as_ref().map(|reception| reception.sent(&sent)) {
            self.reception = None;
            self.incoming.order(Inbound::ReceptionFailed(error));
        }
        Some(())
    }
}

fn sent_frame(sealed: &SealedFrame) -> SentFrame {
    SentFrame {
        context: sealed.context(),
        counter: u64::from(sealed.counter()),
        captured: sealed.capture(),
        key_frame: sealed.kind().is_key_frame(),
        bytes: sealed.payload().len(),
    }
}
