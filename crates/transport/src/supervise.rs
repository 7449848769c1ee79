//! The life of one connection to an SFU as it is told to the client: first attempt, losses, returns.

use std::time::Duration;

use incamera_types::{Fault, Retry};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};

use crate::backoff::Backoff;
use crate::sink::Sink;
use crate::{Direction, LossReason, SfuError, SfuEvent, random};

/// Longest pause that a server's wish is followed for.
const LONGEST_WISH: Duration = Duration::from_secs(5);

/// Answers whoever waits for the first attempt.
pub(crate) type FirstResult = oneshot::Sender<Result<(), SfuError>>;

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Try again after this pause.
    Pause(Duration),
    /// Trying again is useless until something changes: a new ticket, a restart, another plan.
    WaitForChange,
}

/// Sleeps, or for ever.
pub(crate) async fn pause_or_never(pause: Option<Duration>) {
    match pause {
        Some(pause) => sleep(pause).await,
        None => core::future::pending().await,
    }
}

/// Sleeps until then, or for ever.
pub(crate) async fn at_or_never(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => core::future::pending().await,
    }
}

/// Watches one direction.
pub(crate) struct Supervisor {
    direction: Direction,
    sink: Sink,
    backoff: Backoff,
    first: Option<FirstResult>,
    begun: Instant,
    lost_at: Option<Instant>,
}

impl Supervisor {
    pub(crate) fn new(direction: Direction, sink: Sink, first: Option<FirstResult>) -> Self {
        Self { direction, sink, backoff: Backoff::sfu(), first, begun: Instant::now(), lost_at: None }
    }

    /// Media can flow.
    pub(crate) async fn connected(&mut self) {
        self.backoff.succeeded();
        if let Some(first) = self.first.take() {
            drop(first.send(Ok(())));
        }
        let direction = self.direction;
        let event = match self.lost_at.take() {
            Some(lost_at) => SfuEvent::Reconnected { direction, gap: lost_at.elapsed() },
            None => SfuEvent::Connected { direction, took: self.begun.elapsed() },
        };
        self.sink.tell(event).await;
    }

    /// Media stopped. The pause before the next attempt.
    pub(crate) async fn lost(&mut self, why: LossReason) -> Duration {
        self.lost_at.get_or_insert_with(Instant::now);
        tracing::info!(direction = ?self.direction, ?why, "SFU connection lost");
        self.sink.tell(SfuEvent::Lost { direction: self.direction, why }).await;
        self.backoff.next_pause(random::u16())
    }

    /// An attempt failed.
    pub(crate) async fn failed(&mut self, error: SfuError) -> Next {
        let next = match error.retry() {
            // It worked before: a server that restarts, or that still holds our old session, refuses for a while.
            Retry::Never if self.lost_at.is_some() => Next::Pause(self.backoff.next_pause(random::u16())),
            Retry::Never => Next::WaitForChange,
            Retry::Automatic => Next::Pause(self.backoff.next_pause(random::u16())),
            Retry::After(wish) => {
                Next::Pause(self.backoff.next_pause(random::u16()).max(wish.min(LONGEST_WISH)))
            }
        };
        tracing::info!(direction = ?self.direction, code = error.code(), "SFU connection failed");
        if let Some(first) = self.first.take() {
            drop(first.send(Err(error.clone())));
        }
        self.sink.tell(SfuEvent::AttemptFailed { direction: self.direction, error }).await;
        next
    }

    /// It works, but not in all that was asked of it.
    pub(crate) async fn told(&self, lack: SfuError) {
        self.sink.tell(SfuEvent::AttemptFailed { direction: self.direction, error: lack }).await;
    }

    /// What is not there yet is no failure: the pause before looking again.
    pub(crate) fn not_there_yet(&mut self) -> Duration {
        self.backoff.next_pause(random::u16())
    }
}
