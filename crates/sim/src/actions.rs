//! What people and fate do, drawn by weight.

use core::time::Duration;

use incamera_meeting::{Command, CommandError};
use incamera_types::Pii;

use crate::actor::Life;
use crate::network::Happening;
use crate::tamper::Trick;
use crate::world::{HOST, World};

#[derive(Clone, Copy)]
enum Action {
    Join,
    Leave,
    Remove,
    RemoveWithLateMessage,
    Lock,
    Chat,
    Crash,
    Cut,
    Partition,
    Outage,
    LoseMemory,
    End,
    Refused,
    AttackLog,
    Forge,
    HoldBack,
    LeaveBehind,
    LoseKey,
    ReplayKnock,
    PlayTrick,
}

/// Actions and how often each is drawn.
const WEIGHTS: &[(u64, Action)] = &[
    (24, Action::Join),
    (8, Action::Leave),
    (8, Action::Remove),
    (3, Action::RemoveWithLateMessage),
    (4, Action::Lock),
    (16, Action::Chat),
    (8, Action::Crash),
    (5, Action::Cut),
    (2, Action::Partition),
    (2, Action::Outage),
    (4, Action::LoseMemory),
    (1, Action::End),
    (12, Action::Refused),
    (10, Action::AttackLog),
    (30, Action::Forge),
    (16, Action::HoldBack),
    (12, Action::LeaveBehind),
    (36, Action::LoseKey),
    (8, Action::ReplayKnock),
    (48, Action::PlayTrick),
];

impl World {
    /// One action, and the time of the next.
    pub(crate) fn act(&mut self) {
        if !self.is_busy {
            return;
        }
        let pause = self.chance.millis(0, 2 * self.setup.pace);
        self.network.schedule(self.now.mono.plus(pause), Happening::Action);
        self.decide_knocks();
        self.release_captured();
        let total = WEIGHTS.iter().map(|(weight, _)| weight).sum();
        let mut drawn = self.chance.below(total);
        for (weight, action) in WEIGHTS {
            if drawn < *weight {
                return self.perform(*action);
            }
            drawn -= weight;
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Join => self.join(),
            Action::Leave => self.leave(),
            Action::Remove => self.remove(),
            Action::RemoveWithLateMessage => self.remove_with_late_message(),
            Action::Lock => self.lock(),
            Action::Chat => self.chat(),
            Action::Crash => self.crash(),
            Action::Cut => self.cut_one(),
            Action::Partition => self.partition(),
            Action::Outage => self.outage(),
            Action::LoseMemory => self.lose_memory(),
            Action::End => self.end_meeting(),
            Action::Refused => self.try_what_is_refused(),
            Action::AttackLog => self.attack_log(),
            Action::Forge => self.forge_commit(),
            Action::HoldBack => self.hold_back(),
            Action::LeaveBehind => self.leave_behind(),
            Action::LoseKey => self.lose_key(),
            Action::ReplayKnock => self.replay_knock(),
            Action::PlayTrick => self.play_trick(),
        }
    }

    /// Somebody who is in, the host included.
    pub(crate) fn any_member(&mut self) -> Option<usize> {
        let inside: Vec<usize> = (0..self.actors.len()).filter(|at| self.actors[*at].is_in()).collect();
        self.chance.pick(&inside)
    }

    pub(crate) fn any_guest(&mut self) -> Option<usize> {
        self.any_member().filter(|actor| *actor != HOST)
    }

    fn join(&mut self) {
        let running = self.actors.iter().filter(|actor| actor.life == Life::Running).count();
        if running >= self.setup.people {
            return;
        }
        let Ok(actor) = self.arrive() else { return self.broken("a knocker could not be made") };
        if self.chance.happens(60) {
            self.actors[actor].trick = Some(Trick::AlterCard);
        } else if self.chance.happens(80) {
            self.counts.add("joiner kept from the log");
            self.note(actor, "is kept from the log");
            let until = self.now.mono.plus(Duration::from_secs(8));
            self.actors[actor].trick = Some(Trick::Withhold { until });
            self.actors[actor].hindered = Some(until);
        }
    }

    /// The host looks at who waits. It may decide again about whom it has admitted, until that one is in.
    fn decide_knocks(&mut self) {
        if self.actors[HOST].life != Life::Running {
            return;
        }
        for knock in self.actors[HOST].knocks.clone() {
            let was_admitted = self.actors[HOST].admitted.contains(&knock);
            let denies = self.chance.happens(if was_admitted { 300 } else { 100 });
            let command = if denies { Command::Deny { knock } } else { Command::Admit { knock } };
            match self.command(HOST, command) {
                Err(_) => {}
                Ok(()) if denies => {
                    let kind =
                        if was_admitted { "knock denied after it was admitted" } else { "knock denied" };
                    self.counts.add(kind);
                    self.note(HOST, kind);
                    self.actors[HOST].denied.insert(knock);
                }
                Ok(()) if was_admitted => self.counts.add("knock admitted twice"),
                Ok(()) => {
                    self.counts.add("knock admitted");
                    self.actors[HOST].admitted.insert(knock);
                }
            }
        }
    }

    fn leave(&mut self) {
        let Some(actor) = self.any_guest() else { return };
        self.note(actor, "leaves");
        if self.command(actor, Command::Leave).is_err() {
            self.broken(format_args!("participant {actor} could not leave"));
        }
    }

    fn remove(&mut self) {
        let Some(actor) = self.any_guest() else { return };
        let Some(member) = self.actors[actor].machine.own_member() else { return };
        self.note(actor, "is to be removed");
        // Refused while an earlier change of the host is under way or its keys have not met the member.
        self.command(HOST, Command::Remove { member }).ok();
    }

    fn remove_with_late_message(&mut self) {
        let Some(actor) = self.any_guest() else { return };
        let Some(member) = self.actors[actor].machine.own_member() else { return };
        if !self.actors[HOST].is_in() {
            return;
        }
        self.attacks.capture = Some(actor);
        self.say(actor);
        self.attacks.capture = None;
        self.note(actor, "is to be removed after a message that is held back");
        self.command(HOST, Command::Remove { member }).ok();
    }

    pub(crate) fn lock(&mut self) {
        let locked = self.actors[HOST]
            .machine
            .rules()
            .is_some_and(|rules| rules.lock == incamera_meeting::LockState::Locked);
        let command = if locked { Command::Unlock } else { Command::Lock };
        if self.command(HOST, command).is_ok() {
            self.counts.add(if locked { "unlock" } else { "lock" });
            self.note(HOST, if locked { "unlocks" } else { "locks" });
        }
    }

    fn chat(&mut self) {
        if let Some(actor) = self.any_member() {
            self.say(actor);
        }
    }

    fn say(&mut self, actor: usize) {
        let number = self.counts.of("chat line sent");
        let text = format!("canary-chat {number} by {actor} of {}", self.seed);
        // Refused only while too many lines wait for the relay.
        if self.command(actor, Command::SendChat { text: Pii::new(text) }).is_ok() {
            self.counts.add("chat line sent");
        }
    }

    fn crash(&mut self) {
        // Without its host the meeting is over soon: only sometimes.
        let Some(actor) = self.any_member().filter(|actor| *actor != HOST || self.chance.happens(60)) else {
            return;
        };
        self.counts.add(if actor == HOST { "crash of the host" } else { "crash" });
        self.note(actor, "crashes");
        self.actors[actor].life = Life::Crashed;
        self.disconnect(actor);
    }

    fn cut_one(&mut self) {
        let Some(actor) = self.any_member().filter(|at| self.actors[*at].trick.is_none()) else { return };
        let time = self.chance.millis(500, 20_000);
        self.counts.add("client cut off");
        self.note(actor, format_args!("is cut off for {time:?}"));
        self.cut(actor, time);
    }

    fn partition(&mut self) {
        self.counts.add("partition");
        let time = self.chance.millis(2_000, 15_000);
        self.note(HOST, format_args!("some are parted from the relay for {time:?}"));
        for actor in 0..self.actors.len() {
            if self.actors[actor].is_in() && self.actors[actor].trick.is_none() && self.chance.happens(500) {
                self.cut(actor, time);
            }
        }
    }

    fn outage(&mut self) {
        if self.relay_down_until.is_some() {
            return;
        }
        let time = self.chance.millis(500, 20_000);
        self.counts.add("relay outage");
        self.note(HOST, format_args!("the relay is down for {time:?}"));
        self.relay_goes(time);
    }

    /// The relay is restarted and knows of no room any more.
    fn lose_memory(&mut self) {
        if !self.is_settled() {
            return;
        }
        self.counts.add("relay lost its memory");
        self.note(HOST, "the relay loses its memory");
        self.relay_forgets();
    }

    /// Whether all members are in one epoch and no commit is under way. Otherwise a commit may be lost that some
    /// have followed: their part of the room is then on its own, which is shown but not healed.
    fn is_settled(&self) -> bool {
        let since = self.now.mono.minus(Duration::from_secs(3));
        let host = &self.actors[HOST].machine;
        let is_idle = self.invariants.last_commit.is_none_or(|(at, _)| at < since);
        let mut inside = self.actors.iter().filter(|actor| actor.life == Life::Running);
        is_idle
            && inside.all(|actor| match actor.machine.epoch_authenticator() {
                None => true,
                authenticator => actor.is_well_since(since) && authenticator == host.epoch_authenticator(),
            })
    }

    /// The host ends the meeting for everybody; only sometimes, since nothing happens after it.
    fn end_meeting(&mut self) {
        if !self.actors[HOST].is_in() || !self.chance.happens(400) {
            return;
        }
        if self.command(HOST, Command::End).is_ok() {
            self.counts.add("meeting ended by its host");
            self.note(HOST, "ends the meeting");
            self.is_ended = true;
        }
    }

    /// A participant tries what only a host may: it is told so, and nothing changes (SEC-10).
    fn try_what_is_refused(&mut self) {
        let Some(actor) = self.any_guest() else { return };
        let Some(member) = self.actors[HOST].machine.own_member() else { return };
        let command = match self.chance.below(4) {
            0 => Command::Lock,
            1 => Command::Remove { member },
            2 => Command::SetLobby { lobby: incamera_meeting::LobbyMode::Open },
            _ => Command::End,
        };
        let before = (self.actors[actor].machine.epoch(), self.invariants.last_commit);
        let result = self.command(actor, command.clone());
        let after = (self.actors[actor].machine.epoch(), self.invariants.last_commit);
        match result {
            Err(CommandError::NotAllowed) if before == after => {
                self.counts.add("action refused");
                self.note(actor, "is refused an action of a host");
            }
            Err(_) if before == after => self.counts.add("action not possible"),
            _ => self
                .broken(format_args!("participant {actor} did what only a host may: {command:?} (SEC-10)")),
        }
    }

    /// The relay stretches the time of one member and lets its past come on when it is gone (SEC-08).
    fn hold_back(&mut self) {
        let Some(actor) = self.well_guest() else { return };
        self.note(actor, "is held back more and more");
        let now = self.now.mono;
        self.actors[actor].trick = Some(Trick::HoldBack { since: now });
        self.actors[actor].hindered = Some(now);
        let after = self.chance.millis(10_500, 12_000);
        self.network.schedule(now.plus(after), Happening::Vanish { actor });
    }

    /// A defect: one participant loses the key of another, who is added again and heard again soon.
    fn lose_key(&mut self) {
        let well: Vec<usize> = (0..self.actors.len()).filter(|at| *at != HOST && self.is_well(*at)).collect();
        let (Some(loser), Some(sender)) = (self.chance.pick(&well), self.chance.pick(&well)) else { return };
        let Some(member) = self.actors[sender].machine.own_member() else { return };
        let is_heard = self.actors[loser].media_flows && self.actors[loser].heard.contains_key(&sender);
        if loser == sender || !is_heard || !self.actors[sender].media_flows || self.actors[sender].is_repaired
        {
            return;
        }
        self.counts.add("key lost");
        self.note(loser, format_args!("loses the key of {sender}"));
        self.actors[sender].is_repaired = true;
        self.actors[loser].receiver.lose_keys(member);
        self.expect_repair(loser, sender);
    }

    /// A guest that nothing was done to lately.
    fn well_guest(&mut self) -> Option<usize> {
        self.any_guest().filter(|actor| self.is_well(*actor))
    }

    fn is_well(&self, actor: usize) -> bool {
        let since = self.now.mono.minus(Duration::from_secs(6));
        let client = &self.actors[actor];
        client.trick.is_none() && client.cut_until.is_none() && client.is_well_since(since)
    }

    fn play_trick(&mut self) {
        let Some(actor) = self.well_guest() else { return };
        let trick = match self.chance.below(5) {
            0 | 1 => Trick::LeaveOut,
            2 => Trick::Repeat,
            3 => Trick::Replace,
            _ => {
                self.counts.add("relay entries stretched");
                self.note(actor, "gets entries later and later");
                self.expect_stretch(actor);
                Trick::Stretch { since: self.now.mono }
            }
        };
        self.actors[actor].trick = Some(trick);
        self.actors[actor].hindered = Some(self.now.mono);
    }
}
