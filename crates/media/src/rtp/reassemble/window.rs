//! The packets of one stream that are not consumed yet, in sequence order, bounded.

use std::collections::VecDeque;

use incamera_types::Mono;

use super::super::descriptor::Vp8Descriptor;

/// Packets between the oldest one not consumed and the newest: about 8 s of 4 Mbit/s. With
/// [`super::MAX_PACKET_BYTES`] it bounds what one stream may hold to 8 MiB.
pub(super) const WINDOW_PACKETS: u64 = 4_096;

/// How far before the first packet the window may be moved back while nothing was consumed.
const BACKWARD_PACKETS: u64 = 64;

/// This many packets in a row from far behind the window mean that the sender started to count anew.
const STALE_RUN: u32 = 32;

/// What one sequence number holds.
pub(super) enum Slot<P> {
    /// Not arrived.
    Missing,
    /// Arrived without media: probes and keep-alives use up sequence numbers.
    Filler,
    /// A piece of a frame.
    Piece(Piece<P>),
}

/// A piece of a frame.
pub(super) struct Piece<P> {
    pub(super) arrival: Mono,
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    pub(super) descriptor: Vp8Descriptor,
    pub(super) descriptor_len: usize,
    pub(super) payload: P,
}

impl<P: AsRef<[u8]>> Piece<P> {
    /// The bytes of the frame.
    pub(super) fn chunk(&self) -> &[u8] {
        self.payload.as_ref().get(self.descriptor_len..).unwrap_or_default()
    }
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// It is in the window.
    Stored,
    /// Its place is taken.
    Duplicate,
    /// Its place was given up or consumed.
    Late,
    /// It is too far ahead, or the sender counts anew: everything held was dropped and the window starts here.
    Restarted,
}

/// The window. Index 0 is the oldest sequence number not consumed.
pub(super) struct Window<P> {
    base: u64,
    slots: VecDeque<Slot<P>>,
    consumed_any: bool,
    stale_run: u32,
}

impl<P> Window<P> {
    pub(super) fn new() -> Self {
        Self { base: 0, slots: VecDeque::new(), consumed_any: false, stale_run: 0 }
    }

    /// Sequence number of index 0.
    pub(super) fn base(&self) -> u64 {
        self.base
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether nothing was consumed yet, so that earlier packets may still find a place.
    pub(super) fn is_fresh(&self) -> bool {
        !self.consumed_any
    }

    pub(super) fn slot(&self, index: usize) -> Option<&Slot<P>> {
        self.slots.get(index)
    }

    pub(super) fn place(&mut self, sequence: u64, slot: Slot<P>) -> Placed {
        if self.slots.is_empty() && !self.consumed_any {
            self.base = sequence;
        }
        let Some(ahead) = sequence.checked_sub(self.base) else {
            return self.place_behind(sequence, slot);
        };
        self.stale_run = 0;
        if ahead >= WINDOW_PACKETS {
            self.restart(sequence, slot);
            return Placed::Restarted;
        }
        let index = usize::try_from(ahead).unwrap_or(usize::MAX);
        while self.slots.len() <= index {
            self.slots.push_back(Slot::Missing);
        }
        match self.slots.get_mut(index) {
            Some(place @ Slot::Missing) => {
                *place = slot;
                Placed::Stored
            }
            _ => Placed::Duplicate,
        }
    }

    fn place_behind(&mut self, sequence: u64, slot: Slot<P>) -> Placed {
        let behind = self.base.saturating_sub(sequence);
        if !self.consumed_any && behind <= BACKWARD_PACKETS {
            for _ in 1..behind {
                self.slots.push_front(Slot::Missing);
            }
            self.slots.push_front(slot);
            self.base = sequence;
            return Placed::Stored;
        }
        if behind <= WINDOW_PACKETS {
            self.stale_run = 0;
            return Placed::Late;
        }
        self.stale_run = self.stale_run.saturating_add(1);
        if self.stale_run < STALE_RUN {
            return Placed::Late;
        }
        self.restart(sequence, slot);
        Placed::Restarted
    }

    fn restart(&mut self, sequence: u64, slot: Slot<P>) {
        self.slots.clear();
        self.slots.push_back(slot);
        self.base = sequence;
        self.consumed_any = true;
        self.stale_run = 0;
    }

    /// Removes the first `count` slots and gives their number of missing packets.
    pub(super) fn discard(&mut self, count: usize) -> u32 {
        let mut missing = 0_u32;
        self.take(count, |slot| {
            if matches!(slot, Slot::Missing) {
                missing = missing.saturating_add(1);
            }
        });
        missing
    }

    /// Removes the first `count` slots in order, handing each to `each`.
    pub(super) fn take(&mut self, count: usize, mut each: impl FnMut(Slot<P>)) {
        let count = count.min(self.slots.len());
        self.base = self.base.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        self.consumed_any |= count > 0;
        for slot in self.slots.drain(..count) {
            each(slot);
        }
    }
}
