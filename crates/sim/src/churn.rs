//! The last act of some runs: nine members with modified clients renew their leaves in turn, as fast as the relay
//! lets them, so that the log never stands still. What a host decides takes effect all the same (SEC-05).

use core::time::Duration;

use incamera_meeting::{Command, LobbyMode};
use incamera_types::MemberId;

use crate::actor::Life;
use crate::network::Happening;
use crate::world::{HOST, World};

/// A member may commit again after eight commits of others: fewer could not go on for ever.
const CHURNERS: usize = 9;

/// Time in which the nine come in.
const GATHERED_WITHIN: Duration = Duration::from_secs(40);

/// Time for which the log is kept busy before the host removes somebody.
const CHURNED_FOR: Duration = Duration::from_secs(3);

/// A member that a host removes is out within this time, whatever others commit.
const REMOVED_WITHIN: Duration = Duration::from_secs(2);

impl World {
    /// One of nine that churn is removed in time, although the host is further away from the relay than they are.
    pub(crate) fn churn(&mut self) {
        if self.invariants.broken.is_some() || self.is_ended || !self.actors[HOST].is_in() {
            return;
        }
        let Some(churners) = self.gather() else {
            return self.broken("nine people did not get into a meeting in which nothing else happened");
        };
        self.counts.add("churn");
        self.note(HOST, "nine members churn");
        self.setup.host_is_further_by = self.chance.millis(0, 150);
        for actor in &churners {
            self.actors[*actor].churns = true;
            self.renew_leaf(*actor);
        }
        self.run_until(self.now.mono.plus(CHURNED_FOR));
        let removed = churners.first().and_then(|actor| self.actors[*actor].machine.own_member());
        let Some(member) = removed.filter(|_| self.invariants.broken.is_none()) else { return };
        self.note(HOST, "removes one of them");
        self.command(HOST, Command::Remove { member }).ok();
        self.run_until(self.now.mono.plus(REMOVED_WITHIN));
        self.check_removed(member);
        for actor in &mut self.actors {
            actor.churns = false;
        }
        self.setup.host_is_further_by = Duration::ZERO;
        self.run_until(self.now.mono.plus(Duration::from_secs(6)));
    }

    /// Lets people in until there are nine besides the host.
    fn gather(&mut self) -> Option<Vec<usize>> {
        let until = self.now.mono.plus(GATHERED_WITHIN);
        // Refused when the room is open.
        self.command(HOST, Command::Unlock).ok();
        while self.now.mono < until && self.invariants.broken.is_none() {
            let running = |actor: &usize| self.actors[*actor].life == Life::Running && *actor != HOST;
            let here: Vec<usize> = (0..self.actors.len()).filter(running).collect();
            let inside = here.iter().copied().filter(|actor| self.actors[*actor].is_in());
            let churners: Vec<usize> = inside.take(CHURNERS).collect();
            if churners.len() == CHURNERS {
                return Some(churners);
            }
            if here.len() < CHURNERS {
                self.arrive().ok()?;
            }
            if self.setup.lobby == LobbyMode::Wait {
                for knock in core::mem::take(&mut self.actors[HOST].knocks) {
                    // It may have been withdrawn.
                    self.command(HOST, Command::Admit { knock }).ok();
                }
            }
            self.run_until(self.now.mono.plus(Duration::from_millis(500)));
        }
        None
    }

    /// A churner is in a new epoch: it commits at once.
    pub(crate) fn renew_leaf(&mut self, actor: usize) {
        self.network.schedule(self.now.mono, Happening::RenewLeaf { actor });
    }

    pub(crate) fn leaf_renewed(&mut self, actor: usize) {
        let client = &mut self.actors[actor];
        if client.churns && client.is_in() && client.machine.renew_leaf(self.now) {
            self.counts.add("churning commit");
            self.drain(actor);
        }
    }

    fn check_removed(&mut self, member: MemberId) {
        let lists = |actor: usize| self.actors[actor].machine.members().any(|view| view.member == member);
        let late = (0..self.actors.len()).find(|actor| self.actors[*actor].is_in() && lists(*actor));
        if let Some(actor) = late {
            self.broken(format_args!(
                "participant {actor} still lists who was removed {REMOVED_WITHIN:?} ago (SEC-05)"
            ));
        }
    }
}
