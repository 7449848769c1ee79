//! Capture stamps of a live source, freed from the jitter of its callbacks.

use core::time::Duration;

use incamera_types::Mono;

/// The time from one block to the next.
const BLOCK: Duration = Duration::from_millis(20);

/// A measured time this far from the expected one means that samples are missing: start anew.
const JUMP: Duration = Duration::from_millis(100);

/// Each block moves the stamps by this fraction of their error, so that the jitter of single callbacks vanishes
/// while the drift between two clocks (parts in 10,000) is followed.
const CORRECTION: u32 = 32;

/// Gives blocks stamps 20 ms apart that follow the measured capture times slowly.
#[derive(Clone, Debug, Default)]
pub(crate) struct StampSmoother {
    last: Option<Mono>,
}

impl StampSmoother {
    /// The stamp of the next block, whose capture time was measured as `measured`.
    pub(crate) fn stamp(&mut self, measured: Mono) -> Mono {
        let stamp = match self.last.map(|last| last.plus(BLOCK)) {
            Some(expected) if measured.since(expected) > JUMP || expected.since(measured) > JUMP => measured,
            Some(expected) => expected
                .plus(measured.since(expected) / CORRECTION)
                .minus(expected.since(measured) / CORRECTION),
            None => measured,
        };
        self.last = Some(stamp);
        stamp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_of_callbacks_is_smoothed_away() {
        let mut smoother = StampSmoother::default();
        let mut last = smoother.stamp(Mono::from_micros(1_000_000));
        for block in 1..500_u64 {
            let jitter = if block % 2 == 0 { 8_000 } else { 0 };
            let stamp = smoother.stamp(Mono::from_micros(1_000_000 + block * 20_000 + jitter));
            let step = stamp.since(last).as_micros();
            assert!((19_700..=20_300).contains(&step), "step of {step} µs");
            last = stamp;
        }
    }

    #[test]
    fn drift_of_the_device_clock_is_followed() {
        let mut smoother = StampSmoother::default();
        let mut stamp = Mono::default();
        let mut measured = Mono::default();
        for block in 0..5_000_u64 {
            measured = Mono::from_micros(block * 20_004);
            stamp = smoother.stamp(measured);
        }
        assert!(measured.since(stamp) < Duration::from_millis(1));
    }

    #[test]
    fn missing_samples_make_the_stamps_jump() {
        let mut smoother = StampSmoother::default();
        smoother.stamp(Mono::from_micros(0));
        let after = Mono::from_micros(400_000);
        assert_eq!(smoother.stamp(after), after);
    }
}
