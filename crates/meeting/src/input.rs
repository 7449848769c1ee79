//! What the meeting is told.

use core::time::Duration;

use incamera_relay_proto::ServerMessage;
use incamera_types::{MemberId, Pii};
use serde::{Deserialize, Serialize};

use crate::event::KnockNumber;
use crate::streams::StreamView;

/// Everything that can happen to a meeting, one at a time.
#[derive(Clone, Debug)]
pub enum Input {
    /// A connection to the relay is open; nothing was sent on it yet.
    RelayConnected,
    /// The connection to the relay is gone; requests under way will not be answered.
    RelayLost,
    /// A message from the relay, already parsed. Hostile.
    Relay(ServerMessage),
    /// The user wants something.
    Command(Command),
    /// The media threads noticed something.
    Media(MediaReport),
    /// Time passed; due at [`crate::MeetingMachine::next_deadline`].
    Tick,
}

/// What a user can want.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Let a knock in.
    Admit {
        /// The knock.
        knock: KnockNumber,
    },
    /// Do not let a knock in.
    Deny {
        /// The knock.
        knock: KnockNumber,
    },
    /// Remove a member; it hears nothing from now on.
    Remove {
        /// Whom.
        member: MemberId,
    },
    /// Admit nobody until unlocked, not even through the lobby.
    Lock,
    /// Admit people again.
    Unlock,
    /// Choose whether people wait for a host or come in by the link alone.
    SetLobby {
        /// Which.
        lobby: LobbyMode,
    },
    /// Send a chat line.
    SendChat {
        /// 1 to 4,096 bytes.
        text: Pii<String>,
    },
    /// Say what we send now; repeated by itself when people join.
    AnnounceStreams {
        /// Everything that we send.
        streams: Vec<StreamView>,
    },
    /// Ask a member whose media does not open to come in anew, with new keys. Without a person who wants it we ask only
    /// where its key is lost here.
    AskToRejoin {
        /// Whom.
        member: MemberId,
    },
    /// Ask for a ticket to the SFU: the one before ran out, was revoked, or the SFU restarted.
    RequestTicket,
    /// Leave; the meeting goes on without us.
    Leave,
    /// End the meeting for everybody.
    End,
}

/// How people come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LobbyMode {
    /// A host decides about each.
    #[default]
    Wait,
    /// The link is enough: admitters' clients let people in by themselves.
    Open,
}

/// Why frames of a member do not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unopened {
    /// They were altered, are too late, or of an epoch that we were not led into. Whoever carries frames can
    /// cause this at will, and new keys would not help.
    Spoilt,
    /// The present epoch has no key for them: adding the member again gives it one. Nothing that comes from the
    /// network can cause this.
    KeyLost,
}

/// What the frame threads notice about the media of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum MediaReport {
    /// The first frame of a member opened, or the first after it had not.
    Opened {
        /// Whose.
        member: MemberId,
    },
    /// No frame of one of a member's sources has opened for a while.
    Undecryptable {
        /// Whose.
        member: MemberId,
        /// Since when.
        for_time: Duration,
        /// Why, as far as that can be told.
        cause: Unopened,
    },
    /// Frames under a known key failed their check: forged or damaged on the way.
    Forged {
        /// Whose they claim to be.
        member: MemberId,
    },
    /// A member sent a kind of media that the rules do not allow it to send.
    NotAllowed {
        /// Whose.
        member: MemberId,
    },
    /// Frames keep coming under epochs that are not known.
    UnknownEpoch {
        /// Since when.
        for_time: Duration,
    },
}
