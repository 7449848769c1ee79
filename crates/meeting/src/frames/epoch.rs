//! One epoch on the receiving side: its keys, who sits on which leaf, and when it dies.

use core::time::Duration;

use incamera_sframe::{BaseKey, EpochKeyring, OpenError, OpenedFrame, Safeguards, UnopenedFrame};
use incamera_types::{Context, Epoch, LeafIndex, Mono};

/// The keys of an epoch and the senders that they belong to.
pub(crate) struct ReceivingEpoch {
    keyring: EpochKeyring,
    authenticator: [u8; 32],
    made_after: Mono,
    /// Place of each leaf's member among the receiver's senders.
    senders: Vec<Option<usize>>,
    end: Option<End>,
}

/// How an epoch that is over dies.
#[derive(Clone, Copy)]
struct End {
    at: Mono,
    /// Somebody who knows the keys is no longer a member or lost a right: each key dies at its sender's first
    /// frame of a later epoch (SEC-05).
    early: bool,
}

/// Why an epoch is over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum EpochEnd {
    /// People came, or keys were refreshed: everybody who knows the old keys is still a member.
    Extended,
    /// Somebody was removed or lost a right.
    Restricted,
}

impl ReceivingEpoch {
    pub(crate) fn new(
        base: BaseKey,
        epoch: Epoch,
        authenticator: [u8; 32],
        senders: Vec<Option<usize>>,
        (made_after, now): (Mono, Mono),
        sealed: Safeguards,
    ) -> Self {
        let leaves = u32::try_from(senders.len()).unwrap_or(u32::MAX);
        let keyring = EpochKeyring::new(base, epoch, leaves, now).with_safeguards(sealed);
        Self { keyring, authenticator, made_after, senders, end: None }
    }

    pub(crate) const fn epoch(&self) -> Epoch {
        self.keyring.epoch()
    }

    pub(crate) const fn authenticator(&self) -> &[u8; 32] {
        &self.authenticator
    }

    /// How old a frame under these keys can be at the most.
    #[inline]
    pub(crate) const fn age(&self, now: Mono) -> Duration {
        now.since(self.made_after)
    }

    /// The place of the member on `leaf`; `None` when nobody is there any more.
    #[inline]
    pub(crate) fn sender(&self, leaf: LeafIndex) -> Option<usize> {
        self.senders.get(usize::try_from(leaf.0).ok()?).copied().flatten()
    }

    #[inline(always)]
    pub(crate) fn open(&mut self, frame: UnopenedFrame, now: Mono) -> Result<OpenedFrame, OpenError> {
        self.keyring.open(frame, now)
    }

    /// Erases a member's keys and its place (SEC-05).
    pub(crate) fn drop_leaf(&mut self, leaf: LeafIndex) {
        self.keyring.retire_leaf(leaf);
        let slot = usize::try_from(leaf.0).ok().and_then(|leaf| self.senders.get_mut(leaf));
        if let Some(sender) = slot {
            *sender = None;
        }
    }

    /// Loses a member's keys without its going.
    #[cfg(feature = "danger-sabotage")]
    pub(crate) fn lose_leaf(&mut self, leaf: LeafIndex) {
        self.keyring.retire_leaf(leaf);
    }

    /// Begins the end of this epoch: at `at` at the latest.
    pub(crate) fn end(&mut self, why: EpochEnd, at: Mono) {
        let before = self.end;
        self.end = Some(End {
            at: before.map_or(at, |end| end.at.min(at)),
            early: before.is_some_and(|end| end.early) || why == EpochEnd::Restricted,
        });
        if why == EpochEnd::Restricted {
            self.keyring.retire_base_key();
        }
    }

    /// A frame of this stream was opened in a later epoch.
    pub(crate) fn superseded(&mut self, leaf: LeafIndex, context: Context) {
        if self.end.is_some_and(|end| end.early) {
            self.keyring.retire_stream(leaf, context);
        }
    }

    /// When the last key dies, if the epoch is over.
    pub(crate) fn ends_at(&self) -> Option<Mono> {
        self.end.map(|end| end.at)
    }
}
