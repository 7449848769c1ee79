//! Which streams somebody may send.

use incamera_types::Context;

/// A set of contexts, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ContextSet(u16);

impl ContextSet {
    pub(crate) fn of(contexts: &[Context]) -> Self {
        Self(contexts.iter().fold(0, |bits, context| bits | Self::bit(*context)))
    }

    #[inline]
    pub(crate) const fn contains(self, context: Context) -> bool {
        self.0 & Self::bit(context) != 0
    }

    /// Whether `self` holds everything that `other` does.
    pub(crate) const fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    #[inline]
    const fn bit(context: Context) -> u16 {
        1 << (context.number() & 0x0f)
    }
}
