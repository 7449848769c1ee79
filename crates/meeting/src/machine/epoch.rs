//! A new epoch: keys to the frame threads, the roster and the rules to the user, secrets to who may have
//! them.

use core::time::Duration;

use incamera_group::{
    ContextSet, EpochChange, EpochStarted, GroupMachine, Lobby, Lock, Member, Rights, Role,
};
use incamera_identity::{IdentityStatus, VerifyingKey, sha256_parts};
use incamera_types::{MemberId, Mono, Now, Pii};

use super::MeetingMachine;
use crate::confirmation::Confirmation;
use crate::epoch_keys::{EpochKeys, KeyHolder};
use crate::event::{Event, MeetingState, RemovalReason};
use crate::heartbeat::HEARTBEAT_EVERY;
use crate::input::LobbyMode;
use crate::liveness::Standing;
use crate::log::shorten;
use crate::output::Output;
use crate::roster::{MemberView, Presence, RoleView, RosterChange, Verification, Who};
use crate::rules::{LockState, RulesView};

/// Senders go over to the keys of an addition this much after its commit (wire.md §5), so that most receivers
/// have them.
const SWITCH_AFTER_ADD: Duration = Duration::from_millis(200);

/// Shortest time between two key frames that joins ask for.
const KEY_FRAMES_EVERY: Duration = Duration::from_secs(1);

const STATE_LABEL: &[u8] = b"Incamera 1.0 roster and rules";

impl MeetingMachine {
    pub(super) fn enter_epoch(&mut self, now: Now, started: EpochStarted) {
        // SEC-05: the keys of who is gone are erased before anything else happens.
        for member in &started.left {
            self.outputs.push_back(Output::DropMember { member: *member });
        }
        let epoch = started.keys.epoch;
        let switch_at = self.install_keys(now.mono, started.keys);
        self.emit(Event::EpochChanged { epoch });
        let Some(group) = &self.group else { return };
        let views: Vec<MemberView> = group.roster().iter().map(|member| view_of(group, member)).collect();
        let code = group.room_code().to_string();
        self.state_hash = state_hash(group);
        let rules = rules_of(group);
        let leaf_keys: Vec<VerifyingKey> = group
            .roster()
            .iter()
            .filter(|member| started.joined.contains(&member.id))
            .map(|member| member.leaf_key)
            .collect();
        let change = self.roster.replace(views);
        self.tell_members(now, &change);
        if self.rules.as_ref() != Some(&rules) {
            self.rules = Some(rules.clone());
            self.emit(Event::RulesChanged { rules });
        }
        if self.room_code != code {
            self.room_code.clone_from(&code);
            self.emit(Event::RoomCodeChanged { code });
        }
        self.begin_being_in(now);
        self.take_early_streams();
        self.clock.epoch_changed(change.gone.iter().map(|view| view.leaf));
        self.clock.hurry(now.mono);
        self.note_joined(now, &leaf_keys);
        self.set_heartbeat_pace();
        if !change.joined.is_empty() {
            self.streams.repeat();
            self.plan_key_frames(switch_at, started.seq);
        }
        self.host_after_epoch(now, started.committer, &change);
        self.timers.ahead_since = None;
    }

    /// Hands the keys on. Gives when we go over to them.
    fn install_keys(&mut self, now: Mono, keys: incamera_group::EpochKeys) -> Mono {
        let switch_at = match keys.change {
            EpochChange::Grown => now.plus(SWITCH_AFTER_ADD),
            EpochChange::Entered | EpochChange::Restricted => now,
        };
        let failed = |member: MemberId| {
            let group = self.group.as_ref()?;
            Some(group.roster().by_id(member)?.identity == IdentityStatus::Failed)
        };
        let list = |contexts: ContextSet| contexts.iter().collect::<Vec<_>>();
        let own = keys.members.iter().find(|member| member.leaf == keys.own_leaf);
        let own_contexts = own.map(|own| list(own.contexts)).unwrap_or_default();
        // SEC-11: who lies about its identity stays a member but is neither heard nor seen.
        let holder = |member: &incamera_group::EpochMember| KeyHolder {
            leaf: member.leaf,
            member: member.member,
            contexts: if failed(member.member) == Some(true) { Vec::new() } else { list(member.contexts) },
        };
        let others = keys.members.iter().filter(|member| member.leaf != keys.own_leaf);
        let members = others.map(holder).collect();
        let keys = EpochKeys {
            epoch: keys.epoch,
            suite: keys.suite,
            base_key: keys.base_key,
            authenticator: keys.authenticator,
            own_leaf: keys.own_leaf,
            own_contexts,
            members,
            switch_at,
            // Whoever follows the commit has read the heartbeat that covers ours, which was made after ours.
            made_after: self.liveness.newest_covered().unwrap_or_default(),
        };
        self.outputs.push_back(Output::InstallEpochKeys(Box::new(keys)));
        switch_at
    }

    fn tell_members(&mut self, now: Now, change: &RosterChange) {
        for gone in &change.gone {
            let silent =
                self.liveness.standing(gone.member).is_some_and(|standing| standing >= Standing::Held);
            self.liveness.remove(gone.member);
            self.uncompared.remove(&gone.member);
            self.repair.settled(gone.member);
            let (member, name) = (gone.member, gone.name.clone());
            if self.leaving.remove(&member) {
                self.emit(Event::Left { member, name });
                continue;
            }
            let came_back = self.lobby.lets_back(gone.member)
                || change.joined.iter().any(|joined| is_same_person(gone, joined));
            let why = match came_back {
                true => RemovalReason::Rejoined,
                false if silent => RemovalReason::Silent,
                false => RemovalReason::Host,
            };
            self.emit(Event::Removed { member, name, why });
        }
        for joined in &change.joined {
            if joined.who == Who::Other {
                self.liveness.add(now.mono, joined.member, HEARTBEAT_EVERY);
            }
            self.emit(Event::Joined { member: joined.clone() });
        }
    }

    /// The first keys of a group that we are in.
    fn begin_being_in(&mut self, now: Now) {
        if self.state != MeetingState::InMeeting {
            self.confirmation = Confirmation::new(now.mono);
            self.set_state(MeetingState::InMeeting);
        }
    }

    /// A joiner begins to see with a key frame under keys that it has: the first after the switch.
    fn plan_key_frames(&mut self, switch_at: Mono, commit: Option<u64>) {
        if commit.is_some() {
            let earliest = self.timers.key_frames_asked.map(|asked| asked.plus(KEY_FRAMES_EVERY));
            self.timers.key_frames_at = Some(switch_at.max(earliest.unwrap_or(switch_at)));
        }
    }

    /// What who may admit owes after members went: a new capability, their tickets revoked.
    fn host_after_epoch(&mut self, now: Now, committer: Option<MemberId>, change: &RosterChange) {
        let Some(group) = &self.group else { return };
        self.lobby.keep_rejoin_keys(|leaf_key| group.roster().has_key(leaf_key));
        let streams = &mut self.streams;
        let revoke: Vec<_> =
            change.gone.iter().filter_map(|gone| streams.remove(gone.member)?.ticket_identity()).collect();
        if change.gone.is_empty() || committer.is_none() || !self.safeguards.rotates() {
            return;
        }
        if let (Some(admin), Some(membership)) = (&mut self.admin, &self.membership) {
            admin.rotate(membership.secrets(), revoke.into_iter(), &mut self.entropy);
            self.secrets_sent_in = None;
        }
        if change.gone.iter().any(|gone| gone.may_admit) {
            self.replace_lobby_key(now);
        }
    }
}

/// Whether the same person came back under a new leaf: a name proves nothing (SEC-11).
fn is_same_person(gone: &MemberView, joined: &MemberView) -> bool {
    let both_ours = gone.who == Who::Ourselves && joined.who == Who::Ourselves;
    let has_identity = matches!(gone.verification, Verification::Claimed { .. });
    both_ours || (has_identity && gone.verification == joined.verification)
}

fn view_of(group: &GroupMachine, member: &Member) -> MemberView {
    MemberView {
        member: member.id,
        leaf: member.leaf,
        name: Pii::new(member.credential.name().reveal().to_owned()),
        role: match member.role {
            Role::Host => RoleView::Host,
            Role::Participant => RoleView::Participant,
            Role::Unknown(_) => RoleView::Unknown,
        },
        verification: (&member.identity).into(),
        joined_in: member.added_in,
        presence: Presence::Here,
        who: if member.leaf == group.own_leaf() { Who::Ourselves } else { Who::Other },
        may_admit: member.rights.contains(Rights::ADMIT),
        media_opens: true,
    }
}

fn rules_of(group: &GroupMachine) -> RulesView {
    let rules = group.rules().rules();
    RulesView {
        version: u64::from(rules.version),
        lobby: if rules.lobby == Lobby::On { LobbyMode::Wait } else { LobbyMode::Open },
        lock: if rules.lock == Lock::Locked { LockState::Locked } else { LockState::Open },
        suite: rules.suite,
        media_stops_after: rules.media_stop,
        removed_after: rules.removal,
    }
}

/// What members compare in heartbeats: who is in, and under which rules.
fn state_hash(group: &GroupMachine) -> [u8; 16] {
    let mut roster = Vec::new();
    for member in group.roster().iter() {
        roster.extend_from_slice(&member.leaf.0.to_be_bytes());
        roster.extend_from_slice(&member.id.0);
        roster.extend_from_slice(&[member.role.number()]);
        roster.extend_from_slice(&member.rights.bits().to_be_bytes());
    }
    shorten(&sha256_parts(&[STATE_LABEL, &roster, group.rules().to_bytes()]))
}
