//! The members whose frames may come, each at a place that stays the same while it is a member.

use std::collections::BTreeMap;

use incamera_group::ContextSet;
use incamera_types::{LeafIndex, MemberId};

use super::member::Sender;
use crate::KeyHolder;

/// Members by place. Epochs point to places; a place is free again only after no epoch points to it.
#[derive(Default)]
pub(crate) struct Senders {
    places: Vec<Option<Box<Sender>>>,
}

/// What a new epoch took from members.
pub(crate) struct Losses {
    /// Leaves of those who are gone; their places are free, so their keys have to be erased now.
    pub(crate) gone: Vec<LeafIndex>,
    /// Whether somebody who stayed lost a right.
    pub(crate) rights_lost: bool,
}

impl Senders {
    #[inline]
    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut Sender> {
        self.places.get_mut(place)?.as_deref_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Sender> {
        self.places.iter().flatten().map(AsRef::as_ref)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Sender> {
        self.places.iter_mut().flatten().map(AsMut::as_mut)
    }

    pub(crate) fn find_mut(&mut self, member: MemberId) -> Option<&mut Sender> {
        self.iter_mut().find(|sender| sender.member == member)
    }

    /// Forgets a member and gives the leaf whose keys have to be erased now.
    pub(crate) fn remove(&mut self, member: MemberId) -> Option<LeafIndex> {
        let is_member = |slot: &&mut Option<Box<Sender>>| slot.as_ref().is_some_and(|s| s.member == member);
        let sender = self.places.iter_mut().find(is_member)?.take()?;
        Some(sender.leaf)
    }

    /// Takes over who is a member now and what each may send.
    pub(crate) fn take_over(&mut self, members: &[KeyHolder]) -> Losses {
        let mut losses = Losses { gone: Vec::new(), rights_lost: false };
        let mut holders: BTreeMap<MemberId, &KeyHolder> =
            members.iter().map(|holder| (holder.member, holder)).collect();
        let contexts = |holder: &KeyHolder| holder.contexts.iter().copied().collect::<ContextSet>();
        for slot in &mut self.places {
            let Some(sender) = slot else { continue };
            if let Some(holder) = holders.remove(&sender.member) {
                let contexts = contexts(holder);
                losses.rights_lost |= !contexts.covers(sender.contexts);
                sender.contexts = contexts;
            } else {
                losses.gone.extend(slot.take().map(|sender| sender.leaf));
            }
        }
        let mut new = holders
            .into_values()
            .map(|holder| Some(Box::new(Sender::new(holder.member, holder.leaf, contexts(holder)))));
        for free in self.places.iter_mut().filter(|slot| slot.is_none()) {
            let Some(sender) = new.next() else { break };
            *free = sender;
        }
        self.places.extend(new);
        losses
    }

    /// The place of each leaf's member.
    pub(crate) fn by_leaf(&self) -> Vec<Option<usize>> {
        let mut table = Vec::new();
        for (place, slot) in self.places.iter().enumerate() {
            let leaf = slot.as_ref().and_then(|sender| usize::try_from(sender.leaf.0).ok());
            if let Some(leaf) = leaf {
                table.resize(table.len().max(leaf.saturating_add(1)), None);
                if let Some(entry) = table.get_mut(leaf) {
                    *entry = Some(place);
                }
            }
        }
        table
    }
}
