//! Sender reports, by which audio and video of one stream are compared (RFC 3550 §6.4.1).

use std::collections::HashMap;
use std::sync::RwLock;

use super::feedback::ClockReport;

/// Sources remembered; more are not needed for 64 m-lines, and a server must not grow our memory.
const MAX_SOURCES: usize = 256;

/// The latest report of each source of a connection.
#[derive(Default)]
pub(super) struct ReportBook(RwLock<HashMap<u32, ClockReport>>);

impl ReportBook {
    pub(super) fn note(&self, report: ClockReport) {
        let Ok(mut book) = self.0.write() else { return };
        if book.len() < MAX_SOURCES || book.contains_key(&report.ssrc) {
            book.insert(report.ssrc, report);
        }
    }

    /// The sender's NTP time of an RTP timestamp, in microseconds since 1900.
    pub(super) fn sender_time_us(&self, ssrc: u32, timestamp: u32, clock_hz: u32) -> Option<u64> {
        let report = *self.0.read().ok()?.get(&ssrc)?;
        let seconds = report.ntp >> 32;
        let fraction = ((report.ntp & 0xffff_ffff) * 1_000_000) >> 32;
        let ticks = i64::from(timestamp.wrapping_sub(report.rtp) as i32);
        let offset = ticks * 1_000_000 / i64::from(clock_hz);
        (seconds * 1_000_000 + fraction).checked_add_signed(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_before_and_after_a_report_are_placed_across_the_wrap() {
        let book = ReportBook::default();
        let ntp = (10 << 32) | 0x8000_0000;
        book.note(ClockReport { ssrc: 1, ntp, rtp: u32::MAX - 44_999 });
        assert_eq!(book.sender_time_us(1, u32::MAX - 44_999, 90_000), Some(10_500_000));
        assert_eq!(book.sender_time_us(1, 45_000, 90_000), Some(11_500_000));
        assert_eq!(book.sender_time_us(1, u32::MAX - 89_999, 90_000), Some(10_000_000));
        assert_eq!(book.sender_time_us(2, 0, 90_000), None);
    }

    #[test]
    fn number_of_sources_is_bounded() {
        let book = ReportBook::default();
        for ssrc in 0..1_000 {
            book.note(ClockReport { ssrc, ntp: 0, rtp: 0 });
        }
        assert_eq!(book.0.read().unwrap().len(), MAX_SOURCES);
    }
}
