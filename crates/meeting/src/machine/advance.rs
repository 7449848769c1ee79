//! What follows from every input: the group's answers, what is overdue, and what can be sent now.

use incamera_group::GroupInput;
use incamera_relay_proto::Request;
use incamera_types::{Epoch, Now};

use super::{MeetingMachine, Sent};
use crate::event::MeetingState;
use crate::session::{Phase, Purpose};
use crate::wire::MeetingMessage;

impl MeetingMachine {
    pub(super) fn advance(&mut self, now: Now) {
        self.check_timers(now);
        self.check_door(now);
        self.found_group(now);
        self.check_liveness(now);
        self.check_view(now);
        self.check_withheld(now);
        self.remove_silent(now);
        self.admit_by_rule(now);
        self.set_online(now);
        if self.group.as_ref().and_then(|group| group.poll_timeout()).is_some_and(|due| due <= now.mono) {
            self.tell_group(now, GroupInput::Tick).ok();
        }
        self.send_due(now);
        self.deadline = self.find_next_deadline(now.mono);
    }

    /// The founder's own group begins when the room exists at the relay.
    fn found_group(&mut self, now: Now) {
        if self.state == MeetingState::Connecting && self.founder.is_some() && self.session.is_open() {
            self.drain_group(now);
            self.tickets.want(now.mono);
        } else if self.group.is_some() && self.state != MeetingState::Connecting {
            self.drain_group(now);
        }
    }

    /// Sends what the relay can take now.
    fn send_due(&mut self, now: Now) {
        if self.session.is_open() {
            self.send_commit();
            self.ask_for_ticket(now);
        }
        if self.session.phase() != Phase::Live || self.state != MeetingState::InMeeting {
            return;
        }
        self.send_answers(now);
        if self.clock.due().is_some_and(|due| due <= now.mono) {
            self.send_heartbeat(now);
        }
        self.send_secrets();
        self.send_chat();
        if let Some(announcement) = self.streams.take_due() {
            self.append(&MeetingMessage::Streams(announcement), Sent::Streams);
        }
        self.send_orders();
    }

    fn send_chat(&mut self) {
        let Some(epoch) = self.group.as_ref().map(incamera_group::GroupMachine::epoch) else { return };
        self.send_chat_in(epoch);
    }

    fn send_chat_in(&mut self, epoch: Epoch) {
        for text in self.chat.seal_in(epoch) {
            let id = text.id;
            self.append(&MeetingMessage::Chat(text), Sent::Chat(id));
        }
    }

    fn ask_for_ticket(&mut self, now: Now) {
        if self.tickets.due().is_none_or(|due| due > now.mono) {
            return;
        }
        let renew = self.tickets.holder();
        let client_ref = self.ask(Purpose::Ticket, Request::RequestTicket { renew });
        self.tickets.asked(client_ref);
    }
}
