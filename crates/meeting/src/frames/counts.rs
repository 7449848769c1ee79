//! What became of the frames that came.

use serde::{Deserialize, Serialize};

/// What became of the frames of one member. Saturating.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberCounts {
    /// Opened and delivered.
    pub opened: u64,
    /// No key for the key id: normal for a moment when keys change.
    pub missing_key: u64,
    /// The tag did not match: altered or forged. The leaf in the key id is what it claimed.
    pub authentication_failed: u64,
    /// Came before (also copies by retransmission), too old or too far ahead for the replay window.
    pub replayed: u64,
    /// Opened, but too old to be played as live (SEC-18).
    pub stale: u64,
    /// Of a kind that the rules do not let this member send (SEC-10).
    pub not_permitted: u64,
    /// Authentic, but not of the format.
    pub malformed: u64,
    /// Not opened because the member has been silent for too long (SEC-08).
    pub held_back: u64,
}

/// What became of frames that belong to nobody. Saturating.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnattributedCounts {
    /// Empty or without the shape of a sealed frame, as SFUs inject them.
    pub injected: u64,
    /// Sealed under a leaf that nobody holds.
    pub no_member: u64,
    /// Our own frames, sent back to us.
    pub reflected: u64,
    /// Came while media was stopped.
    pub stopped: u64,
    /// Dropped because too many frames waited for a key.
    pub hold_overflow: u64,
}
