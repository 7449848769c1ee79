//! Spreads the packets of large frames over time. Audio does not pass through here.

use std::collections::VecDeque;
use std::time::Duration;

use rtc::rtp;
use tokio::time::Instant;

/// Packets leave at this multiple of the estimated bandwidth, so that the queue empties between frames.
const PACE: u64 = 5;
const PACE_DIVISOR: u64 = 2;

/// No packet waits longer than about this, whatever the estimate says: the estimate is the encoder's to obey.
const LONGEST_WAIT: Duration = Duration::from_millis(40);

/// Unused time that may be made up for: timers wake late by a millisecond or two.
const CREDIT: Duration = Duration::from_millis(4);

/// Bytes of UDP, IP, SRTP and RTP around a payload, roughly.
const OVERHEAD: usize = 70;

/// A leaky bucket of packets.
pub(super) struct Pacer {
    packets: VecDeque<rtp::Packet>,
    queued_bytes: usize,
    /// What was queued when the latest packet came: that much leaves within [`LONGEST_WAIT`].
    backlog_bytes: usize,
    target_bps: u32,
    free_at: Instant,
}

impl Pacer {
    pub(super) const fn new(now: Instant, target_bps: u32) -> Self {
        Self { packets: VecDeque::new(), queued_bytes: 0, backlog_bytes: 0, target_bps, free_at: now }
    }

    pub(super) fn set_target(&mut self, target_bps: u32) {
        self.target_bps = target_bps;
    }

    pub(super) fn push(&mut self, packet: rtp::Packet) {
        self.queued_bytes += packet.payload.len() + OVERHEAD;
        self.backlog_bytes = self.queued_bytes;
        self.packets.push_back(packet);
    }

    /// The next packet, if it may leave.
    pub(super) fn pop(&mut self, now: Instant) -> Option<rtp::Packet> {
        if now < self.free_at {
            return None;
        }
        let rate = self.rate_bps();
        let packet = self.packets.pop_front()?;
        let size = packet.payload.len() + OVERHEAD;
        self.queued_bytes = self.queued_bytes.saturating_sub(size);
        let earliest = now.checked_sub(CREDIT).unwrap_or(now);
        let micros = size as u64 * 8 * 1_000_000 / rate;
        self.free_at = self.free_at.max(earliest) + Duration::from_micros(micros);
        Some(packet)
    }

    /// When the next packet may leave; `None` when there is none.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (!self.packets.is_empty()).then_some(self.free_at)
    }

    fn rate_bps(&self) -> u64 {
        let paced = u64::from(self.target_bps) * PACE / PACE_DIVISOR;
        let emptying = self.backlog_bytes as u64 * 8 * 1_000 / LONGEST_WAIT.as_millis() as u64;
        paced.max(emptying).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet() -> rtp::Packet {
        rtp::Packet { payload: vec![0; 1_130].into(), ..rtp::Packet::default() }
    }

    /// Milliseconds after which `count` packets pushed at once have all left.
    fn time_to_send(count: usize, target_bps: u32) -> u128 {
        let start = Instant::now();
        let mut pacer = Pacer::new(start, target_bps);
        (0..count).for_each(|_| pacer.push(packet()));
        let mut now = start;
        while let Some(deadline) = pacer.deadline() {
            now = now.max(deadline);
            assert!(pacer.pop(now).is_some());
        }
        (now - start).as_millis()
    }

    #[test]
    fn small_frames_leave_at_once_and_large_ones_are_spread() {
        assert!(time_to_send(2, 2_000_000) <= 2);
        let spread = time_to_send(25, 2_000_000);
        assert!((30..=60).contains(&spread), "{spread} ms");
    }

    #[test]
    fn nothing_waits_much_longer_than_the_limit_even_at_a_low_estimate() {
        let slowest = time_to_send(25, 100_000);
        assert!(slowest <= 45, "{slowest} ms");
    }
}
