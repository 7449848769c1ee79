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

/// How much further than the time that passed here a stream may get: what a frame may be late (3 s of freshness).
/// Nobody can make more sound, or silence, than time passes (SEC-15).
const MAX_AHEAD_US: u64 = 3_000_000;

/// A stream begins here, so that what was captured before its first received block has a place too.
const FIRST_INDEX: u64 = 1_000;

/// Gives each frame of one stream its 48 kHz timestamp.
#[derive(Default)]
pub(crate) struct Timeline {
    /// When the first frame arrived.
    began: Mono,
    newest: Option<Newest>,
}

#[derive(Clone, Copy)]
struct Newest {
    position: FramePosition,
    index: u64,
    captured: Mono,
}

impl Timeline {
    /// The timestamp of the frame at `position`, captured at `captured` on the sender's clock, that arrived at `arrived`
    /// on ours.
    pub(crate) fn timestamp(&mut self, position: FramePosition, captured: Mono, arrived: Mono) -> u64 {
        self.index(position, captured, arrived) * BLOCK_SAMPLES as u64
    }

    fn index(&mut self, position: FramePosition, captured: Mono, arrived: Mono) -> u64 {
        let Some(newest) = self.newest else {
            self.began = arrived;
            return self.advance(FIRST_INDEX, position, captured);
        };
        if let Some(missing) = position.missing_since(newest.position) {
            let by_number = u64::from(missing) + 1;
            let passed_us = captured.as_micros().saturating_sub(newest.captured.as_micros());
            let paused = passed_us > by_number * BLOCK_US + PAUSE_US;
            let steps = if paused { (passed_us + BLOCK_US / 2) / BLOCK_US } else { by_number };
            let furthest = FIRST_INDEX + (micros_between(self.began, arrived) + MAX_AHEAD_US) / BLOCK_US;
            let index = (newest.index + steps).min(furthest).max(newest.index + 1);
            return self.advance(index, position, captured);
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

fn micros_between(earlier: Mono, later: Mono) -> u64 {
    later.as_micros().saturating_sub(earlier.as_micros())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use incamera_media::audio::BLOCK_SAMPLES;
    use incamera_sframe::{
        BaseKey, EpochKeyring, FrameKind, FrameNumber, MediaFrame, MediaTime, Padding, TemporalLayer,
        UnopenedFrame,
    };
    use incamera_types::{Context, Epoch, FrameBuf, FrameSuite, Kid, LeafIndex, MediaKind};
    use zeroize::Zeroizing;

    use super::*;

    /// Positions of frames that were sealed one after the other.
    fn positions(count: usize) -> Vec<FramePosition> {
        let suite = FrameSuite::Aes256GcmSha512;
        let base = || BaseKey::new(suite, Zeroizing::new(vec![3; suite.key_len()])).unwrap();
        let kid = Kid::new(Context::Microphone, LeafIndex(2), Epoch(7)).unwrap();
        let mut sender = base().take_sender(kid).unwrap();
        let mut keyring = EpochKeyring::new(base(), Epoch(7), 4, Mono::default());
        let mut position = |number| {
            let frame = MediaFrame {
                buf: FrameBuf::from_slice(b"opus"),
                kind: FrameKind::Opus,
                media_time: MediaTime::default(),
                temporal_layer: TemporalLayer::BASE,
                capture: Mono::default(),
                padding: Padding::None,
            };
            let sealed = sender.seal(frame, FrameNumber::of(number)).unwrap();
            let unopened = UnopenedFrame::parse(MediaKind::Audio, sealed.into_buffer()).unwrap();
            keyring.open(unopened, Mono::default()).unwrap().position()
        };
        (0..count as u64).map(&mut position).collect()
    }

    fn block(timestamp: u64) -> u64 {
        timestamp / BLOCK_SAMPLES as u64 - FIRST_INDEX
    }

    const fn ms(ms: u64) -> Mono {
        Mono::from_micros(ms * 1_000)
    }

    #[test]
    fn lost_frames_and_pauses_leave_room_for_silence() {
        let frames = positions(12);
        let mut timeline = Timeline::default();
        assert_eq!(block(timeline.timestamp(frames[0], ms(0), ms(50))), 0);
        assert_eq!(block(timeline.timestamp(frames[10], ms(200), ms(250))), 10, "nine were lost");
        assert_eq!(block(timeline.timestamp(frames[4], ms(80), ms(251))), 4, "one of them is late");
        assert_eq!(
            block(timeline.timestamp(frames[11], ms(10_220), ms(10_270))),
            511,
            "a pause of ten seconds"
        );
    }

    // SEC-15: a member that lies about time makes nobody write more than time passes.
    #[test]
    fn capture_times_of_the_far_future_make_no_more_silence_than_time_passes() {
        let frames = positions(200);
        let mut timeline = Timeline::default();
        let mut last = 0;
        for (number, frame) in frames.iter().enumerate() {
            let number = number as u64;
            let half_an_hour = Duration::from_secs(1_800 * number);
            last = block(timeline.timestamp(*frame, Mono::default().plus(half_an_hour), ms(20 * number)));
        }
        assert!((199..=199 + 150).contains(&last), "{last} blocks in four seconds");
    }
}
