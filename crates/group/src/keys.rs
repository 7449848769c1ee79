//! What an epoch means for media: the base key, and who may send what under it.

use core::fmt;

use incamera_types::{Epoch, FrameSuite, LeafIndex, MemberId};
use zeroize::Zeroizing;

use crate::rules::ContextSet;

/// What the step into an epoch did, which decides how senders switch keys (wire.md §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EpochChange {
    /// The first epoch that this machine sees.
    Entered,
    /// Members were added or a leaf was refreshed; nobody lost anything: senders may switch ~200 ms later.
    Grown,
    /// A member was removed or lost a right: senders switch at once (SEC-05).
    Restricted,
}

/// A member as the receiver of media needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochMember {
    /// Its leaf in this epoch, as in key ids.
    pub leaf: LeafIndex,
    /// Its id.
    pub member: MemberId,
    /// What it may send under the rules of this epoch (SEC-10).
    pub contexts: ContextSet,
}

/// Everything from which one epoch's media keys come. Not `Clone`: it is moved to whoever installs it.
pub struct EpochKeys {
    /// The epoch.
    pub epoch: Epoch,
    /// The MLS group.
    pub group_id: [u8; 16],
    /// The epoch authenticator (RFC 9420 §8.7); equal for all who are in the same epoch.
    pub authenticator: [u8; 32],
    /// The SFrame suite of the room.
    pub suite: FrameSuite,
    /// MLS-Exporter("SFrame 1.0 Base Key", "", Nk) (RFC 9605 §5.2).
    pub base_key: Zeroizing<Vec<u8>>,
    /// Own leaf.
    pub own_leaf: LeafIndex,
    /// Every member, the own one included, ascending by leaf.
    pub members: Vec<EpochMember>,
    /// How this epoch came to be.
    pub change: EpochChange,
}

impl fmt::Debug for EpochKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EpochKeys")
            .field("epoch", &self.epoch)
            .field("own_leaf", &self.own_leaf)
            .field("members", &self.members.len())
            .field("change", &self.change)
            .finish_non_exhaustive()
    }
}
