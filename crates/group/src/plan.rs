//! When to commit what: turns, pacing and batching (wire.md §5). A preference only; validity never depends on it.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use incamera_identity::VerifyingKey;
use incamera_types::{MemberId, Mono};
use openmls::prelude::KeyPackage;

use crate::message::{AdmissionId, CommitTurn, RuleEdit};
use crate::parameters::{COMMIT_GAP, MAX_ADDS_PER_COMMIT, TURN, UPDATE_GAP, UPDATE_PERIOD};
use crate::roster::{Member, Roster};
use crate::rules::Rights;

/// Somebody to be added.
pub(crate) struct Admission {
    pub(crate) id: AdmissionId,
    pub(crate) key_package: KeyPackage,
    pub(crate) leaf_key: VerifyingKey,
    pub(crate) replaces: Option<MemberId>,
    pub(crate) cause: Cause,
}

/// Since when something waits, and for whose turn.
#[derive(Clone, Copy)]
pub(crate) struct Cause {
    pub(crate) since: Mono,
    pub(crate) turn: CommitTurn,
}

impl Cause {
    fn due(self, rank: u32) -> Mono {
        match self.turn {
            CommitTurn::Own => self.since,
            CommitTurn::Shared => self.since.plus(TURN.saturating_mul(rank)),
        }
    }
}

/// What waits to be committed, and when the last commits were.
pub(crate) struct Plan {
    pub(crate) admissions: Vec<Admission>,
    pub(crate) removals: BTreeMap<MemberId, Cause>,
    pub(crate) edits: Vec<RuleEdit>,
    pub(crate) online: BTreeSet<MemberId>,
    last_commit: Option<Mono>,
    last_own_commit: Option<Mono>,
    last_update: Option<Mono>,
    next_update: Option<Mono>,
}

/// What one commit takes from the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Batch {
    /// Adds, removals and rules that are due.
    Changes {
        /// Into [`Plan::admissions`], ascending.
        admissions: Vec<usize>,
        removals: Vec<MemberId>,
        edits: usize,
    },
    /// A leaf update.
    Update,
}

impl Batch {
    /// What to try alone after the whole was refused: what a person ordered before admissions, so that nobody
    /// who is to be added can hold up a removal; then one half. `None` for what cannot be divided.
    pub(crate) fn first_part(&self) -> Option<Self> {
        let Self::Changes { admissions, removals, edits } = self else { return None };
        let (mut admissions, mut removals, mut edits) = (admissions.clone(), removals.clone(), *edits);
        match (admissions.len(), removals.len(), edits) {
            (1.., 1.., _) | (1.., _, 1..) => admissions.clear(),
            (_, 1.., 1..) => edits = 0,
            (count @ 2.., ..) => admissions.truncate(count.div_ceil(2)),
            (_, count @ 2.., _) => removals.truncate(count.div_ceil(2)),
            (.., count @ 2..) => edits = count.div_ceil(2),
            _ => return None,
        }
        Some(Self::Changes { admissions, removals, edits })
    }
}

impl Plan {
    pub(crate) fn new() -> Self {
        Self {
            admissions: Vec::new(),
            removals: BTreeMap::new(),
            edits: Vec::new(),
            online: BTreeSet::new(),
            last_commit: None,
            last_own_commit: None,
            last_update: None,
            next_update: None,
        }
    }

    /// When the next commit of this member is due.
    pub(crate) fn due(&self, roster: &Roster, own: &Member) -> Option<Mono> {
        let rank = self.rank(roster, own);
        let admissions = self.admissions.iter().map(|admission| admission.cause.due(rank));
        let removals = self.removals.values().map(|cause| cause.due(rank));
        // An edit is always this person's decision and waits for pacing only.
        let edits = (!self.edits.is_empty()).then_some(Mono::from_micros(0));
        // Own commits are paced; those of others put off no change, or whoever commits all the time would never be
        // removed (SEC-05).
        let changes = admissions.chain(removals).chain(edits).min();
        let changes = changes.map(|due| due.max(gap_after(self.last_own_commit)));
        [changes, self.update_due(roster, own)].into_iter().flatten().min()
    }

    /// What to commit at `now`.
    pub(crate) fn batch(&self, now: Mono, roster: &Roster, own: &Member) -> Option<Batch> {
        if self.due(roster, own)? > now {
            return None;
        }
        let rank = self.rank(roster, own);
        let admissions: Vec<usize> = (0..)
            .zip(&self.admissions)
            .filter(|(_, admission)| admission.cause.due(rank) <= now)
            .map(|(at, _)| at)
            .take(MAX_ADDS_PER_COMMIT)
            .collect();
        let removals: Vec<MemberId> =
            self.removals.iter().filter(|(_, cause)| cause.due(rank) <= now).map(|(id, _)| *id).collect();
        let edits = self.edits.len();
        if admissions.is_empty() && removals.is_empty() && edits == 0 {
            return Some(Batch::Update);
        }
        Some(Batch::Changes { admissions, removals, edits })
    }

    /// Puts the first leaf update of this member in line: admitters first, then by leaf, one every two seconds.
    pub(crate) fn schedule_first_update(&mut self, now: Mono, roster: &Roster, own: &Member) {
        let own_rank = (!own.rights.contains(Rights::ADMIT), own.leaf);
        let before =
            roster.iter().filter(|member| (!member.rights.contains(Rights::ADMIT), member.leaf) < own_rank);
        let place = u32::try_from(before.count()).unwrap_or(u32::MAX).saturating_add(1);
        self.next_update = Some(now.plus(UPDATE_GAP.saturating_mul(place)));
    }

    /// Notes an accepted commit: whose, and what it did to its author's leaf.
    pub(crate) fn note_commit(
        &mut self,
        now: Mono,
        roster: &Roster,
        own: &Member,
        (author, leaf): (MemberId, AuthorLeaf),
    ) {
        self.last_commit = Some(now);
        if author == own.id {
            self.last_own_commit = Some(now);
        }
        if leaf == AuthorLeaf::Renewed {
            self.last_update = Some(now);
        }
        if (author, leaf) == (own.id, AuthorLeaf::Renewed) {
            let members = u32::try_from(roster.len()).unwrap_or(u32::MAX);
            let period = UPDATE_PERIOD.max(UPDATE_GAP.saturating_mul(members));
            self.next_update = Some(now.plus(period));
        }
    }

    /// Forgets what the new epoch has settled, whoever committed it.
    pub(crate) fn settle(&mut self, roster: &Roster) {
        self.admissions.retain(|admission| !roster.has_key(&admission.leaf_key));
        self.removals.retain(|id, _| roster.by_id(*id).is_some());
        self.online.retain(|id| roster.by_id(*id).is_some());
    }

    /// Gives up the leaf update that is due until the next period.
    pub(crate) fn postpone_update(&mut self, now: Mono) {
        self.next_update = Some(now.plus(UPDATE_PERIOD));
    }

    fn update_due(&self, roster: &Roster, own: &Member) -> Option<Mono> {
        let allowed =
            roster.len() > 1 && (own.rights.contains(Rights::ADMIT) || !roster.authored_recently(own.id));
        let due = self.next_update.filter(|_| allowed)?;
        let after_others =
            self.last_update.map_or(due, |at| at.plus(UPDATE_GAP)).max(gap_after(self.last_commit));
        // Nobody is kept from new keys for ever by others that commit all the time (SEC-07).
        Some(due.max(after_others).min(due.plus(UPDATE_PERIOD)))
    }

    /// How many online members that may admit come before this one.
    fn rank(&self, roster: &Roster, own: &Member) -> u32 {
        let before = roster.iter().filter(|member| {
            member.leaf < own.leaf
                && member.rights.contains(Rights::ADMIT)
                && self.online.contains(&member.id)
        });
        u32::try_from(before.count()).unwrap_or(u32::MAX)
    }
}

/// What a commit did to its author's leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthorLeaf {
    /// It has new keys.
    Renewed,
    /// It is as it was.
    Kept,
}

fn gap_after(last: Option<Mono>) -> Mono {
    last.map_or(Mono::from_micros(0), |at| at.plus(COMMIT_GAP))
}

/// When an own commit that the log does not show is sent again: after three seconds, then ever more rarely.
pub(crate) fn resend_delay(attempts: u32) -> Duration {
    crate::parameters::RESEND_AFTER.saturating_mul(1_u32.checked_shl(attempts.min(4)).unwrap_or(1))
}
