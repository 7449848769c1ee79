//! A room: machines, one log, virtual time.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use incamera_identity::{DisplayName, Fingerprint, SigningKey};
use incamera_types::{MemberId, Mono, Now, RoomId};

use super::SeededEntropy;
use crate::{
    AdmissionId, CommitTurn, EpochKeys, Expectation, Founding, GroupInput, GroupMachine, GroupOutput, Joiner,
    Refusal, RoomSettings,
};

pub(crate) const ROOM: RoomId = RoomId([0x52; 16]);

/// One participant: its machine and what it was told.
pub(crate) struct Peer {
    pub(crate) machine: GroupMachine,
    pub(crate) keys: Vec<EpochKeys>,
    pub(crate) heard: Vec<(MemberId, Vec<u8>)>,
    pub(crate) skipped: Vec<(u64, Refusal)>,
    /// Who sent each of them, where that is authenticated.
    pub(crate) accused: Vec<Option<MemberId>>,
    pub(crate) settled: Vec<crate::ApplicationOutcome>,
    pub(crate) failed: Vec<(AdmissionId, Refusal)>,
    pub(crate) removals_failed: Vec<(MemberId, Refusal)>,
    pub(crate) rules_failed: Vec<Refusal>,
    pub(crate) removed: bool,
    pub(crate) must_rejoin: Option<MemberId>,
    /// Commits that are not in the log yet.
    pub(crate) outbox: Vec<Arc<[u8]>>,
    /// Entries of the log that it has read.
    pub(crate) read: usize,
}

impl Peer {
    pub(crate) fn id(&self) -> MemberId {
        self.machine.own().unwrap().id
    }
}

/// The log and everybody in the room.
pub(crate) struct Room {
    pub(crate) now: Now,
    pub(crate) room_key: Arc<SigningKey>,
    pub(crate) log: Vec<Vec<u8>>,
    pub(crate) peers: Vec<Peer>,
    pub(crate) welcomes: BTreeMap<AdmissionId, Arc<[u8]>>,
    next: u64,
}

impl Room {
    /// A room with its host.
    pub(crate) fn found(seed: u64) -> Self {
        Self::found_with(seed, RoomSettings::default())
    }

    pub(crate) fn found_with(seed: u64, settings: RoomSettings) -> Self {
        let now = Now { mono: Mono::from_micros(0), unix_ms: 0 };
        let room_key = Arc::new(SigningKey::from_seed(&[seed as u8; 32]).unwrap());
        let founding = Founding {
            room: ROOM,
            room_key: Arc::clone(&room_key),
            name: DisplayName::new("Host").unwrap(),
            identity: None,
            settings,
        };
        let machine = GroupMachine::found(now, founding, Box::new(SeededEntropy::new(seed))).unwrap();
        let mut room = Self {
            now,
            room_key,
            log: Vec::new(),
            peers: Vec::new(),
            welcomes: BTreeMap::new(),
            next: seed + 1,
        };
        room.enter(machine);
        room
    }

    /// A room of `size` confirmed members.
    pub(crate) fn of(size: usize, seed: u64) -> Self {
        let mut room = Self::found(seed);
        room.join_many(size - 1);
        room
    }

    pub(crate) fn expectation(&self) -> Expectation {
        Expectation { room: ROOM, room_key: Fingerprint::of(&self.room_key.verifying_key()) }
    }

    pub(crate) fn joiner(&mut self) -> Joiner {
        self.next += 1;
        let name = DisplayName::new(&format!("Guest {}", self.next)).unwrap();
        Joiner::new(name, None, Box::new(SeededEntropy::new(self.next << 32))).unwrap()
    }

    /// Asks `admitter` to admit.
    pub(crate) fn admit(
        &mut self,
        admitter: usize,
        joiner: &Joiner,
        replaces: Option<MemberId>,
    ) -> AdmissionId {
        self.next += 1;
        let admission = AdmissionId(self.next);
        let key_package = joiner.key_package().to_vec();
        let turn = CommitTurn::Own;
        self.input(admitter, GroupInput::Admit { admission, key_package, replaces, turn }).unwrap();
        admission
    }

    /// Lets `count` people join through the host in as few commits as it makes of them; gives their indexes.
    pub(crate) fn join_many(&mut self, count: usize) -> core::ops::Range<usize> {
        let first = self.peers.len();
        let joiners: Vec<Joiner> = (0..count).map(|_| self.joiner()).collect();
        let ids: Vec<AdmissionId> = joiners.iter().map(|joiner| self.admit(0, joiner, None)).collect();
        let mut waiting: Vec<(AdmissionId, Joiner)> = ids.into_iter().zip(joiners).collect();
        while !waiting.is_empty() {
            self.settle();
            self.pass(Duration::from_millis(250));
            waiting.retain(|(id, joiner)| match self.welcomes.get(id).cloned() {
                Some(welcome) => {
                    let read = self.log.len();
                    let mut machine = joiner.join(self.now, &welcome, &self.expectation()).unwrap();
                    machine.confirm(self.now).unwrap();
                    let peer = self.enter(machine);
                    self.peers[peer].read = read;
                    false
                }
                None => true,
            });
        }
        first..self.peers.len()
    }

    pub(crate) fn enter(&mut self, machine: GroupMachine) -> usize {
        self.peers.push(Peer {
            machine,
            keys: Vec::new(),
            heard: Vec::new(),
            skipped: Vec::new(),
            accused: Vec::new(),
            settled: Vec::new(),
            failed: Vec::new(),
            removals_failed: Vec::new(),
            rules_failed: Vec::new(),
            removed: false,
            must_rejoin: None,
            outbox: Vec::new(),
            read: self.log.len(),
        });
        let at = self.peers.len() - 1;
        self.drain(at);
        at
    }

    pub(crate) fn input(&mut self, peer: usize, input: GroupInput) -> Result<(), crate::GroupError> {
        let now = self.now;
        let result = self.peers[peer].machine.handle_input(now, input);
        self.drain(peer);
        result
    }

    pub(crate) fn remove(&mut self, by: usize, member: MemberId) {
        self.input(by, GroupInput::Remove { member, turn: CommitTurn::Own }).unwrap();
    }

    pub(crate) fn drain(&mut self, at: usize) {
        let peer = &mut self.peers[at];
        while let Some(output) = peer.machine.poll_output() {
            match output {
                GroupOutput::AppendCommit { blob } => peer.outbox.push(blob),
                GroupOutput::SendWelcome { admission, welcome } => {
                    self.welcomes.insert(admission, welcome);
                }
                GroupOutput::AdmissionFailed { admission, reason } => peer.failed.push((admission, reason)),
                GroupOutput::RemovalFailed { member, reason } => peer.removals_failed.push((member, reason)),
                GroupOutput::RulesFailed { reason } => peer.rules_failed.push(reason),
                GroupOutput::EpochStarted(started) => peer.keys.push(started.keys),
                GroupOutput::ApplicationReceived { sender, bytes, .. } => {
                    peer.heard.push((sender, bytes.reveal().to_vec()));
                }
                GroupOutput::ApplicationSettled { outcome, .. } => peer.settled.push(outcome),
                GroupOutput::EntrySkipped { seq, reason, sender } => {
                    peer.skipped.push((seq, reason));
                    peer.accused.push(sender);
                }
                GroupOutput::Removed { .. } => peer.removed = true,
                GroupOutput::MustRejoin { committer } => peer.must_rejoin = Some(committer),
            }
        }
    }

    /// Moves time and lets everybody act on it.
    pub(crate) fn pass(&mut self, by: Duration) {
        self.now = self.now.plus(by);
        for at in 0..self.peers.len() {
            // Whoever was removed has no time any more.
            let _ = self.input(at, GroupInput::Tick);
        }
    }

    /// Puts what `peer` wants to commit into the log.
    pub(crate) fn append(&mut self, peer: usize) {
        for blob in core::mem::take(&mut self.peers[peer].outbox) {
            self.log.push(blob.to_vec());
        }
    }

    /// Lets everybody read the log to its end.
    pub(crate) fn deliver(&mut self) {
        for at in 0..self.peers.len() {
            while self.peers[at].read < self.log.len() && !self.peers[at].machine.is_gone() {
                let seq = self.peers[at].read as u64;
                let blob = self.log[self.peers[at].read].clone();
                self.peers[at].read += 1;
                self.input(at, GroupInput::LogEntry { seq, blob }).unwrap();
            }
        }
    }

    /// Appends and delivers until nothing moves.
    pub(crate) fn settle(&mut self) {
        loop {
            for at in 0..self.peers.len() {
                self.append(at);
            }
            if self.peers.iter().all(|peer| peer.machine.is_gone() || peer.read == self.log.len()) {
                return;
            }
            self.deliver();
        }
    }

    /// As [`Self::assert_agreement`] when `missing` members have no machine here.
    pub(crate) fn assert_agreement_without_joiners(&self, missing: usize) {
        self.assert_agreement_of(missing);
    }

    /// Everybody who is in has the same epoch, authenticator, base key, roster and room code.
    pub(crate) fn assert_agreement(&self) {
        self.assert_agreement_of(0);
    }

    fn assert_agreement_of(&self, missing: usize) {
        let present: Vec<&Peer> = self.peers.iter().filter(|peer| !peer.machine.is_gone()).collect();
        let first = present[0];
        for peer in &present {
            assert_eq!(peer.machine.epoch(), first.machine.epoch());
            assert_eq!(peer.machine.authenticator(), first.machine.authenticator());
            assert_eq!(peer.machine.roster(), first.machine.roster());
            assert_eq!(peer.machine.room_code(), first.machine.room_code());
            assert_eq!(peer.machine.rules(), first.machine.rules());
            let (ours, theirs) = (peer.keys.last().unwrap(), first.keys.last().unwrap());
            assert_eq!(ours.epoch, peer.machine.epoch());
            assert_eq!(ours.authenticator, peer.machine.authenticator());
            assert_eq!((&ours.base_key, &ours.members), (&theirs.base_key, &theirs.members));
        }
        assert_eq!(first.machine.roster().len(), present.len() + missing);
    }
}
