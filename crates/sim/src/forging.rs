//! Commits and Welcomes that only a modified client makes. Each is sound MLS, and one safeguard stands against it.

use incamera_group::{Forgery, PhantomRules};
use incamera_identity::DisplayName;
use incamera_meeting::{Command, Input, KnockNumber, LockState, MeetingState};
use incamera_relay_proto::{Blob, Lane, ServerMessage, Standing};

use crate::network::Happening;
use crate::world::{HOST, World};

impl World {
    /// A member appends a commit that nobody may follow.
    pub(crate) fn forge_commit(&mut self) {
        match self.chance.below(4) {
            0 => self.forge_removal(),
            1 => self.forge_renaming(),
            2 => self.forge_update(),
            _ => self.forge_echo(),
        }
    }

    fn forge_removal(&mut self) {
        let (Some(author), Some(victim)) = (self.any_guest(), self.any_member()) else { return };
        let Some(member) = self.actors[victim].machine.own_member() else { return };
        let blob = self.forged(author, &Forgery::Removal(member));
        self.append_outside(author, Lane::Commit, blob, "forged removal");
    }

    fn forge_renaming(&mut self) {
        let Some(author) = self.any_guest() else { return };
        let Ok(name) = DisplayName::new("Canary host") else { return };
        let blob = self.forged(author, &Forgery::Renaming(name));
        self.append_outside(author, Lane::Commit, blob, "forged renaming");
    }

    /// Whoever renewed its leaf lately tries to keep others from committing by doing so again.
    fn forge_update(&mut self) {
        for author in (0..self.actors.len()).filter(|actor| *actor != HOST) {
            if self.actors[author].is_in()
                && let Some(blob) = self.forged(author, &Forgery::HastyUpdate)
            {
                return self.append_outside(author, Lane::Commit, Some(blob), "forged update");
            }
        }
    }

    /// A member commits so that one other cannot follow: that one is added again, and nobody else is disturbed.
    pub(crate) fn leave_behind(&mut self) {
        let Some(victim) = self.any_guest() else { return };
        let Some(member) = self.actors[victim].machine.own_member() else { return };
        let now = self.now;
        let author = (0..self.actors.len()).filter(|actor| ![HOST, victim].contains(actor)).find(|author| {
            let author = &mut self.actors[*author];
            author.is_in() && author.machine.commit_without(now, member)
        });
        if let Some(author) = author {
            self.counts.add("commit that one cannot follow");
            self.note(author, format_args!("commits so that {victim} cannot follow"));
            self.actors[victim].is_repaired = true;
            self.feed(author, Input::Tick);
        }
    }

    /// While the host has a commit under way, the log shows it something else under its own name.
    fn forge_echo(&mut self) {
        let Some(author) = self.any_guest().filter(|_| self.actors[HOST].is_in()) else { return };
        let blob = self.forged(HOST, &Forgery::FalseEcho);
        let locked = self.actors[HOST].machine.rules().is_some_and(|rules| rules.lock == LockState::Locked);
        let command = if locked { Command::Unlock } else { Command::Lock };
        self.append_outside(author, Lane::Commit, blob, "forged echo");
        // Refused only while the rules are being changed already; that commit is under way then.
        self.command(HOST, command).ok();
    }

    fn forged(&mut self, author: usize, forgery: &Forgery) -> Option<Blob> {
        self.actors[author].machine.forge_commit(forgery)
    }

    /// Somebody who has the lobby key but may not admit answers a knock before the host does (SEC-19).
    pub(crate) fn forge_welcome(&mut self, knock: KnockNumber, name: &str) {
        let Some(actor) = self.actors.iter().position(|actor| actor.name == name) else { return };
        let Some(connection) = self.actors[actor].connection else { return };
        let (rules, kind) = if self.chance.happens(500) {
            (PhantomRules::Copied, "forged welcome with copied rules")
        } else {
            (PhantomRules::Invented, "forged welcome with other rules")
        };
        let Some(blob) = self.actors[HOST].machine.forge_admission(knock, rules) else { return };
        self.counts.add(kind);
        self.note(actor, kind);
        let client = &mut self.actors[actor];
        client.forged_replies += 1;
        let message =
            ServerMessage::Replied { number: client.forged_replies, standing: Standing::Final, blob };
        let at = self.down_arrival(actor);
        self.network.schedule(at, Happening::ForgedReply { actor, connection, message });
    }

    /// A forged reply arrives: it leads nowhere.
    pub(crate) fn reach_with_forged_reply(&mut self, actor: usize, message: ServerMessage) {
        let before = self.actors[actor].machine.state();
        self.feed(actor, Input::Relay(message));
        if before != MeetingState::Joining && self.actors[actor].machine.state() == MeetingState::Joining {
            self.broken(format_args!("participant {actor} followed a forged Welcome (SEC-19)"));
        }
    }
}
