//! What the meeting tells its user: everything is past tense and already true.

use core::time::Duration;

use incamera_types::{Epoch, MemberId, Pii};
use serde::{Deserialize, Serialize};

use crate::chat::ChatLine;
use crate::codes::AlarmCode;
use crate::roster::MemberView;
use crate::rules::RulesView;
use crate::streams::StreamView;

/// Names one knock to the user of this client; counts from 1 in each meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KnockNumber(pub u32);

/// How far this participant has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeetingState {
    /// The relay has not answered yet.
    Connecting,
    /// The knock is with the hosts; they have to decide.
    Knocking,
    /// Admitted; waiting, silent, for an admitter's heartbeat that echoes our nonce (SEC-19).
    Joining,
    /// In the meeting.
    InMeeting,
    /// Over; the machine has nothing more to say.
    Stopped,
}

/// Why this participant is no longer in the meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The user left.
    Left,
    /// A host ended the meeting for everybody.
    Ended,
    /// We ended the meeting for everybody, and the relay did not confirm it: others may be in it still.
    EndUnconfirmed,
    /// A host removed this participant.
    Removed,
    /// The hosts did not admit this participant.
    Denied,
    /// The room is full, or too many wait.
    Full,
    /// The room is locked: nobody is admitted at present.
    Locked,
    /// Nobody answered the knock in time.
    NotAnswered,
    /// Our clock and the host's are too far apart: every knock counts as an old one.
    ClockWrong,
    /// The room does not exist at the relay, or no longer.
    NoSuchRoom,
    /// The relay's card does not belong to the link, is expired, or is older than one seen before.
    CardRefused,
    /// The Welcome does not lead to the room of the link (SEC-19).
    WelcomeRefused,
    /// No admitter confirmed the join in time: the room may be one that the relay invented.
    NotConfirmed,
    /// The relay refused the link's right to knock.
    LinkRefused,
    /// The room's memory at the relay is gone and was not founded again, or the relay was out of reach for too long.
    RoomLost,
    /// The keys are lost, and nobody but us could let us in again: the meeting is over.
    KeysLost,
    /// The relay did not let us make the room.
    CreateRefused,
    /// The relay speaks another version of the protocol, or the room does.
    Version,
}

/// Why no media is sent or played at present although the meeting goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaStop {
    /// Our own view of the meeting could not be confirmed for the room's deadline (SEC-08).
    LinkLost,
    /// This client has no place in the group any more, because it lost the keys or was away until it was removed, and asks
    /// to be added again.
    Rejoining,
    /// The meeting is over for us.
    Stopped,
}

/// Something that happened in the meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// This participant moved on.
    StateChanged {
        /// The state now.
        state: MeetingState,
    },
    /// Somebody asks to be let in; only those who may admit are told.
    Knocked {
        /// Names the knock in [`crate::Command::Admit`] and [`crate::Command::Deny`].
        knock: KnockNumber,
        /// The name that the knocker gives, made safe for display.
        name: Pii<String>,
    },
    /// A knock that was waiting is gone: withdrawn, expired, or decided by another host.
    KnockEnded {
        /// The knock.
        knock: KnockNumber,
    },
    /// A host (maybe this one) admitted a knock.
    Admitted {
        /// The knock.
        knock: KnockNumber,
    },
    /// Somebody is in the meeting now. Emitted once for every member, ourselves included (SEC-16).
    Joined {
        /// Who.
        member: MemberView,
    },
    /// A member left by itself.
    Left {
        /// Who it was.
        member: MemberId,
        /// Its name.
        name: Pii<String>,
    },
    /// A member was removed by a host, or by its silence.
    Removed {
        /// Who it was.
        member: MemberId,
        /// Its name.
        name: Pii<String>,
        /// Why.
        why: RemovalReason,
    },
    /// Nothing fresh was heard from a member for the quiet deadline (10 s).
    Lost {
        /// Who.
        member: MemberId,
        /// How long nothing fresh has been heard.
        silent_for: Duration,
    },
    /// Media of a member is not played any more because it has been silent for the room's deadline (SEC-08).
    MediaHeld {
        /// Whose.
        member: MemberId,
    },
    /// A lost member is heard again; same leaf, no lobby.
    Returned {
        /// Who.
        member: MemberId,
    },
    /// A member announced what it sends; hints only, the sender of a frame is proved by its key id.
    StreamsChanged {
        /// Who.
        member: MemberId,
        /// Everything it sends now.
        streams: Vec<StreamView>,
    },
    /// The code that people compare by voice changed, because somebody joined or left.
    RoomCodeChanged {
        /// Groups of four digits.
        code: String,
    },
    /// The group moved to another epoch.
    EpochChanged {
        /// The epoch.
        epoch: Epoch,
    },
    /// The room's rules changed, or are known for the first time.
    RulesChanged {
        /// The rules in force.
        rules: RulesView,
    },
    /// A chat line took its place in the order of the log.
    ChatReceived {
        /// The line.
        line: ChatLine,
    },
    /// Media of a member cannot be opened; a repair is under way.
    KeyMissing {
        /// Whose.
        member: MemberId,
    },
    /// Media of the member opens again.
    KeyRestored {
        /// Whose.
        member: MemberId,
    },
    /// Our own view is not confirmed: media stops when the countdown ends (SEC-08).
    LinkDegraded {
        /// Time until media stops.
        media_stops_in: Duration,
    },
    /// Our own view is confirmed again.
    LinkRestored,
    /// Media was stopped.
    MediaStopped {
        /// Why.
        why: MediaStop,
    },
    /// Media flows (again).
    MediaStarted,
    /// A safeguard refused or noticed something; see [`crate::EVENT_CODES`].
    Alarm {
        /// Stable code.
        code: AlarmCode,
        /// The member that it concerns, where one is known.
        member: Option<MemberId>,
    },
    /// The meeting is over for this participant.
    Stopped {
        /// Why.
        why: StopReason,
    },
}

/// Why a member was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemovalReason {
    /// A host decided so.
    Host,
    /// It had been silent for the room's deadline.
    Silent,
    /// Its keys were lost; the same person, as its identity or its earlier knock proves, was added again in the
    /// same commit.
    Rejoined,
}
