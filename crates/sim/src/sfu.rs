//! The SFU: records everything, forwards most of it, and is not honest.

use std::sync::Arc;

use incamera_types::MediaKind;

use crate::actor::Life;
use crate::chance::Chance;
use crate::invariants::contains_canary;
use crate::network::Happening;
use crate::world::World;

/// Packets recorded for replays.
const RECORDED: usize = 2_000;

pub(crate) struct Sfu {
    pub(crate) chance: Chance,
    recorded: Vec<(MediaKind, Arc<[u8]>)>,
    next: usize,
}

impl Sfu {
    pub(crate) fn new(chance: Chance) -> Self {
        Self { chance, recorded: Vec::new(), next: 0 }
    }

    fn record(&mut self, track: MediaKind, bytes: &Arc<[u8]>) {
        if self.recorded.len() < RECORDED {
            self.recorded.push((track, Arc::clone(bytes)));
        } else if let Some(slot) = self.recorded.get_mut(self.next) {
            *slot = (track, Arc::clone(bytes));
            self.next = (self.next + 1) % RECORDED;
        }
    }

    fn any_recorded(&mut self) -> Option<(MediaKind, Arc<[u8]>)> {
        let at = self.chance.below(self.recorded.len() as u64) as usize;
        self.recorded.get(at).cloned()
    }
}

impl World {
    /// A sealed frame reaches the SFU and goes on to everybody who has a receiver, members or not.
    pub(crate) fn forward(&mut self, from: usize, track: MediaKind, bytes: &[u8]) {
        if contains_canary(bytes) {
            return self.broken("plaintext at the SFU (SEC-01)");
        }
        let bytes: Arc<[u8]> = bytes.into();
        self.sfu.record(track, &bytes);
        for actor in 0..self.actors.len() {
            if actor == from || self.actors[actor].life == Life::Crashed {
                continue;
            }
            if self.is_busy && self.sfu.chance.happens(self.setup.loss) {
                self.counts.add("frame lost");
                continue;
            }
            if self.is_busy && self.sfu.chance.happens(5) {
                self.counts.add("frame withheld and sent late");
                let late = self.sfu.chance.millis(4_500, 8_000);
                let frame = Happening::Frame { actor, track, bytes: Arc::clone(&bytes) };
                self.network.schedule(self.now.mono.plus(late), frame);
                continue;
            }
            self.forward_to(actor, track, &bytes);
            if self.is_busy && self.sfu.chance.happens(self.setup.duplicates) {
                self.counts.add("frame repeated");
                self.forward_to(actor, track, &bytes);
            }
            if self.is_busy && self.sfu.chance.happens(self.setup.hostile) {
                self.attack_media(actor, track, &bytes);
            }
        }
    }

    fn forward_to(&mut self, actor: usize, track: MediaKind, bytes: &Arc<[u8]>) {
        let (from, to) = self.setup.sfu_delay;
        let mut delay = self.sfu.chance.millis(from, to);
        if self.is_busy && self.sfu.chance.happens(60) {
            self.counts.add("frame reordered");
            delay += self.sfu.chance.millis(150, 400);
        }
        let frame = Happening::Frame { actor, track, bytes: Arc::clone(bytes) };
        self.network.schedule(self.now.mono.plus(delay), frame);
    }

    fn attack_media(&mut self, actor: usize, track: MediaKind, bytes: &Arc<[u8]>) {
        let mut altered = bytes.to_vec();
        let (kind, track, frame): (_, _, Arc<[u8]>) = match self.sfu.chance.below(4) {
            0 => {
                let at = self.sfu.chance.below(altered.len() as u64) as usize;
                if let Some(byte) = altered.get_mut(at) {
                    *byte ^= 1 << self.sfu.chance.below(8);
                }
                ("frame bit flipped", track, altered.into())
            }
            1 => {
                let other = if track == MediaKind::Audio { MediaKind::Video } else { MediaKind::Audio };
                ("frame on another track", other, Arc::clone(bytes))
            }
            2 => {
                altered.truncate(self.sfu.chance.below(altered.len() as u64) as usize);
                ("frame injected", track, altered.into())
            }
            _ => match self.sfu.any_recorded() {
                Some((track, old)) => ("frame of another time replayed", track, old),
                None => return,
            },
        };
        self.counts.add(kind);
        self.forward_to(actor, track, &frame);
    }
}
