//! The bandwidth estimate: Google congestion control, fed only with what it can judge. What was lost is passed on to
//! whoever sends it again.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use rtc::interceptor::{BandwidthEstimator, EstimatorStats, Gcc, PacketReport};
use tokio::sync::{mpsc, watch};

use super::retransmit::LostTransmission;

/// Wraps the stack's estimator: drops reports about packets without a transport-wide number, and publishes the target.
///
/// Where a server negotiates those numbers for video alone, nobody ever acknowledges our audio. The estimator
/// would count all of it as lost and fall to its minimum. Nor is it told what was lost: it would judge each report by
/// itself, and a report has about ten packets. At a steady loss of 5 % one report in three says more than 10 % and hardly
/// any average less than 2 %, so that its target only ever falls. [`LossBound`] judges instead.
pub(super) struct ReportingEstimator {
    inner: Gcc,
    bound: LossBound,
    target: watch::Sender<u32>,
    losses: mpsc::Sender<LostTransmission>,
    arrived: Vec<PacketReport>,
}

/// The loss-based half of the estimate (draft-ietf-rmcat-gcc-02 §6), by packets enough to tell.
struct LossBound {
    target: f64,
    limits: RangeInclusive<f64>,
    since: Option<Instant>,
    lost: u32,
    reported: u32,
}

/// Time and packets over which loss is judged, at least: those of libwebrtc.
const LOSS_WINDOW: Duration = Duration::from_millis(300);
const LEAST_REPORTED: u32 = 20;

/// Below the first share of loss the bound rises, above the second it falls (draft-ietf-rmcat-gcc-02 §6).
const LITTLE_LOSS: f64 = 0.02;
const MUCH_LOSS: f64 = 0.10;

/// How much it rises in a window without loss: faster than the delay-based half, which then decides.
const LOSS_RISE: f64 = 1.07;

impl LossBound {
    /// Takes a report while the target was `target`.
    fn take(&mut self, now: Instant, lost: u32, reported: u32, target: f64) {
        self.lost = self.lost.saturating_add(lost);
        self.reported = self.reported.saturating_add(reported);
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) < LOSS_WINDOW || self.reported < LEAST_REPORTED {
            return;
        }
        let share = f64::from(self.lost) / f64::from(self.reported);
        if share > MUCH_LOSS {
            self.target = self.target.min(target) * (1.0 - 0.5 * share);
        } else if share < LITTLE_LOSS {
            self.target *= LOSS_RISE;
        }
        self.target = self.target.clamp(*self.limits.start(), *self.limits.end());
        (self.since, self.lost, self.reported) = (Some(now), 0, 0);
    }
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
        let bound = LossBound { target: start, limits, since: None, lost: 0, reported: 0 };
        Self { inner, bound, target, losses, arrived: Vec::new() }
    }

    fn publish(&self) {
        // A float to integer cast saturates; the estimator keeps to its limits anyway.
        let target = self.target_bitrate() as u32;
        self.target.send_if_modified(|known| core::mem::replace(known, target) != target);
    }
}

impl BandwidthEstimator for ReportingEstimator {
    fn on_reports(&mut self, now: Instant, reports: &[PacketReport]) {
        self.arrived.clear();
        let mut lost = 0;
        for report in reports.iter().filter(|report| report.is_twcc) {
            if report.arrived {
                self.arrived.push(report.clone());
                continue;
            }
            lost += 1;
            let PacketReport { ssrc, rtp_sequence_number: sequence, departure, .. } = *report;
            // What does not fit is left to be asked for.
            self.losses.try_send(LostTransmission { ssrc, sequence, departure }).ok();
        }
        let reported = u32::try_from(self.arrived.len()).unwrap_or(u32::MAX).saturating_add(lost);
        let target = self.target_bitrate();
        self.bound.take(now, lost, reported, target);
        self.inner.on_reports(now, &self.arrived);
        self.publish();
    }

    fn target_bitrate(&self) -> f64 {
        self.inner.target_bitrate().min(self.bound.target)
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
    use incamera_media::rate::{LayerLimits, RateConfig, RateMachine};
    use incamera_types::Mono;
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

    /// What a publisher through Janus goes through: only its video is numbered, and how much of that there is follows
    /// from the estimate.
    #[test]
    fn picture_comes_back_after_seconds_of_heavy_loss() {
        let (sender, target) = watch::channel(1_500_000);
        let (losses, _lost) = super::super::retransmit::losses();
        let mut estimator = ReportingEstimator::new(8e4..=1.2e7, sender, losses);
        let layers = LayerLimits::for_layers(640, 360, 30);
        let mut machine = RateMachine::new(RateConfig { audio_reserve_kbps: 60, layers });
        let start = Instant::now();
        let (mut sent_kbps, mut unsent_bytes, mut number) = (Vec::new(), 0, 0);
        for round in 0..400 {
            let passed = Duration::from_millis(100) * round;
            let mut reports: Vec<_> = (0..5).map(|audio| report(audio, None, start + passed)).collect();
            reports.iter_mut().for_each(|audio| audio.is_twcc = false);
            unsent_bytes += sent_kbps.last().copied().unwrap_or(0) * 100 / 8;
            while unsent_bytes >= 1_200 {
                let is_lost = (20..70).contains(&round) && number % 5 < 2;
                let arrival = (!is_lost).then(|| passed + Duration::from_millis(15));
                reports.push(report(number, arrival, start + passed));
                number += 1;
                unsent_bytes -= 1_200;
            }
            estimator.on_reports(start + passed + Duration::from_millis(30), &reports);
            let now = Mono::default().plus(passed);
            let decision = machine.handle_estimate(now, *target.borrow() / 1_000);
            let before = sent_kbps.last().copied().unwrap_or(0);
            sent_kbps.push(decision.map_or(before, |decision| decision.video_kbps()));
        }
        assert!(sent_kbps[65..70].iter().all(|kbps| *kbps < 300), "the test is to bring the estimate down");
        assert!(sent_kbps.last().is_some_and(|kbps| *kbps > 300), "{:?}", sent_kbps.last());
    }

    /// A video packet of 1,200 bytes that arrived, or did not.
    fn report(number: u16, arrival: Option<Duration>, departure: Instant) -> PacketReport {
        PacketReport {
            ssrc: 2,
            id: number.into(),
            rtp_sequence_number: number,
            is_twcc: true,
            twcc_sequence_number: number,
            size: 1_200,
            arrived: arrival.is_some(),
            departure,
            arrival,
            ecn: rtc_ecn(),
        }
    }

    /// The target after a minute in which every n-th packet of 80 a second was lost.
    fn after_losing_every(nth: u16) -> u32 {
        let (sender, target) = watch::channel(1_000_000);
        let (losses, _lost) = super::super::retransmit::losses();
        let mut estimator = ReportingEstimator::new(8e4..=1e7, sender, losses);
        let start = Instant::now();
        for round in 0..600_u16 {
            let passed = Duration::from_millis(100) * u32::from(round);
            let arrival = Some(passed + Duration::from_millis(5));
            let numbers = round * 8..round * 8 + 8;
            let reports: Vec<_> = numbers
                .map(|number| report(number, arrival.filter(|_| !number.is_multiple_of(nth)), start + passed))
                .collect();
            estimator.on_reports(start + passed + Duration::from_millis(20), &reports);
        }
        *target.borrow()
    }

    #[test]
    fn steady_loss_of_five_percent_does_not_end_the_picture_and_a_fifth_does_bring_the_target_down() {
        assert!(after_losing_every(20) >= 1_000_000, "{}", after_losing_every(20));
        assert!(after_losing_every(5) < 300_000, "{}", after_losing_every(5));
        assert!(after_losing_every(u16::MAX) > 1_000_000, "{}", after_losing_every(u16::MAX));
    }

    fn rtc_ecn() -> rtc::rtcp::transport_feedbacks::cc_feedback_report::Ecn {
        rtc::rtcp::transport_feedbacks::cc_feedback_report::Ecn::NotEct
    }
}
