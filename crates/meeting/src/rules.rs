//! The room's rules as the user sees them; the group enforces them.

use core::time::Duration;

pub use incamera_group::MEDIA_STOP_RANGE;
use incamera_types::FrameSuite;
use serde::{Deserialize, Serialize};

use crate::input::LobbyMode;
use crate::liveness::Deadlines;

/// The rules in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesView {
    /// Counts the changes.
    pub version: u64,
    /// Whether people wait for a host.
    pub lobby: LobbyMode,
    /// Whether anybody is admitted at all.
    pub lock: LockState,
    /// SFrame suite, fixed when the room was made.
    pub suite: FrameSuite,
    /// Silence after which media of and to a member stops.
    pub media_stops_after: Duration,
    /// Silence after which a member is removed.
    pub removed_after: Duration,
}

/// Whether the room takes new people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockState {
    /// It does.
    #[default]
    Open,
    /// It does not.
    Locked,
}

impl RulesView {
    /// The room's deadlines.
    #[must_use]
    pub const fn deadlines(&self) -> Deadlines {
        Deadlines { media_stops_after: self.media_stops_after, removed_after: self.removed_after }
    }
}
