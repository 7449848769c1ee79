//! Where a block of sound belongs in its stream, from what is authenticated alone: an SFU that rewrites RTP
//! timestamps cannot stretch or reorder what is heard.

use incamera_media::audio::BLOCK_SAMPLES;
use incamera_sframe::FramePosition;
use incamera_types::Mono;

/// One block in microseconds.
const BLOCK_US: u64 = 20_000;

/// Capture times that differ from the count of frames by more than this show that the sender paused: numbers
/// stand still meanwhile, and go round after 64 frames when keys change.
const PAUSE_US: u64 = 400_000;

/// A stream begins here, so that what was captured before its first received block has a place too.
const FIRST_INDEX: u64 = 1_000;

/// Gives each frame of one stream its 48 kHz timestamp.
#[derive(Default)]
pub(crate) struct Timeline {
    newest: Option<Newest>,
}

#[derive(Clone, Copy)]
struct Newest {
    position: FramePosition,
    index: u64,
    captured: Mono,
}

impl Timeline {
    /// The timestamp of the frame at `position`, captured at `captured`.
    pub(crate) fn timestamp(&mut self, position: FramePosition, captured: Mono) -> u64 {
        self.index(position, captured) * BLOCK_SAMPLES as u64
    }

    fn index(&mut self, position: FramePosition, captured: Mono) -> u64 {
        let Some(newest) = self.newest else { return self.advance(FIRST_INDEX, position, captured) };
        if let Some(missing) = position.missing_since(newest.position) {
            let by_number = u64::from(missing) + 1;
            let passed_us = captured.as_micros().saturating_sub(newest.captured.as_micros());
            let paused = passed_us > by_number * BLOCK_US + PAUSE_US;
            let steps = if paused { (passed_us + BLOCK_US / 2) / BLOCK_US } else { by_number };
            return self.advance(newest.index + steps, position, captured);
        }
        match newest.position.missing_since(position) {
            Some(missing) => newest.index.saturating_sub(u64::from(missing) + 1),
            None => newest.index,
        }
    }

    fn advance(&mut self, index: u64, position: FramePosition, captured: Mono) -> u64 {
        self.newest = Some(Newest { position, index, captured });
        index
    }
}
