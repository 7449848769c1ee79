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

    /// New rules chain to the same room key, belong to the same room and group, keep what is fixed and follow the
    /// present ones: a version that leaps ahead could be the last possible.
    fn read_rules(&self, bytes: &[u8]) -> Result<VerifiedRules, Refusal> {
        let current = self.rules.rules();
        let unverified = UnverifiedRules::parse(bytes).map_err(|_| Refusal::Rules)?;
        let new = unverified.verify(&self.rules.room_key_fingerprint()).map_err(|_| Refusal::Rules)?;
        let kept = new.rules().room == current.room
            && new.rules().group == current.group
            && new.rules().suite == current.suite;
        if !kept || Some(new.rules().version) != current.version.checked_add(1) {
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

#[cfg(test)]
mod tests {
    use incamera_identity::{Credential, DisplayName, SigningKey, VerifyingKey};
    use incamera_types::{Epoch, RoomId};
    use openmls::prelude::{BasicCredential, LeafNodeIndex, Member as MlsMember};

    use super::*;
    use crate::facts::AddedLeaf;
    use crate::rules::Rules;

    fn leaf_key(leaf: u32) -> VerifyingKey {
        let mut bytes = [0x40; 32];
        bytes[..4].copy_from_slice(&leaf.to_be_bytes());
        VerifyingKey::from_bytes(bytes).unwrap()
    }

    /// A roster of this many leaves without the cost of a group.
    fn roster(leaves: u32, rules: &Rules) -> Roster {
        let credential = Credential::anonymous(DisplayName::new("Guest").unwrap());
        let tree = (0..leaves).map(|leaf| {
            let mls = BasicCredential::new(credential.to_bytes()).into();
            MlsMember::new(LeafNodeIndex::new(leaf), Vec::new(), leaf_key(leaf).as_bytes().to_vec(), mls)
        });
        Roster::default().advance(tree, &[], Epoch(1), rules, None).unwrap()
    }

    #[test]
    fn an_add_at_leaf_1024_is_invalid_until_a_leaf_becomes_free() {
        let room_key = SigningKey::from_seed(&[1; 32]).unwrap();
        let rules = Rules::new(RoomId([0; 16]), [0; 16], &leaf_key(0)).sign(&room_key, &[]).unwrap();
        let judge = |leaves: u32, adds: u32, removes: &[u32]| {
            let roster = roster(leaves, rules.rules());
            let view = EpochView {
                roster: &roster,
                rules: &rules,
                tag_of: &|_| Vec::new(),
                safeguards: Safeguards::default(),
            };
            let credential = Credential::anonymous(DisplayName::new("New").unwrap());
            let facts = CommitFacts {
                committer: LeafIndex(0),
                adds: (0..adds)
                    .map(|add| AddedLeaf { leaf_key: leaf_key(5_000 + add), credential: credential.clone() })
                    .collect(),
                removes: removes.iter().copied().map(LeafIndex).collect(),
                rules: None,
                path: None,
                tag: Vec::new(),
            };
            view.judge(&facts).map(|verdict| verdict.removed.len())
        };
        assert_eq!(judge(1_023, 1, &[]), Ok(0));
        assert_eq!(judge(1_024, 1, &[]), Err(Refusal::Full));
        assert_eq!(judge(1_023, 2, &[]), Err(Refusal::Full));
        assert_eq!(judge(1_024, 1, &[500]), Ok(1));
        assert_eq!(judge(1_024, 2, &[500]), Err(Refusal::Full));
        assert_eq!(judge(3, 0, &[7]), Err(Refusal::Protocol));
    }
}
