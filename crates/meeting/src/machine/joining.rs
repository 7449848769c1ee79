//! Getting in: the joiner's side, and the way back for a member that lost the keys (SEC-19).

use incamera_group::{Expectation, GroupError, Joiner};
use incamera_identity::Fingerprint;
use incamera_relay_proto::{AdminAction, Blob, Incarnation, Request};
use incamera_types::Now;

use super::MeetingMachine;
use crate::codes::AlarmCode;
use crate::door::{Door, Overdue, Pause, Stage};
use crate::event::{MediaStop, MeetingState, StopReason};
use crate::knock::Replaced;
use crate::log::LogView;
use crate::membership::Membership;
use crate::reply::{Admission, Denial, Reply};
use crate::session::{Phase, Purpose};

impl MeetingMachine {
    /// The room is open to knock at: go on with the knock that was made, or ask for the card.
    pub(super) fn approach(&mut self, now: Now, incarnation: Incarnation) {
        let Some(door) = &mut self.door else { return };
        door.incarnation = Some(incarnation);
        door.expect_answer(now.mono);
        let request = match &door.resume {
            Some(resume) => (
                Purpose::Knock,
                Request::ResumeKnock { resume: resume.clone(), replies_seen: door.replies_seen },
            ),
            None => (Purpose::FetchCard, Request::FetchCard),
        };
        self.ask(request.0, request.1);
    }

    pub(super) fn card_shown(&mut self, now: Now, bytes: &[u8]) {
        let lobby_key = match self.card.check(now, bytes, self.safeguards) {
            Ok(lobby_key) => lobby_key,
            Err(code) => {
                self.alarm(now, code, None);
                return self.stop(StopReason::CardRefused);
            }
        };
        let Ok(joiner) = self.new_joiner() else { return self.stop(StopReason::CardRefused) };
        let Some(door) = &mut self.door else { return };
        let keys = (lobby_key, &self.proof_key);
        match door.knock(now, self.invite.room, joiner, keys, &mut self.entropy) {
            Some(Ok(request)) => {
                self.ask(Purpose::Knock, request);
                self.set_state(MeetingState::Knocking);
            }
            Some(Err(_)) => self.stop(StopReason::CardRefused),
            None => self.stop(StopReason::NotAnswered),
        }
    }

    fn new_joiner(&self) -> Result<Joiner, GroupError> {
        let entropy = Box::new(self.entropy.clone());
        let joiner = Joiner::new(self.name.clone(), self.identity.as_deref(), entropy)?;
        #[cfg(feature = "danger-sabotage")]
        let joiner = joiner.with_safeguards(self.group_safeguards);
        Ok(joiner)
    }

    /// A member replied to our knock, or the relay pretends so. After a Welcome that was believed no other counts:
    /// who signed it may admit and so could have denied, and if nobody confirms it we give up.
    pub(super) fn replied(&mut self, now: Now, number: u16, blob: &Blob) {
        let Some(door) = self.door.as_mut().filter(|door| !matches!(door.stage, Stage::Confirming { .. }))
        else {
            return;
        };
        if number <= door.replies_seen {
            return;
        }
        door.replies_seen = number;
        let sealed = blob.unpad().unwrap_or_default();
        match Reply::open(self.invite.room, door.nonce, &door.reply_key, sealed) {
            Ok(Reply::Admitted(admission)) => self.welcomed(now, &admission),
            Ok(Reply::Denied(Denial::Stale)) if door.called_old(now.mono) => {
                self.stop(StopReason::ClockWrong);
            }
            Ok(Reply::Denied(Denial::Stale)) => door.knock_again(now.mono, Pause::None),
            Ok(Reply::Denied(Denial::Locked)) => self.stop(StopReason::Locked),
            Ok(Reply::Denied(Denial::Full)) => self.stop(StopReason::Full),
            Ok(Reply::Denied(Denial::Version)) => self.stop(StopReason::Version),
            Ok(Reply::Denied(Denial::Host)) => self.stop(StopReason::Denied),
            Err(_) => self.alarm(now, AlarmCode::WelcomeRefused, None),
        }
    }

    /// Enters the group of a Welcome if it leads to the link; stays silent in it.
    fn welcomed(&mut self, now: Now, admission: &Admission) {
        let expectation =
            Expectation { room: self.invite.room, room_key: Fingerprint(self.invite.room_key_hash) };
        let Some(door) = &mut self.door else { return };
        let Ok(group) = door.join(now, &admission.welcome, &expectation) else {
            return self.alarm(now, AlarmCode::WelcomeRefused, None);
        };
        self.log = LogView::continuing(door.incarnation, admission.commit_seq, admission.log_hash);
        self.membership = Some(Membership::received(admission.secrets.clone()));
        self.group = Some(group);
        self.set_state(MeetingState::Joining);
        if !self.safeguards.wants_nonce_echo() {
            self.confirm_join(now);
        }
        self.open_room(now);
        self.tickets.want(now.mono);
    }

    /// An admitter's heartbeat echoed our nonce: we are in.
    pub(super) fn confirm_join(&mut self, now: Now) {
        if let Some(door) = self.door.take() {
            self.rejoin_key = Some(door.rejoin_key);
        }
        if let Some(group) = &mut self.group
            && group.confirm(now).is_err()
        {
            self.stop(StopReason::NotConfirmed);
        }
    }

    /// Whether knocks come to us: nobody else could let us in.
    pub(super) fn answers_knocks(&self) -> bool {
        self.lobby.key().is_some()
    }

    /// Nobody could add us again: without our keys the meeting is over for everybody. The relay tells them.
    fn lose_room(&mut self) {
        if let Some(admin) = &mut self.admin {
            admin.order(AdminAction::EndRoom);
        }
        self.send_orders();
        self.stop(StopReason::KeysLost);
    }

    /// The member as which the others know us.
    fn known_as(&mut self) -> Option<Replaced> {
        let committer = self.repair.take_committer();
        let (member, rejoin_key) = match self.door.take() {
            // The commit that added us took the leaf that we had before.
            Some(door) if self.state == MeetingState::Joining => {
                let added = self.group.as_ref().and_then(|group| group.own()).map(|member| member.id);
                (added?, door.rejoin_key)
            }
            Some(door) => return door.replaces,
            None => self.own_member().zip(self.rejoin_key.take())?,
        };
        Some(Replaced { member, rejoin_key, committer })
    }

    /// This member cannot follow the group any more: it knocks again, and its old leaf goes in the same commit.
    pub(super) fn rejoin(&mut self, now: Now) {
        // SEC-08: nothing more goes out under keys that are not the present ones, however long the rest takes.
        self.stop_media(MediaStop::Rejoining);
        if self.timers.leave_by.is_some() {
            return self.stop(StopReason::Left);
        }
        if self.answers_knocks() {
            return self.lose_room();
        }
        let from = self.repair.rejoin_from(now.mono);
        if from > now.mono {
            self.timers.rejoin_at = Some(from);
            return;
        }
        self.timers.rejoin_at = None;
        self.repair.rejoins(now.mono);
        let replaces = self.known_as();
        let door = Door::new(replaces, &mut self.entropy);
        let Ok(mut door) = door else { return self.stop(StopReason::RoomLost) };
        door.expect_answer(now.mono);
        self.door = Some(door);
        self.group = None;
        self.commit = None;
        self.sent.clear();
        self.early.clear();
        self.uncompared.clear();
        self.timers.ahead_since = None;
        self.set_state(MeetingState::Knocking);
        if self.session.phase() != Phase::Away {
            self.open_room(now);
        }
    }

    /// The relay has kept our knock for as long as it does, and nobody has decided: it is made again.
    pub(super) fn knock_expired(&mut self, now: Now) {
        if let Some(door) = self.door.as_mut().filter(|door| door.stage == Stage::Waiting) {
            door.knock_again(now.mono, Pause::None);
        }
    }

    /// Whoever goes while it waits takes its knock back: nobody decides about somebody who is gone.
    pub(super) fn withdraw_knock(&mut self) {
        let waits = self.door.as_ref().is_some_and(|door| door.stage == Stage::Waiting);
        if waits && self.session.phase() == Phase::AtTheDoor {
            self.ask(Purpose::Knock, Request::WithdrawKnock);
        }
    }

    /// What is overdue at the door.
    pub(super) fn check_door(&mut self, now: Now) {
        let Some(door) = &mut self.door else { return };
        if door.take_knock_due(now.mono) {
            if self.session.phase() == Phase::AtTheDoor {
                door.expect_answer(now.mono);
                self.ask(Purpose::FetchCard, Request::FetchCard);
            }
            return;
        }
        match door.take_overdue(now.mono) {
            None => {}
            Some(Overdue::Unanswered) => self.reconnect(now),
            Some(Overdue::NotAdmitted) => self.stop(StopReason::NotAnswered),
            Some(Overdue::Suspect) => self.alarm(now, AlarmCode::JoinUnconfirmed, None),
            Some(Overdue::NotConfirmed) => self.stop(StopReason::NotConfirmed),
        }
    }
}
