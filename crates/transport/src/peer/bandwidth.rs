//! The bandwidth estimate: Google congestion control, fed only with what it can judge. What was lost is passed on to
//! whoever sends it again.

use std::ops::RangeInclusive;
use std::time::Instant;

use rtc::interceptor::{BandwidthEstimator, EstimatorStats, Gcc, PacketReport};
use tokio::sync::{mpsc, watch};

use super::retransmit::LostTransmission;

/// Wraps the stack's estimator: drops reports about packets without a transport-wide number, and publishes the target.
///
/// Where a server negotiates those numbers for video alone, nobody ever acknowledges our audio. The estimator
/// would count all of it as lost and fall to its minimum.
pub(super) struct ReportingEstimator {
    inner: Gcc,
    target: watch::Sender<u32>,
    losses: mpsc::Sender<LostTransmission>,
    numbered: Vec<PacketReport>,
}

impl ReportingEstimator {
    /// An estimator that begins with `target` as it is and stays between `limits`, all in bit/s.
    pub(super) fn new(
        limits: RangeInclusive<f64>,
        target: watch::Sender<u32>,
        losses: mpsc::Sender<LostTransmission>,
    ) -> Self {
        let start = f64::from(*target.borrow());
        let inner = Gcc::new(start, *limits.start(), *limits.end());
        Self { inner, target, losses, numbered: Vec::new() }
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
        for lost in self.numbered.iter().filter(|report| !report.arrived) {
            let PacketReport { ssrc, rtp_sequence_number: sequence, departure, .. } = *lost;
            // What does not fit is left to be asked for.
            self.losses.try_send(LostTransmission { ssrc, sequence, departure }).ok();
        }
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
        let (losses, mut lost) = super::super::retransmit::losses();
        let mut estimator = ReportingEstimator::new(8e4..=1e7, sender, losses);
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
        assert!(lost.try_recv().is_err(), "audio is not sent again");
    }

    fn rtc_ecn() -> rtc::rtcp::transport_feedbacks::cc_feedback_report::Ecn {
        rtc::rtcp::transport_feedbacks::cc_feedback_report::Ecn::NotEct
    }
}
