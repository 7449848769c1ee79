//! Key-frame requests towards one publisher's layer: throttled, deferred, never dropped.

use core::time::Duration;
use std::time::Instant;

/// At most one request per publisher and layer in this time …
const INTERVAL: Duration = Duration::from_millis(300);
/// … except for a new subscriber, who passes if none was sent for this long (wire.md §9).
const INTERVAL_FOR_NEW: Duration = Duration::from_millis(100);
/// A request that brought no key frame is repeated after this long while somebody waits: the request or
/// the frame may have been lost, and some players never ask themselves.
const REPEAT: Duration = Duration::from_millis(500);

/// Why a key frame is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// A player was just bound to the stream or wants another layer, and shows nothing of it until then; or the key
    /// frame asked for came in a way that it cannot use.
    NewSubscriber,
    /// A player lost packets and says so.
    Feedback,
    /// A player still waits for the key frame asked for before.
    StillWaiting,
}

/// The throttle of one publisher's layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyFrameThrottle {
    sent: Option<Instant>,
    due: Option<Instant>,
}

impl KeyFrameThrottle {
    /// Notes that a key frame is wanted; [`Self::take_due`] says when to ask.
    pub(crate) fn request(&mut self, now: Instant, urgency: Urgency) {
        let spacing = match urgency {
            Urgency::NewSubscriber => INTERVAL_FOR_NEW,
            Urgency::Feedback => INTERVAL,
            Urgency::StillWaiting => REPEAT,
        };
        let earliest = self.sent.map_or(now, |sent| (sent + spacing).max(now));
        // Waiting is noted with every packet: it must not pile up requests behind a fresh one.
        if urgency == Urgency::StillWaiting && earliest > now {
            return;
        }
        self.due = Some(self.due.map_or(earliest, |due| due.min(earliest)));
    }

    /// Whether a request is to be sent to the publisher now.
    pub(crate) fn take_due(&mut self, now: Instant) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        self.due = None;
        self.sent = Some(now);
        true
    }

    /// The request could not be sent (the layer has sent no packet yet): it stays due.
    pub(crate) fn put_back(&mut self, now: Instant) {
        self.sent = None;
        self.due = Some(now + INTERVAL_FOR_NEW);
    }

    /// When [`Self::take_due`] will say yes.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn a_throttled_request_is_deferred_not_dropped() {
        let start = Instant::now();
        let mut throttle = KeyFrameThrottle::default();
        throttle.request(start, Urgency::Feedback);
        assert!(throttle.take_due(start));
        throttle.request(at(start, 50), Urgency::Feedback);
        assert!(!throttle.take_due(at(start, 50)));
        assert_eq!(throttle.deadline(), Some(at(start, 300)));
        assert!(throttle.take_due(at(start, 300)));
        assert_eq!(throttle.deadline(), None);
    }

    #[test]
    fn a_new_subscriber_passes_after_100_ms() {
        let start = Instant::now();
        let mut throttle = KeyFrameThrottle::default();
        throttle.request(start, Urgency::Feedback);
        assert!(throttle.take_due(start));
        throttle.request(at(start, 20), Urgency::Feedback);
        throttle.request(at(start, 50), Urgency::NewSubscriber);
        assert!(!throttle.take_due(at(start, 99)));
        assert!(throttle.take_due(at(start, 100)));
        throttle.request(at(start, 220), Urgency::NewSubscriber);
        assert!(throttle.take_due(at(start, 220)));
    }

    #[test]
    fn many_requests_become_one_per_interval() {
        let start = Instant::now();
        let mut throttle = KeyFrameThrottle::default();
        let sent = (0..3_000)
            .filter(|ms| {
                let now = at(start, *ms);
                throttle.request(now, Urgency::Feedback);
                throttle.take_due(now)
            })
            .count();
        assert_eq!(sent, 10);
    }

    #[test]
    fn waiting_repeats_an_unanswered_request() {
        let start = Instant::now();
        let mut throttle = KeyFrameThrottle::default();
        let sent: Vec<u64> = (0..1_200)
            .filter(|ms| {
                let now = at(start, *ms);
                throttle.request(now, Urgency::StillWaiting);
                throttle.take_due(now)
            })
            .collect();
        assert_eq!(sent, [0, 500, 1_000]);
    }
}
