//! Frames that wait for the key of an epoch which is not known yet (wire.md §4).
//!
//! What fills this is not authenticated, so everything is bounded: frames per sender, bytes in all, and time
//! (SEC-15).

use core::time::Duration;
use std::collections::VecDeque;

use incamera_sframe::UnopenedFrame;
use incamera_types::{MAX_LEAVES, Mono};

/// Frames that wait for one sender at most.
pub const MAX_HELD_PER_SENDER: u8 = 32;

/// Bytes that wait in all: 500 ms of 100 Mbit/s.
pub const MAX_HELD_BYTES: usize = 6 << 20;

/// How long a frame waits.
pub const HOLD_FOR: Duration = Duration::from_millis(500);

/// A frame that waits.
pub(crate) struct HeldFrame {
    pub(crate) frame: UnopenedFrame,
    pub(crate) arrival: Mono,
}

/// Waiting frames in the order in which they came.
pub(crate) struct HeldFrames {
    queue: VecDeque<HeldFrame>,
    per_leaf: Box<[u8]>,
    bytes: usize,
}

impl HeldFrames {
    pub(crate) fn new() -> Self {
        let leaves = usize::try_from(MAX_LEAVES).unwrap_or_default();
        Self { queue: VecDeque::new(), per_leaf: vec![0; leaves].into_boxed_slice(), bytes: 0 }
    }

    /// Takes a frame in, or gives it back when there is no room for it.
    pub(crate) fn push(&mut self, held: HeldFrame) -> Result<(), HeldFrame> {
        let bytes = self.bytes.saturating_add(held.frame.len());
        let Some(count) = leaf_slot(&mut self.per_leaf, &held.frame) else {
            return Err(held);
        };
        if *count >= MAX_HELD_PER_SENDER || bytes > MAX_HELD_BYTES {
            return Err(held);
        }
        *count = count.saturating_add(1);
        self.bytes = bytes;
        self.queue.push_back(held);
        Ok(())
    }

    /// The oldest frame, if it has waited long enough.
    pub(crate) fn pop_expired(&mut self, now: Mono) -> Option<HeldFrame> {
        self.next_expiry().filter(|due| *due <= now)?;
        self.pop()
    }

    /// The oldest frame.
    pub(crate) fn pop(&mut self) -> Option<HeldFrame> {
        let held = self.queue.pop_front()?;
        self.bytes = self.bytes.saturating_sub(held.frame.len());
        if let Some(count) = leaf_slot(&mut self.per_leaf, &held.frame) {
            *count = count.saturating_sub(1);
        }
        Some(held)
    }

    /// Frames that wait.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// When the oldest frame has waited long enough.
    pub(crate) fn next_expiry(&self) -> Option<Mono> {
        self.queue.front().map(|held| held.arrival.plus(HOLD_FOR))
    }
}

fn leaf_slot<'a>(per_leaf: &'a mut [u8], frame: &UnopenedFrame) -> Option<&'a mut u8> {
    per_leaf.get_mut(usize::try_from(frame.kid().leaf().0).ok()?)
}
