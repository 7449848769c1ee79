//! What the relay says, and the conversation with it. Everything here is hostile: an answer counts only for
//! what was asked, entries only in order.

use core::time::Duration;

use incamera_group::GroupInput;
use incamera_relay_proto::{
    Access, Blob, ClientRef, EndReason, Lane, Opened, RelayFault, RelayFaultCode, Request, Seq, ServerMessage,
};
use incamera_types::{Mono, Now, PROTOCOL_VERSION};

use super::MeetingMachine;
use crate::absence::RELAY_AWAY_LIMIT;
use crate::codes::AlarmCode;
use crate::confirmation::LinkState;
use crate::door::{Door, Pause, Stage};
use crate::event::StopReason;
use crate::host::Created;
use crate::link_keys::knock_capability;
use crate::log::{Comparison, Place};
use crate::membership::Membership;
use crate::output::Output;
use crate::rotation::Admin;
use crate::session::{Phase, Purpose};

/// Pause before asking again for a room that the relay does not know (its host has to make it again).
const REOPEN_AFTER: Duration = Duration::from_secs(1);

/// Time after which a room that the relay does not know counts as lost.
const ROOM_LOST_AFTER: Duration = Duration::from_secs(60);

/// Shortest time between two connections that we give up because of what came on them.
const RECONNECT_EVERY: Duration = Duration::from_secs(5);

/// Pause before sending again what the relay refused without saying for how long.
const RESEND_AFTER: Duration = Duration::from_secs(1);

/// Time in which the relay must go on with the conversation until what it sends is live.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

impl MeetingMachine {
    pub(super) fn relay_connected(&mut self, now: Now) {
        self.session.lost();
        self.session.set_phase(Phase::Greeting);
        self.confirmation.set_link(LinkState::Up);
        if let Some(door) = &mut self.door {
            door.expect_answer(now.mono);
        }
        self.timers.answer_by = Some(now.mono.plus(ANSWER_WITHIN));
        self.ask(Purpose::Greet, Request::Hello { version: PROTOCOL_VERSION });
    }

    /// By when the relay must say something; `None` while nothing is waited for.
    pub(super) fn answer_due(&self) -> Option<Mono> {
        let waits = matches!(self.session.phase(), Phase::Greeting | Phase::Opening | Phase::CatchingUp)
            && self.timers.reopen_at.is_none();
        self.timers.answer_by.filter(|_| waits)
    }

    pub(super) fn relay_lost(&mut self, now: Now) {
        self.session.lost();
        self.liveness.link_lost(now.mono);
        self.confirmation.set_link(LinkState::Down);
        self.tickets.link_lost(now.mono);
        self.timers.reopen_at = None;
        self.timers.reconnect_at = None;
        self.timers.room_missing_since = None;
        if let Some(admin) = &mut self.admin {
            admin.link_lost();
        }
        if let Some(door) = &mut self.door {
            door.link_lost();
        }
        if self.absence.notice(now.mono) >= RELAY_AWAY_LIMIT {
            let was_in = self.roster.len() > 0;
            self.stop(if was_in { StopReason::RoomLost } else { StopReason::NotAnswered });
        }
    }

    pub(super) fn relay_said(&mut self, now: Now, message: ServerMessage) {
        self.absence.end();
        self.timers.answer_by = Some(now.mono.plus(ANSWER_WITHIN));
        match message {
            ServerMessage::Hello { version } => self.greeted(now, version),
            ServerMessage::Opened(opened) => self.opened(now, opened),
            ServerMessage::Card { in_reply_to, card } => {
                if self.is_answer(now, in_reply_to, Purpose::FetchCard) {
                    self.card_shown(now, &card);
                }
            }
            ServerMessage::KnockTaken { in_reply_to, .. } => {
                if self.is_answer(now, in_reply_to, Purpose::Knock)
                    && let Some(door) = &mut self.door
                {
                    door.taken(now.mono);
                }
            }
            ServerMessage::Knocked { knock, blob } => self.knocked(now, knock, &blob),
            ServerMessage::KnockClosed { knock } => self.knock_closed(now, knock),
            ServerMessage::Replied { number, blob, .. } => self.replied(now, number, &blob),
            ServerMessage::Appended { in_reply_to, seq } => self.appended(now, in_reply_to, seq),
            ServerMessage::Entry { seq, lane, blob } => self.entry(now, seq, lane, &blob),
            ServerMessage::CaughtUp { seq } => self.caught_up(now, seq),
            ServerMessage::Rotated { .. } => self.capability_retired(now),
            ServerMessage::OrderDone { in_reply_to, counter } => self.order_done(in_reply_to, counter),
            ServerMessage::Ticket { in_reply_to, ticket } => {
                self.session.answered(in_reply_to);
                match self.tickets.receive(now, in_reply_to, ticket) {
                    Some(ticket) => {
                        self.streams.set_own_identity(ticket.identity);
                        self.outputs.push_back(Output::UseTicket(ticket));
                    }
                    None => self.alarm(now, AlarmCode::RelayMalformed, None),
                }
            }
            ServerMessage::RoomEnded(reason) => self.room_ended(now, reason),
            ServerMessage::Error(fault) => self.refused(now, fault),
        }
    }

    /// Whether an answer belongs to a request of this purpose.
    fn is_answer(&mut self, now: Now, in_reply_to: ClientRef, purpose: Purpose) -> bool {
        let matches = self.session.answered(in_reply_to) == Some(purpose);
        if !matches {
            self.alarm(now, AlarmCode::RelayMalformed, None);
        }
        matches
    }

    fn greeted(&mut self, now: Now, version: u16) {
        if self.session.phase() != Phase::Greeting {
            return self.alarm(now, AlarmCode::RelayMalformed, None);
        }
        if version != PROTOCOL_VERSION {
            return self.stop(StopReason::Version);
        }
        self.open_room(now);
    }

    /// Asks for the room, as what we are at present: somebody at the door, the founder, or a member.
    pub(super) fn open_room(&mut self, now: Now) {
        self.session.set_phase(Phase::Opening);
        self.timers.reopen_at = None;
        self.timers.answer_by = Some(now.mono.plus(ANSWER_WITHIN));
        let request = if self.at_the_door() {
            self.open_door()
        } else if self.founder.as_ref().is_some_and(|founder| founder.created() == Created::No) {
            self.create_room(now)
        } else {
            self.membership.as_ref().map(|membership| {
                let capability = membership.capability();
                let from = self.log.wanted();
                (
                    Purpose::Open,
                    Request::Open { room: self.invite.room, access: Access::Member, capability, from },
                )
            })
        };
        match request {
            Some((purpose, request)) => {
                self.ask(purpose, request);
            }
            None => self.stop(StopReason::RoomLost),
        }
    }

    /// Whether a knock has to be made or answered before anything else.
    fn at_the_door(&self) -> bool {
        self.door.as_ref().is_some_and(|door| !matches!(door.stage, Stage::Confirming { .. }))
    }

    fn open_door(&self) -> Option<(Purpose, Request)> {
        let capability = knock_capability(&self.invite.secret, self.invite.room).ok()?;
        let room = self.invite.room;
        Some((Purpose::Open, Request::Open { room, access: Access::Knock, capability, from: Seq(0) }))
    }

    fn create_room(&mut self, now: Now) -> Option<(Purpose, Request)> {
        let lobby_key = self.lobby_public_key()?;
        let (founder, admin) = (self.founder.as_mut()?, self.admin.as_ref()?);
        let create = founder.create(now, lobby_key, admin, self.membership.as_ref()?).ok()?;
        Some((Purpose::Create, Request::CreateRoom(create)))
    }

    fn opened(&mut self, now: Now, opened: Opened) {
        let purpose = self.session.answered(opened.in_reply_to);
        if self.session.phase() != Phase::Opening || !matches!(purpose, Some(Purpose::Open | Purpose::Create))
        {
            return self.alarm(now, AlarmCode::RelayMalformed, None);
        }
        if self.at_the_door() {
            self.timers.room_missing_since = None;
            self.session.set_phase(Phase::AtTheDoor);
            return self.approach(now, opened.incarnation);
        }
        if let Some(founder) = &mut self.founder {
            founder.set_created(Created::Yes);
        }
        if let (Some(Purpose::Create), Some(admin)) = (purpose, &mut self.admin) {
            admin.made_room();
        }
        if let Some(membership) = &mut self.membership {
            membership.taken();
        }
        if !self.log.check_incarnation(opened.incarnation) {
            self.alarm(now, AlarmCode::RelayRestarted, None);
            let authenticator = self.group.as_ref().map(|group| group.authenticator()).unwrap_or_default();
            self.log.restart(opened.incarnation, &authenticator);
            self.uncompared.clear();
            self.forget_knocks(now);
            // We asked for a position of the old life; this one has to be read from its beginning.
            return self.open_room(now);
        }
        if opened.oldest > self.log.wanted() {
            return self.entries_missing(now);
        }
        self.timers.room_missing_since = None;
        if let Some(admin) = &mut self.admin {
            admin.opened(opened.admin_counter);
        }
        let read_only = opened.read_only_until.is_some();
        self.session.set_phase(if read_only { Phase::ReadOnly } else { Phase::CatchingUp });
        self.liveness.delivered(now.mono);
    }

    fn caught_up(&mut self, now: Now, seq: Seq) {
        match self.session.phase() {
            Phase::CatchingUp if seq == self.log.last() => {
                self.session.set_phase(Phase::Live);
                self.clock.send_now(now.mono);
                self.send_again();
                self.send_commit_again(now);
                if self.admin.as_ref().is_some_and(Admin::is_unknown) {
                    self.renew_card(now);
                }
            }
            // We make the capabilities ourselves: the relay is wrong and asked again.
            Phase::ReadOnly if self.answers_knocks() => {
                self.alarm(now, AlarmCode::RelayRefused, None);
                self.timers.reopen_at = Some(now.mono.plus(REOPEN_AFTER));
            }
            // The entry with the new capability should have been among what we could read.
            Phase::ReadOnly => {
                self.alarm(now, AlarmCode::KeysLost, None);
                self.rejoin(now);
            }
            Phase::CatchingUp => {
                self.alarm(now, AlarmCode::LogGap, None);
                self.reconnect(now);
            }
            // The end of what was opened before the room was opened anew, in another life of its log.
            Phase::Opening => {}
            _ => self.alarm(now, AlarmCode::RelayMalformed, None),
        }
    }

    /// Asks for another connection, not more often than sensible: a hostile relay must not keep us busy.
    pub(super) fn reconnect(&mut self, now: Now) {
        self.session.set_phase(Phase::Away);
        let earliest = self.timers.reconnected.map_or(now.mono, |last| last.plus(RECONNECT_EVERY));
        if earliest > now.mono {
            self.timers.reconnect_at = Some(earliest);
            return;
        }
        self.timers.reconnected = Some(now.mono);
        self.outputs.push_back(Output::Reconnect);
    }

    /// Everything under way may be lost: seal it again. What arrived after all is recognised and taken once.
    pub(super) fn send_again(&mut self) {
        self.chat.unseal_all();
        self.streams.repeat();
        self.answers.repeat();
        self.secrets_sent_in = None;
        if self.timers.leave_by.is_some() {
            self.say_goodbye();
        }
        if self.timers.end_by.is_some() {
            self.announce_end();
        }
    }

    fn capability_retired(&mut self, now: Now) {
        if self.at_the_door() {
            return;
        }
        // The new capability usually came before: it is told to the members first.
        self.open_room(now);
    }

    /// A newer capability is known: use it if the relay asked for it.
    pub(super) fn capability_renewed(&mut self, now: Now) {
        if self.session.phase() == Phase::ReadOnly {
            self.open_room(now);
        }
    }

    fn entry(&mut self, now: Now, seq: Seq, lane: Lane, blob: &Blob) {
        if self.group.is_none()
            || !matches!(self.session.phase(), Phase::CatchingUp | Phase::Live | Phase::ReadOnly)
        {
            return;
        }
        self.liveness.delivered(now.mono);
        if self.safeguards.enforces_log_order() {
            match self.log.place(seq) {
                Place::Next => {}
                Place::Repeated => return self.alarm(now, AlarmCode::LogReplay, None),
                Place::Gap => {
                    self.alarm(now, AlarmCode::LogGap, None);
                    return self.reconnect(now);
                }
            }
        }
        let compared = self.log.take(seq, lane, blob);
        self.judge_log(now, compared);
        self.watch_epoch(now, lane, blob);
        match blob.unpad() {
            Ok(payload) => {
                let seq = self.log.lasting(seq);
                self.tell_group(now, GroupInput::LogEntry { seq, blob: payload.to_vec() }).ok();
            }
            Err(_) => self.alarm(now, AlarmCode::RelayMalformed, None),
        }
    }

    /// The relay says where an own entry is: there everybody must be shown it, ourselves included (SEC-09).
    fn appended(&mut self, now: Now, in_reply_to: ClientRef, seq: Seq) {
        if let Some(digest) = self.session.appended(in_reply_to) {
            let compared = self.log.promised(seq, digest);
            self.judge_log(now, compared);
        }
    }

    fn judge_log(&mut self, now: Now, compared: Comparison) {
        if compared == Comparison::Forked && self.safeguards.detects_forks() {
            self.alarm(now, AlarmCode::ForkLog, None);
        }
    }

    fn order_done(&mut self, in_reply_to: ClientRef, counter: u64) {
        self.session.answered(in_reply_to);
        let done = self.admin.as_mut().and_then(|admin| admin.done(in_reply_to, counter));
        if matches!(done, Some(incamera_relay_proto::AdminAction::EndRoom)) {
            self.stop(StopReason::Ended);
        }
    }

    fn room_ended(&mut self, now: Now, reason: EndReason) {
        match reason {
            EndReason::Ordered if self.timers.end_by.is_some() => self.stop(StopReason::Ended),
            EndReason::Ordered | EndReason::Expired if self.founder.is_none() => {
                self.stop(StopReason::RoomLost);
            }
            _ => {
                self.alarm(now, AlarmCode::RelayRestarted, None);
                self.room_missing(now);
            }
        }
    }

    /// The relay has no such room: the founder makes it again, the others wait for that (wire.md §5).
    fn room_missing(&mut self, now: Now) {
        if let Some(founder) = &mut self.founder {
            founder.set_created(Created::No);
        }
        self.ask_later(now, if self.founder.is_some() { Duration::ZERO } else { REOPEN_AFTER });
    }

    /// The relay has forgotten entries that we have not read: whoever can be let in again knocks. Who lets others in
    /// cannot, and for what may be a lie it does not give the meeting up at once.
    fn entries_missing(&mut self, now: Now) {
        if self.answers_knocks() {
            self.alarm(now, AlarmCode::LogGap, None);
            return self.ask_later(now, REOPEN_AFTER);
        }
        self.alarm(now, AlarmCode::KeysLost, None);
        self.rejoin(now);
    }

    /// The room is not what it was: it is asked for again, until it counts as lost.
    fn ask_later(&mut self, now: Now, pause: Duration) {
        let since = *self.timers.room_missing_since.get_or_insert(now.mono);
        if now.mono.since(since) >= ROOM_LOST_AFTER {
            return self.stop(StopReason::RoomLost);
        }
        self.session.set_phase(Phase::Opening);
        self.timers.reopen_at = Some(now.mono.plus(pause));
    }

    fn refused(&mut self, now: Now, fault: RelayFault) {
        let Some(in_reply_to) = fault.in_reply_to else {
            return match fault.code {
                RelayFaultCode::Version => self.stop(StopReason::Version),
                RelayFaultCode::NoKnock => self.knock_expired(now),
                // Whatever else it is, the relay closes the connection.
                _ => {}
            };
        };
        match self.session.answered(in_reply_to) {
            Some(Purpose::Greet) => self.stop(StopReason::Version),
            Some(Purpose::Open) => self.open_refused(now, fault.code),
            Some(Purpose::Create) => self.create_refused(now, fault.code),
            Some(Purpose::Knock) => self.knock_refused(now, fault.code),
            Some(Purpose::FetchCard) => self.stop(StopReason::NoSuchRoom),
            Some(Purpose::Ticket) => {
                if self.tickets.refused(now.mono, in_reply_to) {
                    self.alarm(now, AlarmCode::TicketRefused, None);
                }
            }
            Some(Purpose::Order) => self.order_refused(now, in_reply_to, fault),
            Some(Purpose::Message) => self.timers.resend_at = Some(now.mono.plus(pause_of(fault))),
            // A newer commit took the place of one that waits for an answer.
            Some(Purpose::Commit) if self.session.waits_for(Purpose::Commit) => {}
            Some(Purpose::Commit) => self.timers.recommit_at = Some(now.mono.plus(pause_of(fault))),
            // The next heartbeat is as good as this one.
            Some(Purpose::Heartbeat) => {}
            Some(Purpose::Reply) => self.reply_refused(now, in_reply_to, fault),
            None => self.alarm(now, AlarmCode::RelayMalformed, None),
        }
    }

    fn open_refused(&mut self, now: Now, code: RelayFaultCode) {
        let at_the_door = self.at_the_door();
        if code == RelayFaultCode::Denied
            && !at_the_door
            && self.membership.as_mut().is_some_and(Membership::denied)
        {
            // It may not have been told of the newest capability yet.
            return self.open_room(now);
        }
        match (code, at_the_door) {
            (RelayFaultCode::NoRoom, true) if self.roster.len() == 0 => self.stop(StopReason::NoSuchRoom),
            (RelayFaultCode::NoRoom, _) => self.room_missing(now),
            (RelayFaultCode::Denied, true) => self.stop(StopReason::LinkRefused),
            (RelayFaultCode::RoomFull, true) if self.door.as_mut().is_some_and(Door::turned_back) => {
                self.stop(StopReason::Full);
            }
            // Our capability is many rotations old: we were away for long.
            (RelayFaultCode::Denied, false) if !self.answers_knocks() => self.rejoin(now),
            _ => {
                self.alarm(now, AlarmCode::RelayRefused, None);
                self.timers.reopen_at = Some(now.mono.plus(REOPEN_AFTER));
            }
        }
    }

    fn create_refused(&mut self, now: Now, code: RelayFaultCode) {
        if code == RelayFaultCode::RoomExists && self.log.incarnation().is_some() {
            // It was not lost after all.
            if let Some(founder) = &mut self.founder {
                founder.set_created(Created::Yes);
            }
            return self.open_room(now);
        }
        self.alarm(now, AlarmCode::RelayRefused, None);
        self.stop(StopReason::CreateRefused);
    }

    fn knock_refused(&mut self, now: Now, code: RelayFaultCode) {
        let Some(door) = &mut self.door else { return };
        match code {
            RelayFaultCode::LobbyFull | RelayFaultCode::TooFast => {
                door.knock_again(now.mono, Pause::Crowded);
                self.alarm(now, AlarmCode::RelayRefused, None);
            }
            RelayFaultCode::NoKnock => door.knock_again(now.mono, Pause::None),
            _ => {
                self.alarm(now, AlarmCode::RelayRefused, None);
                self.stop(StopReason::LinkRefused);
            }
        }
    }

    fn order_refused(&mut self, now: Now, in_reply_to: ClientRef, fault: RelayFault) {
        let Some(admin) = &mut self.admin else { return };
        match fault.code {
            RelayFaultCode::StaleOrder => admin.overtaken(fault.detail),
            RelayFaultCode::Busy | RelayFaultCode::TooFast => {
                admin.give_again();
                self.timers.resend_at = Some(now.mono.plus(pause_of(fault)));
            }
            _ => {
                admin.refused(in_reply_to);
                self.timers.resend_at = Some(now.mono.plus(RESEND_AFTER));
                self.alarm(now, AlarmCode::RelayRefused, None);
            }
        }
    }

    /// The next order of the admin key, when the relay can take it.
    pub(super) fn send_orders(&mut self) {
        let Some(incarnation) = self.log.incarnation() else { return };
        if self.session.phase() != Phase::Live || self.timers.resend_at.is_some() {
            return;
        }
        let room = self.invite.room;
        let next = self.admin.as_mut().and_then(|admin| admin.next_order(room, incarnation));
        // An order that cannot be written is a defect of our own and is dropped.
        if let Some(Ok((action, request))) = next {
            let client_ref = self.ask(Purpose::Order, request);
            if let Some(admin) = &mut self.admin {
                admin.given(client_ref, action);
            }
        }
    }
}

/// How long to wait before what the relay refused is sent again.
pub(super) fn pause_of(fault: RelayFault) -> Duration {
    match fault.code {
        RelayFaultCode::Busy | RelayFaultCode::TooFast if fault.detail > 0 => {
            Duration::from_millis(fault.detail.min(30_000))
        }
        _ => RESEND_AFTER,
    }
}
