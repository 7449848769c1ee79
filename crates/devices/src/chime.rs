//! A short sound to try a speaker with.

use core::f64::consts::{PI, TAU};
use core::time::Duration;
use std::sync::mpsc::channel;

use crate::DeviceError;
use crate::audio::{AudioSink, BlockSamples, SAMPLE_RATE_HZ};
use crate::driver::play_audio;

/// Two soft notes, a third apart, and time for the speaker to play them.
const NOTES_HZ: [f64; 2] = [523.25, 659.25];
const NOTE_SAMPLES: usize = SAMPLE_RATE_HZ as usize * 3 / 10;
const CHIME_SAMPLES: usize = NOTES_HZ.len() * NOTE_SAMPLES + SAMPLE_RATE_HZ as usize / 2;

/// Peak of a note: −16 dB of full scale.
const NOTE_PEAK: f64 = 5_200.0;

/// How long all of it may take: a speaker that stopped asking for sound does not come to the end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Plays two notes on `speaker`; returns when they were heard.
///
/// # Errors
/// The speaker failed, or [`DeviceError::Lost`] when it stands still.
pub fn play_chime(speaker: impl AudioSink + 'static) -> Result<(), DeviceError> {
    let (told, outcome) = channel();
    let failed = told.clone();
    let mut place = 0;
    let mix = move |_, block: &mut BlockSamples| {
        if !sound(&mut place, block) {
            // It is told with every block after the last note.
            let _ = told.send(Ok(()));
        }
    };
    let _playing = play_audio(speaker, mix, move |error| drop(failed.send(Err(error))))?;
    outcome.recv_timeout(PATIENCE).unwrap_or(Err(DeviceError::Lost))
}

/// Fills a block from `place` on; whether there is more to come.
fn sound(place: &mut usize, block: &mut BlockSamples) -> bool {
    for sample in block {
        let within = (*place % NOTE_SAMPLES) as f64;
        // Each note swells and fades: nothing clicks.
        let swell = (PI * within / NOTE_SAMPLES as f64).sin();
        *sample = NOTES_HZ.get(*place / NOTE_SAMPLES).map_or(0, |hz| {
            ((TAU * hz * within / f64::from(SAMPLE_RATE_HZ)).sin() * swell * NOTE_PEAK) as i16
        });
        *place += 1;
    }
    *place < CHIME_SAMPLES
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use incamera_types::Mono;

    use super::*;
    use crate::audio::{BLOCK_SAMPLES, Polled};

    /// A speaker that plays at once what it is given, and fails after so many blocks.
    struct Ear {
        heard: Arc<Mutex<Vec<i16>>>,
        blocks: usize,
    }

    impl AudioSink for Ear {
        fn poll_wanted(&mut self, _now: Mono) -> Result<Polled, DeviceError> {
            Ok(Polled::Ready)
        }

        fn write_block(&mut self, samples: &BlockSamples) -> Result<(), DeviceError> {
            self.blocks = self.blocks.checked_sub(1).ok_or(DeviceError::Lost)?;
            self.heard.lock().unwrap().extend_from_slice(samples);
            Ok(())
        }

        fn delay(&self) -> Duration {
            Duration::ZERO
        }
    }

    #[test]
    fn chime_is_two_notes_without_clicks_and_then_silence() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        play_chime(Ear { heard: Arc::clone(&heard), blocks: usize::MAX }).unwrap();
        let samples = heard.lock().unwrap();
        let loudest = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!((4_000..6_000).contains(&loudest), "{loudest}");
        let steepest = samples.windows(2).map(|pair| pair[0].abs_diff(pair[1])).max().unwrap();
        assert!(steepest < 600, "{steepest}");
        assert!(samples.len() >= CHIME_SAMPLES - BLOCK_SAMPLES);
        assert!(samples[2 * NOTE_SAMPLES..].iter().all(|sample| *sample == 0));
    }

    #[test]
    fn speaker_that_fails_is_told() {
        let failing = Ear { heard: Arc::default(), blocks: 3 };
        assert_eq!(play_chime(failing), Err(DeviceError::Lost));
    }
}
