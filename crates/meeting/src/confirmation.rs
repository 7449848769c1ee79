//! Whether our own view of the meeting is confirmed by those who could change it behind our back; if not,
//! media stops after the room's deadline: fail closed (SEC-08).

use core::time::Duration;

use incamera_types::Mono;

use crate::heartbeat::HEARTBEAT_EVERY;
use crate::liveness::CONFIRMED_FOR;

/// How our own view stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// Confirmed lately.
    Confirmed,
    /// Not confirmed for [`CONFIRMED_FOR`]; media stops when the time is over.
    Degraded {
        /// Until then.
        stops_in: Duration,
    },
    /// Not confirmed for the room's deadline.
    Dead,
}

/// When our view was last confirmed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Confirmation {
    /// When the last confirmation came.
    came_at: Mono,
    /// When the newest own heartbeat was sent that it covers: the view was the present one after that, whenever
    /// the confirmation came (SEC-05).
    proved_at: Mono,
    link: LinkState,
}

/// After what our view counts no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ViewDeadlines {
    /// Time between own heartbeats, which are all that can be covered.
    pub(crate) heartbeat_every: Duration,
    /// The room's deadline for media.
    pub(crate) media_stops_after: Duration,
}

/// Whether there is a connection to the relay at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkState {
    /// There is.
    Up,
    /// There is none: the view is degraded at once, not only after its confirmation is old.
    Down,
}

impl Confirmation {
    /// Confirmed by joining or founding.
    pub(crate) const fn new(now: Mono) -> Self {
        Self { came_at: now, proved_at: now, link: LinkState::Up }
    }

    /// A member that counts as a witness covered our heartbeat of `sent`, among the newest.
    pub(crate) fn confirm(&mut self, now: Mono, sent: Mono) {
        self.came_at = now;
        self.proved_at = self.proved_at.max(sent);
    }

    /// The connection came or went.
    pub(crate) const fn set_link(&mut self, link: LinkState) {
        self.link = link;
    }

    /// How long ago our view was certainly the present one.
    pub(crate) const fn age(&self, now: Mono) -> Duration {
        now.since(self.proved_at)
    }

    /// When the view is degraded and when it is dead. The heartbeat after the one that was covered goes out one
    /// interval later and must be covered within [`CONFIRMED_FOR`].
    fn ends(&self, deadlines: ViewDeadlines) -> [Mono; 2] {
        let uncovered = self.proved_at.plus(deadlines.heartbeat_every).plus(CONFIRMED_FOR);
        let degraded = self.came_at.plus(CONFIRMED_FOR).min(uncovered);
        // Who sends rarely because the room is large can prove no more often.
        let rarely = deadlines.heartbeat_every.saturating_sub(HEARTBEAT_EVERY);
        [degraded, self.proved_at.plus(deadlines.media_stops_after).plus(rarely)]
    }

    /// How the view stands.
    pub(crate) fn view(&self, now: Mono, deadlines: ViewDeadlines) -> View {
        let [degraded, dead] = self.ends(deadlines);
        if dead <= now {
            View::Dead
        } else if degraded <= now || self.link == LinkState::Down {
            View::Degraded { stops_in: dead.since(now) }
        } else {
            View::Confirmed
        }
    }

    /// When the view can change next without anything being heard.
    pub(crate) fn next_deadline(&self, now: Mono, deadlines: ViewDeadlines) -> Option<Mono> {
        self.ends(deadlines).into_iter().filter(|end| *end > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: ViewDeadlines =
        ViewDeadlines { heartbeat_every: HEARTBEAT_EVERY, media_stops_after: Duration::from_secs(30) };

    fn at(seconds: u64) -> Mono {
        Mono::from_micros(0).plus(Duration::from_secs(seconds))
    }

    #[test]
    fn view_degrades_after_ten_seconds_and_dies_at_the_rooms_deadline() {
        let confirmation = Confirmation::new(at(0));
        assert_eq!(confirmation.view(at(9), SMALL), View::Confirmed);
        assert_eq!(confirmation.view(at(10), SMALL), View::Degraded { stops_in: Duration::from_secs(20) });
        assert_eq!(confirmation.view(at(30), SMALL), View::Dead);
        assert_eq!(confirmation.next_deadline(at(0), SMALL), Some(at(0).plus(CONFIRMED_FOR)));
        assert_eq!(confirmation.next_deadline(at(10), SMALL), Some(at(30)));
        assert_eq!(confirmation.next_deadline(at(30), SMALL), None);
    }

    #[test]
    fn sec_05_confirmation_proves_nothing_about_the_time_after_our_heartbeat_was_sent() {
        let mut confirmation = Confirmation::new(at(0));
        // Held back: it came nine seconds after what it covers.
        confirmation.confirm(at(29), at(20));
        assert_eq!(confirmation.view(at(34), SMALL), View::Confirmed);
        assert_eq!(confirmation.view(at(35), SMALL), View::Degraded { stops_in: Duration::from_secs(15) });
        assert_eq!(confirmation.view(at(50), SMALL), View::Dead);
        // An older one that comes later makes nothing better.
        confirmation.confirm(at(49), at(15));
        assert_eq!(confirmation.view(at(50), SMALL), View::Dead);
    }

    #[test]
    fn member_of_a_large_room_has_until_its_next_heartbeat_is_covered() {
        let large = ViewDeadlines { heartbeat_every: Duration::from_secs(50), ..SMALL };
        let mut confirmation = Confirmation::new(at(0));
        confirmation.confirm(at(55), at(1));
        assert_eq!(confirmation.view(at(60), large), View::Confirmed);
        assert_eq!(confirmation.view(at(61), large), View::Degraded { stops_in: Duration::from_secs(15) });
        assert_eq!(confirmation.view(at(76), large), View::Dead);
    }

    #[test]
    fn lost_connection_degrades_the_view_at_once() {
        let mut confirmation = Confirmation::new(at(0));
        confirmation.set_link(LinkState::Down);
        assert_eq!(confirmation.view(at(1), SMALL), View::Degraded { stops_in: Duration::from_secs(29) });
    }
}
