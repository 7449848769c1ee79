//! A voice that nobody has to lend.

use incamera_types::Mono;

use crate::DeviceError;
use crate::audio::{AudioBlock, AudioSource, Polled};
use crate::mark::SenderMark;
use crate::tone::ToneSource;

/// One phrase in steps of 100 ms, how loud each is in 64ths.
const PHRASE: [i16; 32] =
    [0, 4, 6, 2, 0, 5, 7, 3, 4, 6, 1, 0, 3, 5, 6, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Blocks of 20 ms in a step.
const BLOCKS_PER_STEP: usize = 5;

/// A quiet tone in the rhythm of speech: syllables, and pauses between phrases.
#[derive(Clone, Debug)]
pub struct SyllableSource {
    tone: ToneSource,
    block: usize,
}

impl SyllableSource {
    /// The voice of a sender.
    #[must_use]
    pub fn new(mark: SenderMark) -> Self {
        Self { tone: ToneSource::new(mark), block: 0 }
    }
}

impl AudioSource for SyllableSource {
    fn poll_block(&mut self, now: Mono, block: &mut AudioBlock) -> Result<Polled, DeviceError> {
        let polled = self.tone.poll_block(now, block)?;
        if polled == Polled::Ready {
            let loudness = PHRASE[self.block / BLOCKS_PER_STEP % PHRASE.len()];
            for sample in &mut block.samples {
                *sample = *sample / 64 * loudness;
            }
            self.block += 1;
        }
        Ok(polled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_followed_by_pauses_as_long() {
        let mut source = SyllableSource::new(SenderMark::new(1));
        let mut block = AudioBlock::silent();
        let loud: Vec<bool> = (0..PHRASE.len() * BLOCKS_PER_STEP)
            .map(|number| {
                let now = Mono::from_micros(1_000_000 + number as u64 * 20_000);
                assert_eq!(source.poll_block(now, &mut block), Ok(Polled::Ready));
                block.samples.iter().any(|sample| *sample != 0)
            })
            .collect();
        assert!(loud[5..20].iter().all(|is_loud| *is_loud));
        assert!(loud[80..].iter().all(|is_loud| !is_loud));
    }
}
