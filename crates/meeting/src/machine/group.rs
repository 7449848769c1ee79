//! What the group tells the meeting.

use std::sync::Arc;

use incamera_group::{ApplicationId, ApplicationOutcome, GroupError, GroupInput, GroupOutput, Refusal};
use incamera_relay_proto::{Blob, Lane, Request};
use incamera_types::{MemberId, Now};

use super::{MeetingMachine, Sent};
use crate::codes::AlarmCode;
use crate::error::CommandError;
use crate::event::StopReason;
use crate::liveness::CONFIRMED_FOR;
use crate::session::{Phase, Purpose};

impl MeetingMachine {
    /// Hands an input to the group and takes what it answers.
    pub(super) fn tell_group(&mut self, now: Now, input: GroupInput) -> Result<(), CommandError> {
        let Some(group) = &mut self.group else { return Err(CommandError::NotInMeeting) };
        let told = group.handle_input(now, input).map_err(|error| match error {
            GroupError::NotAllowed => CommandError::NotAllowed,
            GroupError::UnknownMember => CommandError::NoSuchMember,
            GroupError::Rules(_) => CommandError::Rules,
            GroupError::StillJoining | GroupError::NotMember => CommandError::NotInMeeting,
            _ => CommandError::Group,
        });
        self.drain_group(now);
        told
    }

    pub(super) fn drain_group(&mut self, now: Now) {
        while let Some(output) = self.group.as_mut().and_then(incamera_group::GroupMachine::poll_output) {
            self.group_said(now, output);
        }
    }

    fn group_said(&mut self, now: Now, output: GroupOutput) {
        match output {
            GroupOutput::AppendCommit { blob } => self.append_commit(&blob),
            GroupOutput::SendWelcome { admission, welcome } => self.send_welcome(admission, &welcome),
            GroupOutput::AdmissionFailed { admission, reason } => self.admission_failed(admission, reason),
            GroupOutput::RemovalFailed { member, .. } => {
                self.alarm(now, AlarmCode::RemovalFailed, Some(member));
            }
            GroupOutput::RulesFailed { .. } => self.alarm(now, AlarmCode::RulesFailed, None),
            GroupOutput::EpochStarted(started) => {
                self.enter_epoch(now, *started);
                self.take_early(now);
            }
            GroupOutput::ApplicationReceived { seq, sender, leaf, bytes } => {
                self.message_came(now, seq, (sender, leaf), bytes.reveal());
            }
            GroupOutput::ApplicationSettled { id, outcome } => self.message_settled(now, id, outcome),
            GroupOutput::EntrySkipped { reason, sender, .. } => self.entry_skipped(now, reason, sender),
            GroupOutput::Removed { .. } => self.removed(now),
            GroupOutput::MustRejoin { committer } => {
                self.alarm(now, AlarmCode::KeysLost, Some(committer));
                self.repair.left_behind(committer);
                self.rejoin(now);
            }
        }
    }

    /// The newest own commit; the log gets it when it can take it and we have read it: before that the commit may
    /// be for an epoch that is over. The group sends it again until then.
    fn append_commit(&mut self, blob: &Arc<[u8]>) {
        if let Ok(blob) = Blob::pad(blob) {
            self.commit = Some(Request::Append { lane: Lane::Commit, blob });
        }
    }

    pub(super) fn send_commit(&mut self) {
        if self.session.phase() == Phase::Live
            && let Some(commit) = self.commit.take()
        {
            self.ask(Purpose::Commit, commit);
        }
    }

    /// What the log does not show by now did not get there.
    pub(super) fn send_commit_again(&mut self, now: Now) {
        self.tell_group(now, GroupInput::SendAgain).ok();
    }

    /// Seals a message to the members and appends it.
    pub(super) fn append(&mut self, message: &crate::wire::MeetingMessage, sent: Sent) -> bool {
        let Some(group) = &mut self.group else { return false };
        let Ok(bytes) = message.to_bytes() else { return false };
        let Ok(sealed) = group.seal_application(&bytes) else { return false };
        let Ok(blob) = Blob::pad(&sealed.blob) else { return false };
        self.sent.insert(sealed.id, sent);
        let purpose = if matches!(sent, Sent::Heartbeat(_)) { Purpose::Heartbeat } else { Purpose::Message };
        self.ask(purpose, Request::Append { lane: Lane::Application, blob });
        true
    }

    /// The log shows what became of an own message.
    fn message_settled(&mut self, now: Now, id: ApplicationId, outcome: ApplicationOutcome) {
        let Some(sent) = self.sent.remove(&id) else { return };
        match (sent, outcome) {
            (Sent::Heartbeat(counter), ApplicationOutcome::Delivered { .. }) => {
                let sent = self.liveness.placed(counter, self.log.last().0);
                let is_news = sent.is_some_and(|sent| now.mono.since(sent) <= CONFIRMED_FOR);
                if let Some(sent) = sent.filter(|_| is_news && self.is_own_witness()) {
                    self.confirmation.confirm(now.mono, sent);
                }
            }
            (Sent::Chat(id), ApplicationOutcome::Delivered { seq }) => self.own_chat_placed(seq, id),
            (Sent::Secrets(generation), ApplicationOutcome::Delivered { .. }) => {
                self.secrets_told(now, generation);
            }
            (Sent::Ended, ApplicationOutcome::Delivered { .. }) => {
                if let Some(admin) = &mut self.admin {
                    admin.order(incamera_relay_proto::AdminAction::EndRoom);
                }
            }
            // A commit came first: nobody can read it, so it is sealed again in the new epoch.
            (Sent::Streams, ApplicationOutcome::Missed) => self.streams.repeat(),
            (Sent::Secrets(_), ApplicationOutcome::Missed) => self.secrets_sent_in = None,
            (Sent::Heartbeat(_), ApplicationOutcome::Missed) => self.clock.hurry(now.mono),
            (Sent::Ended, ApplicationOutcome::Missed) => self.announce_end(),
            (Sent::Leaving, ApplicationOutcome::Missed) => self.say_goodbye(),
            (Sent::Leaving, ApplicationOutcome::Delivered { .. }) => self.stop(StopReason::Left),
            _ => {}
        }
    }

    /// An entry changed nothing. What only misbehaviour can cause is shown.
    fn entry_skipped(&mut self, now: Now, reason: Refusal, sender: Option<MemberId>) {
        match reason {
            // Lost a race, or an echo of something given up.
            Refusal::OtherEpoch | Refusal::NotOurs => {}
            Refusal::Replayed => self.alarm(now, AlarmCode::LogReplay, sender),
            Refusal::Unauthentic => self.alarm(now, AlarmCode::MessageRefused, sender),
            _ => self.alarm(now, AlarmCode::CommitRefused, sender),
        }
    }

    /// A commit removed us.
    fn removed(&mut self, now: Now) {
        if self.timers.leave_by.is_some() {
            return self.stop(StopReason::Left);
        }
        let silent_for = self.confirmation.age(now.mono);
        let deadline = self.rules.as_ref().map(|rules| rules.removed_after);
        if deadline.is_some_and(|deadline| silent_for >= deadline) {
            // We were away for so long that our leaf was taken: the same person knocks again.
            self.rejoin_key = None;
            return self.rejoin(now);
        }
        self.stop(StopReason::Removed);
    }
}
