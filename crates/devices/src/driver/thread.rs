//! A named thread that sleeps until a time and can be stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use incamera_types::Mono;

use crate::DeviceError;
use crate::clock::SystemClock;

/// A running driver. Dropping it stops the thread and waits for it.
#[derive(Debug)]
pub struct DriverHandle {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl DriverHandle {
    pub(super) fn spawn(
        name: &str,
        body: impl FnOnce(&Waiter) + Send + 'static,
    ) -> Result<Self, DeviceError> {
        let stop = Arc::new(AtomicBool::new(false));
        let waiter = Waiter { stop: Arc::clone(&stop) };
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || body(&waiter))
            .map_err(|error| DeviceError::Thread(error.kind()))?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Whether the thread has come to its end: the source ended, or failed.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for DriverHandle {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return };
        thread.thread().unpark();
        // The thread may drop its own handle from inside of its callback.
        if thread.thread().id() != thread::current().id() {
            // A panic of the callback was reported when it happened.
            let _ = thread.join();
        }
    }
}

/// The thread's side of a [`DriverHandle`].
#[derive(Debug)]
pub(super) struct Waiter {
    stop: Arc<AtomicBool>,
}

impl Waiter {
    /// The time, or `None` when the driver is to stop.
    pub(super) fn now(&self) -> Option<Mono> {
        (!self.stop.load(Ordering::Acquire)).then(|| SystemClock.now())
    }

    /// Sleeps until `until`, or less: the caller looks at the clock again.
    pub(super) fn sleep_until(until: Mono) {
        let left = until.since(SystemClock.now());
        if !left.is_zero() {
            thread::park_timeout(left);
        }
    }
}
