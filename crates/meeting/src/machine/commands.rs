//! What the user wants.

use core::time::Duration;

use incamera_group::{CommitTurn, GroupInput, Lock, RuleEdit};
use incamera_types::{MemberId, Now, Pii};

use super::{MeetingMachine, Sent};
use crate::chat::ChatText;
use crate::error::CommandError;
use crate::event::{MediaStop, MeetingState, StopReason};
use crate::input::Command;
use crate::roster::RoleView;
use crate::wire::MeetingMessage;

/// Time after which we are out of a meeting that we ended even if the relay does not confirm it.
const END_WITHIN: Duration = Duration::from_secs(3);

/// Time after which we have left even if the log does not show our goodbye.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

impl MeetingMachine {
    pub(super) fn obey(&mut self, now: Now, command: Command) -> Result<(), CommandError> {
        let is_in = self.state == MeetingState::InMeeting && self.timers.leave_by.is_none();
        if command != Command::Leave && !is_in {
            return Err(CommandError::NotInMeeting);
        }
        match command {
            Command::Admit { knock } => {
                self.need_right()?;
                self.admit(now, knock, CommitTurn::Own)
            }
            Command::Deny { knock } => {
                self.need_right()?;
                self.deny(now, knock)
            }
            Command::Remove { member } => self.remove(now, member),
            Command::Lock => self.edit_rules(now, RuleEdit::SetLock(Lock::Locked)),
            Command::Unlock => self.edit_rules(now, RuleEdit::SetLock(Lock::Open)),
            Command::SetLobby { lobby } => self.edit_rules(now, RuleEdit::SetLobby(lobby.into())),
            Command::SendChat { text } => self.queue_chat(now, &text),
            Command::AnnounceStreams { streams } => self.streams.announce(&streams),
            Command::AskToRejoin { member } => self.ask_to_rejoin(now, member),
            Command::RequestTicket => {
                self.tickets.want(now.mono);
                Ok(())
            }
            Command::Leave => self.leave(now),
            Command::End => self.end(now),
        }
    }

    fn need_right(&self) -> Result<(), CommandError> {
        if self.may_admit() { Ok(()) } else { Err(CommandError::NotAllowed) }
    }

    fn remove(&mut self, now: Now, member: MemberId) -> Result<(), CommandError> {
        if self.own_member() == Some(member) {
            return Err(CommandError::Yourself);
        }
        self.tell_group(now, GroupInput::Remove { member, turn: CommitTurn::Own })
    }

    /// As rarely as we would ask by ourselves; asking again before that changes nothing.
    fn ask_to_rejoin(&mut self, now: Now, member: MemberId) -> Result<(), CommandError> {
        let opens = self.roster.get(member).ok_or(CommandError::NoSuchMember)?.media_opens;
        // It may have healed by itself meanwhile.
        if !opens {
            self.ask_for_repair(now, member);
        }
        Ok(())
    }

    fn edit_rules(&mut self, now: Now, edit: RuleEdit) -> Result<(), CommandError> {
        self.tell_group(now, GroupInput::EditRules(vec![edit]))
    }

    fn queue_chat(&mut self, now: Now, text: &Pii<String>) -> Result<(), CommandError> {
        let id = self.entropy.bytes();
        let text = ChatText { id, time_ms: now.unix_ms, text: text.reveal().as_bytes().to_vec() };
        self.chat.queue(text)
    }

    /// Says goodbye and goes when the log shows it: a goodbye that a commit overtakes is said again, so that who
    /// may admit removes our leaf now and not after a deadline of silence. Asked for once more, goes at once.
    fn leave(&mut self, now: Now) -> Result<(), CommandError> {
        let leaves_others_behind = self.roster.others().next().is_some() && self.is_own_witness();
        if leaves_others_behind {
            return Err(CommandError::LastHost);
        }
        let is_heard = self.state == MeetingState::InMeeting && self.session.is_open();
        if !is_heard || self.timers.leave_by.is_some() {
            self.stop(StopReason::Left);
            return Ok(());
        }
        self.stop_media(MediaStop::Stopped);
        self.timers.leave_by = Some(now.mono.plus(LEAVE_WITHIN));
        self.say_goodbye();
        Ok(())
    }

    pub(super) fn say_goodbye(&mut self) {
        self.append(&MeetingMessage::Leaving, Sent::Leaving);
    }

    /// Ends the meeting for everybody: the members are told first, then the relay forgets the room.
    fn end(&mut self, now: Now) -> Result<(), CommandError> {
        let is_host = self
            .roster
            .iter()
            .any(|view| Some(view.member) == self.own_member() && view.role == RoleView::Host);
        if !is_host || self.admin.is_none() {
            return Err(CommandError::NotAllowed);
        }
        if self.timers.end_by.is_none() {
            self.stop_media(MediaStop::Stopped);
            self.timers.end_by = Some(now.mono.plus(END_WITHIN));
            if self.session.is_open() {
                self.announce_end();
            }
        }
        Ok(())
    }
}
