//! Who is in the meeting: every leaf, whatever it is (SEC-16). The roster comes from the group alone; the
//! SFU and the relay have no say in it.

use std::collections::BTreeMap;

use incamera_identity::{Fingerprint, IdentityStatus};
use incamera_types::{Epoch, LeafIndex, MemberId, Pii};
use serde::{Deserialize, Serialize};

/// What is known about who a member is (SEC-11).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "identity", rename_all = "snake_case")]
pub enum Verification {
    /// It claims no long-term identity; compare the room code by voice.
    Anonymous,
    /// A long-term key signed its leaf.
    Claimed {
        /// The key's fingerprint.
        fingerprint: String,
    },
    /// Its claim does not verify: its media is closed.
    Failed,
}

impl From<&IdentityStatus> for Verification {
    fn from(status: &IdentityStatus) -> Self {
        match status {
            IdentityStatus::Anonymous => Self::Anonymous,
            IdentityStatus::Verified(key) => Self::Claimed { fingerprint: Fingerprint::of(key).to_string() },
            IdentityStatus::Failed => Self::Failed,
        }
    }
}

/// What a member may do, in the words of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleView {
    /// Admits, removes, changes the rules.
    Host,
    /// Speaks, shows, writes.
    Participant,
    /// A role that this version does not know: it may do the least.
    Unknown,
}

/// Whether a member is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It is heard.
    Here,
    /// Nothing fresh for 10 s: connection lost.
    Lost,
    /// Nothing fresh for the room's deadline: its media is stopped too.
    Held,
}

/// Whose view of a member this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// This client.
    Ourselves,
    /// Somebody else.
    Other,
}

/// A member as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberView {
    /// Stable for as long as it is in the meeting.
    pub member: MemberId,
    /// Position in the group, as in the key ids of its frames.
    pub leaf: LeafIndex,
    /// Its name, safe to draw.
    pub name: Pii<String>,
    /// What it may do.
    pub role: RoleView,
    /// Who it is, as far as known.
    pub verification: Verification,
    /// The epoch that its addition began.
    pub joined_in: Epoch,
    /// Whether it is heard.
    pub presence: Presence,
    /// Whether it is this client.
    pub who: Who,
    /// Whether it may let people in and remove them.
    pub may_admit: bool,
    /// Whether its media opens: `false` while its key is missing.
    pub media_opens: bool,
}

/// The members by id.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    members: BTreeMap<MemberId, MemberView>,
}

/// How the roster changed with an epoch.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RosterChange {
    /// Members that came.
    pub(crate) joined: Vec<MemberView>,
    /// Members that went.
    pub(crate) gone: Vec<MemberView>,
}

impl Roster {
    /// Takes over what the group says, and tells what changed. What only we know of a member that stays
    /// (presence, whether its media opens) is kept.
    pub(crate) fn replace(&mut self, now_in: Vec<MemberView>) -> RosterChange {
        let mut before = core::mem::take(&mut self.members);
        let mut change = RosterChange::default();
        for mut member in now_in {
            match before.remove(&member.member) {
                Some(known) => {
                    member.presence = known.presence;
                    member.media_opens = known.media_opens;
                }
                None => change.joined.push(member.clone()),
            }
            self.members.insert(member.member, member);
        }
        change.gone = before.into_values().collect();
        change
    }

    /// Notes whether a member is heard.
    pub(crate) fn set_presence(&mut self, member: MemberId, presence: Presence) {
        if let Some(view) = self.members.get_mut(&member) {
            view.presence = presence;
        }
    }

    /// Notes whether a member's media opens; tells whether that is news.
    pub(crate) fn set_media_opens(&mut self, member: MemberId, opens: Opens) -> bool {
        let opens = opens == Opens::Yes;
        let Some(view) = self.members.get_mut(&member) else { return false };
        core::mem::replace(&mut view.media_opens, opens) != opens
    }

    /// One member.
    pub(crate) fn get(&self, member: MemberId) -> Option<&MemberView> {
        self.members.get(&member)
    }

    /// Every member, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &MemberView> + Clone {
        self.members.values()
    }

    /// Members but ourselves.
    pub(crate) fn others(&self) -> impl Iterator<Item = &MemberView> + Clone {
        self.iter().filter(|view| view.who == Who::Other)
    }

    /// How many there are, ourselves included.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// The name of a member, empty for a stranger.
    pub(crate) fn name(&self, member: MemberId) -> Pii<String> {
        self.get(member).map(|view| view.name.clone()).unwrap_or_default()
    }
}

/// Whether media of a member opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opens {
    /// It does.
    Yes,
    /// It does not.
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u8, leaf: u32) -> MemberView {
        MemberView {
            member: MemberId([id; 16]),
            leaf: LeafIndex(leaf),
            name: Pii::new(format!("member {id}")),
            role: RoleView::Participant,
            verification: Verification::Anonymous,
            joined_in: Epoch(0),
            presence: Presence::Here,
            who: Who::Other,
            may_admit: false,
            media_opens: true,
        }
    }

    #[test]
    fn leaf_used_again_in_one_commit_is_another_member() {
        let mut roster = Roster::default();
        roster.replace(vec![member(1, 0), member(2, 1)]);
        let change = roster.replace(vec![member(1, 0), member(3, 1)]);
        assert_eq!(change.joined.iter().map(|m| m.member.0[0]).collect::<Vec<_>>(), [3]);
        assert_eq!(change.gone.iter().map(|m| m.member.0[0]).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn presence_survives_an_epoch() {
        let mut roster = Roster::default();
        roster.replace(vec![member(1, 0)]);
        roster.set_presence(MemberId([1; 16]), Presence::Lost);
        assert_eq!(roster.replace(vec![member(1, 0)]), RosterChange::default());
        assert_eq!(roster.get(MemberId([1; 16])).unwrap().presence, Presence::Lost);
    }

    /// SEC-16: a role that is not known hides nobody.
    #[test]
    fn every_leaf_is_shown_whatever_its_role() {
        let mut roster = Roster::default();
        let hidden = MemberView { role: RoleView::Unknown, ..member(4, 2) };
        assert_eq!(roster.replace(vec![member(1, 0), hidden]).joined.len(), 2);
    }
}
