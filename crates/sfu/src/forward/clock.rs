//! When a packet was captured, on this machine's clock: what makes the sender reports towards players
//! right, so that they can play audio and video of one person in step (RFC 3550 §6.4.1).

use core::time::Duration;
use std::time::{Instant, SystemTime};

/// How fast the estimate may follow a sender whose clock runs slower than ours: 200 ppm covers quartz.
const DRIFT_PER_SECOND: Duration = Duration::from_micros(200);
/// Beyond this the sender's reports are wrong or its clock was set: start again.
const IMPLAUSIBLE: Duration = Duration::from_secs(3);

/// The relation of one publisher's wall clock to ours: the smallest transit time seen, slowly forgotten.
///
/// One clock serves audio and all layers of a publisher, so their relation to each other stays exact.
#[derive(Clone, Debug, Default)]
pub(crate) struct SenderClock {
    estimate: Option<Estimate>,
}

#[derive(Clone, Copy, Debug)]
struct Estimate {
    /// Sender's time and our time of the packet that was fastest on its way.
    sender: SystemTime,
    local: Instant,
    updated: Instant,
}

impl SenderClock {
    /// Our time at which the sender's clock showed `captured`, for a packet that arrived at `arrival`.
    /// Never later than `arrival`.
    pub(crate) fn local_time(&mut self, captured: SystemTime, arrival: Instant) -> Instant {
        if let Some(estimate) = &mut self.estimate {
            let elapsed = arrival.saturating_duration_since(estimate.updated);
            estimate.local += DRIFT_PER_SECOND.mul_f64(elapsed.as_secs_f64().min(60.0));
            estimate.updated = arrival;
            if let Some(local) = estimate.project(captured) {
                let transit = arrival.saturating_duration_since(local);
                if local <= arrival && transit < IMPLAUSIBLE {
                    return local;
                }
            }
        }
        // Faster than any packet before, the first one, or a clock that jumped.
        self.estimate = Some(Estimate { sender: captured, local: arrival, updated: arrival });
        arrival
    }
}

impl Estimate {
    fn project(&self, captured: SystemTime) -> Option<Instant> {
        match captured.duration_since(self.sender) {
            Ok(later) => self.local.checked_add(later),
            Err(earlier) => self.local.checked_sub(earlier.duration()),
        }
    }
}

/// The sender's wall clock at RTP time `timestamp`, given a report that equates `report_rtp` and
/// `report_time`. Timestamps wrap; the nearer direction counts.
pub(crate) fn capture_time(
    timestamp: u32,
    clock_rate: u32,
    report_rtp: u32,
    report_time: SystemTime,
) -> Option<SystemTime> {
    let ticks = timestamp.wrapping_sub(report_rtp).cast_signed();
    let micros = u64::from(ticks.unsigned_abs()) * 1_000_000 / u64::from(clock_rate);
    let distance = Duration::from_micros(micros);
    if ticks >= 0 { report_time.checked_add(distance) } else { report_time.checked_sub(distance) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_packet_sets_the_clock() {
        let sender = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let start = Instant::now();
        let ms = Duration::from_millis;
        let mut clock = SenderClock::default();
        assert_eq!(clock.local_time(sender, start + ms(40)), start + ms(40));
        // 20 ms later in the sender's time, but only 10 ms on the way.
        assert_eq!(clock.local_time(sender + ms(20), start + ms(30)), start + ms(30));
        // Jitter no longer shows.
        let slow = clock.local_time(sender + ms(40), start + ms(150));
        let expected = start + ms(50);
        assert!(slow.saturating_duration_since(expected) < ms(1), "{slow:?}");
        assert!(slow >= expected);
    }

    #[test]
    fn a_sender_that_sets_its_clock_is_followed_and_never_leads_into_the_future() {
        let sender = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let start = Instant::now();
        let mut clock = SenderClock::default();
        clock.local_time(sender, start);
        let jumped = clock.local_time(sender + Duration::from_secs(3_600), start);
        assert_eq!(jumped, start);
        let back = clock.local_time(SystemTime::UNIX_EPOCH, start);
        assert_eq!(back, start);
    }

    #[test]
    fn capture_times_wrap_with_the_timestamps() {
        let report = SystemTime::UNIX_EPOCH + Duration::from_secs(50);
        let after = capture_time(90_000 - 10, 90_000, u32::MAX - 9, report).unwrap();
        assert_eq!(after, report + Duration::from_secs(1));
        let before = capture_time(0, 48_000, 48_000, report).unwrap();
        assert_eq!(before, report - Duration::from_secs(1));
    }
}
