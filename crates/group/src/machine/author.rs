//! Making commits.

use std::sync::Arc;

use incamera_identity::VerifyingKey;
use incamera_types::{LeafIndex, MAX_COMMIT_BYTES, MemberId, Mono};
use openmls::prelude::{
    CommitMessageBundle, Extension, KeyPackage, LeafNodeIndex, MlsMessageOut, UnknownExtension,
};
use openmls_traits::OpenMlsProvider as _;
use tls_codec::Serialize as _;

use super::{GroupMachine, committer_tag};
use crate::authority::Verdict;
use crate::error::{GroupError, Refusal};
use crate::message::{AdmissionId, GroupOutput, RuleEdit};
use crate::parameters::{ROSTER_EXTENSION, context_extensions};
use crate::plan::{Batch, resend_delay};
use crate::provider::LeafSigner;
use crate::roster::JoinRoster;
use crate::rules::{Lock, Rules, VerifiedRules};

/// An own commit on its way to the log. There is one for each epoch at most, and it is never withdrawn: the log
/// may hold it already, and then it is valid for everybody.
pub(super) struct OwnCommit {
    pub(crate) blob: Arc<[u8]>,
    pub(crate) welcome: Option<Arc<[u8]>>,
    /// Who gets the Welcome.
    pub(crate) admissions: Vec<AdmissionId>,
    /// The leaf keys of whom it adds although nobody wants that any more.
    pub(crate) withdrawn: Vec<VerifyingKey>,
    pub(crate) edits: usize,
    pub(crate) verdict: Verdict,
    pub(crate) sent_at: Mono,
    pub(crate) attempts: u32,
}

/// The proposals of one commit.
#[derive(Default)]
pub(super) struct Proposals {
    adds: Vec<KeyPackage>,
    admissions: Vec<AdmissionId>,
    removals: Vec<LeafIndex>,
    rules: Option<VerifiedRules>,
    edits: usize,
}

impl GroupMachine {
    /// Commits what is due, or sends an own commit again that the log has not shown.
    pub(crate) fn commit_if_due(&mut self, now: Mono) {
        if self.is_joining() || self.is_gone() {
            return;
        }
        if let Some(own) = &self.own_commit {
            if own.sent_at.plus(resend_delay(own.attempts)) <= now {
                self.send_commit_again(now, own.attempts.saturating_add(1));
            }
            return;
        }
        while let Some(batch) = self.own().and_then(|own| self.plan.batch(now, &self.roster, own)) {
            if self.commit_most(now, batch) {
                return;
            }
        }
    }

    /// Sends the own commit that the log has not shown, after so many attempts of its own accord.
    pub(super) fn send_commit_again(&mut self, now: Mono, attempts: u32) {
        let Some(own) = &mut self.own_commit else { return };
        (own.sent_at, own.attempts) = (now, attempts);
        let blob = Arc::clone(&own.blob);
        self.outputs.push_back(GroupOutput::AppendCommit { blob });
    }

    /// Commits the whole batch or, when it is refused, what comes first of it; the rest waits for the next
    /// commit. What is refused even alone is given up, so that it is not tried for ever.
    fn commit_most(&mut self, now: Mono, mut batch: Batch) -> bool {
        loop {
            let Err(reason) = self.collect(&batch).and_then(|proposals| self.commit(now, proposals)) else {
                return true;
            };
            match batch.first_part() {
                Some(part) => batch = part,
                None => {
                    self.give_up(now, &batch, reason);
                    return false;
                }
            }
        }
    }

    /// Turns a batch into proposals.
    fn collect(&self, batch: &Batch) -> Result<Proposals, Refusal> {
        let Batch::Changes { admissions, removals, edits } = batch else { return Ok(Proposals::default()) };
        let leaf_of = |member: MemberId| self.roster.by_id(member).map(|member| member.leaf);
        let mut proposals = Proposals {
            removals: removals.iter().filter_map(|member| leaf_of(*member)).collect(),
            edits: *edits,
            rules: self.edited_rules(self.plan.edits.iter().take(*edits)).map_err(|_| Refusal::Rules)?,
            ..Proposals::default()
        };
        let locked = self.rules.rules().lock == Lock::Locked;
        for planned in admissions.iter().filter_map(|at| self.plan.admissions.get(*at)) {
            let replaced = planned.replaces.and_then(leaf_of);
            proposals.removals.extend(replaced.filter(|leaf| !proposals.removals.contains(leaf)));
            if !locked || proposals.adds.len() < proposals.removals.len() {
                proposals.adds.push(planned.key_package.clone());
                proposals.admissions.push(planned.id);
            }
        }
        Ok(proposals)
    }

    /// Builds, judges and sends one commit. What the others would refuse is not sent.
    pub(super) fn commit(&mut self, now: Mono, proposals: Proposals) -> Result<(), Refusal> {
        let own = self.own().ok_or(Refusal::Sender)?.id;
        let tag = committer_tag(&self.tag_key, own);
        let (admissions, edits) = (proposals.admissions.clone(), proposals.edits);
        let bundle = self.build(proposals, &tag, own).map_err(|_| Refusal::Protocol)?;
        let judged = self.pending_facts(&tag).and_then(|facts| self.judge(&facts));
        let sealed = judged.and_then(|verdict| Ok((verdict, serialize(bundle)?)));
        let (verdict, (blob, welcome)) = match sealed {
            Ok(sealed) => sealed,
            Err(reason) => {
                let Ok(()) = self.group.clear_pending_commit(self.provider.storage()) else {
                    return Err(Refusal::Protocol);
                };
                return Err(reason);
            }
        };
        self.outputs.push_back(GroupOutput::AppendCommit { blob: Arc::clone(&blob) });
        self.own_commit = Some(OwnCommit {
            blob,
            welcome,
            admissions,
            withdrawn: Vec::new(),
            edits,
            verdict,
            sent_at: now,
            attempts: 0,
        });
        Ok(())
    }

    fn build(
        &mut self,
        proposals: Proposals,
        tag: &[u8],
        own: MemberId,
    ) -> Result<CommitMessageBundle, GroupError> {
        let library = |error: &dyn core::fmt::Display| GroupError::Library(error.to_string());
        let join_roster = JoinRoster::of(&self.roster, &proposals.removals, own).to_bytes();
        let adds_only =
            !proposals.adds.is_empty() && proposals.removals.is_empty() && proposals.rules.is_none();
        self.group.set_aad(tag.to_vec());
        let mut builder = self
            .group
            .commit_builder()
            .consume_proposal_store(false)
            .force_self_update(!adds_only)
            .propose_removals(proposals.removals.iter().map(|leaf| LeafNodeIndex::new(leaf.0)))
            .propose_adds(proposals.adds);
        if let Some(rules) = &proposals.rules {
            builder = builder
                .propose_group_context_extensions(context_extensions(rules)?)
                .map_err(|error| library(&error))?;
        }
        builder
            .load_psks(self.provider.storage())
            .map_err(|error| library(&error))?
            .create_group_info_with_extensions([Extension::Unknown(
                ROSTER_EXTENSION,
                UnknownExtension(join_roster),
            )])
            .map_err(|error| library(&error))?
            .create_group_info(false)
            .build(self.provider.rand(), self.provider.crypto(), &LeafSigner(&self.leaf_key), |_| true)
            .map_err(|error| library(&error))?
            .stage_commit(&self.provider)
            .map_err(|error| library(&error))
    }

    /// Drops what cannot be committed and says so.
    fn give_up(&mut self, now: Mono, batch: &Batch, reason: Refusal) {
        let Batch::Changes { admissions, removals, edits } = batch else {
            return self.plan.postpone_update(now);
        };
        let failed: Vec<AdmissionId> = admissions
            .iter()
            .filter_map(|at| self.plan.admissions.get(*at))
            .map(|planned| planned.id)
            .collect();
        self.plan.admissions.retain(|planned| !failed.contains(&planned.id));
        for admission in failed {
            self.outputs.push_back(GroupOutput::AdmissionFailed { admission, reason });
        }
        for member in removals {
            self.plan.removals.remove(member);
            self.outputs.push_back(GroupOutput::RemovalFailed { member: *member, reason });
        }
        if *edits > 0 {
            self.plan.edits.drain(..(*edits).min(self.plan.edits.len()));
            self.outputs.push_back(GroupOutput::RulesFailed { reason });
        }
    }

    /// The rules after these edits, signed with the room key or as its delegate; `None` when nothing changes.
    pub(crate) fn edited_rules<'a>(
        &self,
        edits: impl Iterator<Item = &'a RuleEdit>,
    ) -> Result<Option<VerifiedRules>, GroupError> {
        let mut edits = edits.peekable();
        if edits.peek().is_none() {
            return Ok(None);
        }
        let mut delegations = self.rules.delegations().to_vec();
        let mut rules = self.rules.rules().clone();
        rules.version = rules.version.saturating_add(1);
        for edit in edits {
            match edit {
                RuleEdit::Delegate(delegation) => delegations.push((**delegation).clone()),
                edit => apply(&mut rules, edit),
            }
        }
        let signed = match &self.room_key {
            Some(room_key) => rules.sign(room_key, &delegations)?,
            None => rules.sign_as_delegate(&self.leaf_key, *self.rules.room_key(), &delegations)?,
        };
        Ok(Some(signed))
    }
}

fn apply(rules: &mut Rules, edit: &RuleEdit) {
    match edit {
        RuleEdit::SetLobby(lobby) => rules.lobby = *lobby,
        RuleEdit::SetLock(lock) => rules.lock = *lock,
        RuleEdit::SetDeadlines { media_stop, removal } => {
            rules.media_stop = *media_stop;
            rules.removal = *removal;
        }
        RuleEdit::SetParticipantRights(rights) => rules.participant_rights = *rights,
        RuleEdit::Grant(leaf_key, grant) => {
            rules.grants.insert(crate::LeafKeyHash::of(leaf_key), *grant);
        }
        RuleEdit::Revoke(leaf_key) => {
            rules.grants.remove(&crate::LeafKeyHash::of(leaf_key));
        }
        RuleEdit::Delegate(_) => {}
    }
}

type Serialized = (Arc<[u8]>, Option<Arc<[u8]>>);

/// What is too long for the others is refused: the batch is made smaller then.
fn serialize(bundle: CommitMessageBundle) -> Result<Serialized, Refusal> {
    let bytes = |message: MlsMessageOut| {
        message.tls_serialize_detached().map(Arc::<[u8]>::from).map_err(|_| Refusal::Malformed)
    };
    let (commit, welcome, _) = bundle.into_messages();
    let (commit, welcome) = (bytes(commit)?, welcome.map(bytes).transpose()?);
    if commit.len() > MAX_COMMIT_BYTES {
        return Err(Refusal::Malformed);
    }
    Ok((commit, welcome))
}

#[cfg(test)]
mod tests;
