//! How many pictures a second a sender takes, told from those that came.

use std::time::Duration;

use incamera_client::FrameFacts;
use incamera_client::devices::FrameRate;

/// A longer time between two pictures is a pause: the camera was off. At the lowest rate there is, 1, captures waver too.
const PAUSE: Duration = Duration::from_millis(1_100);

/// Rates of cameras and files, beside the whole ones.
const BROADCAST: [(u32, u32); 3] = [(24_000, 1_001), (30_000, 1_001), (60_000, 1_001)];

/// How far from a common rate a measured one still means it: capture times waver by some milliseconds.
const NEAR: f64 = 0.002;

/// Counts pictures and the time between their captures. A frame that is missing counts too, by the counters of those
/// around it; a new key or layer begins anew.
#[derive(Default)]
pub(super) struct RateMeter {
    last: Option<FrameFacts>,
    frames: u64,
    time: Duration,
}

impl RateMeter {
    pub(super) fn take(&mut self, facts: &FrameFacts) {
        let Some(last) = self.last.replace(*facts) else { return };
        let same_key = (last.context, last.epoch_bits) == (facts.context, facts.epoch_bits);
        let time = facts.captured.since(last.captured);
        if same_key && time < PAUSE {
            self.frames += facts.counter.saturating_sub(last.counter);
            self.time += time;
        }
    }

    /// The rate; `None` before it can be told.
    pub(super) fn rate(&self) -> Option<FrameRate> {
        let measured = self.frames as f64 / self.time.as_secs_f64();
        let off = |(numerator, denominator): &(u32, u32)| {
            (f64::from(*numerator) / f64::from(*denominator) / measured - 1.0).abs()
        };
        // What is out of range, or not even a number, is refused below.
        let common = [(measured.round() as u32, 1)].into_iter().chain(BROADCAST);
        let nearest = common.min_by(|one, other| off(one).total_cmp(&off(other)));
        let (numerator, denominator) =
            nearest.filter(|rate| off(rate) < NEAR).unwrap_or(((measured * 1_000.0).round() as u32, 1_000));
        FrameRate::new(numerator, denominator)
    }
}

#[cfg(test)]
mod tests {
    use incamera_client::{Context, Mono};

    use super::*;

    fn picture(counter: u64, captured_us: u64, epoch_bits: u8) -> FrameFacts {
        let captured = Mono::from_micros(captured_us);
        let context = Context::CameraHigh;
        FrameFacts {
            context,
            epoch_bits,
            counter,
            captured,
            arrived: captured,
            opened: captured,
            decoded: captured,
        }
    }

    /// Pictures `every_us`, captured up to 2 ms late, of which every tenth is lost.
    fn measured(every_us: u64) -> Option<FrameRate> {
        let mut meter = RateMeter::default();
        for number in (0..300).filter(|number| number % 10 != 7) {
            meter.take(&picture(number, number * every_us + number * 7 % 5 * 500, 1));
        }
        meter.rate()
    }

    #[test]
    fn common_rates_are_told_from_wavering_captures_with_losses() {
        for (every_us, rate) in [
            (40_000, (25, 1)),
            (33_333, (30, 1)),
            (33_367, (30_000, 1_001)),
            (66_667, (15, 1)),
            (1_000_000, (1, 1)),
        ] {
            assert_eq!(measured(every_us), FrameRate::new(rate.0, rate.1), "{every_us}");
        }
        let odd = measured(80_500).unwrap().per_second();
        assert!((12.41..12.44).contains(&odd), "{odd}");
    }

    #[test]
    fn pause_or_a_new_key_changes_nothing_and_too_little_tells_nothing() {
        let mut meter = RateMeter::default();
        assert_eq!(meter.rate(), None);
        meter.take(&picture(5, 0, 1));
        assert_eq!(meter.rate(), None);
        meter.take(&picture(6, 40_000, 1));
        meter.take(&picture(0, 90_000, 2));
        meter.take(&picture(1, 130_000, 2));
        meter.take(&picture(2, 9_000_000, 2));
        meter.take(&picture(3, 9_040_000, 2));
        assert_eq!(meter.rate(), FrameRate::new(25, 1));
    }
}
