//! The bandwidth estimate: Google congestion control, fed only with what it can judge.

use std::time::Instant;

use rtc::interceptor::{BandwidthEstimator, EstimatorStats, Gcc, PacketReport};
use tokio::sync::watch;

/// Wraps the stack's estimator: drops reports about packets without a transport-wide number, and publishes the target.
///
/// Where a server negotiates those numbers for video alone, nobody ever acknowledges our audio. The estimator
/// would count all of it as lost and fall to its minimum.
pub(super) struct ReportingEstimator {
    inner: Gcc,
    target: watch::Sender<u32>,
    numbered: Vec<PacketReport>,
}

impl ReportingEstimator {
    pub(super) fn new(start: f64, lowest: f64, highest: f64, target: watch::Sender<u32>) -> Self {
        Self { inner: Gcc::new(start, lowest, highest), target, numbered: Vec::new() }
    }

    fn publish(&self) {
        // A float to integer cast saturates; the estimator keeps to its limits anyway.
        let target = self.inner.target_bitrate() as u32;
        self.target.send_if_modified(|known| core::mem::replace(known, target) != target);
    }
}

impl BandwidthEstimator for ReportingEstimator {
    fn on_reports(&mut self, now: Instant, reports: &[PacketReport]) {
        self.numbered.clear();
        self.numbered.extend(reports.iter().filter(|report| report.is_twcc).cloned());
        if !self.numbered.is_empty() {
            self.inner.on_reports(now, &self.numbered);
            self.publish();
        }
    }

    fn target_bitrate(&self) -> f64 {
        self.inner.target_bitrate()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.inner.handle_timeout(now);
        self.publish();
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.inner.poll_timeout()
    }

    fn stats(&self) -> EstimatorStats {
        self.inner.stats()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc::interceptor::History;
    use std::time::Duration;

    #[test]
    fn unacknowledged_audio_does_not_pull_the_target_down() {
        let (sender, target) = watch::channel(1_000_000);
        let mut estimator = ReportingEstimator::new(1e6, 8e4, 1e7, sender);
        let start = Instant::now();
        for round in 0..200_u16 {
            let now = start + Duration::from_millis(20) * u32::from(round);
            let mut history = History::new();
            for audio in 0..3 {
                history.add_outgoing(1, round * 3 + audio, false, 0, 200, now);
            }
            history.add_outgoing(2, round, true, round, 1_200, now);
            let arrival = Some(now.duration_since(start) + Duration::from_millis(5));
            let seen = rtc::interceptor::Acknowledgement::received(round, arrival, rtc_ecn());
            history.on_twcc_feedback(now + Duration::from_millis(10), seen);
            estimator.on_reports(now + Duration::from_millis(10), &history.take_reports());
        }
        assert!(*target.borrow() >= 500_000, "{}", *target.borrow());
    }

    fn rtc_ecn() -> rtc::rtcp::transport_feedbacks::cc_feedback_report::Ecn {
        rtc::rtcp::transport_feedbacks::cc_feedback_report::Ecn::NotEct
    }
}
