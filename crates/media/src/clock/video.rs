//! Decoded pictures that wait for their time.

use core::time::Duration;
use std::collections::VecDeque;

use incamera_types::Mono;

/// Pictures that wait at most; the oldest makes room. Half a second at 16 a second, 12 MiB at 720p.
const MAX_WAITING: usize = 8;

/// Longest time that a picture is held back for the sound. More would not be live: a wrong clock or a forged report.
const MAX_HOLD: Duration = Duration::from_millis(250);

/// Shows the newest picture that is due, for live viewing. Generic over the picture.
#[derive(Debug)]
pub struct VideoPlayout<T> {
    waiting: VecDeque<(Mono, T)>,
    superseded: u64,
}

impl<T> Default for VideoPlayout<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> VideoPlayout<T> {
    /// A playout that holds nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { waiting: VecDeque::with_capacity(MAX_WAITING), superseded: 0 }
    }

    /// Takes a decoded picture, in decoding order, with the time of [`super::SyncClock::due`]. Gives back the oldest
    /// waiting one when there are too many.
    pub fn push(&mut self, now: Mono, picture: T, due: Option<Mono>) -> Option<T> {
        let due = due.unwrap_or(now).min(now.plus(MAX_HOLD));
        // In decoding order even if the clock moved between two pictures.
        let due = self.waiting.back().map_or(due, |(before, _)| due.max(*before));
        self.waiting.push_back((due, picture));
        if self.waiting.len() <= MAX_WAITING {
            return None;
        }
        self.superseded = self.superseded.saturating_add(1);
        self.waiting.pop_front().map(|(_, picture)| picture)
    }

    /// The newest picture that is due. Older ones that were never shown go to `discard`.
    pub fn poll(&mut self, now: Mono, discard: &mut dyn FnMut(T)) -> Option<T> {
        let mut newest = None;
        while self.waiting.front().is_some_and(|(due, _)| *due <= now) {
            let due = self.waiting.pop_front().map(|(_, picture)| picture);
            if let Some(older) = core::mem::replace(&mut newest, due) {
                self.superseded = self.superseded.saturating_add(1);
                discard(older);
            }
        }
        newest
    }

    /// When the next picture is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Mono> {
        self.waiting.front().map(|(due, _)| *due)
    }

    /// Pictures that were never shown because a newer one was due.
    #[must_use]
    pub fn superseded(&self) -> u64 {
        self.superseded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Mono {
        Mono::from_micros(ms * 1_000)
    }

    #[test]
    fn newest_due_picture_wins() {
        let mut playout = VideoPlayout::new();
        for (picture, due) in [(1, 10), (2, 20), (3, 40)] {
            assert_eq!(playout.push(ms(0), picture, Some(ms(due))), None);
        }
        let mut discarded = Vec::new();
        assert_eq!(playout.poll(ms(5), &mut |p| discarded.push(p)), None);
        assert_eq!(playout.poll(ms(25), &mut |p| discarded.push(p)), Some(2));
        assert_eq!(playout.poll_timeout(), Some(ms(40)));
        assert_eq!((discarded, playout.superseded()), (vec![1], 1));
    }

    // SEC-18: a forged clock cannot hold pictures back.
    #[test]
    fn holding_back_is_bounded_in_time_and_number() {
        let mut playout = VideoPlayout::new();
        playout.push(ms(0), 0, Some(ms(1_000_000)));
        assert_eq!(playout.poll_timeout(), Some(ms(250)));
        let dropped: Vec<_> = (1..20).filter_map(|p| playout.push(ms(0), p, Some(ms(9_999)))).collect();
        assert_eq!(dropped, (0..12).collect::<Vec<_>>());
    }
}
