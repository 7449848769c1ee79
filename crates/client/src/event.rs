//! What happens, for the person and for programs. One flat table: an event of the meeting passes through as it is.

use std::time::Duration;

use incamera_types::{Blame, Fault, MemberId};
use serde::Serialize;

use crate::reach::Reach;
use crate::statistics::Statistics;

/// Everything that edges are told. Serialises to one JSON object with an `event` field.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// Something in the meeting: people, rules, keys, chat.
    Meeting(incamera_meeting::Event),
    /// Something about servers, devices and media of this client.
    Local(LocalEvent),
}

/// What this client itself reports.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum LocalEvent {
    /// A meeting was made; hand out the link.
    Hosting {
        /// The invite. Whoever has it may knock.
        link: String,
        /// Who can reach the relay, tried.
        reach: Vec<Reach>,
    },
    /// Media can flow in this direction.
    SfuConnected {
        /// `publish` or `play`.
        direction: Direction,
        /// From the first request to the finished handshake.
        took_ms: u64,
    },
    /// Media stopped flowing in this direction; reconnection has begun.
    SfuLost {
        /// `publish` or `play`.
        direction: Direction,
    },
    /// Media flows again.
    SfuReconnected {
        /// `publish` or `play`.
        direction: Direction,
        /// How long it did not.
        gap_ms: u64,
    },
    /// The first picture of a participant was decoded.
    FirstPicture {
        /// Whose.
        member: MemberId,
        /// Their name.
        name: String,
        /// Since this client was admitted, or since that participant joined, whichever is later.
        after_admission_ms: u64,
    },
    /// A device works: it was chosen, switched on, or is back.
    DeviceOpened {
        /// What it is for.
        device: Device,
        /// Whether it is the chosen one.
        which: Which,
    },
    /// A device cannot be opened or went away. It is tried again until it works or something else is chosen.
    DeviceLost {
        /// What it is for.
        device: Device,
        /// Why.
        problem: Problem,
    },
    /// A file that was being sent has come to its end.
    SourceEnded {
        /// Which.
        source: Source,
    },
    /// Our screen is shared from now on.
    SharingStarted,
    /// Nothing of our screen is shared any more.
    SharingStopped {
        /// Why.
        why: SharingEnd,
    },
    /// Figures, once a second.
    Statistics(Statistics),
    /// Something went wrong.
    Problem(Problem),
}

/// Which way media goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From here.
    Publish,
    /// To here.
    Play,
}

/// What is captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Microphone or what stands for it.
    Audio,
    /// Camera or what stands for it.
    Video,
    /// A shared screen or window.
    Screen,
}

/// Why our screen is no longer shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SharingEnd {
    /// It was asked for.
    Asked,
    /// There is no more of it: the file is over, or the window was closed.
    SourceEnded,
    /// Somebody else began at the same time, and neither goes on.
    GaveWay,
    /// The media server does not take it.
    Refused,
}

/// A kind of device that may be exchanged in the meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// What is heard of us.
    Microphone,
    /// Where the others are heard.
    Speaker,
    /// What is seen of us.
    Camera,
}

/// Which device of its kind works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// The chosen one.
    Chosen,
    /// What the system prefers, as long as the chosen one is not there.
    Instead,
}

/// An error as people and programs are told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Stable code; `docs/errors.md` lists all.
    pub code: &'static str,
    /// Who caused it.
    pub blame: Blame,
    /// What happened and why.
    pub what: String,
    /// What to do.
    pub advice: &'static str,
    /// The participant whom it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberId>,
    /// Their name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Problem {
    /// The problem that `fault` describes.
    pub fn of(fault: &impl Fault) -> Self {
        Self {
            code: fault.code(),
            blame: fault.blame(),
            what: fault.to_string(),
            advice: fault.advice(),
            member: None,
            name: None,
        }
    }
}

impl From<incamera_meeting::Event> for Event {
    fn from(event: incamera_meeting::Event) -> Self {
        Self::Meeting(event)
    }
}

impl From<LocalEvent> for Event {
    fn from(event: LocalEvent) -> Self {
        Self::Local(event)
    }
}

/// Whole milliseconds of `duration`, saturating.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
