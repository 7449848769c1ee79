//! What happens by itself when time passes.

use core::time::Duration;

use incamera_group::{CommitTurn, GroupInput};
use incamera_relay_proto::{AdminAction, Blob, Lane};
use incamera_types::{MemberId, Mono, Now};

use super::{MediaFlow, MeetingMachine};
use crate::codes::AlarmCode;
use crate::confirmation::{View, ViewDeadlines};
use crate::event::{Event, MediaStop, MeetingState, StopReason};
use crate::foreign_epoch::epoch_of_entry;
use crate::liveness::{Deadlines, Standing};
use crate::output::Output;
use crate::session::Phase;

/// Entries of a later epoch for this long mean that a commit was kept from us.
const WITHHELD_AFTER: Duration = Duration::from_secs(2);

impl MeetingMachine {
    /// When [`crate::Input::Tick`] is wanted; `None` when nothing happens without an input.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Mono> {
        if self.state == MeetingState::Stopped {
            return None;
        }
        self.deadline
    }

    /// Computes the next deadline, at the end of every input.
    pub(super) fn find_next_deadline(&self, now: Mono) -> Option<Mono> {
        let live = self.session.phase() == Phase::Live;
        let is_in = self.state == MeetingState::InMeeting;
        let deadlines = self.deadlines();
        let withheld = self.timers.ahead_since.map(|since| since.plus(WITHHELD_AFTER));
        let candidates = [
            self.door.as_ref().and_then(crate::door::Door::next_deadline),
            self.group.as_ref().and_then(incamera_group::GroupMachine::poll_timeout),
            self.clock.due().filter(|_| live && is_in),
            self.liveness.next_deadline(now, deadlines).filter(|_| is_in),
            self.confirmation.next_deadline(now, self.view_deadlines()).filter(|_| is_in),
            self.tickets.due().filter(|_| self.session.is_open()),
            self.founder.as_ref().and_then(crate::host::Founder::card_due).filter(|_| live),
            self.timers.reopen_at,
            self.timers.reconnect_at,
            self.answer_due(),
            self.timers.rejoin_at,
            self.timers.resend_at,
            self.timers.recommit_at,
            self.timers.end_by,
            self.timers.leave_by,
            self.timers.key_frames_at,
            withheld.filter(|_| is_in),
        ];
        candidates.into_iter().flatten().min()
    }

    fn deadlines(&self) -> Deadlines {
        let default = incamera_group::RoomSettings::default();
        self.rules.as_ref().map_or(
            Deadlines { media_stops_after: default.media_stop, removed_after: default.removal },
            crate::rules::RulesView::deadlines,
        )
    }

    fn view_deadlines(&self) -> ViewDeadlines {
        ViewDeadlines {
            heartbeat_every: self.own_pace(),
            media_stops_after: self.deadlines().media_stops_after,
        }
    }

    pub(super) fn check_timers(&mut self, now: Now) {
        let is_due = |timer: &mut Option<Mono>| timer.take_if(|at| *at <= now.mono).is_some();
        if is_due(&mut self.timers.reopen_at) && self.session.phase() != Phase::Away {
            self.open_room(now);
        }
        if is_due(&mut self.timers.reconnect_at) {
            self.reconnect(now);
        }
        if self.answer_due().is_some_and(|due| due <= now.mono) {
            // A relay that does not go on: another connection may do better.
            self.reconnect(now);
        }
        if is_due(&mut self.timers.rejoin_at) {
            self.rejoin(now);
        }
        if is_due(&mut self.timers.resend_at) {
            self.send_again();
        }
        if is_due(&mut self.timers.recommit_at) {
            self.send_commit_again(now);
        }
        if is_due(&mut self.timers.key_frames_at) {
            self.timers.key_frames_asked = Some(now.mono);
            self.outputs.push_back(Output::ForceKeyFrames);
        }
        if is_due(&mut self.timers.end_by) {
            self.stop(StopReason::EndUnconfirmed);
        }
        if is_due(&mut self.timers.leave_by) {
            self.stop(StopReason::Left);
        }
        if self.founder.as_ref().and_then(crate::host::Founder::card_due).is_some_and(|due| due <= now.mono)
            && self.session.phase() == Phase::Live
        {
            self.renew_card(now);
        }
    }

    /// A new card before the old one is too old; it is put up like any order.
    pub(super) fn renew_card(&mut self, now: Now) {
        let Some(lobby_key) = self.lobby_public_key() else { return };
        let (Some(founder), Some(admin)) = (&mut self.founder, &mut self.admin) else { return };
        if let Ok(card) = founder.next_card(now, lobby_key, admin) {
            admin.order(AdminAction::PutCard(card));
        }
    }

    /// Our own view: confirmed, counting down, or dead (SEC-08).
    ///
    /// Media starts only when the log is read to the head that the relay states: what is not read yet may be a
    /// removal, and whoever was removed could open what we send before we know (SEC-05).
    pub(super) fn check_view(&mut self, now: Now) {
        if self.state != MeetingState::InMeeting || self.timers.rejoin_at.is_some() {
            return;
        }
        let view = if self.safeguards.watches_liveness() {
            self.confirmation.view(now.mono, self.view_deadlines())
        } else {
            View::Confirmed
        };
        let has_read = self.session.phase() == Phase::Live;
        match (view, self.media) {
            (View::Confirmed, MediaFlow::NotYet | MediaFlow::Stopped(MediaStop::Rejoining)) if has_read => {
                self.start_media();
            }
            (View::Confirmed, MediaFlow::Degraded | MediaFlow::Stopped(MediaStop::LinkLost)) if has_read => {
                self.emit(Event::LinkRestored);
                self.start_media();
            }
            (View::Degraded { stops_in }, MediaFlow::Flowing) => {
                self.media = MediaFlow::Degraded;
                self.emit(Event::LinkDegraded { media_stops_in: stops_in });
                if self.session.phase() == Phase::Live {
                    // The relay answers, but nobody who may admit does.
                    self.alarm(now, AlarmCode::ViewUnconfirmed, None);
                }
            }
            (View::Dead, MediaFlow::Flowing | MediaFlow::Degraded) => self.stop_media(MediaStop::LinkLost),
            _ => {}
        }
    }

    /// Members silent for the room's removal deadline go, if we may and the log can take it.
    pub(super) fn remove_silent(&mut self, now: Now) {
        if self.session.phase() != Phase::Live || !self.may_admit() || !self.safeguards.watches_liveness() {
            return;
        }
        let overdue: Vec<MemberId> = self.liveness.silent(Standing::Overdue).collect();
        for member in overdue {
            self.tell_group(now, GroupInput::Remove { member, turn: CommitTurn::Shared }).ok();
        }
    }

    /// Notices entries of epochs that we were not led into. Whoever may append can forge them.
    pub(super) fn watch_epoch(&mut self, now: Now, lane: Lane, blob: &Blob) {
        let Some((own, group)) = self.group.as_ref().map(|group| (group.epoch(), group.group_id())) else {
            return;
        };
        let claimed = blob.unpad().ok().and_then(|entry| epoch_of_entry(entry, &group));
        // Members seal messages in the epoch that they are in; a commit of a later epoch says nothing yet.
        let is_ahead = lane == Lane::Application && claimed.is_some_and(|epoch| epoch > own);
        if is_ahead && self.timers.ahead_since.is_none() {
            self.timers.ahead_since = Some(now.mono);
        }
    }

    /// Shows that a commit seems to be kept from us. As that can be forged, our keys are given up only when,
    /// besides, nobody has confirmed our view until the deadline: then they are worth nothing any more.
    pub(super) fn check_withheld(&mut self, now: Now) {
        let withheld = self.timers.ahead_since.is_some_and(|since| now.mono.since(since) >= WITHHELD_AFTER);
        if !withheld || self.state != MeetingState::InMeeting || !self.safeguards.detects_forks() {
            return;
        }
        self.timers.ahead_since = None;
        self.alarm(now, AlarmCode::CommitWithheld, None);
        if self.media == MediaFlow::Stopped(MediaStop::LinkLost) && !self.answers_knocks() {
            self.rejoin(now);
        }
    }
}
