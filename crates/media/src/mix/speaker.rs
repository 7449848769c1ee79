//! Who is speaking.

use core::time::Duration;

use incamera_types::Mono;

/// Louder than this counts as speech.
const SPEECH_DBOV: f32 = -50.0;

/// Another has to be this much louder, smoothed, to take over.
const MARGIN_DB: f32 = 3.0;

/// Share of the new level in the smoothed one per block: half-life of about 100 ms.
const SMOOTHING: f32 = 0.13;

/// Nobody takes over sooner than this after the last change.
const MIN_TURN: Duration = Duration::from_millis(600);

/// Without levels for this long somebody is silent.
const FORGET_AFTER: Duration = Duration::from_millis(500);

/// Streams followed at most (SEC-15).
const MAX_STREAMS: usize = 1_024;

/// Finds out from opened audio who is speaking: the loudest over some time, with hysteresis. It uses no levels that a
/// server or a header extension claims.
#[derive(Clone, Debug)]
pub struct SpeakerDetector<K> {
    streams: Vec<Stream<K>>,
    speaker: Option<K>,
    since: Option<Mono>,
}

#[derive(Clone, Debug)]
struct Stream<K> {
    id: K,
    level_dbov: f32,
    heard: Mono,
}

impl<K: Copy + Eq> Default for SpeakerDetector<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Copy + Eq> SpeakerDetector<K> {
    /// A detector that has heard nobody.
    #[must_use]
    pub const fn new() -> Self {
        Self { streams: Vec::new(), speaker: None, since: None }
    }

    /// A block of `id` was played with this level ([`super::level_dbov`]).
    pub fn handle_level(&mut self, now: Mono, id: K, level_dbov: i8) {
        let level = f32::from(level_dbov);
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == id) {
            stream.level_dbov += (level - stream.level_dbov) * SMOOTHING;
            stream.heard = now;
        } else if self.streams.len() < MAX_STREAMS {
            self.streams.push(Stream { id, level_dbov: f32::from(super::SILENCE_DBOV), heard: now });
        }
    }

    /// Forgets somebody who left.
    pub fn remove(&mut self, id: K) {
        self.streams.retain(|stream| stream.id != id);
        if self.speaker == Some(id) {
            self.speaker = None;
        }
    }

    /// Who is speaking. It stays with the last speaker through silence.
    pub fn speaker(&mut self, now: Mono) -> Option<K> {
        let audible =
            |stream: &&Stream<K>| stream.level_dbov > SPEECH_DBOV && now.since(stream.heard) < FORGET_AFTER;
        let loudest = self
            .streams
            .iter()
            .filter(audible)
            .max_by(|a, b| a.level_dbov.total_cmp(&b.level_dbov))
            .map(|stream| (stream.id, stream.level_dbov));
        let present = self.streams.iter().filter(audible).find(|stream| Some(stream.id) == self.speaker);
        let present_dbov = present.map(|stream| stream.level_dbov);
        if let Some((id, level)) = loudest
            && Some(id) != self.speaker
            && present_dbov.is_none_or(|present| level > present + MARGIN_DB)
            && (self.speaker.is_none() || self.since.is_none_or(|since| now.since(since) >= MIN_TURN))
        {
            self.speaker = Some(id);
            self.since = Some(now);
        }
        self.speaker
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(detector: &mut SpeakerDetector<u8>, from_ms: u64, blocks: u64, levels: &[(u8, i8)]) -> Option<u8> {
        let mut speaker = None;
        for block in 0..blocks {
            let now = Mono::from_micros((from_ms + block * 20) * 1_000);
            for (id, level) in levels {
                detector.handle_level(now, *id, *level);
            }
            speaker = detector.speaker(now);
        }
        speaker
    }

    #[test]
    fn the_loudest_speaks_and_a_cough_does_not_take_over() {
        let mut detector = SpeakerDetector::new();
        assert_eq!(run(&mut detector, 0, 60, &[(1, -25), (2, -60)]), Some(1));
        assert_eq!(run(&mut detector, 1_200, 3, &[(1, -25), (2, -10)]), Some(1));
        assert_eq!(run(&mut detector, 1_260, 60, &[(1, -70), (2, -22)]), Some(2));
    }

    #[test]
    fn noise_is_no_speech_and_silence_keeps_the_speaker() {
        let mut detector = SpeakerDetector::new();
        assert_eq!(run(&mut detector, 0, 100, &[(1, -60), (2, -58)]), None);
        assert_eq!(run(&mut detector, 2_000, 100, &[(1, -60), (2, -28)]), Some(2));
        assert_eq!(run(&mut detector, 4_000, 100, &[(1, -60), (2, -60)]), Some(2));
        detector.remove(2);
        assert_eq!(run(&mut detector, 6_000, 2, &[(1, -60)]), None);
    }
}
