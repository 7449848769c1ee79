//! Attacks of a malicious SFU, as one stage between receiving and forwarding. Adversary tests only.
//!
//! The stage works on whole frames and gives everything it emits fresh sequence numbers and PictureIDs, as a
//! clever attacker would: SRTP and reassembly then accept what it sends, and only the sealed frame can tell.

use std::collections::{HashMap, VecDeque};

use crate::forward::{MediaPacket, Medium, VideoDescriptor};
use crate::pseudonym::Pseudonym;

/// Frames kept for replays: ten seconds of video.
const HISTORY: usize = 300;
/// Packets of a frame that never ends.
const MAX_FRAME: usize = 1_000;
/// Every so many frames, one more is replayed or injected.
const EVERY: u64 = 5;
/// Bytes cut off by truncation: half of an SFrame tag.
const CUT: usize = 8;

/// What a hostile SFU does to a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hostility {
    /// Sends old frames again, between the new ones.
    Replay,
    /// Sends each second frame after its successor.
    Reorder,
    /// Sends every frame twice.
    Duplicate,
    /// Delivers each of these two people's streams as the other's.
    SwapStreams(Pseudonym, Pseudonym),
    /// Cuts the end off every frame.
    Truncate,
    /// Flips a bit in every frame.
    FlipBits,
    /// Puts frames without content between the real ones.
    InjectEmptyFrames,
    /// Delivers nothing of this person.
    DropStream(Pseudonym),
    /// Delivers one frame of this person again and again.
    Freeze(Pseudonym),
}

type Frame = Vec<MediaPacket>;

/// The attack on one room and what it needs to remember.
pub(crate) struct HostilityStage {
    hostility: Hostility,
    sources: HashMap<(Pseudonym, u8), Attacked>,
}

/// One encoding under attack.
#[derive(Default)]
struct Attacked {
    assembling: Frame,
    history: VecDeque<Frame>,
    held: Option<Frame>,
    frozen: Option<Frame>,
    frames: u64,
    sequence: u64,
    picture: u16,
}

impl HostilityStage {
    pub(crate) fn new(hostility: Hostility) -> Self {
        Self { hostility, sources: HashMap::new() }
    }

    /// What is forwarded instead of `packet` of `who`, and under whose name.
    pub(crate) fn attack(&mut self, who: &Pseudonym, packet: MediaPacket) -> Vec<(Pseudonym, MediaPacket)> {
        let claimed = match &self.hostility {
            Hostility::SwapStreams(one, other) if who == one => other.clone(),
            Hostility::SwapStreams(one, other) if who == other => one.clone(),
            _ => who.clone(),
        };
        let encoding = match packet.medium {
            Medium::Audio => 0,
            Medium::Video(layer) => 1 + layer.index() as u8,
        };
        let source = self.sources.entry((who.clone(), encoding)).or_default();
        let Some(frame) = source.assemble(packet) else {
            return Vec::new();
        };
        let frames = source.transform(&self.hostility, who, frame);
        let packets = frames.into_iter().flat_map(|frame| source.renumber(frame));
        packets.map(|packet| (claimed.clone(), packet)).collect()
    }
}

impl Attacked {
    fn assemble(&mut self, packet: MediaPacket) -> Option<Frame> {
        let ends = packet.marker || packet.medium == Medium::Audio;
        self.assembling.push(packet);
        let complete = ends || self.assembling.len() >= MAX_FRAME;
        complete.then(|| core::mem::take(&mut self.assembling))
    }

    fn transform(&mut self, hostility: &Hostility, who: &Pseudonym, frame: Frame) -> Vec<Frame> {
        self.frames += 1;
        let now_and_then = self.frames.is_multiple_of(EVERY);
        match hostility {
            Hostility::SwapStreams(..) => vec![frame],
            Hostility::DropStream(victim) if victim == who => Vec::new(),
            Hostility::Freeze(victim) if victim == who => self.freeze(&frame),
            Hostility::DropStream(_) | Hostility::Freeze(_) => vec![frame],
            Hostility::Duplicate => vec![frame.clone(), frame],
            Hostility::Replay => {
                self.history.push_back(frame.clone());
                if self.history.len() > HISTORY {
                    self.history.pop_front();
                }
                let old = self.history.front().filter(|_| now_and_then).cloned();
                [Some(frame), old].into_iter().flatten().collect()
            }
            Hostility::Reorder => match self.held.take() {
                Some(held) => vec![frame, held],
                None if now_and_then => {
                    self.held = Some(frame);
                    Vec::new()
                }
                None => vec![frame],
            },
            Hostility::Truncate => vec![change_end(frame, |end| {
                end.truncate(end.len().saturating_sub(CUT).max(1));
            })],
            Hostility::FlipBits => vec![change_end(frame, |end| {
                if let Some(last) = end.last_mut() {
                    *last ^= 1;
                }
            })],
            Hostility::InjectEmptyFrames => {
                let empty = now_and_then.then(|| empty_like(&frame));
                [Some(frame), empty].into_iter().flatten().collect()
            }
        }
    }

    /// Holds on to the first frame that a decoder can start with.
    fn freeze(&mut self, frame: &Frame) -> Vec<Frame> {
        if self.frozen.is_none() && frame.first().is_some_and(MediaPacket::is_entry_point) {
            self.frozen = Some(frame.clone());
        }
        let template = frame.last().cloned();
        let frozen = self.frozen.clone().zip(template).map(|(mut copy, now)| {
            for packet in &mut copy {
                packet.timestamp = now.timestamp;
                packet.wallclock = now.wallclock;
            }
            copy
        });
        frozen.into_iter().collect()
    }

    fn renumber(&mut self, frame: Frame) -> Frame {
        self.picture = self.picture.wrapping_add(1) & 0x7fff;
        frame
            .into_iter()
            .map(|packet| {
                self.sequence += 1;
                let payload = with_picture_id(&packet.payload, packet.medium, self.picture);
                MediaPacket {
                    // Another SSRC than the real one: players start over at a key frame.
                    ssrc: !packet.ssrc,
                    sequence: self.sequence,
                    descriptor: packet.descriptor.and_then(|_| VideoDescriptor::parse(&payload)),
                    payload: payload.into(),
                    ..packet
                }
            })
            .collect()
    }
}

fn change_end(mut frame: Frame, change: impl FnOnce(&mut Vec<u8>)) -> Frame {
    if let Some(packet) = frame.last_mut() {
        let mut payload = packet.payload.to_vec();
        change(&mut payload);
        packet.payload = payload.into();
    }
    frame
}

/// A frame with a plausible descriptor and clear prefix and nothing in it.
fn empty_like(frame: &Frame) -> Frame {
    let Some(first) = frame.first() else {
        return Frame::new();
    };
    let payload = match first.medium {
        Medium::Audio => vec![0xf8, 0xff, 0xfe],
        Medium::Video(_) => vec![0x90, 0x80, 0x80, 0x00, 0x11],
    };
    vec![MediaPacket {
        marker: first.medium != Medium::Audio,
        descriptor: first.descriptor.and_then(|_| VideoDescriptor::parse(&payload)),
        payload: payload.into(),
        ..first.clone()
    }]
}

fn with_picture_id(payload: &[u8], medium: Medium, picture: u16) -> Vec<u8> {
    let mut out = payload.to_vec();
    if let (Medium::Video(_), [first, ext, high, low, ..]) = (medium, out.as_mut_slice())
        && *first & 0x80 != 0
        && *ext & 0x80 != 0
        && *high & 0x80 != 0
    {
        let [upper, lower] = picture.to_be_bytes();
        *high = 0x80 | upper;
        *low = lower;
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn audio(sequence: u64, byte: u8) -> MediaPacket {
        MediaPacket {
            medium: Medium::Audio,
            ssrc: 1,
            sequence,
            is_newest: true,
            timestamp: sequence as u32 * 960,
            marker: false,
            wallclock: Instant::now(),
            descriptor: None,
            payload: vec![byte; 20].into(),
        }
    }

    fn run(hostility: Hostility) -> Vec<(String, MediaPacket)> {
        let ada = Pseudonym::parse("ada").unwrap();
        let mut stage = HostilityStage::new(hostility);
        let out = (0..10).flat_map(|n| stage.attack(&ada, audio(n, n as u8)));
        out.map(|(who, p)| (who.as_str().to_owned(), p)).collect()
    }

    #[test]
    fn every_attack_changes_what_arrives_and_keeps_sequence_numbers_fresh() {
        let ada = || Pseudonym::parse("ada").unwrap();
        let bob = Pseudonym::parse("bob").unwrap();
        let first_bytes =
            |out: &[(String, MediaPacket)]| out.iter().map(|(_, p)| p.payload[0]).collect::<Vec<_>>();
        let honest: Vec<u8> = (0..10).collect();
        for hostility in [
            Hostility::Replay,
            Hostility::Reorder,
            Hostility::Duplicate,
            Hostility::InjectEmptyFrames,
            Hostility::DropStream(ada()),
            Hostility::Freeze(ada()),
        ] {
            let out = run(hostility.clone());
            assert_ne!(first_bytes(&out), honest, "{hostility:?}");
            let fresh = out.windows(2).all(|w| w[0].1.sequence < w[1].1.sequence);
            assert!(fresh, "{hostility:?}");
        }
        assert!(run(Hostility::Truncate).iter().all(|(_, p)| p.payload.len() == 12));
        let flipped = run(Hostility::FlipBits);
        assert!(flipped.iter().all(|(_, p)| p.payload[19] == p.payload[0] ^ 1));
        let swapped = run(Hostility::SwapStreams(ada(), bob));
        assert!(swapped.iter().all(|(who, _)| who == "bob"));
    }
}
