//! A made-up group: who is a member, and what each epoch's keys look like to each of them.

use core::time::Duration;

use incamera_meeting::frames::{DeliveredFrame, FrameOutput, FrameReceiver, FrameSealer};
use incamera_meeting::{EpochKeys, KeyHolder, MediaReport};
use incamera_sframe::{FrameKind, MediaFrame, MediaTime, Padding, TemporalLayer};
use incamera_types::{Context, Epoch, FrameBuf, FrameSuite, LeafIndex, MediaKind, MemberId, Mono, Now};
use zeroize::Zeroizing;

pub(crate) const START: Now = Now { mono: Mono::from_micros(9_000_000), unix_ms: 1_700_000_000_000 };
pub(crate) const STREAMS: [Context; 2] = [Context::Microphone, Context::CameraHigh];

pub(crate) const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Leaf, member and rights of everybody in an epoch.
#[derive(Clone)]
pub(crate) struct Room {
    pub(crate) epoch: Epoch,
    /// Distinguishes groups that forked.
    pub(crate) branch: u8,
    pub(crate) people: Vec<(LeafIndex, MemberId, Vec<Context>)>,
}

impl Room {
    /// Epoch 1 with members on leaves 0 to `people`.
    pub(crate) fn of(people: u32) -> Self {
        let mut room = Self { epoch: Epoch(1), branch: 0, people: vec![] };
        for leaf in 0..people {
            room.people.push((LeafIndex(leaf), member(leaf, 0), STREAMS.to_vec()));
        }
        room
    }

    pub(crate) fn without(&self, leaf: u32) -> Self {
        let mut room = Self { epoch: self.epoch.next(), ..self.clone() };
        room.people.retain(|(at, ..)| at.0 != leaf);
        room
    }

    pub(crate) fn with(&self, leaf: u32, who: MemberId) -> Self {
        let mut room = Self { epoch: self.epoch.next(), ..self.clone() };
        room.people.push((LeafIndex(leaf), who, STREAMS.to_vec()));
        room
    }

    pub(crate) fn next(&self) -> Self {
        Self { epoch: self.epoch.next(), ..self.clone() }
    }

    pub(crate) fn keys(&self, own_leaf: u32, switch_at: Mono) -> EpochKeys {
        let own = self.people.iter().find(|(leaf, ..)| leaf.0 == own_leaf).unwrap();
        let others = self.people.iter().filter(|(leaf, ..)| leaf.0 != own_leaf);
        let seed = [self.epoch.0.to_le_bytes()[0], self.branch];
        EpochKeys {
            epoch: self.epoch,
            suite: FrameSuite::default(),
            base_key: Zeroizing::new(seed.repeat(16)),
            authenticator: [seed[0] ^ self.branch.rotate_left(4); 32],
            own_leaf: LeafIndex(own_leaf),
            own_contexts: own.2.clone(),
            members: others
                .map(|(leaf, member, contexts)| KeyHolder {
                    leaf: *leaf,
                    member: *member,
                    contexts: contexts.clone(),
                })
                .collect(),
            switch_at,
            made_after: switch_at,
        }
    }

    /// A started sealer of the member on `leaf`.
    pub(crate) fn sealer(&self, leaf: u32) -> FrameSealer {
        let mut sealer = FrameSealer::new();
        sealer.install(&self.keys(leaf, START.mono)).unwrap();
        sealer.start();
        sealer
    }

    /// A started receiver of the member on `leaf`.
    pub(crate) fn receiver(&self, leaf: u32) -> FrameReceiver {
        let mut receiver = FrameReceiver::new();
        receiver.install(START, self.keys(leaf, START.mono)).unwrap();
        receiver.start();
        receiver
    }
}

/// The `generation`-th member on a leaf.
pub(crate) fn member(leaf: u32, generation: u8) -> MemberId {
    let mut id = [generation; 16];
    id[..4].copy_from_slice(&leaf.to_le_bytes());
    MemberId(id)
}

pub(crate) fn media(now: Now, context: Context) -> MediaFrame {
    let kind = match context.kind() {
        MediaKind::Audio => FrameKind::Opus,
        MediaKind::Video => FrameKind::Vp8Delta,
    };
    MediaFrame {
        buf: FrameBuf::from_slice(b"an encoded frame"),
        kind,
        media_time: MediaTime::default(),
        temporal_layer: TemporalLayer::BASE,
        capture: now.mono,
        padding: Padding::None,
    }
}

/// The bytes of one frame that `sealer` sends at `now`.
pub(crate) fn send(sealer: &mut FrameSealer, now: Now, context: Context) -> Vec<u8> {
    sealer.seal(now, context, media(now, context)).unwrap().payload().to_vec()
}

pub(crate) fn receive(receiver: &mut FrameReceiver, now: Now, context: Context, bytes: &[u8]) {
    receiver.handle_frame(now, context.kind(), FrameBuf::from_slice(bytes));
}

/// Everything that a receiver gave out.
#[derive(Default)]
pub(crate) struct Drained {
    pub(crate) frames: Vec<DeliveredFrame>,
    pub(crate) reports: Vec<MediaReport>,
}

impl Drained {
    pub(crate) fn senders(&self) -> Vec<MemberId> {
        self.frames.iter().map(|frame| frame.member).collect()
    }
}

pub(crate) fn drain(receiver: &mut FrameReceiver) -> Drained {
    let mut drained = Drained::default();
    while let Some(output) = receiver.poll_output() {
        match output {
            FrameOutput::Frame(frame) => drained.frames.push(frame),
            FrameOutput::Report(report) => drained.reports.push(report),
        }
    }
    drained
}

/// Whether the frame is delivered at once.
pub(crate) fn opens(receiver: &mut FrameReceiver, now: Now, context: Context, bytes: &[u8]) -> bool {
    receive(receiver, now, context, bytes);
    drain(receiver).frames.len() == 1
}

/// Lets a receiver's deadlines pass until `until`, and gives what it said on the way with the times.
pub(crate) fn pass_time(
    receiver: &mut FrameReceiver,
    from: Now,
    until: Duration,
) -> Vec<(Duration, MediaReport)> {
    let mut said = vec![];
    while let Some(due) = receiver.next_deadline() {
        let after = due.since(from.mono);
        if after > until {
            break;
        }
        receiver.handle_timeout(from.plus(after));
        said.extend(drain(receiver).reports.into_iter().map(|report| (after, report)));
    }
    said
}
