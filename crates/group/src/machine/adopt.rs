//! Stepping into the next epoch: export first, merge then, tell last.

use std::sync::Arc;

use incamera_identity::VerifyingKey;
use incamera_types::{MemberId, Mono};
use openmls::prelude::StagedCommit;
use openmls_traits::OpenMlsProvider as _;
use zeroize::Zeroizing;

use super::{BASE_KEY_LABEL, GroupMachine, Standing, TAG_LABEL, fixed};
use crate::authority::Verdict;
use crate::error::{GroupError, Refusal};
use crate::facts::CommitFacts;
use crate::keys::EpochChange;
use crate::message::{CommitTurn, EpochStarted, GroupOutput};
use crate::plan::{AuthorLeaf, Cause};
use crate::roster::Roster;
use crate::rules::Lock;

/// What is taken from a commit before it is merged.
struct NextEpoch {
    epoch: incamera_types::Epoch,
    authenticator: [u8; 32],
    base_key: Zeroizing<Vec<u8>>,
    tag_key: Zeroizing<Vec<u8>>,
    author_leaf: AuthorLeaf,
}

impl GroupMachine {
    /// Adopts another member's valid commit.
    pub(super) fn adopt_foreign(&mut self, now: Mono, seq: u64, staged: StagedCommit, verdict: &Verdict) {
        if staged.self_removed() {
            let by = self.roster.by_id(verdict.committer).map(|member| member.id);
            return self.leave(GroupOutput::Removed { by });
        }
        let adopted = self.export_next(&staged).and_then(|next| {
            self.group
                .merge_staged_commit(&self.provider, staged)
                .map_err(|error| GroupError::Library(error.to_string()))?;
            self.own_commit = None;
            self.step(now, seq, next, verdict)
        });
        self.require(&adopted, verdict.committer);
    }

    /// Adopts the own pending commit when `blob` is it, byte for byte: the echo itself is not authenticated.
    pub(super) fn adopt_own(&mut self, now: Mono, seq: u64, blob: &[u8]) -> bool {
        let ours = self.own_commit.as_ref().is_some_and(|own| *own.blob == *blob);
        if ours {
            self.merge_own(now, seq);
        }
        ours
    }

    pub(super) fn merge_own(&mut self, now: Mono, seq: u64) {
        let Some(own) = self.own_commit.take() else { return };
        let committer = own.verdict.committer;
        let adopted = self
            .group
            .pending_commit()
            .ok_or(GroupError::Crypto)
            .and_then(|staged| self.export_next(staged))
            .and_then(|next| {
                self.group
                    .merge_pending_commit(&self.provider)
                    .map_err(|error| GroupError::Library(error.to_string()))?;
                self.plan.edits.drain(..own.edits.min(self.plan.edits.len()));
                self.step(now, seq, next, &own.verdict)
            });
        if adopted.is_ok() {
            self.send_welcomes(own.welcome, &own.admissions);
            self.remove_withdrawn(now, &own.withdrawn);
        }
        self.require(&adopted, committer);
    }

    /// Welcomes leave only now, when the commit has won.
    fn send_welcomes(&mut self, welcome: Option<Arc<[u8]>>, admissions: &[crate::AdmissionId]) {
        let Some(welcome) = welcome else { return };
        for admission in admissions {
            let welcome = Arc::clone(&welcome);
            self.outputs.push_back(GroupOutput::SendWelcome { admission: *admission, welcome });
        }
    }

    /// Whose admission was withdrawn while the commit was on its way goes with the next one.
    fn remove_withdrawn(&mut self, now: Mono, withdrawn: &[VerifyingKey]) {
        let added = self.roster.iter().filter(|member| withdrawn.contains(&member.leaf_key));
        let cause = Cause { since: now, turn: CommitTurn::Own };
        self.plan.removals.extend(added.map(|member| (member.id, cause)));
    }

    /// A commit that is valid but cannot be followed leaves this member behind.
    fn require(&mut self, adopted: &Result<(), GroupError>, committer: MemberId) {
        if adopted.is_err() {
            self.leave(GroupOutput::MustRejoin { committer });
        }
    }

    /// Exports from a commit that is not merged yet (wire.md §5).
    fn export_next(&self, staged: &StagedCommit) -> Result<NextEpoch, GroupError> {
        let export = |label: &str, len: usize| {
            staged
                .export_secret(self.provider.crypto(), label, &[], len)
                .map(Zeroizing::new)
                .map_err(|error| GroupError::Library(error.to_string()))
        };
        let authenticator = staged.epoch_authenticator().ok_or(GroupError::Crypto)?;
        Ok(NextEpoch {
            epoch: Self::epoch_after(staged),
            authenticator: fixed(authenticator.as_slice()),
            base_key: export(BASE_KEY_LABEL, self.rules.rules().suite.key_len())?,
            tag_key: export(TAG_LABEL, 32)?,
            author_leaf: staged.update_path_leaf_node().map_or(AuthorLeaf::Kept, |_| AuthorLeaf::Renewed),
        })
    }

    /// Moves roster, rules and plan along and tells the meeting.
    fn step(&mut self, now: Mono, seq: u64, next: NextEpoch, verdict: &Verdict) -> Result<(), GroupError> {
        let before = core::mem::take(&mut self.roster);
        let rules_version = verdict.rules.as_ref().map(|rules| rules.rules().version);
        if let Some(rules) = &verdict.rules {
            self.rules = rules.clone();
        }
        self.roster = before
            .advance(
                self.group.members(),
                &verdict.removed,
                next.epoch,
                self.rules.rules(),
                Some(verdict.committer),
            )
            .map_err(|_| GroupError::Crypto)?;
        self.tag_key = next.tag_key;
        let own = self.own().ok_or(GroupError::NotMember)?.clone();
        self.plan.note_commit(now, &self.roster, &own, (verdict.committer, next.author_leaf));
        self.plan.settle(&self.roster);
        self.drop_locked_out();
        if self.standing == Standing::Active {
            let change = change_between(&before, &self.roster);
            let keys = self.epoch_keys(next.epoch, next.authenticator, next.base_key, &self.roster, change);
            self.outputs.push_back(GroupOutput::EpochStarted(Box::new(EpochStarted {
                seq: Some(seq),
                keys,
                committer: Some(verdict.committer),
                joined: missing_from(&before, &self.roster),
                left: missing_from(&self.roster, &before),
                rules_version,
            })));
        }
        Ok(())
    }

    /// A room that was locked meanwhile lets nobody in but who replaces a member.
    fn drop_locked_out(&mut self) {
        if self.rules.rules().lock == Lock::Open {
            return;
        }
        let roster = &self.roster;
        let replaces_member =
            |member: Option<MemberId>| member.is_some_and(|member| roster.by_id(member).is_some());
        let outputs = &mut self.outputs;
        self.plan.admissions.retain(|planned| {
            let stays = replaces_member(planned.replaces);
            if !stays {
                outputs.push_back(GroupOutput::AdmissionFailed {
                    admission: planned.id,
                    reason: Refusal::Locked,
                });
            }
            stays
        });
    }

    /// The facts of the pending commit, for judging it before it is sent.
    pub(crate) fn pending_facts(&self, tag: &[u8]) -> Result<CommitFacts, Refusal> {
        let staged = self.group.pending_commit().ok_or(Refusal::Protocol)?;
        CommitFacts::read(staged, self.own_leaf(), tag)
    }
}

/// Members of `to` that `from` does not have.
fn missing_from(from: &Roster, to: &Roster) -> Vec<MemberId> {
    to.iter()
        .filter(|member| from.at(member.leaf).is_none_or(|other| other.id != member.id))
        .map(|member| member.id)
        .collect()
}

/// Whether somebody lost membership or a stream (SEC-05, SEC-10).
fn change_between(before: &Roster, after: &Roster) -> EpochChange {
    let keeps_all = before.iter().all(|old| {
        after
            .at(old.leaf)
            .is_some_and(|new| new.id == old.id && new.rights.contexts().covers(old.rights.contexts()))
    });
    if keeps_all { EpochChange::Grown } else { EpochChange::Restricted }
}
