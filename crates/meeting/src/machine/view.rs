//! What can be read off the machine at any time.

use incamera_types::{Epoch, Invite, MemberId};

use super::MeetingMachine;
use crate::chat::ChatLine;
use crate::event::{KnockNumber, MeetingState};
use crate::roster::{MemberView, Who};
use crate::rules::RulesView;
use crate::streams::MemberStreams;

impl MeetingMachine {
    /// How far this participant has come.
    #[must_use]
    pub const fn state(&self) -> MeetingState {
        self.state
    }

    /// The link of the room. It carries a secret.
    #[must_use]
    pub const fn invite(&self) -> &Invite {
        &self.invite
    }

    /// Every member, ourselves included (SEC-16).
    pub fn members(&self) -> impl Iterator<Item = &MemberView> {
        self.roster.iter()
    }

    /// Our own member id, once we are in.
    #[must_use]
    pub fn own_member(&self) -> Option<MemberId> {
        self.roster.iter().find(|view| view.who == Who::Ourselves).map(|view| view.member)
    }

    /// Who waits to be let in, as far as this client can tell.
    pub fn knocks(&self) -> impl Iterator<Item = (KnockNumber, &str)> {
        self.lobby.iter().map(|knocker| (knocker.number, knocker.name.reveal().as_str()))
    }

    /// The rules, once known.
    #[must_use]
    pub const fn rules(&self) -> Option<&RulesView> {
        self.rules.as_ref()
    }

    /// The code that people compare by voice; empty before we are in.
    #[must_use]
    pub fn room_code(&self) -> &str {
        &self.room_code
    }

    /// The group's epoch, once there is one.
    #[must_use]
    pub fn epoch(&self) -> Option<Epoch> {
        self.group.as_ref().map(incamera_group::GroupMachine::epoch)
    }

    /// The authenticator of the epoch: equal for all who are in it.
    #[must_use]
    pub fn epoch_authenticator(&self) -> Option<[u8; 32]> {
        self.group.as_ref().map(incamera_group::GroupMachine::authenticator)
    }

    /// What a member says it sends.
    #[must_use]
    pub fn streams_of(&self, member: MemberId) -> Option<&MemberStreams> {
        self.streams.of(member)
    }

    /// The chat so far, oldest first.
    pub fn chat(&self) -> impl Iterator<Item = &ChatLine> {
        self.chat.lines()
    }
}
