//! Who is who, as far as a relay can tell: members by the order in which they came.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::ConnectionId;

/// Seats of members. Whoever comes back takes the seat that it left, when nobody else left one.
#[derive(Default)]
pub(super) struct Seats {
    taken: BTreeMap<usize, ConnectionId>,
}

impl Seats {
    /// The second half of four members.
    pub(super) const SECOND_HALF: RangeInclusive<usize> = 2..=3;

    /// Gives a connection the first free seat, if it has none.
    pub(super) fn take(&mut self, connection: ConnectionId) {
        if self.of(connection).is_none()
            && let Some(seat) = (0..).find(|seat| !self.taken.contains_key(seat))
        {
            self.taken.insert(seat, connection);
        }
    }

    pub(super) fn leave(&mut self, connection: ConnectionId) {
        self.taken.retain(|_, seated| *seated != connection);
    }

    pub(super) fn of(&self, connection: ConnectionId) -> Option<usize> {
        self.taken.iter().find(|(_, seated)| **seated == connection).map(|(seat, _)| *seat)
    }

    pub(super) fn is_in_second_half(&self, connection: ConnectionId) -> bool {
        self.of(connection).is_some_and(|seat| Self::SECOND_HALF.contains(&seat))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, ConnectionId)> {
        self.taken.iter().map(|(seat, connection)| (*seat, *connection))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_comes_back_takes_the_seat_that_was_left() {
        let mut seats = Seats::default();
        (1..=4).for_each(|connection| seats.take(ConnectionId(connection)));
        assert_eq!(seats.of(ConnectionId(3)), Some(2));
        seats.leave(ConnectionId(2));
        seats.take(ConnectionId(9));
        assert_eq!(seats.of(ConnectionId(9)), Some(1));
        assert!(seats.is_in_second_half(ConnectionId(4)) && !seats.is_in_second_half(ConnectionId(9)));
    }
}
