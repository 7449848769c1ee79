//! Messages between members, as they come out of the group: authenticated, but only as honest as their
//! sender.

use incamera_group::{CommitTurn, GroupInput};
use incamera_types::{LeafIndex, MemberId, Now, Pii};

use super::{MeetingMachine, Sent};
use crate::chat::ChatText;
use crate::codes::AlarmCode;
use crate::early::EarlyMessage;
use crate::event::{Event, MeetingState, StopReason};
use crate::input::{MediaReport, Unopened};
use crate::repair::MISSING_AFTER;
use crate::roster::{Opens, RoleView};
use crate::secrets::RoomSecrets;
use crate::streams::Announcement;
use crate::wire::{KeyMissing, MeetingMessage, WireError};

impl MeetingMachine {
    pub(super) fn message_came(
        &mut self,
        now: Now,
        seq: u64,
        (sender, leaf): (MemberId, LeafIndex),
        bytes: &[u8],
    ) {
        let message = match MeetingMessage::parse(bytes) {
            Ok(message) => message,
            // A newer client may say more than we understand.
            Err(WireError::Kind(_)) => return,
            Err(_) => return self.alarm(now, AlarmCode::MessageRefused, Some(sender)),
        };
        let is_in = self.state == MeetingState::InMeeting;
        match message {
            MeetingMessage::Heartbeat(beat) => self.heartbeat_came(now, (sender, leaf), &beat),
            MeetingMessage::Secrets(secrets) => self.secrets_came(now, sender, secrets),
            MeetingMessage::Chat(chat) if is_in => {
                self.chat_came(seq, sender, self.roster.name(sender), &chat);
            }
            MeetingMessage::Streams(announcement) if is_in => self.streams_came(sender, &announcement),
            // The others repeat it as soon as we are added, which is before we are confirmed.
            MeetingMessage::Streams(announcement) => self.streams.hear_early(sender, announcement),
            MeetingMessage::KeyMissing(missing) if is_in => self.repair_asked(now, sender, missing),
            // Nothing was ever sealed under our keys.
            MeetingMessage::KeyMissing(_) => {}
            MeetingMessage::Leaving if is_in => self.member_leaves(now, sender),
            MeetingMessage::Ended if is_in => self.end_announced(now, sender),
            message => self.keep_early(seq, sender, message),
        }
    }

    fn keep_early(&mut self, seq: u64, sender: MemberId, message: MeetingMessage) {
        let member = self.group.as_ref().and_then(|group| group.roster().by_id(sender));
        let Some(name) = member.map(|member| Pii::new(member.credential.name().reveal().to_owned())) else {
            return;
        };
        self.early.keep(EarlyMessage { seq, sender, name, message });
    }

    /// What was said while we were not confirmed counts now.
    pub(super) fn take_early(&mut self, now: Now) {
        while self.state == MeetingState::InMeeting
            && let Some(EarlyMessage { seq, sender, name, message }) = self.early.take()
        {
            let is_member = self.roster.get(sender).is_some();
            match message {
                MeetingMessage::Chat(chat) => self.chat_came(seq, sender, name, &chat),
                MeetingMessage::Leaving if is_member => self.member_leaves(now, sender),
                MeetingMessage::Ended if is_member => self.end_announced(now, sender),
                _ => {}
            }
        }
    }

    fn chat_came(&mut self, seq: u64, sender: MemberId, name: Pii<String>, chat: &ChatText) {
        if let Some(line) = self.chat.receive(seq, sender, name, chat) {
            self.emit(Event::ChatReceived { line });
        }
    }

    /// Our own line has its place in the log.
    pub(super) fn own_chat_placed(&mut self, seq: u64, id: [u8; 8]) {
        let (Some(own), Some(text)) = (self.own_member(), self.chat.pending_text(id)) else { return };
        self.chat_came(seq, own, self.roster.name(own), &text);
    }

    fn streams_came(&mut self, sender: MemberId, announcement: &Announcement) {
        if let Some(streams) = self.streams.receive(sender, announcement) {
            let streams = streams.streams.clone();
            self.emit(Event::StreamsChanged { member: sender, streams });
        }
    }

    /// What was announced while we were not confirmed counts now, as far as its sender is a member.
    pub(super) fn take_early_streams(&mut self) {
        for (sender, announcement) in self.streams.take_early() {
            if self.group.as_ref().is_some_and(|group| group.roster().by_id(sender).is_some()) {
                self.streams_came(sender, &announcement);
            }
        }
    }

    /// The room's secrets come from who may admit, or not at all.
    fn secrets_came(&mut self, now: Now, sender: MemberId, secrets: RoomSecrets) {
        let group_member = self.group.as_ref().and_then(|group| group.roster().by_id(sender));
        let may_admit =
            group_member.is_some_and(|member| member.rights.contains(incamera_group::Rights::ADMIT));
        if !may_admit {
            return self.alarm(now, AlarmCode::MessageRefused, Some(sender));
        }
        if self.membership.as_mut().is_some_and(|membership| membership.renew(secrets)) {
            self.capability_renewed(now);
        }
    }

    /// Every member can read the new capability now: the relay may ask for it.
    pub(super) fn secrets_told(&mut self, now: Now, generation: u64) {
        let told = self.admin.as_mut().and_then(|admin| admin.told(generation));
        if let (Some(secrets), Some(membership)) = (told, &mut self.membership)
            && membership.renew(secrets)
        {
            self.capability_renewed(now);
        }
    }

    /// Tells the members of a new capability, in each epoch until all can have read it.
    pub(super) fn send_secrets(&mut self) {
        let Some(epoch) = self.group.as_ref().map(incamera_group::GroupMachine::epoch) else { return };
        let Some(secrets) = self.admin.as_ref().and_then(|admin| admin.pending().cloned()) else { return };
        let generation = secrets.generation;
        if self.secrets_sent_in != Some((generation, epoch))
            && self.append(&MeetingMessage::Secrets(secrets), Sent::Secrets(generation))
        {
            self.secrets_sent_in = Some((generation, epoch));
        }
    }

    /// A member wants to go: its leaf is removed by who may.
    fn member_leaves(&mut self, now: Now, sender: MemberId) {
        self.leaving.insert(sender);
        if self.may_admit() {
            self.tell_group(now, GroupInput::Remove { member: sender, turn: CommitTurn::Shared }).ok();
        }
    }

    /// The end of the meeting is believed from hosts alone.
    fn end_announced(&mut self, now: Now, sender: MemberId) {
        if self.roster.get(sender).is_some_and(|view| view.role == RoleView::Host) {
            self.stop(StopReason::Ended);
        } else {
            self.alarm(now, AlarmCode::MessageRefused, Some(sender));
        }
    }

    pub(super) fn announce_end(&mut self) {
        self.append(&MeetingMessage::Ended, Sent::Ended);
    }

    /// Somebody has lost a member's key. If it is ours, new keys by a new leaf are what helps. A single member's
    /// word is enough, as in a room of three nobody else could say it; so it is named, and followed more and
    /// more rarely.
    fn repair_asked(&mut self, now: Now, reporter: MemberId, missing: KeyMissing) {
        if self.own_member() != Some(MemberId(missing.member)) || self.answers_knocks() {
            return;
        }
        if self.repair.rejoin_from(now.mono) <= now.mono && self.repair.follow(now.mono, reporter) {
            self.alarm(now, AlarmCode::RepairAsked, Some(reporter));
            self.rejoin(now);
        }
    }

    pub(super) fn media_reported(&mut self, now: Now, report: MediaReport) {
        match report {
            MediaReport::Opened { member } => {
                self.repair.settled(member);
                if self.roster.set_media_opens(member, Opens::Yes) {
                    self.emit(Event::KeyRestored { member });
                }
            }
            MediaReport::Undecryptable { member, for_time, cause } if for_time >= MISSING_AFTER => {
                self.media_missing(now, member, cause);
            }
            MediaReport::Undecryptable { .. } => {}
            MediaReport::Forged { member } => self.alarm(now, AlarmCode::MediaForged, Some(member)),
            MediaReport::NotAllowed { member } => self.alarm(now, AlarmCode::MediaRefused, Some(member)),
            MediaReport::UnknownEpoch { .. } => self.alarm(now, AlarmCode::PartitionMedia, None),
        }
    }

    fn media_missing(&mut self, now: Now, member: MemberId, cause: Unopened) {
        if self.roster.get(member).is_none() {
            return;
        }
        if self.roster.set_media_opens(member, Opens::No) {
            self.emit(Event::KeyMissing { member });
            self.alarm(now, AlarmCode::KeyMissing, Some(member));
        }
        if cause == Unopened::KeyLost {
            self.ask_for_repair(now, member);
        }
    }

    pub(super) fn ask_for_repair(&mut self, now: Now, member: MemberId) {
        if self.session.is_open() && self.repair.ask(now.mono, member) {
            let missing = KeyMissing { member: member.0 };
            self.append(&MeetingMessage::KeyMissing(missing), Sent::KeyMissing);
        }
    }
}
