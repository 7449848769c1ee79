//! One m-line of a player: what it gets of the publisher bound to it.

use core::time::Duration;
use std::time::Instant;

use super::renumber::{Finished, Renumbering};
use super::{Activity, Layer, MediaPacket, Medium, Renumbered};

/// How long late packets of the encoding before a switch are still forwarded: a player waits this long for what is
/// missing before it shows what came after.
const LATE: Duration = Duration::from_millis(500);

/// Which encoding a track currently forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Source {
    publisher: u64,
    medium: Medium,
    ssrc: u32,
}

/// What to do with a packet for this track.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verdict {
    /// Send it under these numbers.
    Forward(Renumbered),
    /// Not for this track.
    Skip,
    /// Not for this track, and it waits for a key frame of this layer.
    AwaitsKeyFrame(Layer),
    /// The beginning of the key frame that this track waits for, too late: the rest of it was passed over.
    MissedKeyFrame(Layer),
}

/// The encoding that was forwarded before the present one.
#[derive(Clone, Copy, Debug)]
struct Previous {
    source: Source,
    numbers: Finished,
    until: Instant,
}

/// Forwarding state of one player's audio or video m-line.
#[derive(Clone, Debug)]
pub(crate) struct OutTrack {
    wanted: Layer,
    source: Option<Source>,
    previous: Option<Previous>,
    numbers: Renumbering,
    forwarded: u64,
}

impl OutTrack {
    /// A track that has sent nothing; sequence numbers start at `sequence_start` (< 32,768).
    pub(crate) fn new(sequence_start: u16) -> Self {
        Self {
            wanted: Layer::High,
            source: None,
            previous: None,
            numbers: Renumbering::new(sequence_start),
            forwarded: 0,
        }
    }

    /// Best layer wanted; takes effect on the next key frame of it.
    pub(crate) fn want(&mut self, layer: Layer) {
        self.wanted = layer;
    }

    /// Best layer wanted.
    pub(crate) fn wanted(&self) -> Layer {
        self.wanted
    }

    /// The layer being forwarded; `None` before the first key frame and for audio.
    pub(crate) fn current_layer(&self) -> Option<Layer> {
        match self.source?.medium {
            Medium::Video(layer) => Some(layer),
            Medium::Audio => None,
        }
    }

    /// Stops forwarding until an entry point of whatever is bound next.
    pub(crate) fn detach(&mut self) {
        self.source = None;
        self.previous = None;
    }

    /// Packets forwarded.
    pub(crate) fn forwarded(&self) -> u64 {
        self.forwarded
    }

    /// Decides about `packet` of the connection `publisher`, whose layers flow as `activity` says.
    pub(crate) fn consider(
        &mut self,
        now: Instant,
        publisher: u64,
        packet: &MediaPacket,
        activity: &Activity,
    ) -> Verdict {
        let source = Source { publisher, medium: packet.medium, ssrc: packet.ssrc };
        if self.source == Some(source) {
            // Also while another layer is wanted: the old one goes on until the new one's key frame.
            let numbers = self.numbers.apply(packet);
            return self.forward(numbers);
        }
        if let Some(previous) = self.previous.filter(|p| p.source == source && now < p.until)
            && let Some(numbers) = previous.numbers.apply(packet)
        {
            return self.forward(Some(numbers));
        }
        let target = match packet.medium {
            Medium::Audio => None,
            Medium::Video(layer) => {
                if activity.choose(now, self.wanted) != Some(layer) {
                    return Verdict::Skip;
                }
                Some(layer)
            }
        };
        if !packet.is_entry_point() {
            return target.map_or(Verdict::Skip, Verdict::AwaitsKeyFrame);
        }
        if let Some(layer) = target.filter(|_| !packet.is_newest) {
            return Verdict::MissedKeyFrame(layer);
        }
        let before = self.source.replace(source);
        let finished = self.numbers.rebase(packet);
        self.previous =
            before.zip(finished).map(|(source, numbers)| Previous { source, numbers, until: now + LATE });
        let numbers = self.numbers.apply(packet);
        self.forward(numbers)
    }

    /// The layer that this track waits for, if it forwards another one or none.
    pub(crate) fn awaited(&self, now: Instant, activity: &Activity) -> Option<Layer> {
        let target = activity.choose(now, self.wanted)?;
        (self.current_layer() != Some(target)).then_some(target)
    }

    fn forward(&mut self, numbers: Option<Renumbered>) -> Verdict {
        self.forwarded += u64::from(numbers.is_some());
        numbers.map_or(Verdict::Skip, Verdict::Forward)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::forward::VideoDescriptor;

    const KEY: u8 = 0x10;
    const DELTA: u8 = 0x11;

    fn video(layer: Layer, sequence: u64, first_byte: u8, now: Instant) -> MediaPacket {
        let payload = [0x90, 0x80, 0x80, sequence as u8 & 0x7f, first_byte, 1, 2];
        MediaPacket {
            medium: Medium::Video(layer),
            ssrc: layer.index() as u32,
            sequence,
            timestamp: sequence as u32 * 3_000,
            is_newest: true,
            marker: true,
            wallclock: now,
            descriptor: VideoDescriptor::parse(&payload),
            payload: payload.as_slice().into(),
        }
    }

    #[test]
    fn nothing_is_forwarded_before_a_key_frame() {
        let now = Instant::now();
        let mut activity = Activity::default();
        activity.note(now, Layer::High);
        let mut track = OutTrack::new(1);
        let delta = video(Layer::High, 1, DELTA, now);
        let verdict = track.consider(now, 1, &delta, &activity);
        assert!(matches!(verdict, Verdict::AwaitsKeyFrame(Layer::High)));
        let key = video(Layer::High, 2, KEY, now);
        let verdict = track.consider(now, 1, &key, &activity);
        assert!(matches!(verdict, Verdict::Forward(n) if n.sequence == 1));
    }

    #[test]
    fn layers_switch_only_on_a_key_frame_of_the_target() {
        let now = Instant::now();
        let mut activity = Activity::default();
        activity.note(now, Layer::High);
        activity.note(now, Layer::Low);
        let mut track = OutTrack::new(0);
        track.consider(now, 1, &video(Layer::High, 1, KEY, now), &activity);
        track.want(Layer::Low);
        assert_eq!(track.awaited(now, &activity), Some(Layer::Low));
        let low = track.consider(now, 1, &video(Layer::Low, 50, DELTA, now), &activity);
        assert!(matches!(low, Verdict::AwaitsKeyFrame(Layer::Low)));
        let high = track.consider(now, 1, &video(Layer::High, 2, DELTA, now), &activity);
        assert!(matches!(high, Verdict::Forward(n) if n.sequence == 1));
        let key = track.consider(now, 1, &video(Layer::Low, 51, KEY, now), &activity);
        assert!(matches!(key, Verdict::Forward(n) if n.sequence == 2));
        let old = track.consider(now, 1, &video(Layer::High, 3, DELTA, now), &activity);
        assert!(matches!(old, Verdict::Skip));
        assert_eq!(track.awaited(now, &activity), None);
    }

    #[test]
    fn a_packet_of_the_old_layer_that_is_repaired_after_a_switch_fills_its_gap() {
        let now = Instant::now();
        let mut activity = Activity::default();
        activity.note(now, Layer::High);
        activity.note(now, Layer::Low);
        let mut track = OutTrack::new(0);
        track.consider(now, 1, &video(Layer::High, 10, KEY, now), &activity);
        track.consider(now, 1, &video(Layer::High, 12, DELTA, now), &activity);
        track.want(Layer::Low);
        let key = track.consider(now, 1, &video(Layer::Low, 50, KEY, now), &activity);
        assert!(matches!(key, Verdict::Forward(n) if n.sequence == 3));
        let soon = now + Duration::from_millis(80);
        let late = track.consider(soon, 1, &video(Layer::High, 11, DELTA, now), &activity);
        assert!(matches!(late, Verdict::Forward(n) if (n.sequence, n.timestamp) == (1, 33_000)), "{late:?}");
        let next = track.consider(soon, 1, &video(Layer::High, 13, DELTA, now), &activity);
        assert!(matches!(next, Verdict::Skip), "its number belongs to the new layer: {next:?}");
        let low = track.consider(soon, 1, &video(Layer::Low, 51, DELTA, now), &activity);
        assert!(matches!(low, Verdict::Forward(n) if n.sequence == 4), "{low:?}");
        let given_up = track.consider(now + LATE, 1, &video(Layer::High, 11, DELTA, now), &activity);
        assert!(matches!(given_up, Verdict::Skip));
    }

    #[test]
    fn a_key_frame_whose_beginning_comes_after_its_rest_is_no_way_in() {
        let now = Instant::now();
        let mut activity = Activity::default();
        activity.note(now, Layer::High);
        let mut track = OutTrack::new(0);
        let second = track.consider(now, 1, &video(Layer::High, 2, DELTA, now), &activity);
        assert!(matches!(second, Verdict::AwaitsKeyFrame(Layer::High)));
        let first = MediaPacket { is_newest: false, ..video(Layer::High, 1, KEY, now) };
        let verdict = track.consider(now, 1, &first, &activity);
        assert!(matches!(verdict, Verdict::MissedKeyFrame(Layer::High)), "{verdict:?}");
        let again = track.consider(now, 1, &video(Layer::High, 3, KEY, now), &activity);
        assert!(matches!(again, Verdict::Forward(n) if n.sequence == 0));
    }

    #[test]
    fn a_new_ssrc_of_the_same_layer_needs_a_key_frame_and_keeps_the_numbers_gapless() {
        let now = Instant::now();
        let mut activity = Activity::default();
        activity.note(now, Layer::High);
        let mut track = OutTrack::new(0);
        track.consider(now, 1, &video(Layer::High, 70_000, KEY, now), &activity);
        let restarted = |first_byte| MediaPacket {
            ssrc: 99,
            ..video(Layer::High, 3, first_byte, now + Duration::from_millis(40))
        };
        let verdict = track.consider(now, 1, &restarted(DELTA), &activity);
        assert!(matches!(verdict, Verdict::AwaitsKeyFrame(_)));
        let verdict = track.consider(now, 1, &restarted(KEY), &activity);
        assert!(matches!(verdict, Verdict::Forward(n) if n.sequence == 1));
    }
}
