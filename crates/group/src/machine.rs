//! The group machine: its state, what it is asked, and what it answers.

mod adopt;
mod application;
mod author;
#[cfg(any(test, feature = "danger-sabotage"))]
mod forge;
mod found;
#[cfg(feature = "danger-sabotage")]
mod outsider;
mod receive;

use std::collections::VecDeque;
use std::sync::Arc;

use incamera_identity::{RoomCode, SigningKey, hmac_sha256};
use incamera_types::{Epoch, LeafIndex, MemberId, Mono, Now};
#[cfg(feature = "danger-sabotage")]
use openmls::group::PastEpochDeletionPolicy;
use openmls::prelude::{GroupEpoch, KeyPackage, MlsGroup};
use openmls_traits::OpenMlsProvider as _;
use tls_codec::Serialize as _;
use zeroize::Zeroizing;

use crate::error::{GroupError, Refusal};
use crate::join::read_key_package;
use crate::keys::{EpochChange, EpochKeys, EpochMember};
use crate::message::{
    AdmissionId, ApplicationId, CommitTurn, EpochStarted, GroupInput, GroupOutput, RuleEdit,
};
use crate::plan::{Admission, Cause, Plan, resend_delay};
use crate::provider::Provider;
use crate::roster::{Member, Roster};
use crate::rules::{Lock, Powers, Rights, VerifiedRules};
use crate::safeguards::Safeguards;
use author::OwnCommit;

#[cfg(feature = "danger-sabotage")]
pub use forge::{Forgery, PhantomRules};
pub use found::{Founding, RoomSettings};

/// How far this member is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// The Welcome is processed; silent until [`GroupMachine::confirm`] (SEC-19).
    Joining,
    /// A full member.
    Active,
    /// Removed, or unable to follow.
    Gone,
}

struct OutstandingApplication {
    id: ApplicationId,
    epoch: Epoch,
    blob: Arc<[u8]>,
}

/// The MLS group of one room, seen by one member.
///
/// Entries of the log go in by [`GroupInput::LogEntry`] in order; everything else follows. Drain
/// [`GroupMachine::poll_output`] after every call and call again with [`GroupInput::Tick`] at
/// [`GroupMachine::poll_timeout`].
pub struct GroupMachine {
    provider: Provider,
    leaf_key: Arc<SigningKey>,
    /// Held by whoever made the room.
    room_key: Option<Arc<SigningKey>>,
    group: MlsGroup,
    group_id: [u8; 16],
    roster: Roster,
    rules: VerifiedRules,
    /// From which this epoch's committers are named in authenticated data.
    tag_key: Zeroizing<Vec<u8>>,
    standing: Standing,
    plan: Plan,
    own_commit: Option<OwnCommit>,
    outstanding: VecDeque<OutstandingApplication>,
    next_application: u64,
    last_seq: Option<u64>,
    outputs: VecDeque<GroupOutput>,
    safeguards: Safeguards,
}

pub(crate) fn epoch_of(epoch: GroupEpoch) -> Epoch {
    Epoch(epoch.as_u64())
}

impl GroupMachine {
    /// Takes one input. What other members or the relay did wrong is an output, never an error.
    ///
    /// # Errors
    /// [`GroupError`] when the caller asks for what is not possible or not allowed.
    pub fn handle_input(&mut self, now: Now, input: GroupInput) -> Result<(), GroupError> {
        if self.standing == Standing::Gone {
            return Err(GroupError::NotMember);
        }
        let at = now.mono;
        match input {
            GroupInput::LogEntry { seq, blob } => self.process_entry(at, seq, &blob),
            GroupInput::Admit { admission, key_package, replaces, turn } => {
                self.plan_admission(at, admission, &key_package, replaces, turn)?;
            }
            GroupInput::WithdrawAdmission(admission) => self.withdraw(admission),
            GroupInput::Remove { member, turn } => self.plan_removal(at, member, turn)?,
            GroupInput::EditRules(edits) => self.plan_edits(edits)?,
            GroupInput::SetOnline(online) => self.plan.online = online,
            GroupInput::SendAgain => self.send_commit_again(at, 0),
            GroupInput::Tick => {}
        }
        self.commit_if_due(at);
        Ok(())
    }

    /// The next thing to tell or send.
    pub fn poll_output(&mut self) -> Option<GroupOutput> {
        self.outputs.pop_front()
    }

    /// When [`GroupInput::Tick`] is wanted.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Mono> {
        match (&self.standing, &self.own_commit) {
            (Standing::Active, Some(own)) => Some(own.sent_at.plus(resend_delay(own.attempts))),
            (Standing::Active, None) => self.plan.due(&self.roster, self.own()?),
            _ => None,
        }
    }

    /// Ends the state "joining": an admitter's heartbeat of this epoch echoed our nonce (SEC-19). Keys follow as
    /// an output.
    ///
    /// # Errors
    /// [`GroupError::NotMember`] when the machine is dead, [`GroupError::Library`] only by a defect.
    pub fn confirm(&mut self, now: Now) -> Result<(), GroupError> {
        match self.standing {
            Standing::Gone => Err(GroupError::NotMember),
            Standing::Active => Ok(()),
            Standing::Joining => {
                self.standing = Standing::Active;
                self.enter(now.mono)
            }
        }
    }

    /// Whether the join is still unconfirmed.
    pub(crate) fn is_joining(&self) -> bool {
        self.standing == Standing::Joining
    }

    /// Whether this member was removed or must rejoin.
    pub(crate) fn is_gone(&self) -> bool {
        self.standing == Standing::Gone
    }

    /// The current epoch.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        epoch_of(self.group.epoch())
    }

    /// The MLS group id.
    #[must_use]
    pub const fn group_id(&self) -> [u8; 16] {
        self.group_id
    }

    /// The epoch authenticator (RFC 9420 §8.7).
    #[must_use]
    pub fn authenticator(&self) -> [u8; 32] {
        fixed(self.group.epoch_authenticator().as_slice())
    }

    /// Own leaf.
    #[must_use]
    pub fn own_leaf(&self) -> LeafIndex {
        LeafIndex(self.group.own_leaf_index().u32())
    }

    /// The own member; `None` once removed.
    #[must_use]
    pub fn own(&self) -> Option<&Member> {
        self.roster.at(self.own_leaf())
    }

    /// All members of this epoch.
    #[must_use]
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The rules of this epoch.
    #[must_use]
    pub const fn rules(&self) -> &VerifiedRules {
        &self.rules
    }

    /// The code that people compare by voice.
    #[must_use]
    pub fn room_code(&self) -> RoomCode {
        self.roster.room_code(self.rules.rules().room)
    }

    /// HPKE seals that this machine's commits have cost so far, for statistics.
    #[must_use]
    pub fn hpke_seals(&self) -> u64 {
        self.provider.crypto().hpke_seals()
    }

    /// MLS-Exporter (RFC 9420 §8.5) of the current epoch.
    fn export(&self, label: &str, context: &[u8], len: usize) -> Result<Zeroizing<Vec<u8>>, GroupError> {
        self.group
            .export_secret(self.provider.crypto(), label, context, len)
            .map(Zeroizing::new)
            .map_err(|error| GroupError::Library(error.to_string()))
    }

    /// Switches safeguards off.
    #[cfg(feature = "danger-sabotage")]
    pub fn set_safeguards(&mut self, safeguards: Safeguards) {
        self.safeguards = safeguards;
        let policy = PastEpochDeletionPolicy::MaxEpochs(if safeguards.past_epoch_erasure() { 0 } else { 5 });
        // RAM storage keeps no configuration, so it cannot fail to.
        let _ = self.group.set_past_epoch_deletion_policy(&self.provider, policy);
    }

    fn plan_admission(
        &mut self,
        at: Mono,
        id: AdmissionId,
        key_package: &[u8],
        replaces: Option<MemberId>,
        turn: CommitTurn,
    ) -> Result<(), GroupError> {
        let own = self.active_member()?;
        let replaced = replaces.and_then(|member| self.roster.by_id(member));
        let allowed = own.rights.contains(Rights::ADMIT)
            && replaced.is_none_or(|member| own.may_remove(member))
            && (self.rules.rules().lock == Lock::Open || replaced.is_some());
        if !allowed {
            return Err(GroupError::NotAllowed);
        }
        let (key_package, leaf) = read_key_package(self.provider.crypto(), key_package)?;
        let known = self.roster.has_key(&leaf.leaf_key)
            || self.plan.admissions.iter().any(|planned| planned.leaf_key == leaf.leaf_key);
        if known || self.shares_hpke_key(&key_package) {
            return Err(GroupError::KeyPackage);
        }
        let cause = Cause { since: at, turn };
        self.plan.admissions.push(Admission { id, key_package, leaf_key: leaf.leaf_key, replaces, cause });
        Ok(())
    }

    /// Nobody is added after all. A commit on its way is never taken back: its leaf is removed again when it has won.
    fn withdraw(&mut self, admission: AdmissionId) {
        let Some(at) = self.plan.admissions.iter().position(|planned| planned.id == admission) else {
            return;
        };
        let withdrawn = self.plan.admissions.remove(at);
        if let Some(own) = &mut self.own_commit
            && own.admissions.contains(&admission)
        {
            own.admissions.retain(|added| *added != admission);
            own.withdrawn.push(withdrawn.leaf_key);
        }
    }

    /// No two leaves may share an HPKE key (RFC 9420 §12.2): whoever copies one would spoil the commit.
    fn shares_hpke_key(&self, key_package: &KeyPackage) -> bool {
        let keys = hpke_keys(key_package);
        self.group.members().any(|member| keys.contains(&member.encryption_key))
            || self
                .plan
                .admissions
                .iter()
                .any(|planned| hpke_keys(&planned.key_package).iter().any(|key| keys.contains(key)))
    }

    fn plan_removal(&mut self, at: Mono, member: MemberId, turn: CommitTurn) -> Result<(), GroupError> {
        let own = self.active_member()?;
        let removed = self.roster.by_id(member).ok_or(GroupError::UnknownMember)?;
        // Nobody removes itself by a commit (RFC 9420 §12.2): who leaves asks the others.
        if removed.id == own.id || !own.may_remove(removed) {
            return Err(GroupError::NotAllowed);
        }
        let cause = Cause { since: at, turn };
        let planned = self.plan.removals.entry(member).or_insert(cause);
        if turn == CommitTurn::Own {
            planned.turn = CommitTurn::Own;
        }
        Ok(())
    }

    fn plan_edits(&mut self, edits: Vec<RuleEdit>) -> Result<(), GroupError> {
        self.active_member()?;
        let leaf_key = self.leaf_key.verifying_key();
        if self.room_key.is_none() && !self.rules.powers_of(&leaf_key).contains(Powers::RULES) {
            return Err(GroupError::NotAllowed);
        }
        self.edited_rules(self.plan.edits.iter().chain(&edits))?;
        self.plan.edits.extend(edits);
        Ok(())
    }

    fn active_member(&self) -> Result<&Member, GroupError> {
        match self.standing {
            Standing::Gone => Err(GroupError::NotMember),
            Standing::Joining => Err(GroupError::StillJoining),
            Standing::Active => self.own().ok_or(GroupError::NotMember),
        }
    }

    /// Emits the keys of the epoch in which this member becomes active.
    fn enter(&mut self, now: Mono) -> Result<(), GroupError> {
        let own = self.own().ok_or(GroupError::NotMember)?.clone();
        let suite = self.rules.rules().suite;
        let base_key = self.export(BASE_KEY_LABEL, &[], suite.key_len())?;
        let keys =
            self.epoch_keys(self.epoch(), self.authenticator(), base_key, &self.roster, EpochChange::Entered);
        self.outputs.push_back(GroupOutput::EpochStarted(Box::new(EpochStarted {
            seq: None,
            keys,
            committer: None,
            joined: Vec::new(),
            left: Vec::new(),
            rules_version: None,
        })));
        self.plan.schedule_first_update(now, &self.roster, &own);
        Ok(())
    }

    fn epoch_keys(
        &self,
        epoch: Epoch,
        authenticator: [u8; 32],
        base_key: Zeroizing<Vec<u8>>,
        roster: &Roster,
        change: EpochChange,
    ) -> EpochKeys {
        EpochKeys {
            epoch,
            group_id: self.group_id,
            authenticator,
            suite: self.rules.rules().suite,
            base_key,
            own_leaf: self.own_leaf(),
            members: roster
                .iter()
                .map(|member| EpochMember {
                    leaf: member.leaf,
                    member: member.id,
                    contexts: member.rights.contexts(),
                })
                .collect(),
            change,
        }
    }

    fn skip(&mut self, seq: u64, reason: Refusal, sender: Option<MemberId>) {
        self.outputs.push_back(GroupOutput::EntrySkipped { seq, reason, sender });
    }

    fn leave(&mut self, output: GroupOutput) {
        self.standing = Standing::Gone;
        self.own_commit = None;
        self.plan = Plan::new();
        self.outstanding.clear();
        self.outputs.push_back(output);
    }
}

/// RFC 9605 §5.2.
pub(crate) const BASE_KEY_LABEL: &str = "SFrame 1.0 Base Key";

/// From its output committers are named in the clear authenticated data of their commits; unlinkable across
/// epochs.
pub(crate) const TAG_LABEL: &str = "Incamera 1.0 committer";

/// The name of a committer in one epoch: the first 16 bytes of HMAC-SHA-256 over its member id.
pub(crate) fn committer_tag(tag_key: &[u8], member: MemberId) -> Vec<u8> {
    let mut tag = hmac_sha256(tag_key, &member.0).to_vec();
    tag.truncate(16);
    tag
}

/// The init key and the leaf's encryption key, which openmls shows in its wire format only: a length, the key.
fn hpke_keys(key_package: &KeyPackage) -> [Vec<u8>; 2] {
    let encryption_key =
        key_package.leaf_node().encryption_key().tls_serialize_detached().unwrap_or_default();
    [key_package.hpke_init_key().as_slice().to_vec(), encryption_key.get(1..).unwrap_or_default().to_vec()]
}

fn fixed(bytes: &[u8]) -> [u8; 32] {
    bytes.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod hostile_tests;
#[cfg(all(test, feature = "danger-sabotage"))]
mod sabotage_tests;
#[cfg(test)]
mod tests;
