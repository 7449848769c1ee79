//! Limits key-frame requests in either direction. A request that comes too early is put off, never dropped:
//! whoever asked may not ask again.

use std::time::Duration;

use tokio::time::Instant;

/// Lets one request through at once and the next ones not before `interval` has passed.
#[derive(Debug)]
pub(super) struct KeyFrameThrottle {
    interval: Duration,
    last: Option<Instant>,
    waiting: bool,
}

impl KeyFrameThrottle {
    pub(super) const fn new(interval: Duration) -> Self {
        Self { interval, last: None, waiting: false }
    }

    /// Takes a request. Whether it is to be passed on now.
    pub(super) fn request(&mut self, now: Instant) -> bool {
        self.waiting = true;
        self.poll(now)
    }

    /// Whether a request that was put off is to be passed on now.
    pub(super) fn poll(&mut self, now: Instant) -> bool {
        let ready = self.waiting && self.last.is_none_or(|last| now >= last + self.interval);
        if ready {
            self.waiting = false;
            self.last = Some(now);
        }
        ready
    }

    /// When [`KeyFrameThrottle::poll`] is worth a call.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.last.filter(|_| self.waiting).map(|last| last + self.interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn early_requests_are_put_off_and_joined_into_one() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let mut throttle = KeyFrameThrottle::new(ms(100));
        assert!(throttle.request(start));
        assert!(!throttle.request(start + ms(10)));
        assert!(!throttle.request(start + ms(20)));
        assert_eq!(throttle.deadline(), Some(start + ms(100)));
        assert!(throttle.poll(start + ms(100)));
        assert!(!throttle.poll(start + ms(300)));
        assert_eq!(throttle.deadline(), None);
    }
}
