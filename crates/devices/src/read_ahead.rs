//! Reading files and pipes ahead of their time, on a thread of its own.

use core::time::Duration;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;

use crate::DeviceError;

/// How soon to look again when a pipe has nothing yet.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Items that a thread reads before they are asked for, so that a slow disk or a pipe that stands still never blocks
/// whoever plays them.
#[derive(Debug)]
pub(crate) struct ReadAhead<T>(Receiver<Result<T, DeviceError>>);

/// What is there.
#[derive(Debug)]
pub(crate) enum Next<T> {
    /// The next item.
    Item(T),
    /// Nothing yet.
    NotYet,
    /// Everything was read.
    Ended,
}

impl<T: Send + 'static> ReadAhead<T> {
    /// Starts to read: `read` gives one item at a time and `None` at the end; at most `depth` items wait.
    ///
    /// # Errors
    /// [`DeviceError::Thread`].
    pub(crate) fn start(
        name: &str,
        depth: usize,
        mut read: impl FnMut() -> Result<Option<T>, DeviceError> + Send + 'static,
    ) -> Result<Self, DeviceError> {
        let (sender, items) = sync_channel(depth);
        // The thread is not waited for: it ends with its next item once nobody asks any more, and a read from a
        // pipe cannot be interrupted.
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                while let Some(item) = read().transpose() {
                    let failed = item.is_err();
                    if sender.send(item).is_err() || failed {
                        return;
                    }
                }
            })
            .map_err(|error| DeviceError::Thread(error.kind()))?;
        Ok(Self(items))
    }

    /// The next item, without waiting for it.
    ///
    /// # Errors
    /// What reading failed with.
    pub(crate) fn next(&self) -> Result<Next<T>, DeviceError> {
        match self.0.try_recv() {
            Ok(item) => item.map(Next::Item),
            Err(TryRecvError::Empty) => Ok(Next::NotYet),
            Err(TryRecvError::Disconnected) => Ok(Next::Ended),
        }
    }
}
