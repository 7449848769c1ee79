//! The counter of one sending key: every value is given out once.

use crate::SealError;

/// Frames that one key seals at most (2^24): 93 hours of audio, far below the limits of AES-GCM.
pub const MAX_FRAMES_PER_KEY: u32 = 1 << 24;

/// Hands out 0, 1, 2 … and then nothing (SEC-17). Not cloneable: it exists once per key.
pub(crate) struct FrameCounter {
    next: u32,
}

impl FrameCounter {
    pub(crate) const fn new() -> Self {
        Self { next: 0 }
    }

    /// Takes the next value. It is spent even when the sealing that follows fails.
    #[inline]
    pub(crate) fn reserve(&mut self) -> Result<u32, SealError> {
        if self.next >= MAX_FRAMES_PER_KEY {
            return Err(SealError::CounterExhausted);
        }
        let reserved = self.next;
        self.next = self.next.saturating_add(1);
        Ok(reserved)
    }

    /// Values given out so far.
    pub(crate) const fn spent(&self) -> u32 {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counter_gives_the_last_value_and_then_stops_for_good() {
        let mut counter = FrameCounter { next: MAX_FRAMES_PER_KEY - 1 };
        assert_eq!(counter.reserve().unwrap(), MAX_FRAMES_PER_KEY - 1);
        for _ in 0..3 {
            assert_eq!(counter.reserve().unwrap_err(), SealError::CounterExhausted);
        }
        assert_eq!(counter.spent(), MAX_FRAMES_PER_KEY);
    }
}
