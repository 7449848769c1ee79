//! What one run is like as a whole.

use core::time::Duration;

use incamera_meeting::{LobbyMode, MEDIA_STOP_RANGE};

use crate::chance::Chance;

/// Drawn once for each seed.
pub(crate) struct Setup {
    pub(crate) lobby: LobbyMode,
    /// Members at the most.
    pub(crate) people: usize,
    /// Silence after which media stops, and after which a member is removed.
    pub(crate) media_stops_after: Duration,
    pub(crate) removed_after: Duration,
    /// How long things happen before everything heals.
    pub(crate) busy_for: Duration,
    /// Way between client and relay, milliseconds.
    pub(crate) relay_delay: (u64, u64),
    /// Way between two clients through the SFU, milliseconds.
    pub(crate) sfu_delay: (u64, u64),
    /// Frames of a thousand that get lost, come twice, or are attacked by the SFU.
    pub(crate) loss: u64,
    pub(crate) duplicates: u64,
    pub(crate) hostile: u64,
    /// Average pause between actions, milliseconds.
    pub(crate) pace: u64,
    /// What the way between host and relay takes longer than that of others.
    pub(crate) host_is_further_by: Duration,
}

impl Setup {
    pub(crate) fn draw(chance: &mut Chance) -> Self {
        let lobby = if chance.happens(500) { LobbyMode::Open } else { LobbyMode::Wait };
        let people = if chance.happens(50) { 12 } else { 3 + chance.below(6) as usize };
        let media_stops_after = *MEDIA_STOP_RANGE.start() + Duration::from_secs(chance.below(6));
        let relay_from = 2 + chance.below(20);
        let sfu_from = 5 + chance.below(30);
        Self {
            lobby,
            people,
            media_stops_after,
            removed_after: media_stops_after + Duration::from_secs(8 + chance.below(8)),
            busy_for: Duration::from_secs(65 + chance.below(45)),
            relay_delay: (relay_from, relay_from + 1 + chance.below(80)),
            sfu_delay: (sfu_from, sfu_from + 1 + chance.below(90)),
            loss: chance.below(80),
            duplicates: chance.below(40),
            hostile: chance.below(60),
            pace: 300 + chance.below(1_100),
            host_is_further_by: Duration::ZERO,
        }
    }
}
