//! What must hold after every step.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use incamera_meeting::frames::{DeliveredFrame, FRESH_FOR};
use incamera_meeting::{AlarmCode, EpochKeys, Event, MeetingState, Presence, RemovalReason, StopReason};
use incamera_relay_proto::{ClientMessage, Lane, Request, Seq, ServerMessage};
use incamera_types::{Context, Epoch, MemberId, Mono};

use crate::actor::{FrameName, Life};
use crate::world::{HOST, World};

/// A hostile relay is shown within this time (SEC-08, SEC-09).
const SHOWN_WITHIN: Duration = Duration::from_secs(11);

/// An alarm is not raised again within this time; a log that is still forked then is shown anew.
const SHOWN_ONCE_IN: Duration = Duration::from_secs(30);

/// A member that is gone is shown as lost within this time, whatever of it the relay still delivers.
const LOST_WITHIN: Duration = Duration::from_secs(11);

/// Where a host was told that it ended the meeting for everybody, it is over for everybody within this time.
const ENDED_WITHIN: Duration = Duration::from_secs(5);

/// A participant whose key was lost is heard again within this time: noticed in a second, then added again.
const REPAIRED_WITHIN: Duration = Duration::from_secs(4);

/// A stretched log is shown within this time: three fifths of it late, an answer that comes ten seconds after the
/// heartbeat that should have followed is made after 27 s.
const STRETCH_SHOWN_WITHIN: Duration = Duration::from_secs(30);

/// Time after which a removed member reads nothing more from an honest relay (SEC-05).
const LOCKED_OUT_WITHIN: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(crate) struct Invariants {
    /// The first invariant that did not hold.
    pub(crate) broken: Option<String>,
    epochs: BTreeMap<u64, EpochFacts>,
    seals: HashMap<FrameName, Seal>,
    /// Entries that no honest machine wrote.
    pub(crate) hostile_entries: BTreeSet<Seq>,
    pub(crate) bad_card_shown: BTreeSet<usize>,
    pub(crate) last_commit: Option<(Mono, usize)>,
    /// Somebody was shown another log than the rest.
    is_forked: bool,
    expectations: Vec<Expectation>,
}

struct EpochFacts {
    authenticator: [u8; 32],
    members: BTreeSet<MemberId>,
}

/// A frame that was sealed.
pub(crate) struct Seal {
    pub(crate) actor: usize,
    pub(crate) at: Mono,
    pub(crate) context: Context,
    pub(crate) payload: String,
}

/// Something that a participant must be told in time.
struct Expectation {
    actor: usize,
    since: Mono,
    by: Mono,
    what: Shown,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// This entry is another one.
    Fork(Seq),
    /// This entry is missing.
    Gap(Seq),
    Stretch,
    /// This member is gone.
    Silence(MemberId),
    /// This participant can be heard again.
    Repair(usize),
    /// The meeting is over.
    End,
}

impl Invariants {
    fn forget(&mut self, fits: impl Fn(&Expectation) -> bool) {
        self.expectations.retain(|expected| !fits(expected));
    }

    pub(crate) fn forget_expectations_of(&mut self, actor: usize) {
        self.forget(|expected| expected.actor == actor);
    }

    /// An entry that was left out or replaced comes after all: the room was being opened anew then, and nothing was
    /// taken from the log.
    pub(crate) fn forget_entry(&mut self, actor: usize, seq: Seq) {
        let about = [Shown::Gap(seq), Shown::Fork(seq)];
        self.forget(|expected| expected.actor == actor && about.contains(&expected.what));
    }

    /// The relay is honest again before its stretched log had to be noticed.
    pub(crate) fn forget_stretches(&mut self) {
        self.forget(|expected| expected.what == Shown::Stretch);
    }
}

/// Whether bytes hold something that only members may read; every name, line and payload begins alike.
pub(crate) fn contains_canary(bytes: &[u8]) -> bool {
    bytes.windows(6).any(|window| window == b"anary " || window == b"anary-")
}

impl World {
    pub(crate) fn expect_fork(&mut self, actor: usize, seq: Seq) {
        self.invariants.is_forked = true;
        let quiet_until = self.actors[actor].fork_shown.map(|at| at.plus(SHOWN_ONCE_IN));
        let quiet_for = quiet_until.map_or(Duration::ZERO, |until| until.since(self.now.mono));
        self.expect(actor, Shown::Fork(seq), quiet_for + SHOWN_WITHIN);
    }

    pub(crate) fn expect_gap(&mut self, actor: usize, seq: Seq) {
        self.expect(actor, Shown::Gap(seq), SHOWN_WITHIN);
    }

    pub(crate) fn expect_stretch(&mut self, actor: usize) {
        self.expect(actor, Shown::Stretch, STRETCH_SHOWN_WITHIN);
    }

    pub(crate) fn expect_silence(&mut self, actor: usize, member: MemberId) {
        self.expect(actor, Shown::Silence(member), LOST_WITHIN);
    }

    pub(crate) fn expect_repair(&mut self, loser: usize, sender: usize) {
        self.expect(loser, Shown::Repair(sender), REPAIRED_WITHIN);
    }

    fn expect_end(&mut self) {
        for actor in (0..self.actors.len()).filter(|actor| *actor != HOST) {
            // Whom a relay hinders may learn it late, and fails closed until then.
            if self.actors[actor].is_in() && self.actors[actor].trick.is_none() {
                self.expect(actor, Shown::End, ENDED_WITHIN);
            }
        }
    }

    fn expect(&mut self, actor: usize, what: Shown, within: Duration) {
        let (since, by) = (self.now.mono, self.now.mono.plus(within));
        self.invariants.expectations.push(Expectation { actor, since, by, what });
    }

    /// After every input of a participant.
    pub(crate) fn check_actor(&mut self, actor: usize) {
        self.check_expectations();
        let client = &self.actors[actor];
        if !client.is_in() {
            return;
        }
        let machine = &client.machine;
        let (Some(epoch), Some(authenticator)) = (machine.epoch(), machine.epoch_authenticator()) else {
            return self.broken(format_args!("participant {actor} is in the meeting without a group"));
        };
        let roster: BTreeSet<MemberId> = machine.members().map(|view| view.member).collect();
        let Some(facts) = self.invariants.epochs.get(&epoch.0) else { return };
        if facts.authenticator != authenticator {
            return self
                .broken(format_args!("participant {actor} has another epoch {} than others", epoch.0));
        }
        if facts.members != roster {
            self.broken(format_args!("participant {actor} shows other members than have keys (SEC-16)"));
        }
    }

    fn check_expectations(&mut self) {
        let now = self.now.mono;
        let due: Vec<Expectation> =
            self.invariants.expectations.extract_if(.., |expected| expected.by < now).collect();
        for Expectation { actor, what, since, .. } in due {
            let what = match what {
                Shown::Silence(member) if !self.shows_as_present(actor, member) => continue,
                Shown::Silence(_) => "that a member is gone (SEC-08)",
                Shown::Repair(sender) if self.hears_if_it_can(actor, sender) => continue,
                Shown::Repair(_) => "media of somebody whose key was lost",
                Shown::End if !self.actors[actor].is_well_since(since.minus(ENDED_WITHIN)) => continue,
                Shown::End => "that the host ended the meeting",
                Shown::Fork(_) if !self.is_contradicted(actor, since) => continue,
                Shown::Fork(_) => "a forked log (SEC-09)",
                Shown::Gap(_) => "a gap in the log (SEC-08)",
                // Its media has stopped, maybe before: nothing is left that time could be stretched for.
                Shown::Stretch if !self.actors[actor].media_flows => continue,
                Shown::Stretch => "a relay that stretches time (SEC-08)",
            };
            self.broken(format!("participant {actor} was not shown {what}"));
        }
    }

    /// Whether somebody could tell a participant that its log is another one: with nobody else there, nobody knows.
    fn is_contradicted(&self, actor: usize, since: Mono) -> bool {
        let mut others = self.actors.iter().enumerate().filter(|(other, _)| *other != actor);
        others.any(|(_, other)| other.is_well_since(since))
    }

    fn hears_if_it_can(&self, loser: usize, sender: usize) -> bool {
        let since = self.now.mono.minus(REPAIRED_WITHIN);
        let lately = self.now.mono.minus(Duration::from_millis(1_500));
        let are_well = [loser, sender, HOST].iter().all(|at| self.actors[*at].is_well_since(since));
        let can = are_well && self.actors[loser].media_flows && self.actors[sender].media_flows;
        !can || self.actors[loser].heard.get(&sender).is_some_and(|at| *at >= lately)
    }

    fn shows_as_present(&self, actor: usize, member: MemberId) -> bool {
        let client = &self.actors[actor];
        let mut members = client.machine.members();
        client.is_well_since(self.now.mono.minus(LOST_WITHIN))
            && members.any(|view| view.member == member && view.presence == Presence::Here)
    }

    /// Keys that a machine gives to its frame threads: one group per epoch, the same for all.
    pub(crate) fn check_keys(&mut self, actor: usize, keys: &EpochKeys) {
        let Some(own) = self.actors[actor].machine.own_member() else {
            return self.broken(format_args!("participant {actor} has keys but is no member"));
        };
        self.actors[actor].members.insert(own);
        let mut members: BTreeSet<MemberId> = keys.members.iter().map(|holder| holder.member).collect();
        members.insert(own);
        let facts = EpochFacts { authenticator: keys.authenticator, members };
        let known = self.invariants.epochs.entry(keys.epoch.0).or_insert(facts);
        if known.authenticator != keys.authenticator {
            self.broken(format_args!("the group forked in epoch {}", keys.epoch.0));
        }
    }

    /// SEC-17, SEC-05: no (key, nonce) twice, and never a key that somebody removed still has.
    pub(crate) fn check_seal(&mut self, actor: usize, name: FrameName, seal: Seal) {
        let client = &self.actors[actor];
        if !client.media_flows && !client.is_modified {
            return self
                .broken(format_args!("participant {actor} sealed although media is stopped (SEC-08)"));
        }
        let newest = client.epochs.last_key_value().map(|(epoch, _)| *epoch);
        let members = |epoch| self.invariants.epochs.get(&epoch).map(|facts| &facts.members);
        if let (Some(newest), Some(used)) = (newest.and_then(members), members(name.0))
            && !used.is_subset(newest)
        {
            return self.broken(format_args!("participant {actor} sealed for a removed member (SEC-05)"));
        }
        if self.invariants.seals.insert(name, seal).is_some() {
            self.broken(format_args!("a key and nonce were used twice: {name:?} (SEC-17)"));
        }
    }

    /// A frame that somebody opened: authentic, once, fresh, and of an epoch that the opener was a member of.
    pub(crate) fn check_opened(&mut self, actor: usize, frame: &DeliveredFrame) {
        let name = (frame.epoch.0, frame.frame.kid().value(), frame.frame.counter());
        let Some(seal) = self.invariants.seals.get(&name) else {
            return self
                .broken(format_args!("participant {actor} opened a frame that nobody sealed: {name:?}"));
        };
        let (sender, age) = (seal.actor, self.now.mono.since(seal.at));
        let genuine =
            seal.payload.as_bytes() == frame.frame.payload() && seal.context == frame.frame.context();
        let by_sender = self.actors[sender].members.contains(&frame.member);
        let facts = self.invariants.epochs.get(&frame.epoch.0);
        let client = &self.actors[actor];
        // A clock is known as well as its least delayed frame allows: before that one, no delay can be seen (SEC-18).
        let shortest = client.shortest_delays.get(&frame.member).copied();
        let was_member = facts.is_some_and(|facts| !facts.members.is_disjoint(&client.members));
        let wrong = if !genuine {
            Some("opened a frame as something else than was sealed (SEC-02)")
        } else if !by_sender {
            Some("opened a frame of one member as another's (SEC-04)")
        } else if !was_member {
            Some("opened a frame of an epoch that it is no member of (SEC-05, SEC-06)")
        } else if client.opened.contains(&name) {
            Some("opened a frame twice (SEC-03)")
        } else if client.life == Life::Running && !client.media_flows {
            Some("opened a frame although media is stopped (SEC-08)")
        } else if client.held.contains(&frame.member) {
            Some("opened a frame of a member that is held (SEC-08)")
        } else if client.life == Life::Running
            && shortest.is_some_and(|shortest| age > shortest + FRESH_FOR + Duration::from_secs(1))
        {
            Some("opened a stale frame (SEC-18)")
        } else {
            None
        };
        if let Some(wrong) = wrong {
            let (epoch, kid, counter) = name;
            return self.broken(format_args!(
                "participant {actor} {wrong}: frame {counter} under {kid:#x} of epoch {epoch}, from {sender} {age:?} ago"
            ));
        }
        self.check_lockout(actor, name);
        let now = self.now.mono;
        let client = &mut self.actors[actor];
        client.opened.insert(name);
        client.heard.insert(sender, now);
        client.shortest_delays.insert(frame.member, shortest.map_or(age, |shortest| shortest.min(age)));
    }

    /// SEC-05: nothing sealed later than the deadline at which the last member without news stops.
    fn check_lockout(&mut self, actor: usize, name: FrameName) {
        let Some(removed_at) = self.actors[actor].removed_at else { return };
        let bound = removed_at.plus(self.setup.media_stops_after + SHOWN_WITHIN);
        let honest = |seal: &&Seal| !self.actors[seal.actor].is_modified;
        let sealed_at = self.invariants.seals.get(&name).filter(honest).map(|seal| seal.at);
        self.counts.add("frame before the switch opened by a removed member");
        if sealed_at.is_some_and(|at| at > bound) {
            self.broken(format_args!("removed participant {actor} still opens media (SEC-05)"));
        }
    }

    /// What a client hands to the relay.
    pub(crate) fn check_sent(&mut self, actor: usize, message: &ClientMessage, bytes: &[u8]) {
        if contains_canary(bytes) {
            return self.broken(format_args!("participant {actor} sent plaintext to the relay (SEC-12)"));
        }
        let blob = match &message.request {
            Request::Append { blob, .. } | Request::Reply { blob, .. } | Request::Knock { blob, .. } => blob,
            _ => return,
        };
        if blob.as_bytes().len() % 512 != 0 {
            return self.broken("a blob is not a multiple of 512 bytes (SEC-12)");
        }
        let knocks = matches!(message.request, Request::Knock { .. });
        if knocks && self.invariants.bad_card_shown.contains(&actor) {
            self.broken(format_args!("participant {actor} knocked although the card is forged (SEC-19)"));
        }
    }

    /// What the relay has for a client.
    pub(crate) fn check_relayed(&mut self, actor: usize, message: &ServerMessage) {
        if let (Some(removed_at), ServerMessage::Entry { .. }) = (self.actors[actor].removed_at, message)
            && self.now.mono.since(removed_at) > LOCKED_OUT_WITHIN
            && self.actors[HOST].is_well_since(removed_at)
            && self.relay_was_down.is_none_or(|at| at < removed_at)
        {
            self.broken(format_args!("removed participant {actor} still reads the log (SEC-05)"));
        }
    }

    /// After an entry was processed: what no honest machine wrote changed nothing (SEC-10).
    pub(crate) fn check_entry(&mut self, actor: usize, seq: Seq, lane: Lane, before: Option<Epoch>) {
        let client = &self.actors[actor];
        let changed = client.machine.epoch() != before && client.life == Life::Running;
        if lane == Lane::Commit && changed && self.invariants.hostile_entries.contains(&seq) {
            self.broken(format_args!("participant {actor} followed an invalid commit (SEC-10)"));
        }
    }

    /// What a machine tells its user.
    pub(crate) fn check_event(&mut self, actor: usize, event: &Event) {
        match event {
            Event::StateChanged { state: MeetingState::InMeeting }
                if actor != HOST && self.actors[actor].entries_in_all == 0 =>
            {
                self.broken(format_args!("participant {actor} joined without confirmation (SEC-19)"));
            }
            Event::Removed { member, why: RemovalReason::Silent, .. } => self.check_silent(*member),
            Event::ChatReceived { line } => {
                let text = line.text.reveal();
                if !self.actors[actor].chats.insert(text.clone()) {
                    self.broken(format_args!("participant {actor} was shown a chat line twice"));
                }
                self.check_old_message(actor);
            }
            Event::Alarm { code: AlarmCode::ForkLog | AlarmCode::ForkUncompared, .. }
                if !self.invariants.is_forked =>
            {
                self.broken(format_args!("participant {actor} was shown a fork that is none (SEC-09)"));
            }
            Event::Alarm { code, .. } => self.shown(actor, *code),
            // Added again, it has the log of who admits it: its own is given up, and that was shown.
            Event::StateChanged { state: MeetingState::Knocking } => {
                let is_fork = |expected: &Expectation| matches!(expected.what, Shown::Fork(_));
                self.invariants.forget(|expected| expected.actor == actor && is_fork(expected));
            }
            Event::LinkDegraded { .. } | Event::MediaStopped { .. } => {
                self.invariants.forget(|expected| expected.actor == actor && expected.what == Shown::Stretch);
            }
            Event::Stopped { why } => {
                self.invariants.forget_expectations_of(actor);
                if (actor, *why) == (HOST, StopReason::Ended) {
                    self.expect_end();
                }
            }
            _ => {}
        }
    }

    fn shown(&mut self, actor: usize, code: AlarmCode) {
        if code == AlarmCode::ForkLog {
            self.actors[actor].fork_shown = Some(self.now.mono);
        }
        self.invariants.forget(|expected| {
            let fits = match expected.what {
                Shown::Fork(_) => code == AlarmCode::ForkLog,
                Shown::Gap(_) => code == AlarmCode::LogGap,
                Shown::Stretch | Shown::Silence(_) | Shown::Repair(_) | Shown::End => false,
            };
            fits && expected.actor == actor
        });
    }

    /// Nobody is removed for silence who was heard: neither by an outage of the relay nor otherwise.
    fn check_silent(&mut self, member: MemberId) {
        let Some(who) = self.actors.iter().position(|actor| actor.members.contains(&member)) else { return };
        let client = &self.actors[who];
        let patience = self.setup.removed_after + self.setup.removed_after;
        let hindered =
            client.is_slowed() || client.hindered.is_some_and(|at| self.now.mono.since(at) <= patience);
        let current = client.machine.own_member() == Some(member);
        if client.is_in() && current && !hindered {
            self.broken(format_args!("participant {who} was removed for silence but was there"));
        }
    }
}
