//! What a hostile relay and modified members try. Each attack is refused or shown; the invariants say which.

use std::collections::HashMap;

use incamera_meeting::Input;
use incamera_relay_proto::{Blob, ClientMessage, ClientRef, KnockId, Lane, Request, ServerMessage};
use incamera_types::{Entropy, Epoch, Mono};

use crate::network::Happening;
use crate::world::{HOST, World};

/// Numbers of requests that no machine made begin here.
pub(crate) const OUTSIDE_REFS: u32 = 0xf000_0000;

/// The same for what an honest machine did make: it may be valid when it comes before the original.
pub(crate) const REPLAYED_REFS: u32 = 0xf800_0000;

/// What attackers know and have in mind.
#[derive(Default)]
pub(crate) struct Attacks {
    commits: Vec<Blob>,
    messages: Vec<Blob>,
    pub(crate) knocks: Vec<(Mono, KnockId, Blob)>,
    sealed_in: HashMap<Blob, Epoch>,
    /// The epoch in which the message that is being delivered was sealed.
    pub(crate) delivering: Option<Epoch>,
    /// The next message of this participant does not reach the relay but the attacker.
    pub(crate) capture: Option<usize>,
    captured: Option<(Blob, Epoch)>,
    refs: u32,
}

impl Attacks {
    pub(crate) fn remember(&mut self, lane: Lane, blob: &Blob, epoch: Option<Epoch>) {
        match lane {
            Lane::Commit => self.commits.push(blob.clone()),
            Lane::Application => {
                self.messages.push(blob.clone());
                self.sealed_in.extend(epoch.map(|epoch| (blob.clone(), epoch)));
            }
        }
    }

    pub(crate) fn deliver(&mut self, lane: Lane, blob: &Blob) {
        let sealed_in = self.sealed_in.get(blob).copied();
        self.delivering = if lane == Lane::Application { sealed_in } else { None };
    }

    /// Takes a message out of the way of one participant; whether it was taken.
    pub(crate) fn captures(&mut self, actor: usize, request: &Request, epoch: Option<Epoch>) -> bool {
        let (Request::Append { lane: Lane::Application, blob }, Some(epoch)) = (request, epoch) else {
            return false;
        };
        let takes = self.capture.take_if(|wanted| *wanted == actor).is_some();
        if takes {
            self.captured = Some((blob.clone(), epoch));
        }
        takes
    }
}

impl World {
    /// A message sealed in an epoch that was over when it came is not shown (SEC-05).
    pub(crate) fn check_old_message(&mut self, actor: usize) {
        let now_in = self.actors[actor].machine.epoch();
        if self.attacks.delivering.is_some_and(|sealed_in| Some(sealed_in) < now_in) {
            self.broken(format_args!("participant {actor} was shown a message of an earlier epoch (SEC-05)"));
        }
    }

    /// One attack on the log, by a member with a modified client.
    pub(crate) fn attack_log(&mut self) {
        let Some(author) = self.any_member() else { return };
        match self.chance.below(4) {
            0 => {
                let mut bytes = vec![0; 200 + self.chance.below(800) as usize];
                self.chance.fill(&mut bytes);
                self.append_outside(author, Lane::Commit, Blob::pad(&bytes).ok(), "invalid commit");
            }
            1 => {
                let altered = self.any_commit().and_then(|blob| self.altered(&blob));
                self.append_outside(author, Lane::Commit, altered, "invalid commit");
            }
            2 => {
                let old = self.any_commit();
                self.append_outside(author, Lane::Commit, old, "replayed commit");
            }
            _ => {
                let at = self.chance.below(self.attacks.messages.len() as u64) as usize;
                let old = self.attacks.messages.get(at).cloned();
                self.append_outside(author, Lane::Application, old, "replayed message");
            }
        }
    }

    fn any_commit(&mut self) -> Option<Blob> {
        let at = self.chance.below(self.attacks.commits.len() as u64) as usize;
        self.attacks.commits.get(at).cloned()
    }

    fn altered(&mut self, blob: &Blob) -> Option<Blob> {
        let mut payload = blob.unpad().ok()?.to_vec();
        let at = self.chance.below(payload.len() as u64) as usize;
        *payload.get_mut(at)? ^= 1;
        Blob::pad(&payload).ok()
    }

    /// Appends what no honest machine would, over the connection of a member.
    pub(crate) fn append_outside(
        &mut self,
        author: usize,
        lane: Lane,
        blob: Option<Blob>,
        kind: &'static str,
    ) {
        let (Some(blob), Some(connection)) = (blob, self.actors[author].connection) else { return };
        self.counts.add(kind);
        self.note(author, kind);
        self.attacks.refs += 1;
        let first = if kind == "replayed commit" { REPLAYED_REFS } else { OUTSIDE_REFS };
        let client_ref = ClientRef(first + self.attacks.refs);
        let message = ClientMessage { client_ref, request: Request::Append { lane, blob } };
        let Ok(bytes) = message.encode() else { return };
        let at = self.up_arrival(author);
        self.network.schedule(at, Happening::ToRelay { connection, message, wire_bytes: bytes.len() });
    }

    /// The relay shows the host a knock that it has seen before, under its own id or another.
    pub(crate) fn replay_knock(&mut self) {
        let long_ago = self.now.mono.minus(core::time::Duration::from_secs(4));
        let is_old = |(at, ..): &&(Mono, KnockId, Blob)| *at < long_ago;
        let old: Vec<_> = self.attacks.knocks.iter().filter(is_old).cloned().collect();
        let at = self.chance.below(old.len() as u64) as usize;
        let Some((_, mut knock, blob)) = old.get(at).cloned() else { return };
        if !self.actors[HOST].is_well_since(long_ago) {
            return;
        }
        let kind = if self.chance.happens(500) { "knock shown again" } else { "forged knock" };
        if kind == "forged knock" {
            self.chance.fill(&mut knock.0);
        }
        self.counts.add(kind);
        self.note(HOST, kind);
        let waiting = self.actors[HOST].machine.knocks().count();
        self.feed(HOST, Input::Relay(ServerMessage::Knocked { knock, blob }));
        if self.actors[HOST].machine.knocks().count() > waiting {
            self.broken("a replayed knock was taken for a new one (SEC-19)");
        }
    }

    /// A message held back from before a removal comes after it.
    pub(crate) fn release_captured(&mut self) {
        let epoch = self.actors[HOST].machine.epoch();
        let is_due = self.attacks.captured.as_ref().is_some_and(|(_, sealed_in)| epoch > Some(*sealed_in));
        if let (true, Some((blob, _))) = (is_due, &self.attacks.captured) {
            let blob = blob.clone();
            self.attacks.captured = None;
            self.append_outside(HOST, Lane::Application, Some(blob), "message from before a removal");
        }
    }
}
