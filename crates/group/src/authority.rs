//! Whether a commit is valid under the rules of its epoch (SEC-10).
//!
//! A function of epoch state and commit alone: no clock, no network, no local state, so that every member
//! decides alike.

use incamera_types::{LeafIndex, MAX_LEAVES, MemberId};

use crate::error::Refusal;
use crate::facts::{CommitFacts, PathLeaf};
use crate::roster::{Member, Roster};
use crate::rules::{Lock, Powers, Rights, Role, RulesSigner, UnverifiedRules, VerifiedRules};
use crate::safeguards::Safeguards;

/// The shared state on which validity depends.
pub(crate) struct EpochView<'a> {
    pub(crate) roster: &'a Roster,
    pub(crate) rules: &'a VerifiedRules,
    /// How a committer is named in this epoch's authenticated data.
    pub(crate) tag_of: &'a dyn Fn(MemberId) -> Vec<u8>,
    pub(crate) safeguards: Safeguards,
}

/// A valid commit's effect.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) committer: MemberId,
    pub(crate) removed: Vec<LeafIndex>,
    /// The rules of the next epoch, if they change.
    pub(crate) rules: Option<VerifiedRules>,
}

impl EpochView<'_> {
    /// Judges a commit.
    pub(crate) fn judge(&self, facts: &CommitFacts) -> Result<Verdict, Refusal> {
        let committer = self.roster.at(facts.committer).ok_or(Refusal::Sender)?;
        let rules = facts.rules.as_deref().map(|bytes| self.read_rules(bytes)).transpose()?;
        if self.safeguards.authority() {
            self.judge_spacing(committer)?;
            self.judge_removes(committer, &facts.removes)?;
            self.judge_adds(committer, facts)?;
            if let Some(rules) = &rules {
                judge_rules_author(committer, rules)?;
            }
        }
        self.judge_path(committer, facts.path.as_ref())?;
        if facts.tag != (self.tag_of)(committer.id) {
            return Err(Refusal::CommitterTag);
        }
        Ok(Verdict { committer: committer.id, removed: facts.removes.clone(), rules })
    }

    /// Nobody without the right to admit can postpone its own removal by committing again and again (SEC-05).
    fn judge_spacing(&self, committer: &Member) -> Result<(), Refusal> {
        let spaced = committer.rights.contains(Rights::ADMIT) || !self.roster.authored_recently(committer.id);
        if spaced || !self.safeguards.commit_spacing() { Ok(()) } else { Err(Refusal::TooSoon) }
    }

    fn judge_removes(&self, committer: &Member, removes: &[LeafIndex]) -> Result<(), Refusal> {
        for leaf in removes {
            let removed = self.roster.at(*leaf).ok_or(Refusal::Protocol)?;
            if !committer.may_remove(removed) {
                return Err(Refusal::MayNotRemove);
            }
        }
        Ok(())
    }

    fn judge_adds(&self, committer: &Member, facts: &CommitFacts) -> Result<(), Refusal> {
        if facts.adds.is_empty() {
            return Ok(());
        }
        if !committer.rights.contains(Rights::ADMIT) {
            return Err(Refusal::MayNotAdmit);
        }
        if self.rules.rules().lock == Lock::Locked && facts.adds.len() > facts.removes.len() {
            return Err(Refusal::Locked);
        }
        let last = self.roster.free_leaves(&facts.removes).nth(facts.adds.len().saturating_sub(1));
        if last.is_none_or(|leaf| leaf.0 >= MAX_LEAVES) {
            return Err(Refusal::Full);
        }
        Ok(())
    }

    /// A leaf update renews keys, never who somebody is (SEC-11).
    fn judge_path(&self, committer: &Member, path: Option<&PathLeaf>) -> Result<(), Refusal> {
        let unchanged = path.is_none_or(|leaf| {
            leaf.leaf_key == committer.leaf_key.as_bytes()
                && leaf.credential.as_ref() == Some(&committer.credential)
        });
        if unchanged || !self.safeguards.path_leaf() { Ok(()) } else { Err(Refusal::PathLeaf) }
    }

    /// New rules chain to the same room key, belong to the same room and group, keep what is fixed, are newer.
    fn read_rules(&self, bytes: &[u8]) -> Result<VerifiedRules, Refusal> {
        let current = self.rules.rules();
        let unverified = UnverifiedRules::parse(bytes).map_err(|_| Refusal::Rules)?;
        let new = unverified.verify(&self.rules.room_key_fingerprint()).map_err(|_| Refusal::Rules)?;
        let kept = new.rules().room == current.room
            && new.rules().group == current.group
            && new.rules().suite == current.suite;
        if !kept || new.rules().version <= current.version {
            return Err(Refusal::Rules);
        }
        match new.signer() {
            // Delegations do not expire; one that the current rules dropped is spent.
            RulesSigner::Delegate(key) if !self.rules.powers_of(&key).contains(Powers::RULES) => {
                Err(Refusal::MayNotChangeRules)
            }
            _ => Ok(new),
        }
    }
}

/// Hosts bring in new rules; so does whoever had them signed by the room key itself (a host that lost its leaf).
fn judge_rules_author(committer: &Member, rules: &VerifiedRules) -> Result<(), Refusal> {
    if committer.role == Role::Host || rules.signer() == RulesSigner::RoomKey {
        Ok(())
    } else {
        Err(Refusal::MayNotChangeRules)
    }
}
