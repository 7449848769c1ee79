//! When a frame was captured, by its sender's clock.

/// A time of the sender's wall clock in microseconds (its NTP time). Only differences and comparisons between the
/// streams of one sender mean anything: the clock may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SenderTime(pub u64);

/// Maps the RTP timestamps of one stream to its sender's clock by the latest sender report.
///
/// The mapping is a hint: an SFU can forge reports and so shift sound against picture, bounded by
/// [`super::VideoPlayout`], never what is accepted.
#[derive(Clone, Debug)]
pub struct SenderClock {
    clock_hz: u32,
    report: Option<(u32, u64)>,
}

impl SenderClock {
    /// A clock for a stream with this RTP clock rate.
    #[must_use]
    pub const fn new(clock_hz: u32) -> Self {
        Self { clock_hz, report: None }
    }

    /// A sender report came: its RTP timestamp and its NTP timestamp (32.32 fixed point, as on the wire).
    pub fn handle_report(&mut self, rtp_timestamp: u32, ntp_timestamp: u64) {
        let seconds = (ntp_timestamp >> 32).saturating_mul(1_000_000);
        let fraction = (ntp_timestamp & 0xffff_ffff).saturating_mul(1_000_000) >> 32;
        self.report = Some((rtp_timestamp, seconds.saturating_add(fraction)));
    }

    /// When the frame with this timestamp was captured; `None` before the first report.
    #[must_use]
    pub fn captured(&self, rtp_timestamp: u32) -> Option<SenderTime> {
        let (reported, micros) = self.report?;
        // Timestamps within half the number space of the report, about 6 hours of video.
        let ticks = i64::from(rtp_timestamp.wrapping_sub(reported).cast_signed());
        let after = ticks.saturating_mul(1_000_000).checked_div(i64::from(self.clock_hz))?;
        Some(SenderTime(micros.saturating_add_signed(after)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_around_the_report_map_over_the_wrap() {
        let mut clock = SenderClock::new(90_000);
        assert_eq!(clock.captured(5), None);
        clock.handle_report(10, (100 << 32) | 0x8000_0000);
        assert_eq!(clock.captured(10), Some(SenderTime(100_500_000)));
        assert_eq!(clock.captured(10 + 9_000), Some(SenderTime(100_600_000)));
        assert_eq!(clock.captured(10_u32.wrapping_sub(9_000)), Some(SenderTime(100_400_000)));
    }

    #[test]
    fn absurd_reports_do_not_overflow() {
        let mut clock = SenderClock::new(1);
        clock.handle_report(0, u64::MAX);
        assert!(clock.captured(0x7fff_ffff).is_some());
        clock.handle_report(0, 0);
        assert_eq!(clock.captured(0x8000_0000), Some(SenderTime(0)));
    }
}
