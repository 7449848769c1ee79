//! Whether our own view of the meeting is confirmed by those who could change it behind our back; if not,
//! media stops after the room's deadline: fail closed (SEC-08).

use core::time::Duration;

use incamera_types::Mono;

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
    confirmed_at: Mono,
    link: LinkState,
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
        Self { confirmed_at: now, link: LinkState::Up }
    }

    /// A member that counts as a witness covered our heartbeats.
    pub(crate) const fn confirm(&mut self, now: Mono) {
        self.confirmed_at = now;
    }

    /// The connection came or went.
    pub(crate) const fn set_link(&mut self, link: LinkState) {
        self.link = link;
    }

    /// How long ago our view was confirmed.
    pub(crate) const fn age(&self, now: Mono) -> Duration {
        now.since(self.confirmed_at)
    }

    /// How the view stands.
    pub(crate) fn view(&self, now: Mono, media_stops_after: Duration) -> View {
        let age = self.age(now);
        if age >= media_stops_after {
            View::Dead
        } else if age >= CONFIRMED_FOR || self.link == LinkState::Down {
            View::Degraded { stops_in: media_stops_after.saturating_sub(age) }
        } else {
            View::Confirmed
        }
    }

    /// When the view can change next without anything being heard.
    pub(crate) fn next_deadline(&self, now: Mono, media_stops_after: Duration) -> Option<Mono> {
        [CONFIRMED_FOR, media_stops_after]
            .into_iter()
            .map(|step| self.confirmed_at.plus(step))
            .find(|deadline| *deadline > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOP: Duration = Duration::from_secs(30);

    fn at(seconds: u64) -> Mono {
        Mono::from_micros(0).plus(Duration::from_secs(seconds))
    }

    #[test]
    fn view_degrades_after_ten_seconds_and_dies_at_the_rooms_deadline() {
        let confirmation = Confirmation::new(at(0));
        assert_eq!(confirmation.view(at(9), STOP), View::Confirmed);
        assert_eq!(confirmation.view(at(10), STOP), View::Degraded { stops_in: Duration::from_secs(20) });
        assert_eq!(confirmation.view(at(30), STOP), View::Dead);
        assert_eq!(confirmation.next_deadline(at(0), STOP), Some(at(10)));
        assert_eq!(confirmation.next_deadline(at(10), STOP), Some(at(30)));
        assert_eq!(confirmation.next_deadline(at(30), STOP), None);
    }

    #[test]
    fn lost_connection_degrades_the_view_at_once() {
        let mut confirmation = Confirmation::new(at(0));
        confirmation.set_link(LinkState::Down);
        assert_eq!(confirmation.view(at(1), STOP), View::Degraded { stops_in: Duration::from_secs(29) });
    }
}
