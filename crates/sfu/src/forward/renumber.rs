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

/// How the numbers of one source become those of a player.
#[derive(Clone, Copy, Debug)]
struct Offsets {
    /// First input sequence number; older packets belong before the switch to this source.
    base: u64,
    sequence: u64,
    timestamp: u32,
    picture: u16,
    tl0: u8,
}

/// Numbers that were given to a source which is no longer forwarded. What is missing of them was still on its way
/// at the switch; nothing else can fill the player's gap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finished {
    offsets: Offsets,
    /// The newest input sequence number; the player's numbers after it belong to the next source.
    end: u64,
}

impl Finished {
    /// The numbers for a late `packet` of that source; `None` if there are none left for it.
    pub(crate) fn apply(&self, packet: &MediaPacket) -> Option<Renumbered> {
        (self.offsets.base..self.end).contains(&packet.sequence).then(|| self.offsets.apply(packet).0)
    }
}

/// Offsets from the current source to one player's numbers, and how far the player's numbers have come.
#[derive(Clone, Debug)]
pub(crate) struct Renumbering {
    offsets: Offsets,
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
            offsets: Offsets { base: 0, sequence: 0, timestamp: 0, picture: 0, tl0: 0 },
            newest: None,
            next_sequence: u64::from(sequence_start),
        }
    }

    /// Starts a new source with `packet`: its numbers go on directly after the last ones sent, its
    /// timestamp by as much as the capture times differ. Gives what the source before it was numbered.
    pub(crate) fn rebase(&mut self, packet: &MediaPacket) -> Option<Finished> {
        let before = self.offsets;
        self.offsets.base = packet.sequence;
        self.offsets.sequence = self.next_sequence.wrapping_sub(packet.sequence);
        let newest = self.newest.as_mut()?;
        let elapsed = packet.wallclock.saturating_duration_since(newest.wallclock);
        let rate = u128::from(packet.medium.clock_rate());
        let ticks = elapsed.as_micros().saturating_mul(rate) / 1_000_000;
        // At least one tick, so that two frames never share a timestamp.
        let ticks = u32::try_from(ticks).unwrap_or(u32::MAX).max(1);
        let timestamp = newest.timestamp.wrapping_add(ticks);
        self.offsets.timestamp = timestamp.wrapping_sub(packet.timestamp);
        let descriptor = packet.descriptor.as_ref();
        if let Some(id) = descriptor.and_then(super::VideoDescriptor::picture_id) {
            self.offsets.picture = newest.picture_id.wrapping_add(1).wrapping_sub(id);
        }
        if let Some(index) = descriptor.and_then(super::VideoDescriptor::tl0_pic_idx) {
            self.offsets.tl0 = newest.tl0_pic_idx.wrapping_add(1).wrapping_sub(index);
        }
        let end = core::mem::replace(&mut newest.input_sequence, packet.sequence);
        Some(Finished { offsets: before, end })
    }

    /// The numbers for `packet` of the current source; `None` if it is older than the switch to it.
    pub(crate) fn apply(&mut self, packet: &MediaPacket) -> Option<Renumbered> {
        if packet.sequence < self.offsets.base {
            return None;
        }
        let (numbers, newest) = self.offsets.apply(packet);
        if self.newest.is_none_or(|n| packet.sequence >= n.input_sequence) {
            self.next_sequence = numbers.sequence.wrapping_add(1);
            self.newest = Some(newest);
        }
        Some(numbers)
    }
}

impl Offsets {
    /// The numbers for `packet`, and what they leave behind if it is the newest.
    fn apply(&self, packet: &MediaPacket) -> (Renumbered, Newest) {
        let sequence = packet.sequence.wrapping_add(self.sequence);
        let timestamp = packet.timestamp.wrapping_add(self.timestamp);
        let descriptor = packet.descriptor.as_ref();
        let picture_id = descriptor
            .and_then(super::VideoDescriptor::picture_id)
            .map(|id| id.wrapping_add(self.picture) & 0x7fff);
        let tl0_pic_idx = descriptor
            .and_then(super::VideoDescriptor::tl0_pic_idx)
            .map(|index| index.wrapping_add(self.tl0));
        let patch = descriptor.and_then(|d| d.patch(picture_id, tl0_pic_idx));
        let newest = Newest {
            input_sequence: packet.sequence,
            timestamp,
            wallclock: packet.wallclock,
            picture_id: picture_id.unwrap_or_default(),
            tl0_pic_idx: tl0_pic_idx.unwrap_or_default(),
        };
        (Renumbered { sequence, timestamp, patch }, newest)
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
            is_newest: true,
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
