//! The media keys of an epoch on their way from the group to the frame threads.

use incamera_types::{Context, Epoch, FrameSuite, LeafIndex, MemberId, Mono};
use zeroize::Zeroizing;

/// A member whose frames may open in an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHolder {
    /// Its leaf, as in the key ids of its frames.
    pub leaf: LeafIndex,
    /// Who it is; never confused with an earlier holder of the leaf.
    pub member: MemberId,
    /// What the rules allow it to send, attestations included (SEC-10).
    pub contexts: Vec<Context>,
}

/// Everything the frame threads need to seal and open in one epoch. Not serialisable: it carries a key.
pub struct EpochKeys {
    /// The epoch.
    pub epoch: Epoch,
    /// The room's SFrame suite.
    pub suite: FrameSuite,
    /// MLS-Exporter("SFrame 1.0 Base Key", "", Nk) (RFC 9605 §5.2); `suite.key_len()` bytes.
    pub base_key: Zeroizing<Vec<u8>>,
    /// The epoch's authenticator: with the group and the epoch it names the one sender object that may count
    /// frames under these keys (SEC-17).
    pub authenticator: [u8; 32],
    /// Our leaf.
    pub own_leaf: LeafIndex,
    /// What the rules allow us to send.
    pub own_contexts: Vec<Context>,
    /// Every other member.
    pub members: Vec<KeyHolder>,
    /// When our own sender goes over to this epoch: at once after a removal or a loss of rights, about
    /// 200 ms later after an addition (wire.md §5). Frames of others open as soon as they come.
    pub switch_at: Mono,
    /// Nobody sealed under these keys before this (SEC-18). Not when we read the commit: the log may have been
    /// kept from us.
    pub made_after: Mono,
}

impl core::fmt::Debug for EpochKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("EpochKeys")
            .field("epoch", &self.epoch)
            .field("own_leaf", &self.own_leaf)
            .field("members", &self.members.len())
            .finish_non_exhaustive()
    }
}
