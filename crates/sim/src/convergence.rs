//! What must hold when everything has healed and time has passed.

use core::time::Duration;

use incamera_types::Mono;

use crate::actor::Life;
use crate::world::{HOST, World};

/// Media of every member has been heard by every other within this time.
const HEARD_WITHIN: Duration = Duration::from_secs(3);

impl World {
    /// Stops all faults and lets every deadline of the meeting pass.
    pub(crate) fn heal(&mut self) {
        self.is_busy = false;
        self.invariants.forget_stretches();
        for actor in 0..self.actors.len() {
            if self.actors[actor].trick.take().is_some() {
                // What is under way still comes late.
                self.actors[actor].hindered = Some(self.now.mono);
            }
            self.actors[actor].cut_until = None;
        }
        self.relay_returns();
        let time = self.setup.removed_after + Duration::from_secs(35);
        self.run_until(self.now.mono.plus(time));
    }

    /// Everybody who is still there agrees about everything and hears everybody; nobody else is listed.
    pub(crate) fn check_convergence(&mut self) {
        if self.invariants.broken.is_some() {
            return;
        }
        let inside: Vec<usize> = (0..self.actors.len()).filter(|actor| self.actors[*actor].is_in()).collect();
        if self.is_ended {
            return self.check_ended(&inside);
        }
        if !self.actors[HOST].is_in() {
            return self.check_abandoned(&inside);
        }
        let mut expected: Vec<&str> = inside.iter().map(|actor| self.actors[*actor].name.as_str()).collect();
        expected.sort_unstable();
        let host = &self.actors[HOST].machine;
        let mut wrong = None;
        for actor in &inside {
            let machine = &self.actors[*actor].machine;
            let mut names: Vec<&str> = machine.members().map(|view| view.name.reveal().as_str()).collect();
            names.sort_unstable();
            if names != expected {
                wrong = Some(format!("participant {actor} lists {names:?}, there are {expected:?}"));
            } else if machine.epoch_authenticator() != host.epoch_authenticator() {
                wrong = Some(format!("participant {actor} is in another epoch than the host"));
            } else if machine.room_code() != host.room_code() {
                wrong = Some(format!("participant {actor} shows another room code"));
            } else if let Some(silent) = self.unheard(*actor, &inside) {
                wrong = Some(format!("participant {actor} does not hear {silent}"));
            }
        }
        if let Some(wrong) = wrong {
            self.broken(format_args!("no agreement after healing: {wrong}"));
        }
    }

    fn unheard(&self, actor: usize, inside: &[usize]) -> Option<usize> {
        let since = self.now.mono.minus(HEARD_WITHIN);
        let hears = |other: usize| self.actors[actor].heard.get(&other).is_some_and(|at| *at >= since);
        inside.iter().copied().find(|other| *other != actor && !hears(*other))
    }

    /// Nobody plays or sends anything after the end, whether it heard of the end or not.
    fn check_ended(&mut self, inside: &[usize]) {
        if let Some(actor) = inside.iter().copied().find(|actor| self.actors[*actor].media_flows) {
            self.broken(format_args!(
                "participant {actor} goes on after the host ended the meeting (SEC-08)"
            ));
        }
    }

    /// Without anybody who may admit nothing is confirmed: media has stopped (SEC-08).
    fn check_abandoned(&mut self, inside: &[usize]) {
        let talks = inside.iter().copied().find(|actor| self.actors[*actor].media_flows);
        if let (Some(actor), true) = (talks, self.actors[HOST].life == Life::Crashed) {
            self.broken(format_args!(
                "participant {actor} goes on although nobody confirms its view (SEC-08)"
            ));
        }
    }

    /// The end of the busy time.
    pub(crate) fn busy_until(&self) -> Mono {
        self.now.mono.plus(self.setup.busy_for)
    }
}
