//! Errors of commands and of founding or joining a meeting.

use incamera_types::{Blame, Fault, Retry};

/// Why a command was refused. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The command needs a meeting that we are in.
    #[error("you are not in the meeting at present")]
    NotInMeeting,
    /// The rules do not give us this right.
    #[error("the rules of this meeting do not allow you to do that")]
    NotAllowed,
    /// No knock with this number waits.
    #[error("this request to join is not waiting any more")]
    NoSuchKnock,
    /// No such member.
    #[error("this person is not in the meeting any more")]
    NoSuchMember,
    /// We cannot remove ourselves; leaving is another command.
    #[error("you cannot remove yourself")]
    Yourself,
    /// The last one who may admit cannot leave others behind: nobody could admit or remove anyone.
    #[error("you are the only host: end the meeting, or make somebody else a host")]
    LastHost,
    /// The chat line is empty or too long.
    #[error("a chat line has 1 to 4,096 bytes")]
    ChatLength,
    /// Too many own chat lines are under way.
    #[error("earlier chat lines are still being sent")]
    ChatBusy,
    /// More streams than can be announced, or values out of range.
    #[error("these streams cannot be announced")]
    Streams,
    /// Rules out of their range.
    #[error("these rules are out of range")]
    Rules,
    /// The group refused; its machine was not in a state for it.
    #[error("the group could not do this now")]
    Group,
}

impl Fault for CommandError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotInMeeting => "meeting.command.not_in_meeting",
            Self::NotAllowed => "meeting.command.not_allowed",
            Self::NoSuchKnock => "meeting.command.no_such_knock",
            Self::NoSuchMember => "meeting.command.no_such_member",
            Self::Yourself => "meeting.command.yourself",
            Self::LastHost => "meeting.command.last_host",
            Self::ChatLength => "meeting.chat.length",
            Self::ChatBusy => "meeting.chat.busy",
            Self::Streams => "meeting.command.streams",
            Self::Rules => "meeting.command.rules",
            Self::Group => "meeting.command.group",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::NotAllowed | Self::LastHost => Blame::Policy,
            Self::ChatLength | Self::Rules | Self::Yourself => Blame::Input,
            _ => Blame::Us,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::ChatBusy | Self::Group | Self::NotInMeeting => {
                Retry::After(core::time::Duration::from_secs(1))
            }
            _ => Retry::Never,
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::NotInMeeting => "Wait until you are in the meeting.",
            Self::NotAllowed => "Ask a host.",
            Self::NoSuchKnock | Self::NoSuchMember => "Nothing needs to be done.",
            Self::Yourself => "Leave the meeting instead.",
            Self::LastHost => "End the meeting for everybody, or make somebody else a host first.",
            Self::ChatLength => "Send a shorter text.",
            Self::ChatBusy | Self::Group => "Try again in a moment.",
            Self::Streams => "Send fewer or smaller streams.",
            Self::Rules => "Choose other values.",
        }
    }
}

/// Why a meeting could not be founded, or a knock not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeetingError {
    /// The display name cannot be shown safely.
    #[error("this name is empty, too long, or has characters that cannot be shown")]
    Name,
    /// The rules are out of range.
    #[error("these rules are out of range")]
    Rules,
    /// The group machine refused to begin.
    #[error("the keys of the meeting could not be made")]
    Group,
    /// Something of our own could not be written: a defect.
    #[error("a message of this client could not be written")]
    Internal,
}

impl Fault for MeetingError {
    fn code(&self) -> &'static str {
        match self {
            Self::Name => "meeting.begin.name",
            Self::Rules => "meeting.begin.rules",
            Self::Group => "meeting.begin.group",
            Self::Internal => "meeting.begin.internal",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Name | Self::Rules => Blame::Input,
            Self::Group | Self::Internal => Blame::Us,
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::Name => "Choose another name.",
            Self::Rules => "Choose other values.",
            Self::Group | Self::Internal => "Try again; report the problem if it stays.",
        }
    }
}
