//! Where adapters put what they have to report: one bounded queue and the counters.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::mpsc;

use crate::{ReceivedFrame, SfuEvent, SfuStatistics};

/// Events that may wait: about a second of nine people's audio and video.
pub(crate) const EVENT_QUEUE: usize = 1_024;

/// Counters behind [`SfuStatistics`].
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) frames_sent: AtomicU64,
    pub(crate) frames_dropped: AtomicU64,
    pub(crate) packets_sent: AtomicU64,
    pub(crate) packets_resent: AtomicU64,
    pub(crate) payload_bytes_sent: AtomicU64,
    pub(crate) frames_received: AtomicU64,
    pub(crate) frames_overflowed: AtomicU64,
    pub(crate) frames_incomplete: AtomicU64,
    pub(crate) packets_late: AtomicU64,
    pub(crate) packets_lost: AtomicU64,
    pub(crate) key_frames_asked: AtomicU64,
}

impl Counters {
    pub(crate) fn read(&self) -> SfuStatistics {
        SfuStatistics {
            frames_sent: self.frames_sent.load(Relaxed),
            frames_dropped: self.frames_dropped.load(Relaxed),
            packets_sent: self.packets_sent.load(Relaxed),
            packets_resent: self.packets_resent.load(Relaxed),
            payload_bytes_sent: self.payload_bytes_sent.load(Relaxed),
            frames_received: self.frames_received.load(Relaxed),
            frames_overflowed: self.frames_overflowed.load(Relaxed),
            frames_incomplete: self.frames_incomplete.load(Relaxed),
            packets_late: self.packets_late.load(Relaxed),
            packets_lost: self.packets_lost.load(Relaxed),
            key_frames_asked: self.key_frames_asked.load(Relaxed),
        }
    }
}

/// Reports events. Clones share the queue.
#[derive(Clone)]
pub(crate) struct Sink {
    events: mpsc::Sender<SfuEvent>,
    pub(crate) counters: Arc<Counters>,
}

impl Sink {
    pub(crate) fn new() -> (Self, mpsc::Receiver<SfuEvent>) {
        let (events, receiver) = mpsc::channel(EVENT_QUEUE);
        (Self { events, counters: Arc::default() }, receiver)
    }

    /// Reports a frame. Never waits: media that nobody takes in time is old.
    pub(crate) fn frame(&self, frame: ReceivedFrame) {
        self.counters.frames_received.fetch_add(1, Relaxed);
        if self.events.try_send(SfuEvent::Received(frame)).is_err() {
            self.counters.frames_overflowed.fetch_add(1, Relaxed);
        }
    }

    /// Reports what may be dropped when nobody listens, because it comes again.
    pub(crate) fn hint(&self, event: SfuEvent) {
        drop(self.events.try_send(event));
    }

    /// Reports what must not be lost.
    pub(crate) async fn tell(&self, event: SfuEvent) {
        drop(self.events.send(event).await);
    }
}
