//! Heartbeats of our own, and what those of others prove: who is there, that we all see the same meeting, and
//! that our own view is the present one (SEC-08, SEC-09).

use core::time::Duration;
use std::collections::BTreeSet;

use incamera_group::GroupInput;
use incamera_identity::sha256;
use incamera_types::{LeafIndex, MemberId, Now};

use super::{MeetingMachine, Sent};
use crate::codes::AlarmCode;
use crate::event::{Event, MeetingState};
use crate::heartbeat::{Admits, Heartbeat, Rank, anchors, interval};
use crate::liveness::{CONFIRMED_FOR, Change, Freshness, Hearing, Sign, Standing};
use crate::log::{Comparison, LogHead, shorten};
use crate::output::Output;
use crate::roster::{MemberView, Presence, Who};
use crate::wire::MeetingMessage;

/// Members that fall silent together before a split is suspected.
const SPLIT_SIZE: usize = 2;

/// Time after which heartbeats whose heads could not be compared are shown: two intervals between heartbeats.
const COMPARED_WITHIN: Duration = CONFIRMED_FOR;

/// How wrong clocks may be before it is shown.
const CLOCK_WRONG_MS: u64 = 60_000;

impl MeetingMachine {
    /// Our own view in a heartbeat.
    pub(super) fn send_heartbeat(&mut self, now: Now) {
        let Some(group) = &self.group else { return };
        let (epoch, own_leaf) = (group.epoch(), group.own_leaf());
        let authenticator = shorten(&sha256(&group.authenticator()));
        let rank = self.rank_of(own_leaf);
        let (counter, echoes) = self.clock.next(now.mono, interval(self.roster.len(), rank), rank);
        let LogHead { seq, hash } = self.log.head();
        let nonces = if self.may_admit() { self.lobby.nonces_to_echo(now.mono) } else { Vec::new() };
        let heartbeat = Heartbeat {
            counter,
            time_ms: now.unix_ms,
            epoch: epoch.0,
            authenticator,
            state: self.state_hash,
            head_seq: seq,
            head_hash: hash,
            echoes,
            nonces,
        };
        if self.append(&MeetingMessage::Heartbeat(heartbeat), Sent::Heartbeat(counter)) {
            self.liveness.sent(now.mono, counter);
        }
    }

    /// Time between our own heartbeats.
    pub(super) fn own_pace(&self) -> Duration {
        let leaf = self.group.as_ref().map(incamera_group::GroupMachine::own_leaf);
        interval(self.roster.len(), leaf.map_or(Rank::Ordinary, |leaf| self.rank_of(leaf)))
    }

    fn rank_of(&self, leaf: LeafIndex) -> Rank {
        if self.anchors.contains(&leaf) { Rank::Anchor } else { Rank::Ordinary }
    }

    /// How often each member sends, now that the roster changed.
    pub(super) fn set_heartbeat_pace(&mut self) {
        let members = self.roster.len();
        self.anchors = anchors(self.roster.iter().map(|view| (view.leaf, admits(view))));
        for view in self.roster.others() {
            self.liveness.expect_every(view.member, interval(members, self.rank_of(view.leaf)));
        }
    }

    /// Whether we may admit.
    pub(super) fn may_admit(&self) -> bool {
        self.roster.iter().any(|view| view.who == Who::Ourselves && view.may_admit)
    }

    /// Members but ourselves that may admit: those who could change the group behind our back.
    fn has_other_admitters(&self) -> bool {
        self.roster.others().any(|view| view.may_admit)
    }

    /// Whether our own heartbeat in the log confirms our view: nobody else could have changed the group.
    pub(super) fn is_own_witness(&self) -> bool {
        self.roster.len() == 1 || (self.may_admit() && !self.has_other_admitters())
    }

    /// Whether a member's heartbeats confirm our view.
    fn is_witness(&self, view: &MemberView) -> bool {
        view.may_admit || !self.has_other_admitters()
    }

    pub(super) fn heartbeat_came(
        &mut self,
        now: Now,
        (sender, leaf): (MemberId, LeafIndex),
        beat: &Heartbeat,
    ) {
        if self.state == MeetingState::Joining {
            return self.look_for_own_nonce(now, sender, beat);
        }
        self.compare_views(now, sender, beat);
        let sign = Sign { counter: beat.counter, time_ms: beat.time_ms, head_seq: beat.head_seq };
        let freshness =
            if self.safeguards.checks_freshness() { Freshness::Checked } else { Freshness::Ignored };
        match self.liveness.hear(now, sender, sign, freshness) {
            Hearing::Replayed => self.alarm(now, AlarmCode::MessageReplayed, Some(sender)),
            Hearing::Stale => {}
            Hearing::Fresh { returned } => {
                self.clock.heard(leaf, beat.counter);
                let own_leaf = self.group.as_ref().map(incamera_group::GroupMachine::own_leaf);
                if returned && own_leaf.is_some_and(|leaf| self.rank_of(leaf) == Rank::Anchor) {
                    self.clock.answer(now.mono);
                }
                self.take_echo(now, sender, own_leaf, (beat, freshness));
            }
        }
        if beat.time_ms.abs_diff(now.unix_ms) > CLOCK_WRONG_MS {
            self.alarm(now, AlarmCode::ClockWrong, Some(sender));
        }
    }

    /// A witness that has seen our heartbeats lately confirms our view.
    fn take_echo(
        &mut self,
        now: Now,
        sender: MemberId,
        own_leaf: Option<LeafIndex>,
        (beat, freshness): (&Heartbeat, Freshness),
    ) {
        if !self.roster.get(sender).is_some_and(|view| self.is_witness(view)) {
            return;
        }
        let echo = beat.echoes.iter().find(|echo| own_leaf == Some(LeafIndex(u32::from(echo.leaf))));
        if let Some(echo) = echo {
            self.liveness.covered(echo.counter);
        }
        let proved_at = match freshness {
            Freshness::Checked => self.liveness.covered_lately(now.mono, self.own_pace()),
            Freshness::Ignored => Some(now.mono),
        };
        if let Some(proved_at) = proved_at {
            self.confirmation.confirm(now.mono, proved_at);
        }
    }

    /// Two members of one epoch see the same meeting, or somebody is lying (SEC-09).
    fn compare_views(&mut self, now: Now, sender: MemberId, beat: &Heartbeat) {
        let Some(group) = &self.group else { return };
        if !self.safeguards.detects_forks() {
            return;
        }
        let same_keys =
            beat.epoch == group.epoch().0 && beat.authenticator == shorten(&sha256(&group.authenticator()));
        let theirs = LogHead { seq: beat.head_seq, hash: beat.head_hash };
        if !same_keys {
            self.alarm(now, AlarmCode::ForkAuthenticator, Some(sender));
        } else if beat.state != self.state_hash {
            self.alarm(now, AlarmCode::ForkState, Some(sender));
        } else {
            match self.log.compare(theirs) {
                Comparison::Forked => self.alarm(now, AlarmCode::ForkLog, Some(sender)),
                Comparison::Unknown => self.not_compared(now, sender),
                Comparison::Consistent => {
                    self.uncompared.remove(&sender);
                }
            }
        }
    }

    /// Heartbeats of a member come with heads that we do not have: a relay may have made us forget them.
    fn not_compared(&mut self, now: Now, sender: MemberId) {
        let since = *self.uncompared.entry(sender).or_insert(now.mono);
        if now.mono.since(since) >= COMPARED_WITHIN {
            self.alarm(now, AlarmCode::ForkUncompared, Some(sender));
        }
    }

    /// SEC-19: only somebody who may admit, in the group that we were led into, and who read our knock.
    fn look_for_own_nonce(&mut self, now: Now, sender: MemberId, beat: &Heartbeat) {
        let (Some(group), Some(door)) = (&self.group, &self.door) else { return };
        let admitter = group.roster().by_id(sender);
        let may_admit = admitter.is_some_and(|member| member.rights.contains(incamera_group::Rights::ADMIT));
        if may_admit && beat.nonces.contains(&door.nonce) {
            self.confirm_join(now);
        }
    }

    /// Acts on members that fell silent or came back.
    pub(super) fn check_liveness(&mut self, now: Now) {
        let Some(deadlines) = self.rules.as_ref().map(crate::rules::RulesView::deadlines) else { return };
        if !self.safeguards.watches_liveness() {
            return;
        }
        let changes = self.liveness.changes(now.mono, deadlines);
        for change in &changes {
            self.standing_changed(change);
        }
        if changes.iter().any(|change| change.to >= Standing::Lost && change.from == Standing::Heard) {
            self.look_for_split(now);
        }
        if !changes.is_empty() {
            self.set_online(now);
        }
    }

    fn standing_changed(&mut self, change: &Change) {
        let (member, silent_for) = (change.member, change.silent_for);
        let held = |standing: Standing| standing >= Standing::Held;
        self.roster.set_presence(
            member,
            match change.to {
                Standing::Heard => Presence::Here,
                Standing::Lost => Presence::Lost,
                Standing::Held | Standing::Overdue => Presence::Held,
            },
        );
        match change.to {
            Standing::Heard => self.emit(Event::Returned { member }),
            _ if change.from == Standing::Heard => self.emit(Event::Lost { member, silent_for }),
            _ => {}
        }
        if held(change.to) && !held(change.from) {
            self.outputs.push_back(Output::HoldMember { member });
            self.emit(Event::MediaHeld { member });
        } else if held(change.from) && !held(change.to) {
            self.outputs.push_back(Output::ReleaseMember { member });
        }
    }

    /// Several members silent at once while others are heard: maybe two halves that hear themselves only.
    fn look_for_split(&mut self, now: Now) {
        let missing = self.liveness.silent(Standing::Lost).count();
        let heard = self.liveness.heard().next().is_some();
        if missing >= SPLIT_SIZE && heard && self.safeguards.detects_forks() {
            self.alarm(now, AlarmCode::PartitionSuspected, None);
        }
    }

    /// The group prefers the lowest member that is heard for the next commit.
    pub(super) fn set_online(&mut self, now: Now) {
        let online: BTreeSet<MemberId> = self.liveness.heard().collect();
        if self.online != online && self.group.is_some() {
            self.online.clone_from(&online);
            self.tell_group(now, GroupInput::SetOnline(online)).ok();
        }
    }
}

fn admits(view: &MemberView) -> Admits {
    if view.may_admit { Admits::Yes } else { Admits::No }
}
