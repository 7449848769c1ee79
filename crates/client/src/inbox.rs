//! What a media thread is told: orders, which always find room and are read first, and frames, of which a bounded
//! number waits.
//!
//! Whoever gives an order never waits for a decoder: a flood of frames neither holds up the meeting nor delays the
//! loss of a key (SEC-05, SEC-15).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::Duration;

enum Mail<O, F> {
    Order(O),
    Frame(F),
}

/// The thread's end.
pub(crate) struct Inbox<O, F> {
    mail: Receiver<Mail<O, F>>,
    frames: VecDeque<F>,
    waiting: Arc<AtomicUsize>,
}

/// The end of those who give orders and frames.
pub(crate) struct InboxHandle<O, F> {
    mail: Sender<Mail<O, F>>,
    waiting: Arc<AtomicUsize>,
    most_waiting: usize,
}

impl<O, F> Clone for InboxHandle<O, F> {
    fn clone(&self) -> Self {
        Self { mail: self.mail.clone(), waiting: Arc::clone(&self.waiting), most_waiting: self.most_waiting }
    }
}

/// What there is to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<O, F> {
    Order(O),
    Frame(F),
    /// Nothing came in time.
    Idle,
    /// Nobody is left who could give an order.
    Abandoned,
}

/// A frame found no room and is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// An inbox in which at most `most_waiting` frames wait.
pub(crate) fn inbox<O, F>(most_waiting: usize) -> (InboxHandle<O, F>, Inbox<O, F>) {
    let (sender, mail) = channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let handle = InboxHandle { mail: sender, waiting: Arc::clone(&waiting), most_waiting };
    (handle, Inbox { mail, frames: VecDeque::with_capacity(most_waiting), waiting })
}

impl<O, F> InboxHandle<O, F> {
    /// Gives an order; never waits. Orders come from the meeting, which bounds them.
    pub(crate) fn order(&self, order: O) {
        // A thread that has ended takes no orders; its end is noticed by whoever owns it.
        let _ = self.mail.send(Mail::Order(order));
    }

    /// Gives a frame; never waits.
    ///
    /// # Errors
    /// [`Full`] when too many wait.
    pub(crate) fn frame(&self, frame: F) -> Result<(), Full> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.most_waiting {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Full);
        }
        let _ = self.mail.send(Mail::Frame(frame));
        Ok(())
    }
}

impl<O, F> Inbox<O, F> {
    /// The next order, or else the next frame, waiting for `at_most`.
    pub(crate) fn next(&mut self, at_most: Duration) -> Next<O, F> {
        loop {
            match self.mail.try_recv() {
                Ok(Mail::Order(order)) => return Next::Order(order),
                Ok(Mail::Frame(frame)) => self.frames.push_back(frame),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        if let Some(frame) = self.frames.pop_front() {
            return self.taken(frame);
        }
        match self.mail.recv_timeout(at_most) {
            Ok(Mail::Order(order)) => Next::Order(order),
            Ok(Mail::Frame(frame)) => self.taken(frame),
            Err(RecvTimeoutError::Timeout) => Next::Idle,
            Err(RecvTimeoutError::Disconnected) => Next::Abandoned,
        }
    }

    fn taken(&self, frame: F) -> Next<O, F> {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Next::Frame(frame)
    }

    /// The frames that wait still, at the end.
    pub(crate) fn into_frames(self) -> impl Iterator<Item = F> {
        let rest = self.mail;
        let later = std::iter::from_fn(move || rest.try_recv().ok()).filter_map(|mail| match mail {
            Mail::Frame(frame) => Some(frame),
            Mail::Order(_) => None,
        });
        self.frames.into_iter().chain(later)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::ZERO;

    #[test]
    fn orders_pass_frames_and_always_find_room() {
        let (handle, mut inbox) = inbox::<&str, u8>(2);
        assert_eq!([1, 2, 3].map(|frame| handle.frame(frame)), [Ok(()), Ok(()), Err(Full)]);
        handle.order("drop a member");
        handle.order("take keys");
        assert_eq!(inbox.next(AT_ONCE), Next::Order("drop a member"));
        assert_eq!(inbox.next(AT_ONCE), Next::Order("take keys"));
        assert_eq!(inbox.next(AT_ONCE), Next::Frame(1));
        assert_eq!(handle.frame(4), Ok(()), "there is room again");
        assert_eq!([inbox.next(AT_ONCE), inbox.next(AT_ONCE)], [Next::Frame(2), Next::Frame(4)]);
        assert_eq!(inbox.next(AT_ONCE), Next::Idle);
    }

    #[test]
    fn what_waits_at_the_end_is_still_there() {
        let (handle, mut inbox) = inbox::<(), u8>(8);
        assert_eq!([1, 2, 3].map(|frame| handle.frame(frame)), [Ok(()); 3]);
        assert_eq!(inbox.next(AT_ONCE), Next::Frame(1));
        assert_eq!(handle.frame(4), Ok(()));
        assert_eq!(inbox.into_frames().collect::<Vec<_>>(), [2, 3, 4]);
    }

    #[test]
    fn abandoned_inbox_says_so_after_the_last_frame() {
        let (handle, mut inbox) = inbox::<(), u8>(8);
        assert_eq!(handle.frame(1), Ok(()));
        drop(handle);
        assert_eq!(inbox.next(AT_ONCE), Next::Frame(1));
        assert_eq!(inbox.next(AT_ONCE), Next::Abandoned);
    }
}
