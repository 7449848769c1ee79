//! What a joiner cannot read from the tree (GroupInfo extension 0xF1CB, signed with the GroupInfo).
//!
//! ```text
//! u8 format = 1 | u16 count | count × (u16 leaf | u64 epoch of its Add), ascending; others were added now
//! u8 count ≤ 8 | count × member id (16), authors of the last commits, oldest first
//! ```

use std::collections::BTreeMap;

use incamera_types::{Epoch, LeafIndex, MAX_LEAVES, MemberId};
use openmls::prelude::Member as MlsMember;

use super::{Member, Roster, UnreadableLeaf};
use crate::parameters::AUTHOR_MEMORY;
use crate::rules::Rules;

const FORMAT: u8 = 1;

/// Parsed but not yet compared with the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JoinRoster {
    added_in: BTreeMap<LeafIndex, Epoch>,
    recent_authors: Vec<MemberId>,
}

impl JoinRoster {
    /// What joiners of the commit by `author` that removes `removed` need.
    pub(crate) fn of(roster: &Roster, removed: &[LeafIndex], author: MemberId) -> Self {
        let staying = roster.iter().filter(|member| !removed.contains(&member.leaf));
        let authors = roster.recent_authors.iter().copied().chain([author]);
        let surplus = roster.recent_authors.len().saturating_add(1).saturating_sub(AUTHOR_MEMORY);
        Self {
            added_in: staying.map(|member| (member.leaf, member.added_in)).collect(),
            recent_authors: authors.skip(surplus).collect(),
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![FORMAT];
        // Leaves are below 1,024 and authors at most eight.
        out.extend_from_slice(&u16::try_from(self.added_in.len()).unwrap_or(0).to_be_bytes());
        for (leaf, epoch) in &self.added_in {
            out.extend_from_slice(&u16::try_from(leaf.0).unwrap_or(0).to_be_bytes());
            out.extend_from_slice(&epoch.0.to_be_bytes());
        }
        out.push(u8::try_from(self.recent_authors.len()).unwrap_or(0));
        for author in &self.recent_authors {
            out.extend_from_slice(&author.0);
        }
        out
    }

    /// Parses strictly; `None` for anything malformed.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let [format] = take(&mut rest)?;
        let count = u16::from_be_bytes(take(&mut rest)?);
        if format != FORMAT || u32::from(count) > MAX_LEAVES {
            return None;
        }
        let mut added_in = BTreeMap::new();
        for _ in 0..count {
            let leaf = LeafIndex(u32::from(u16::from_be_bytes(take(&mut rest)?)));
            let epoch = Epoch(u64::from_be_bytes(take(&mut rest)?));
            if leaf.0 >= MAX_LEAVES || added_in.last_key_value().is_some_and(|(last, _)| *last >= leaf) {
                return None;
            }
            added_in.insert(leaf, epoch);
        }
        let [authors] = take(&mut rest)?;
        if usize::from(authors) > AUTHOR_MEMORY {
            return None;
        }
        let recent_authors = (0..authors).map(|_| take(&mut rest).map(MemberId)).collect::<Option<_>>()?;
        rest.is_empty().then_some(Self { added_in, recent_authors })
    }

    /// The roster of the joined epoch. Fails when the list names leaves that are not in the tree, claims that
    /// somebody was added later than now, or lists the joiner among the old.
    pub(crate) fn into_roster(
        mut self,
        tree: impl Iterator<Item = MlsMember>,
        own: LeafIndex,
        epoch: Epoch,
        rules: &Rules,
    ) -> Result<Roster, JoinRosterError> {
        if self.added_in.contains_key(&own) || self.added_in.values().any(|added| *added >= epoch) {
            return Err(JoinRosterError::Mismatch);
        }
        let mut roster = Roster { recent_authors: self.recent_authors.into(), ..Roster::default() };
        for mls in tree {
            let leaf = LeafIndex(mls.index.u32());
            let added_in = self.added_in.remove(&leaf).unwrap_or(epoch);
            let member =
                Member::read(&mls, added_in, rules).map_err(|UnreadableLeaf| JoinRosterError::Leaf)?;
            roster.insert(member);
        }
        if !self.added_in.is_empty() {
            return Err(JoinRosterError::Mismatch);
        }
        Ok(roster)
    }
}

/// Why list and tree do not make a roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JoinRosterError {
    /// The list does not fit the tree.
    Mismatch,
    /// A leaf is unreadable.
    Leaf,
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn join_rosters_round_trip_and_every_truncation_is_refused() {
        let roster = JoinRoster {
            added_in: [(LeafIndex(0), Epoch(0)), (LeafIndex(1_023), Epoch(u64::MAX))].into(),
            recent_authors: vec![MemberId([7; 16]); AUTHOR_MEMORY],
        };
        let bytes = roster.to_bytes();
        assert_eq!(JoinRoster::parse(&bytes), Some(roster));
        for end in 0..bytes.len() {
            assert_eq!(JoinRoster::parse(&bytes[..end]), None, "{end}");
        }
        assert_eq!(JoinRoster::parse(&[&bytes[..], &[0]].concat()), None);
    }

    #[test]
    fn unordered_leaves_and_too_many_authors_are_refused() {
        let entry = |leaf: u16| [&leaf.to_be_bytes()[..], &[0; 8]].concat();
        let list = |first: u16, second: u16| [&[1, 0, 2][..], &entry(first), &entry(second), &[0]].concat();
        assert!(JoinRoster::parse(&list(3, 4)).is_some());
        assert!(JoinRoster::parse(&list(4, 4)).is_none());
        assert!(JoinRoster::parse(&list(4, 3)).is_none());
        assert!(JoinRoster::parse(&list(4, 1_024)).is_none());
        assert!(JoinRoster::parse(&[&[1, 0, 0, 9][..], &[0; 144]].concat()).is_none());
        assert!(JoinRoster::parse(&[2, 0, 0, 0]).is_none());
    }
}
