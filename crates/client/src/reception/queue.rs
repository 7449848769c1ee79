//! The way from the threads that decode and send to the thread that keeps what they give.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use incamera_devices::{DeviceError, VideoSize};
use incamera_media::picture::{Picture, PicturePool};
use incamera_types::Mono;

use super::{DecodedPicture, DecodedSound, FrameFacts, Reception, Remote, SentFrame};

/// What may wait, in bytes: four seconds of two pictures of 640×360 at 30 a second. When more does, whoever gives waits
/// too: nothing is left out.
const MOST_BYTES: usize = 80 * 1024 * 1024;

/// Pictures whose memory is used again.
const SPARE_PICTURES: usize = 8;

/// What waits for the edge.
enum Waiting {
    Sent(SentFrame),
    Picture { from: Remote, facts: FrameFacts, picture: Picture, top_size: VideoSize, due: Option<Mono> },
    Sound { from: Remote, facts: FrameFacts, missing_before: u64, samples: Box<[i16; 960]> },
}

impl Waiting {
    fn bytes(&self) -> usize {
        let content = match self {
            Self::Sent(_) => 0,
            Self::Picture { picture, .. } => picture.as_packed().len(),
            Self::Sound { samples, .. } => size_of_val(&**samples),
        };
        content + size_of::<Self>()
    }
}

/// How the queue stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Course {
    Open,
    /// Nothing more comes.
    Finishing,
    /// The edge failed; everything is dropped.
    Failed(DeviceError),
    /// Nobody is interested any more.
    Abandoned,
}

struct State {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    course: Course,
    spare: PicturePool,
}

struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(&self, make: impl FnOnce(&mut PicturePool) -> Waiting) -> Result<(), DeviceError> {
        let mut state = self.lock();
        while state.course == Course::Open && state.bytes > MOST_BYTES {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        match &state.course {
            Course::Open => {}
            Course::Failed(error) => return Err(error.clone()),
            Course::Finishing | Course::Abandoned => return Ok(()),
        }
        let given = make(&mut state.spare);
        state.bytes += given.bytes();
        state.waiting.push_back(given);
        self.changed.notify_all();
        Ok(())
    }

    /// The next in turn; `None` when nothing more comes.
    fn take(&self) -> Option<Waiting> {
        let mut state = self.lock();
        loop {
            if state.course == Course::Abandoned {
                return None;
            }
            if let Some(next) = state.waiting.pop_front() {
                state.bytes -= next.bytes();
                self.changed.notify_all();
                return Some(next);
            }
            if state.course != Course::Open {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn set_course(&self, course: Course) {
        let mut state = self.lock();
        if state.course == Course::Open {
            state.course = course;
        }
        self.changed.notify_all();
    }

    fn fail(&self, error: DeviceError) {
        let mut state = self.lock();
        state.waiting.clear();
        state.bytes = 0;
        state.course = Course::Failed(error);
        self.changed.notify_all();
    }
}

type Keeper = JoinHandle<Result<(), DeviceError>>;

/// The edge's [`Reception`] as the threads share it: what they give is kept by a thread of its own, in their order.
#[derive(Clone)]
pub(crate) struct SharedReception(Arc<Shared>);

struct Shared {
    queue: Arc<Queue>,
    keeper: Mutex<Option<Keeper>>,
}

impl SharedReception {
    pub(crate) fn start(reception: Box<dyn Reception>) -> Result<Self, DeviceError> {
        let state = State {
            waiting: VecDeque::new(),
            bytes: 0,
            course: Course::Open,
            spare: PicturePool::new(SPARE_PICTURES),
        };
        let queue = Arc::new(Queue { state: Mutex::new(state), changed: Condvar::new() });
        let taken = Arc::clone(&queue);
        let keeper = thread::Builder::new().name("reception".into()).spawn(move || keep(reception, &taken));
        let keeper = keeper.map_err(|why| DeviceError::Thread(why.kind()))?;
        Ok(Self(Arc::new(Shared { queue, keeper: Mutex::new(Some(keeper)) })))
    }

    pub(crate) fn sent(&self, frame: &SentFrame) -> Result<(), DeviceError> {
        self.0.queue.give(|_| Waiting::Sent(*frame))
    }

    pub(crate) fn picture(&self, from: &Remote, decoded: &DecodedPicture<'_>) -> Result<(), DeviceError> {
        let DecodedPicture { facts, picture, top_size, due } = *decoded;
        self.0.queue.give(|spare| {
            let picture = spare.copy_of(&picture);
            Waiting::Picture { from: from.clone(), facts, picture, top_size, due }
        })
    }

    pub(crate) fn sound(&self, from: &Remote, decoded: &DecodedSound<'_>) -> Result<(), DeviceError> {
        let DecodedSound { facts, missing_before, samples } = *decoded;
        let samples = Box::new(*samples);
        self.0.queue.give(|_| Waiting::Sound { from: from.clone(), facts, missing_before, samples })
    }

    /// Completes everything; later calls do nothing.
    pub(crate) fn finish(&self) -> Result<(), DeviceError> {
        self.0.queue.set_course(Course::Finishing);
        let keeper = self.0.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A panic of the edge was reported when it happened.
        keeper.map_or(Ok(()), |keeper| keeper.join().unwrap_or(Ok(())))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.set_course(Course::Abandoned);
    }
}

/// Hands everything to the edge, in turn.
fn keep(mut reception: Box<dyn Reception>, queue: &Queue) -> Result<(), DeviceError> {
    while let Some(next) = queue.take() {
        let kept = match next {
            Waiting::Sent(frame) => reception.sent(&frame),
            Waiting::Picture { from, facts, picture, top_size, due } => {
                let decoded = DecodedPicture { facts, picture: picture.view(), top_size, due };
                let kept = reception.picture(&from, &decoded);
                queue.lock().spare.recycle(picture);
                kept
            }
            Waiting::Sound { from, facts, missing_before, samples } => {
                reception.sound(&from, &DecodedSound { facts, missing_before, samples: &samples })
            }
        };
        if let Err(error) = kept {
            queue.fail(error);
        }
    }
    let course = queue.lock().course.clone();
    if course == Course::Abandoned { Ok(()) } else { reception.finish() }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use incamera_types::Context;

    use super::*;

    /// Keeps one frame for each permit, and fails at counter 3.
    struct Slow {
        permits: Receiver<()>,
        kept: Sender<u64>,
    }

    impl Reception for Slow {
        fn sent(&mut self, frame: &SentFrame) -> Result<(), DeviceError> {
            // Permits that come no more are given for all.
            let _ = self.permits.recv();
            let _ = self.kept.send(frame.counter);
            if frame.counter == 3 { Err(DeviceError::DiskFull) } else { Ok(()) }
        }

        fn picture(&mut self, _from: &Remote, _picture: &DecodedPicture<'_>) -> Result<(), DeviceError> {
            Ok(())
        }

        fn sound(&mut self, _from: &Remote, _sound: &DecodedSound<'_>) -> Result<(), DeviceError> {
            Ok(())
        }

        fn finish(self: Box<Self>) -> Result<(), DeviceError> {
            let _ = self.kept.send(u64::MAX);
            Ok(())
        }
    }

    fn frame(counter: u64) -> SentFrame {
        let context = Context::Microphone;
        SentFrame { context, counter, captured: Mono::default(), key_frame: false, bytes: 100 }
    }

    fn slow() -> (SharedReception, Sender<()>, Receiver<u64>) {
        let (permit, permits) = channel();
        let (keep, kept) = channel();
        (SharedReception::start(Box::new(Slow { permits, kept: keep })).unwrap(), permit, kept)
    }

    #[test]
    fn whoever_gives_does_not_wait_for_a_slow_disk_and_everything_is_kept_in_order() {
        let (reception, permit, kept) = slow();
        for counter in [0, 1, 2, 7] {
            reception.sent(&frame(counter)).unwrap();
        }
        assert!(kept.try_recv().is_err(), "all of them were given before the first was kept");
        drop(permit);
        reception.finish().unwrap();
        assert_eq!(kept.iter().collect::<Vec<_>>(), [0, 1, 2, 7, u64::MAX]);
        assert_eq!(reception.sent(&frame(8)), Ok(()), "nothing happens after the end");
    }

    #[test]
    fn error_of_the_edge_is_told_at_the_next_call() {
        let (reception, permit, kept) = slow();
        for counter in [3, 4] {
            reception.sent(&frame(counter)).unwrap();
        }
        drop(permit);
        assert_eq!(kept.recv(), Ok(3));
        reception.finish().unwrap();
        assert_eq!(reception.sent(&frame(5)), Err(DeviceError::DiskFull));
        assert_eq!(kept.iter().collect::<Vec<_>>(), [u64::MAX], "nothing is handed over after an error");
    }

    #[test]
    fn what_nobody_finishes_is_not_completed() {
        let (reception, permit, kept) = slow();
        drop(reception);
        drop(permit);
        assert_eq!(kept.iter().count(), 0);
    }
}
