//! How old a member's frames are, judged by the capture times in them (SEC-18).

use core::time::Duration;

use incamera_sframe::OpenedFrame;
use incamera_types::Mono;

/// Media older than this is not played as live.
pub const FRESH_FOR: Duration = Duration::from_secs(3);

/// Two monotonic clocks may run apart by one part in this many: 500 ppm, the largest correction that Linux
/// applies to a clock.
const DRIFT_DIVISOR: i64 = 2_000;

/// What is known of one member's clock: the smallest difference of arrival and capture seen so far, which is
/// the offset of the clocks plus the shortest way.
///
/// Age is what a frame took longer than that. A delay that is there from the first frame on is not seen; a
/// frame is never older than its key, which bounds it at each change of keys, and heals the offset after the
/// sender's machine slept.
#[derive(Default)]
pub(crate) struct SenderClock {
    offset: Option<Offset>,
}

#[derive(Clone, Copy)]
struct Offset {
    micros: i64,
    at: Mono,
}

/// A frame's capture time on its sender's clock, and how old the frame is.
pub(crate) struct Judgement {
    pub(crate) capture: Mono,
    pub(crate) age: Duration,
}

impl SenderClock {
    /// Judges a frame that came at `arrival`, under a key that was made `key_age` ago at the most.
    #[inline]
    pub(crate) fn judge(&mut self, frame: &OpenedFrame, arrival: Mono, key_age: Duration) -> Judgement {
        let local = signed_micros(arrival);
        let expected = self.offset.map_or(arrival, |offset| moved_back(arrival, offset.micros));
        let capture = frame.capture_near(expected);
        let sample = local.saturating_sub(signed_micros(capture));
        let known = self.offset.map_or(sample, |offset| offset.aged(arrival));
        // No frame is older than its key: what looks older shows that the clock itself stood still.
        let oldest = i64::try_from(key_age.as_micros()).unwrap_or(i64::MAX);
        let micros = sample.min(known.max(sample.saturating_sub(oldest)));
        self.offset = Some(Offset { micros, at: arrival });
        let age = u64::try_from(sample.saturating_sub(micros)).unwrap_or_default();
        Judgement { capture, age: Duration::from_micros(age) }
    }
}

impl Offset {
    /// The offset with room for the drift since it was noted.
    #[inline]
    fn aged(self, now: Mono) -> i64 {
        let elapsed = signed_micros(now).saturating_sub(signed_micros(self.at)).max(0);
        self.micros.saturating_add(elapsed.wrapping_div(DRIFT_DIVISOR))
    }
}

#[inline]
fn signed_micros(time: Mono) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[inline]
fn moved_back(time: Mono, micros: i64) -> Mono {
    Mono::from_micros(time.as_micros().saturating_add_signed(micros.saturating_neg()))
}
