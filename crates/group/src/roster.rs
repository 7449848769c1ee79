//! Who is in the group (SEC-16: every leaf).

mod wire;

use std::collections::{BTreeMap, VecDeque};

use incamera_identity::{Credential, IdentityStatus, RoomCode, RoomCodeKey, VerifyingKey, derive_member_id};
use incamera_types::{Epoch, LeafIndex, MAX_LEAVES, MemberId, RoomId};
use openmls::prelude::{BasicCredential, Member as MlsMember};

use crate::parameters::AUTHOR_MEMORY;
use crate::rules::{Rights, Role, Rules};

pub(crate) use wire::{JoinRoster, JoinRosterError};

/// A member of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its leaf.
    pub leaf: LeafIndex,
    /// Its id.
    pub id: MemberId,
    /// Its MLS signature key.
    pub leaf_key: VerifyingKey,
    /// The epoch that its Add began.
    pub added_in: Epoch,
    /// What it says it is.
    pub credential: Credential,
    /// Whether its long-term identity verified.
    pub identity: IdentityStatus,
    /// Its role under the current rules.
    pub role: Role,
    /// Its rights under the current rules.
    pub rights: Rights,
}

/// All members of one epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    members: BTreeMap<LeafIndex, Member>,
    leaves: BTreeMap<MemberId, LeafIndex>,
    recent_authors: VecDeque<MemberId>,
}

/// A leaf that no honest client makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnreadableLeaf;

impl Roster {
    /// The members, ascending by leaf.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether nobody is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The member at this leaf.
    #[must_use]
    pub fn at(&self, leaf: LeafIndex) -> Option<&Member> {
        self.members.get(&leaf)
    }

    /// The member with this id.
    #[must_use]
    pub fn by_id(&self, id: MemberId) -> Option<&Member> {
        self.members.get(self.leaves.get(&id)?)
    }

    /// Whether a member has this leaf key.
    #[must_use]
    pub fn has_key(&self, leaf_key: &VerifyingKey) -> bool {
        self.members.values().any(|member| member.leaf_key == *leaf_key)
    }

    /// The code that people compare by voice.
    #[must_use]
    pub fn room_code(&self, room: RoomId) -> RoomCode {
        let keys: Vec<RoomCodeKey> = self
            .iter()
            .map(|member| match member.identity {
                IdentityStatus::Verified(key) => RoomCodeKey::Identity(key),
                _ => RoomCodeKey::Leaf(member.leaf_key),
            })
            .collect();
        RoomCode::compute(room, &keys)
    }

    fn insert(&mut self, member: Member) {
        self.leaves.insert(member.id, member.leaf);
        self.members.insert(member.leaf, member);
    }

    /// Whether `author` authored one of the last eight commits.
    pub(crate) fn authored_recently(&self, author: MemberId) -> bool {
        self.recent_authors.contains(&author)
    }

    /// The leaves that the next adds get after these removals: always the leftmost blank (RFC 9420 §12.1.1).
    pub(crate) fn free_leaves<'a>(
        &'a self,
        removed: &'a [LeafIndex],
    ) -> impl Iterator<Item = LeafIndex> + 'a {
        (0..=MAX_LEAVES)
            .map(LeafIndex)
            .filter(|leaf| !self.members.contains_key(leaf) || removed.contains(leaf))
    }

    /// The roster after a commit: leaves that stay keep their ids, the others began with `epoch`.
    pub(crate) fn advance(
        &self,
        tree: impl Iterator<Item = MlsMember>,
        removed: &[LeafIndex],
        epoch: Epoch,
        rules: &Rules,
        author: Option<MemberId>,
    ) -> Result<Self, UnreadableLeaf> {
        let stays = |leaf: LeafIndex, key: &[u8]| {
            let member = self.members.get(&leaf).filter(|_| !removed.contains(&leaf))?;
            (member.leaf_key.as_bytes()[..] == *key).then_some(member)
        };
        let mut next = Self { recent_authors: self.recent_authors.clone(), ..Self::default() };
        for mls in tree {
            let leaf = LeafIndex(mls.index.u32());
            let member = match stays(leaf, &mls.signature_key) {
                Some(member) => Member {
                    role: rules.role_of(&member.leaf_key),
                    rights: rules.rights_of(&member.leaf_key),
                    ..member.clone()
                },
                None => Member::read(&mls, epoch, rules)?,
            };
            next.insert(member);
        }
        if let Some(author) = author {
            next.recent_authors.push_back(author);
            while next.recent_authors.len() > AUTHOR_MEMORY {
                next.recent_authors.pop_front();
            }
        }
        Ok(next)
    }
}

impl Member {
    /// Reads a leaf of the tree.
    fn read(mls: &MlsMember, added_in: Epoch, rules: &Rules) -> Result<Self, UnreadableLeaf> {
        let leaf_key = VerifyingKey::from_slice(&mls.signature_key).map_err(|_| UnreadableLeaf)?;
        let credential = read_credential(&mls.credential).ok_or(UnreadableLeaf)?;
        Ok(Self {
            leaf: LeafIndex(mls.index.u32()),
            id: derive_member_id(&leaf_key, added_in),
            added_in,
            identity: credential.verify(&leaf_key),
            role: rules.role_of(&leaf_key),
            rights: rules.rights_of(&leaf_key),
            leaf_key,
            credential,
        })
    }

    /// Whether it may remove `other` (SEC-10): hosts anyone, admitters everyone but hosts.
    pub(crate) fn may_remove(&self, other: &Self) -> bool {
        match (self.role, other.role) {
            (Role::Host, _) => true,
            (_, Role::Host) => false,
            _ => self.rights.contains(Rights::ADMIT),
        }
    }
}

/// The credential inside an MLS credential, parsed strictly.
pub(crate) fn read_credential(mls: &openmls::prelude::Credential) -> Option<Credential> {
    let basic = BasicCredential::try_from(mls.clone()).ok()?;
    Credential::parse(basic.identity()).ok()
}
