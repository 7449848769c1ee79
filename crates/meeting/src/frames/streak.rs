//! For how long frames of one kind of source have not opened.

use core::time::Duration;

use incamera_types::{Context, Mono};

use crate::Unopened;

/// Frames that fail further apart than this are no longer the same trouble.
const GAP: Duration = Duration::from_secs(1);

/// Frames that keep failing, without one between them that opens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streak {
    since: Mono,
    last: Mono,
    cause: Unopened,
    reported: Option<Mono>,
}

impl Streak {
    /// Goes on with `streak`, or begins a new one when it broke off.
    pub(crate) fn extended(streak: Option<Self>, now: Mono, cause: Unopened) -> Self {
        match streak {
            Some(streak) if now.since(streak.last) <= GAP => {
                Self { last: now, cause: streak.cause.max(cause), ..streak }
            }
            _ => Self { since: now, last: now, cause, reported: None },
        }
    }

    /// How long it has gone on, when that is at least `threshold` and was not said within the last second.
    pub(crate) fn due(&mut self, now: Mono, threshold: Duration) -> Option<Duration> {
        let lasted = now.since(self.since);
        let said = self.reported.is_some_and(|at| now.since(at) < GAP);
        if lasted < threshold || said || self.is_over(now) {
            return None;
        }
        self.reported = Some(now);
        Some(lasted)
    }

    pub(crate) const fn cause(&self) -> Unopened {
        self.cause
    }

    pub(crate) const fn since(&self) -> Mono {
        self.since
    }

    pub(crate) const fn was_reported(&self) -> bool {
        self.reported.is_some()
    }

    pub(crate) fn is_over(&self, now: Mono) -> bool {
        now.since(self.last) > GAP
    }
}

/// Sources of one member that can fail apart from each other.
pub(crate) const SOURCES: usize = 4;

/// The source of a context: microphone, camera, screen or screen audio, with their attestations.
#[inline]
pub(crate) fn source_of(context: Context) -> usize {
    match context.attests().unwrap_or(context) {
        Context::CameraHigh | Context::CameraMedium | Context::CameraLow => 1,
        Context::ScreenHigh | Context::ScreenMedium | Context::ScreenLow => 2,
        Context::ScreenAudio => 3,
        _ => 0,
    }
}
