//! A seeded bad network and a changing group, with the invariants checked at every frame.

use std::collections::{BTreeMap, BTreeSet};

use incamera_meeting::frames::{FrameReceiver, FrameSealer};
use incamera_types::{Context, Epoch, LeafIndex, MemberId, Now};

use crate::room::{Room, START, STREAMS, drain, member, millis, receive, send};

const SEEDS: u64 = 60;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// A frame on its way.
struct Packet {
    due: Now,
    context: Context,
    bytes: Vec<u8>,
    altered: bool,
    from: MemberId,
    epoch: Epoch,
}

struct Run {
    dice: Dice,
    room: Room,
    sealers: BTreeMap<u32, FrameSealer>,
    /// The member on leaf 0.
    receiver: FrameReceiver,
    network: Vec<Packet>,
    removed: BTreeMap<MemberId, Now>,
    delivered: BTreeSet<(MemberId, Epoch, Context, u32)>,
    sent_prompt: usize,
    events: BTreeMap<&'static str, u64>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let room = Room::of(4);
        let sealers = (1..4).map(|leaf| (leaf, room.sealer(leaf))).collect();
        let receiver = room.receiver(0);
        Self {
            dice: Dice(seed),
            room,
            sealers,
            receiver,
            network: vec![],
            removed: BTreeMap::new(),
            delivered: BTreeSet::new(),
            sent_prompt: 0,
            events: BTreeMap::new(),
        }
    }

    fn count(&mut self, event: &'static str) {
        *self.events.entry(event).or_default() += 1;
    }

    fn step(&mut self, now: Now) {
        if self.dice.below(40) == 0 {
            self.change_group(now);
        }
        for leaf in 1..8 {
            self.send_from(leaf, now);
        }
        self.deliver(now);
        self.receiver.handle_timeout(now);
    }

    /// Adds, removes or refreshes; each member learns of it at its own time within 150 ms.
    fn change_group(&mut self, now: Now) {
        let leaf = 1 + u32::try_from(self.dice.below(7)).unwrap();
        let member_there = self.room.people.iter().find(|(at, ..)| at.0 == leaf).map(|(_, who, _)| *who);
        let refresh = self.dice.below(4) == 0;
        let addition = member_there.is_none() && !refresh;
        if let Some(who) = member_there.filter(|_| !refresh && self.room.people.len() > 2) {
            self.count("removed");
            self.removed.insert(who, now);
            self.sealers.remove(&leaf);
            self.room = self.room.without(leaf);
        } else if addition {
            self.count("added");
            let generation = u8::try_from(self.room.epoch.0 % 250).unwrap() + 1;
            self.room = self.room.with(leaf, member(leaf, generation));
            let mut sealer = FrameSealer::new();
            sealer.start();
            self.sealers.insert(leaf, sealer);
        } else {
            self.count("refreshed");
            self.room = self.room.next();
        }
        let wait = if addition { millis(200) } else { millis(0) };
        for (leaf, sealer) in &mut self.sealers {
            let heard = now.plus(millis(self.dice.below(150)));
            sealer.install(&self.room.keys(*leaf, heard.plus(wait).mono)).unwrap();
        }
        self.receiver.install(now, self.room.keys(0, now.plus(wait).mono)).unwrap();
    }

    /// One frame of each stream; the network loses, delays, doubles and alters some.
    fn send_from(&mut self, leaf: u32, now: Now) {
        let from = self.room.people.iter().find(|(at, ..)| *at == LeafIndex(leaf)).map(|(_, who, _)| *who);
        let (Some(sealer), Some(from)) = (self.sealers.get_mut(&leaf), from) else {
            return;
        };
        for context in STREAMS {
            let bytes = send(sealer, now, context);
            let epoch = sealer.epoch(now).unwrap();
            let fate = self.dice.below(20);
            let delay = self.dice.below(60) + if fate == 1 { 5_000 } else { 0 };
            let due = now.plus(millis(delay));
            let mut packet = Packet { due, context, bytes, altered: false, from, epoch };
            match fate {
                0 => continue,
                2 => {
                    let copy = packet.bytes.clone();
                    let due = due.plus(millis(self.dice.below(400)));
                    self.network.push(Packet { due, bytes: copy, ..packet });
                }
                3 => {
                    let bit = self.dice.below(u64::try_from(packet.bytes.len() * 8).unwrap());
                    packet.bytes[usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
                    packet.altered = true;
                }
                _ => self.sent_prompt += 1,
            }
            self.network.push(packet);
        }
    }

    fn deliver(&mut self, now: Now) {
        let (due, later) = self.network.drain(..).partition(|packet: &Packet| packet.due.mono <= now.mono);
        self.network = later;
        let due: Vec<Packet> = due;
        for packet in due {
            receive(&mut self.receiver, now, packet.context, &packet.bytes);
            for frame in drain(&mut self.receiver).frames {
                let at = (frame.member, frame.epoch, frame.frame.context(), frame.frame.counter());
                assert!(self.delivered.insert(at), "delivered twice: {at:?}");
                assert!(now.mono.since(frame.capture) <= millis(3_200), "stale frame delivered");
                assert!(!packet.altered, "altered frame delivered");
                assert_eq!((frame.member, frame.epoch), (packet.from, packet.epoch));
                assert!(!self.removed.contains_key(&frame.member), "removed member heard");
                self.events.entry("delivered").and_modify(|count| *count += 1).or_insert(1);
            }
        }
    }
}

/// SEC-03 SEC-05 SEC-18
#[test]
fn no_frame_is_played_twice_altered_stale_or_from_a_removed_member() {
    let mut events: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..SEEDS {
        let mut run = Run::new(seed);
        for step in 0..400 {
            run.step(START.plus(millis(step * 20)));
        }
        let delivered = run.delivered.len();
        assert!(delivered * 10 >= run.sent_prompt * 8, "seed {seed}: {delivered} of {}", run.sent_prompt);
        for (event, count) in run.events {
            *events.entry(event).or_default() += count;
        }
    }
    for event in ["added", "removed", "refreshed", "delivered"] {
        assert!(events.get(event).is_some_and(|count| *count >= SEEDS), "rare: {event} in {events:?}");
    }
}
