//! Which safeguards of received frames are in force. In every ordinary build all of them are, and this type has no
//! way to say otherwise.

/// The safeguards that a control run may switch off in builds with the feature `danger-sabotage`, to show that the
/// attack which each of them stops would succeed without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Safeguards {
    /// Opens frames however often they come (SEC-03).
    #[cfg(feature = "danger-sabotage")]
    pub skip_replay_window: bool,
    /// Opens frames without looking at their tags (SEC-02).
    #[cfg(feature = "danger-sabotage")]
    pub skip_authentication: bool,
}

impl Safeguards {
    /// Whether a frame opens once.
    #[inline]
    pub(crate) const fn refuses_replays(self) -> bool {
        #[cfg(feature = "danger-sabotage")]
        {
            !self.skip_replay_window
        }
        #[cfg(not(feature = "danger-sabotage"))]
        true
    }
}
