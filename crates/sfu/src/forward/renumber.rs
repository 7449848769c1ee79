//! New numbers for a player: one gapless sequence, one timeline, however often the source changes.

use std::time::Instant;

use str0m::rtp::Vp8Patch;

use super::MediaPacket;

/// Numbers of a packet towards one player.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Renumbered {
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    pub(crate) patch: Option<Vp8Patch>,
}

/// Offsets from one source to one player's numbers, and how far the player's numbers have come.
#[derive(Clone, Debug)]
pub(crate) struct Renumbering {
    /// First input sequence number of the current source; older packets belong before the switch.
    base: u64,
    sequence_offset: u64,
    timestamp_offset: u32,
    picture_offset: u16,
    tl0_offset: u8,
    newest: Option<Newest>,
    next_sequence: u64,
}

#[derive(Clone, Copy, Debug)]
struct Newest {
    input_sequence: u64,
    timestamp: u32,
    wallclock: Instant,
    picture_id: u16,
    tl0_pic_idx: u8,
}

impl Renumbering {
    /// Numbers that start at `sequence_start`, below 32,768.
    pub(crate) fn new(sequence_start: u16) -> Self {
        Self {
            base: 0,
            sequence_offset: 0,
            timestamp_offset: 0,
            picture_offset: 0,
            tl0_offset: 0,
            newest: None,
            next_sequence: u64::from(sequence_start),
        }
    }

    /// Starts a new source with `packet`: its numbers go on directly after the last ones sent, its
    /// timestamp by as much as the capture times differ.
    pub(crate) fn rebase(&mut self, packet: &MediaPacket) {
        self.base = packet.sequence;
        self.sequence_offset = self.next_sequence.wrapping_sub(packet.sequence);
        let Some(newest) = &mut self.newest else {
            return;
        };
        let elapsed = packet.wallclock.saturating_duration_since(newest.wallclock);
        let rate = u128::from(packet.medium.clock_rate());
        let ticks = elapsed.as_micros().saturating_mul(rate) / 1_000_000;
        // At least one tick, so that two frames never share a timestamp.
        let ticks = u32::try_from(ticks).unwrap_or(u32::MAX).max(1);
        let timestamp = newest.timestamp.wrapping_add(ticks);
        self.timestamp_offset = timestamp.wrapping_sub(packet.timestamp);
        let descriptor = packet.descriptor.as_ref();
        if let Some(id) = descriptor.and_then(super::VideoDescriptor::picture_id) {
            self.picture_offset = newest.picture_id.wrapping_add(1).wrapping_sub(id);
        }
        if let Some(index) = descriptor.and_then(super::VideoDescriptor::tl0_pic_idx) {
            self.tl0_offset = newest.tl0_pic_idx.wrapping_add(1).wrapping_sub(index);
        }
        newest.input_sequence = packet.sequence;
    }

    /// The numbers for `packet` of the current source; `None` if it is older than the switch to it.
    pub(crate) fn apply(&mut self, packet: &MediaPacket) -> Option<Renumbered> {
        if packet.sequence < self.base {
            return None;
        }
        let sequence = packet.sequence.wrapping_add(self.sequence_offset);
        let timestamp = packet.timestamp.wrapping_add(self.timestamp_offset);
        let descriptor = packet.descriptor.as_ref();
        let picture_id = descriptor
            .and_then(super::VideoDescriptor::picture_id)
            .map(|id| id.wrapping_add(self.picture_offset) & 0x7fff);
        let tl0_pic_idx = descriptor
            .and_then(super::VideoDescriptor::tl0_pic_idx)
            .map(|index| index.wrapping_add(self.tl0_offset));
        let is_newest = self.newest.is_none_or(|n| packet.sequence >= n.input_sequence);
        if is_newest {
            self.newest = Some(Newest {
                input_sequence: packet.sequence,
                timestamp,
                wallclock: packet.wallclock,
                picture_id: picture_id.unwrap_or_default(),
                tl0_pic_idx: tl0_pic_idx.unwrap_or_default(),
            });
            self.next_sequence = sequence.wrapping_add(1);
        }
        let patch = descriptor.and_then(|d| d.patch(picture_id, tl0_pic_idx));
        Some(Renumbered { sequence, timestamp, patch })
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::forward::{Layer, Medium, VideoDescriptor};

    fn packet(sequence: u64, timestamp: u32, wallclock: Instant) -> MediaPacket {
        let id = (sequence & 0x7f) as u8;
        let payload = [0x90, 0xe0, 0x80, id, id, 0x00, 0x11, 0];
        MediaPacket {
            medium: Medium::Video(Layer::High),
            ssrc: 1,
            sequence,
            timestamp,
            marker: true,
            wallclock,
            descriptor: VideoDescriptor::parse(&payload),
            payload: payload.as_slice().into(),
        }
    }

    #[test]
    fn a_switch_continues_sequence_and_time() {
        let start = Instant::now();
        let mut numbers = Renumbering::new(7);
        let first = packet(90_000, 5_000, start);
        numbers.rebase(&first);
        let out = numbers.apply(&first).unwrap();
        assert_eq!((out.sequence, out.timestamp), (7, 5_000));
        let second = packet(90_001, 8_000, start + Duration::from_millis(33));
        assert_eq!(numbers.apply(&second).unwrap().sequence, 8);

        let other = packet(12, 4_000_000_000, start + Duration::from_millis(133));
        numbers.rebase(&other);
        let out = numbers.apply(&other).unwrap();
        assert_eq!((out.sequence, out.timestamp), (9, 8_000 + 9_000));
        assert!(numbers.apply(&packet(11, 0, start)).is_none());
    }

    #[test]
    fn losses_stay_gaps_and_late_packets_fill_them() {
        let start = Instant::now();
        let mut numbers = Renumbering::new(0);
        let first = packet(100, 0, start);
        numbers.rebase(&first);
        numbers.apply(&first).unwrap();
        assert_eq!(numbers.apply(&packet(103, 3, start)).unwrap().sequence, 3);
        assert_eq!(numbers.apply(&packet(101, 1, start)).unwrap().sequence, 1);
        let other = packet(9, 9, start);
        numbers.rebase(&other);
        assert_eq!(numbers.apply(&other).unwrap().sequence, 4);
    }

    #[test]
    fn two_sources_captured_together_never_share_a_timestamp() {
        let start = Instant::now();
        let mut numbers = Renumbering::new(0);
        for source in [packet(5, 500, start), packet(5, 500, start)] {
            let before = numbers.newest.map(|n| n.timestamp);
            numbers.rebase(&source);
            let out = numbers.apply(&source).unwrap();
            assert_ne!(Some(out.timestamp), before);
        }
    }
}
