//! Sound of everybody: opened packets go in on the opening thread, the mix comes out on the playback thread.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use incamera_devices::{BlockSamples, DeviceError};
use incamera_media::jitter::{AudioReceiver, BlockOrigin, DelayLimits};
use incamera_media::mix::{Mixer, level_dbov};
use incamera_media::opus::OpusError;
use incamera_media::sync::SyncClock;
use incamera_meeting::frames::DeliveredFrame;
use incamera_types::{Context, MemberId, Mono};

use super::tally::SoundTally;
use super::timeline::Timeline;
use crate::reception::{DecodedSound, FrameFacts, Remote, SharedReception};

/// Facts of packets that wait to be played: more than the jitter buffer holds.
const FACTS: usize = 256;

/// One block.
const BLOCK: Duration = Duration::from_millis(20);

/// Blocks decoded at the most when a stream ends: all that a jitter buffer holds, with gaps between them.
const MOST_DRAINED: usize = 2 * FACTS;

/// What is heard of one participant.
struct Voice {
    remote: Remote,
    receiver: AudioReceiver,
    timeline: Timeline,
    facts: VecDeque<(u64, FrameFacts)>,
    tally: SoundTally,
    level_dbov: i8,
    last_written: Option<u64>,
    sync: SyncClock,
}

/// Shared by the opening thread, the playback thread and the driver.
///
/// A lock and not a queue for each: the playback thread holds it for one mix (0.1 ms for four people), the
/// opening thread for one insertion; the device's callback never sees it.
#[derive(Clone)]
pub(crate) struct SoundStage {
    voices: Arc<Mutex<HashMap<(MemberId, Context), Voice>>>,
    limits: DelayLimits,
    reception: Option<SharedReception>,
}

impl SoundStage {
    pub(crate) fn new(limits: DelayLimits, reception: Option<SharedReception>) -> Self {
        Self { voices: Arc::default(), limits, reception }
    }

    /// Takes an opened packet.
    pub(crate) fn packet(
        &self,
        remote: &Remote,
        delivered: DeliveredFrame,
        opened: Mono,
    ) -> Result<(), OpusError> {
        let frame = delivered.frame;
        let facts = FrameFacts {
            context: frame.context(),
            epoch_bits: frame.kid().epoch_bits(),
            counter: u64::from(frame.counter()),
            captured: delivered.capture,
            arrived: delivered.arrival,
            opened,
            decoded: opened,
        };
        let mut voices = self.lock();
        let voice = match voices.entry((remote.member, frame.context())) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => new.insert(Voice {
                remote: remote.clone(),
                receiver: AudioReceiver::new(self.limits)?,
                timeline: Timeline::default(),
                facts: VecDeque::with_capacity(FACTS),
                tally: SoundTally::default(),
                level_dbov: incamera_media::mix::SILENCE_DBOV,
                last_written: None,
                sync: SyncClock::new(),
            }),
        };
        let timestamp = voice.timeline.timestamp(frame.position(), facts.captured, facts.arrived);
        if voice.facts.len() == FACTS {
            voice.facts.pop_front();
        }
        voice.facts.push_back((timestamp, facts));
        voice.receiver.handle_packet(opened, timestamp, frame.into_buffer());
        Ok(())
    }

    /// Mixes the next 20 ms. Gives the first error of a file that sound is written to.
    pub(crate) fn mix(
        &self,
        now: Mono,
        mixer: &mut Mixer,
        out: &mut BlockSamples,
    ) -> Result<(), DeviceError> {
        let mut written = Ok(());
        let mut block = [0; 960];
        for voice in self.lock().values_mut() {
            let reception = self.reception.as_ref();
            written = written.and(voice.pull(now, &mut block, reception));
            mixer.add(&block);
        }
        mixer.finish(out);
        written
    }

    /// Forgets everything of a participant who is gone. What had come is still written, and not heard.
    pub(crate) fn remove(&self, now: Mono, member: MemberId) -> Result<(), DeviceError> {
        let gone = self.lock().extract_if(|(of, _), _| *of == member).collect::<Vec<_>>();
        gone.into_iter().try_for_each(|(_, mut voice)| voice.drain(now, self.reception.as_ref()))
    }

    /// Writes what had come of everybody at the end of the meeting.
    pub(crate) fn drain(&self, now: Mono) -> Result<(), DeviceError> {
        self.lock().values_mut().try_for_each(|voice| voice.drain(now, self.reception.as_ref()))
    }

    /// When a picture that `member` captured at `captured` fits what is heard of it.
    pub(crate) fn due(&self, member: MemberId, now: Mono, captured: Mono) -> Option<Mono> {
        self.lock().get(&(member, Context::Microphone))?.sync.due(now, captured)
    }

    /// Counts of what was decoded of a participant, and how loud it is now.
    pub(crate) fn tally(&self, member: MemberId) -> (SoundTally, i8) {
        let voices = self.lock();
        let voice = voices.get(&(member, Context::Microphone));
        voice.map_or((SoundTally::default(), incamera_media::mix::SILENCE_DBOV), |v| (v.tally, v.level_dbov))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(MemberId, Context), Voice>> {
        // A panic elsewhere leaves voices that are still valid.
        self.voices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Voice {
    /// Decodes what waits to be played, at once.
    fn drain(&mut self, now: Mono, reception: Option<&SharedReception>) -> Result<(), DeviceError> {
        let mut block = [0; 960];
        let mut at = now;
        for _ in 0..MOST_DRAINED {
            if reception.is_none() || self.receiver.is_empty() {
                break;
            }
            self.pull(at, &mut block, reception)?;
            at = at.plus(BLOCK);
        }
        Ok(())
    }

    fn pull(
        &mut self,
        now: Mono,
        block: &mut BlockSamples,
        reception: Option<&SharedReception>,
    ) -> Result<(), DeviceError> {
        let Self { receiver, facts, tally, last_written, remote, sync, .. } = self;
        let mut written = Ok(());
        let played = receiver.pull(now, block, &mut |timestamp, samples| {
            while facts.front().is_some_and(|(of, _)| *of < timestamp) {
                facts.pop_front();
            }
            let Some((_, facts)) = facts.front().filter(|(of, _)| *of == timestamp) else {
                tally.concealed_blocks += 1;
                return;
            };
            tally.decoded(samples);
            sync.handle_sound(now, facts.captured);
            let Some(reception) = reception else { return };
            let steps = last_written.map_or(0, |last: u64| timestamp.saturating_sub(last) / 960);
            *last_written = Some(timestamp);
            let sound = DecodedSound {
                facts: FrameFacts { decoded: now, ..*facts },
                missing_before: steps.saturating_sub(1),
                samples,
            };
            if written.is_ok() {
                written = reception.sound(remote, &sound);
            }
        });
        // A failing decoder is silent; the next packet tries again.
        let silent = !matches!(played, Ok(ref played) if played.origin != BlockOrigin::Silence);
        self.level_dbov = if silent { incamera_media::mix::SILENCE_DBOV } else { level_dbov(block) };
        written
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use incamera_media::opus::{Encoder, EncoderConfig};
    use incamera_types::FrameBuf;

    use super::*;
    use crate::reception::{DecodedPicture, Reception, SentFrame};

    /// Tells the capture time of each block.
    struct Noting(Sender<u64>);

    impl Reception for Noting {
        fn sent(&mut self, _frame: &SentFrame) -> Result<(), DeviceError> {
            Ok(())
        }

        fn picture(&mut self, _from: &Remote, _picture: &DecodedPicture<'_>) -> Result<(), DeviceError> {
            Ok(())
        }

        fn sound(&mut self, _from: &Remote, sound: &DecodedSound<'_>) -> Result<(), DeviceError> {
            let _ = self.0.send(sound.facts.captured.as_micros());
            Ok(())
        }

        fn finish(self: Box<Self>) -> Result<(), DeviceError> {
            Ok(())
        }
    }

    fn voice(blocks: u64) -> Voice {
        let limits = DelayLimits { min: Duration::from_millis(200), max: Duration::from_millis(1_000) };
        let mut voice = Voice {
            remote: Remote { member: MemberId([1; 16]), name: "Ada".to_owned() },
            receiver: AudioReceiver::new(limits).unwrap(),
            timeline: Timeline::default(),
            facts: VecDeque::new(),
            tally: SoundTally::default(),
            level_dbov: 0,
            last_written: None,
            sync: SyncClock::new(),
        };
        let mut encoder = Encoder::new(&EncoderConfig::default()).unwrap();
        for number in 0..blocks {
            let mut packet = FrameBuf::with_capacity(1_275);
            encoder.encode(&[100; 960], &mut packet).unwrap();
            let at = Mono::from_micros(number * 20_000);
            let facts = FrameFacts {
                context: Context::Microphone,
                epoch_bits: 0,
                counter: number,
                captured: at,
                arrived: at,
                opened: at,
                decoded: at,
            };
            voice.facts.push_back((number * 960, facts));
            voice.receiver.handle_packet(at, number * 960, packet);
        }
        voice
    }

    #[test]
    fn sound_that_waits_in_the_jitter_buffer_is_written_when_its_speaker_goes() {
        let (noted, written) = channel();
        let reception = SharedReception::start(Box::new(Noting(noted))).unwrap();
        let stage = SoundStage::new(DelayLimits::default(), Some(reception.clone()));
        stage.lock().insert((MemberId([1; 16]), Context::Microphone), voice(9));
        stage.lock().insert((MemberId([2; 16]), Context::Microphone), voice(4));
        let now = Mono::from_micros(180_000);
        stage.remove(now, MemberId([1; 16])).unwrap();
        stage.drain(now).unwrap();
        stage.drain(now).unwrap();
        reception.finish().unwrap();
        let expected: Vec<_> = (0..9).chain(0..4).map(|n| n * 20_000).collect();
        assert_eq!(written.iter().collect::<Vec<_>>(), expected, "all of it, and nothing twice");
    }
}
