//! Both directions of one flow, with the packets that are under way.

use std::collections::BTreeMap;

use incamera_types::Mono;

use crate::chance::Dice;
use crate::counters::LinkCounters;
use crate::link::Link;
use crate::settings::LinkSettings;

/// Which way a packet travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// What the driver has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this packet now.
    Send(Direction, Vec<u8>),
    /// Nothing to send before this time.
    WaitUntil(Mono),
    /// Nothing to send before the next packet comes in.
    Idle,
}

/// A sans-IO impairment of one flow: feed packets in, poll what arrives.
#[derive(Clone, Debug)]
pub struct ImpairmentMachine {
    to_server: Link,
    to_client: Link,
    /// Packets by arrival, then by order of admission.
    under_way: BTreeMap<(Mono, u64), (Direction, Vec<u8>)>,
    admitted: u64,
}

impl ImpairmentMachine {
    /// A machine that does the same to the same packets for the same `dice`.
    #[must_use]
    pub fn new(to_server: LinkSettings, to_client: LinkSettings, dice: &Dice) -> Self {
        Self {
            to_server: Link::new(to_server, dice.split(1)),
            to_client: Link::new(to_client, dice.split(2)),
            under_way: BTreeMap::new(),
            admitted: 0,
        }
    }

    /// Changes what a direction does to packets that come in from now on.
    pub const fn change(&mut self, direction: Direction, settings: LinkSettings) {
        self.link_mut(direction).change(settings);
    }

    /// What happened to the packets of a direction so far.
    #[must_use]
    pub const fn counters(&self, direction: Direction) -> LinkCounters {
        match direction {
            Direction::ToServer => self.to_server.counters(),
            Direction::ToClient => self.to_client.counters(),
        }
    }

    /// Takes a packet that came in at `now`.
    pub fn handle_packet(&mut self, now: Mono, direction: Direction, packet: &[u8]) {
        for arrival in self.link_mut(direction).admit(now, packet.len()).into_iter().flatten() {
            self.under_way.insert((arrival, self.admitted), (direction, packet.to_vec()));
            self.admitted += 1;
        }
    }

    /// What to do at `now`; to be called until it gives no more [`Output::Send`].
    pub fn poll_output(&mut self, now: Mono) -> Output {
        let Some(next) = self.under_way.first_entry() else { return Output::Idle };
        let arrival = next.key().0;
        if now < arrival {
            return Output::WaitUntil(arrival);
        }
        let (direction, packet) = next.remove();
        Output::Send(direction, packet)
    }

    const fn link_mut(&mut self, direction: Direction) -> &mut Link {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }
}
