//! The replay window of one receiving key (SEC-03).

/// Frames behind the newest that may still come (5 s of audio, over 4 s of video at 60 fps): more than the
/// 3 s for which a frame is fresh at all.
pub(crate) const WINDOW_FRAMES: u64 = 256;

const WORDS: usize = 4;

/// Why a counter is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// A frame with this counter was opened before; also what a retransmitted copy looks like.
    #[error("the frame came before")]
    Replayed,
    /// So far behind the newest frame that nobody remembers whether it came.
    #[error("the frame is too far behind the newest one")]
    TooOld,
    /// So far ahead that its sender cannot have got there: believing it would silence the sender.
    #[error("the frame is impossibly far ahead")]
    TooFarAhead,
}

/// Which of the newest [`WINDOW_FRAMES`] counters were accepted.
///
/// Two steps: [`Self::check`] before opening, [`Self::commit`] only after it succeeded, so that a forged
/// frame moves nothing.
#[derive(Default)]
pub(crate) struct ReplayWindow {
    /// One above the highest accepted counter.
    next: u64,
    /// Bit `counter % 256` of the counters below `next`.
    seen: [u64; WORDS],
}

impl ReplayWindow {
    /// Whether nothing was accepted yet.
    #[inline]
    pub(crate) const fn is_untouched(&self) -> bool {
        self.next == 0
    }

    /// Whether a frame with this counter may be opened; `ceiling` is the first counter that is too far ahead.
    #[inline]
    pub(crate) fn check(&self, counter: u64, ceiling: u64) -> Result<(), ReplayError> {
        if counter >= self.next {
            return if counter < ceiling { Ok(()) } else { Err(ReplayError::TooFarAhead) };
        }
        if self.next.saturating_sub(counter) > WINDOW_FRAMES {
            return Err(ReplayError::TooOld);
        }
        if self.word(counter) & bit(counter) != 0 { Err(ReplayError::Replayed) } else { Ok(()) }
    }

    /// Records a counter whose frame was opened.
    #[inline]
    pub(crate) fn commit(&mut self, counter: u64) {
        if counter >= self.next {
            self.forget_up_to(counter);
            self.next = counter.saturating_add(1);
        }
        if self.next.saturating_sub(counter) <= WINDOW_FRAMES {
            *self.word_mut(counter) |= bit(counter);
        }
    }

    /// Clears the bits of the counters from `next` to `counter`, which stood for older ones.
    #[inline]
    fn forget_up_to(&mut self, counter: u64) {
        if counter.saturating_sub(self.next) >= WINDOW_FRAMES {
            self.seen = [0; WORDS];
            return;
        }
        for skipped in self.next..=counter {
            *self.word_mut(skipped) &= !bit(skipped);
        }
    }

    #[inline]
    fn word(&self, counter: u64) -> u64 {
        let [a, b, c, d] = self.seen;
        match (counter >> 6) & 3 {
            0 => a,
            1 => b,
            2 => c,
            _ => d,
        }
    }

    #[inline]
    fn word_mut(&mut self, counter: u64) -> &mut u64 {
        let [a, b, c, d] = &mut self.seen;
        match (counter >> 6) & 3 {
            0 => a,
            1 => b,
            2 => c,
            _ => d,
        }
    }
}

#[inline]
const fn bit(counter: u64) -> u64 {
    1 << (counter & 63)
}

#[cfg(test)]
mod tests;
