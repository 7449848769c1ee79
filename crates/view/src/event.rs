//! Events of the client as the window is told them.

use incamera_client::meeting::{
    self, Event as MeetingEvent, LobbyMode, MediaStop, MeetingState, MemberView, RemovalReason, RoleView,
    StopReason,
};
use incamera_client::{
    Context, Device, Direction, Event, LocalEvent, MediaServerKind, MemberId, Problem, Reach, Scope,
    ServerStatistics, SharingEnd, Statistics, Which,
};
use serde::Serialize;
use ts_rs::TS;

/// What the window is told. A member is always 32 hexadecimal digits.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum AppEvent {
    /// How far we have come.
    StateChanged {
        /// The new state.
        #[ts(type = "MeetingState")]
        state: MeetingState,
    },
    /// A meeting was made.
    Hosting {
        /// What others join by.
        link: String,
        /// Who can.
        reach: Vec<ReachView>,
    },
    /// Somebody asks to be let in.
    Knocked {
        /// What to answer by.
        knock: u32,
        /// What they call themselves.
        name: String,
    },
    /// Somebody no longer asks.
    KnockEnded {
        /// Which knock.
        knock: u32,
    },
    /// Somebody is in the meeting.
    Joined {
        /// Who.
        person: Person,
    },
    /// Somebody is no longer in the meeting.
    Left {
        /// Who.
        member: String,
        /// What they are called.
        name: String,
        /// Why.
        why: Departure,
    },
    /// Nothing is heard of somebody.
    Lost {
        /// Who.
        member: String,
        /// For how long, in seconds.
        silent_for_s: u32,
    },
    /// Media of somebody is stopped because nothing was heard for too long.
    MediaHeld {
        /// Who.
        member: String,
    },
    /// A lost person is back.
    Returned {
        /// Who.
        member: String,
    },
    /// Somebody says what is on.
    StreamsChanged {
        /// Who.
        member: String,
        /// Whether the microphone is.
        has_sound: bool,
        /// Whether the camera is.
        has_picture: bool,
        /// Whether a screen is shared.
        has_screen: bool,
    },
    /// The person shares what is called so, from now on.
    SharingStarted {
        /// Name of the screen or title of the window.
        title: String,
    },
    /// The person shares nothing any more.
    SharingStopped {
        /// Why.
        #[ts(type = "SharingEnd")]
        why: SharingEnd,
    },
    /// The code to read aloud changed.
    RoomCodeChanged {
        /// In groups of four digits.
        code: String,
    },
    /// The keys changed.
    EpochChanged {
        /// How often so far.
        epoch: u32,
    },
    /// The rules of the meeting.
    RulesChanged {
        /// Whether people wait until they are let in.
        #[ts(type = "LobbyMode")]
        lobby: LobbyMode,
        /// Whether nobody comes in at all.
        locked: bool,
        /// Number of the cipher suite of media (RFC 9605 section 8.1).
        suite: u16,
    },
    /// Somebody wrote.
    ChatReceived {
        /// What.
        line: ChatLine,
    },
    /// What somebody sends cannot be opened; a repair is under way.
    KeyMissing {
        /// Whose key.
        member: String,
    },
    /// It opens again.
    KeyRestored {
        /// Whose key.
        member: String,
    },
    /// The meeting server is not heard.
    LinkDegraded {
        /// How long media goes on, in seconds.
        media_stops_in_s: u32,
    },
    /// The meeting server is heard again.
    LinkRestored,
    /// Nothing is sent or played.
    MediaStopped {
        /// Why.
        #[ts(type = "MediaStop")]
        why: MediaStop,
    },
    /// Media flows.
    MediaStarted,
    /// A safeguard refused or noticed something.
    Alarm {
        /// Stable code; `docs/errors.md` lists all.
        code: String,
        /// What happened.
        what: String,
        /// What to do.
        advice: String,
        /// Whom it is about, if it is about somebody.
        member: Option<String>,
    },
    /// The media server is not heard in one direction.
    MediaServerLost {
        /// In which.
        #[ts(type = "Direction")]
        direction: Direction,
    },
    /// It is heard (again).
    MediaServerConnected {
        /// In which direction.
        #[ts(type = "Direction")]
        direction: Direction,
    },
    /// Figures, once a second.
    Statistics {
        /// What left this computer.
        sent_kbps: f64,
        /// The meeting server.
        relay: RelayView,
        /// The media server; none before it is known.
        media: Option<MediaServerView>,
        /// What came from each.
        received: Vec<Received>,
    },
    /// How loud people were just now.
    Heard {
        /// Those who were heard.
        levels: Vec<Level>,
    },
    /// A device works.
    DeviceOpened {
        /// What it is for.
        #[ts(type = "Device")]
        device: Device,
        /// Whether it is the chosen one.
        #[ts(type = "Which")]
        which: Which,
    },
    /// A device cannot be opened or went away; it is tried again.
    DeviceLost {
        /// What it is for.
        #[ts(type = "Device")]
        device: Device,
        /// Stable code; `docs/errors.md` lists all.
        code: String,
    },
    /// Something went wrong.
    Problem {
        /// Stable code; `docs/errors.md` lists all.
        code: String,
        /// What happened.
        what: String,
        /// What to do.
        advice: String,
        /// Whom it is about, if it is about somebody.
        member: Option<String>,
    },
    /// The person closed the window of a meeting that ends with it.
    CloseAsked,
    /// The computer goes to sleep: microphone and camera are off.
    Slept,
    /// Why the meeting is over for us.
    Stopped {
        /// Why.
        #[ts(type = "StopReason")]
        why: StopReason,
    },
    /// Everything is closed: the last event.
    Over,
}

/// Who can reach a meeting that is hosted here.
#[derive(Clone, Debug, Serialize, TS)]
pub struct ReachView {
    #[ts(type = "Scope")]
    scope: Scope,
    reachable: bool,
}

/// The meeting server, and what this computer has sent to it.
#[derive(Clone, Debug, Serialize, TS)]
pub struct RelayView {
    address: String,
    messages: u32,
    bytes: f64,
}

/// The media server, and what this computer has sent to it.
#[derive(Clone, Debug, Serialize, TS)]
pub struct MediaServerView {
    #[ts(type = "MediaServerKind")]
    kind: MediaServerKind,
    address: String,
    is_cleartext: bool,
    packets: u32,
    bytes: f64,
}

/// Somebody in the meeting.
#[derive(Clone, Debug, Serialize, TS)]
pub struct Person {
    member: String,
    name: String,
    #[ts(type = "RoleView")]
    role: RoleView,
    verification: Verification,
    is_self: bool,
    may_admit: bool,
}

/// What is known of who a person is.
#[derive(Clone, Copy, Debug, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// Nothing but the name that they gave.
    NotVerified,
    /// That it is the same key as before.
    Claimed,
    /// That they are not who they say.
    Failed,
}

/// Why a person is no longer there.
#[derive(Clone, Copy, Debug, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Departure {
    /// They left.
    Left,
    /// A host removed them.
    RemovedByHost,
    /// Nothing was heard of them for too long.
    Silent,
    /// They come in anew.
    Rejoined,
}

/// A chat line. The text is drawn as text.
#[derive(Clone, Debug, Serialize, TS)]
pub struct ChatLine {
    seq: u32,
    member: String,
    name: String,
    text: String,
    time_ms: f64,
}

/// What came from one person in the last second.
#[derive(Clone, Debug, Serialize, TS)]
pub struct Received {
    member: String,
    video_fps: f64,
    width: u16,
    height: u16,
    layer: u8,
    kbps: f64,
    lost_packets: u32,
    undecryptable: u32,
    latency_ms: Option<f64>,
}

/// How loud somebody was.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct Level {
    /// Who; `null` for the person's own microphone.
    pub member: Option<String>,
    /// In dBov; −127 is silence.
    pub dbov: i8,
}

impl AppEvent {
    /// What the window is told of `event`; `None` for what it has no use for. `shared` is what the person shares.
    #[must_use]
    pub fn of(event: Event, shared: &str) -> Option<Self> {
        match event {
            Event::Meeting(event) => of_meeting(event),
            Event::Local(event) => of_client(event, shared),
        }
    }
}

fn of_meeting(event: MeetingEvent) -> Option<AppEvent> {
    Some(match event {
        MeetingEvent::StateChanged { state } => AppEvent::StateChanged { state },
        MeetingEvent::Knocked { knock, name } => {
            AppEvent::Knocked { knock: knock.0, name: name.into_inner() }
        }
        MeetingEvent::KnockEnded { knock } | MeetingEvent::Admitted { knock } => {
            AppEvent::KnockEnded { knock: knock.0 }
        }
        MeetingEvent::Joined { member } => AppEvent::Joined { person: member.into() },
        MeetingEvent::Left { member, name } => {
            AppEvent::Left { member: hex(member), name: name.into_inner(), why: Departure::Left }
        }
        MeetingEvent::Removed { member, name, why } => {
            AppEvent::Left { member: hex(member), name: name.into_inner(), why: why.into() }
        }
        MeetingEvent::Lost { member, silent_for } => {
            AppEvent::Lost { member: hex(member), silent_for_s: seconds(silent_for) }
        }
        MeetingEvent::MediaHeld { member } => AppEvent::MediaHeld { member: hex(member) },
        MeetingEvent::Returned { member } => AppEvent::Returned { member: hex(member) },
        MeetingEvent::RoomCodeChanged { code } => AppEvent::RoomCodeChanged { code },
        MeetingEvent::EpochChanged { epoch } => AppEvent::EpochChanged { epoch: saturated(epoch.0) },
        MeetingEvent::RulesChanged { rules } => AppEvent::RulesChanged {
            lobby: rules.lobby,
            locked: rules.lock == meeting::LockState::Locked,
            suite: rules.suite.number(),
        },
        MeetingEvent::ChatReceived { line } => AppEvent::ChatReceived { line: line.into() },
        MeetingEvent::KeyMissing { member } => AppEvent::KeyMissing { member: hex(member) },
        MeetingEvent::KeyRestored { member } => AppEvent::KeyRestored { member: hex(member) },
        MeetingEvent::LinkDegraded { media_stops_in } => {
            AppEvent::LinkDegraded { media_stops_in_s: seconds(media_stops_in) }
        }
        MeetingEvent::LinkRestored => AppEvent::LinkRestored,
        MeetingEvent::MediaStopped { why } => AppEvent::MediaStopped { why },
        MeetingEvent::MediaStarted => AppEvent::MediaStarted,
        MeetingEvent::Alarm { code, member } => AppEvent::Alarm {
            code: code.code().to_owned(),
            what: code.meaning().to_owned(),
            advice: code.advice().to_owned(),
            member: member.map(hex),
        },
        MeetingEvent::Stopped { why } => AppEvent::Stopped { why },
        MeetingEvent::StreamsChanged { member, streams } => AppEvent::StreamsChanged {
            member: hex(member),
            has_sound: streams.iter().any(|one| one.context == Context::Microphone),
            has_picture: streams.iter().any(|one| Context::CAMERA.contains(&one.context)),
            has_screen: streams.iter().any(|one| Context::SCREEN.contains(&one.context)),
        },
    })
}

fn of_client(event: LocalEvent, shared: &str) -> Option<AppEvent> {
    Some(match event {
        LocalEvent::Hosting { link, reach } => {
            AppEvent::Hosting { link, reach: reach.into_iter().map(ReachView::from).collect() }
        }
        LocalEvent::SfuLost { direction } => AppEvent::MediaServerLost { direction },
        LocalEvent::SfuConnected { direction, .. } | LocalEvent::SfuReconnected { direction, .. } => {
            AppEvent::MediaServerConnected { direction }
        }
        LocalEvent::Statistics(statistics) => of_statistics(&statistics),
        LocalEvent::DeviceOpened { device, which } => AppEvent::DeviceOpened { device, which },
        LocalEvent::DeviceLost { device, problem } => {
            AppEvent::DeviceLost { device, code: problem.code.to_owned() }
        }
        LocalEvent::Problem(problem) => of_problem(problem),
        LocalEvent::SharingStarted => AppEvent::SharingStarted { title: shared.to_owned() },
        LocalEvent::SharingStopped { why } => AppEvent::SharingStopped { why },
        LocalEvent::FirstPicture { .. } | LocalEvent::SourceEnded { .. } => return None,
    })
}

fn of_statistics(statistics: &Statistics) -> AppEvent {
    let received = statistics.received.iter().map(|row| Received {
        member: hex(row.member),
        video_fps: row.video_fps,
        width: row.width,
        height: row.height,
        layer: row.layer,
        kbps: row.kbps,
        lost_packets: saturated(row.lost_packets),
        latency_ms: row.latency_ms_p50,
        undecryptable: saturated(row.undecryptable),
    });
    let ServerStatistics { relay, media } = &statistics.servers;
    AppEvent::Statistics {
        sent_kbps: statistics.sent.kbps,
        relay: RelayView {
            address: relay.address.clone(),
            messages: saturated(relay.messages_sent),
            bytes: relay.bytes_sent as f64,
        },
        media: media.as_ref().map(|media| MediaServerView {
            kind: media.kind,
            address: media.address.clone(),
            is_cleartext: media.is_cleartext,
            packets: saturated(media.packets_sent),
            bytes: media.payload_bytes_sent as f64,
        }),
        received: received.collect(),
    }
}

fn of_problem(problem: Problem) -> AppEvent {
    AppEvent::Problem {
        code: problem.code.to_owned(),
        what: problem.what,
        advice: problem.advice.to_owned(),
        member: problem.member.map(hex),
    }
}

/// All 32 digits of a member's id, as pictures and orders name it.
#[must_use]
pub fn hex(member: MemberId) -> String {
    format!("{:032x}", u128::from_be_bytes(member.0))
}

fn seconds(duration: std::time::Duration) -> u32 {
    saturated(duration.as_secs())
}

/// Counters small enough for a number of JavaScript.
fn saturated(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl From<MemberView> for Person {
    fn from(view: MemberView) -> Self {
        Self {
            member: hex(view.member),
            name: view.name.into_inner(),
            role: view.role,
            verification: match view.verification {
                meeting::Verification::Anonymous => Verification::NotVerified,
                meeting::Verification::Claimed { .. } => Verification::Claimed,
                meeting::Verification::Failed => Verification::Failed,
            },
            is_self: view.who == meeting::Who::Ourselves,
            may_admit: view.may_admit,
        }
    }
}

impl From<meeting::ChatLine> for ChatLine {
    fn from(line: meeting::ChatLine) -> Self {
        Self {
            seq: saturated(line.seq),
            member: hex(line.member),
            name: line.name.into_inner(),
            text: line.text.into_inner(),
            time_ms: line.time_ms as f64,
        }
    }
}

impl From<Reach> for ReachView {
    fn from(reach: Reach) -> Self {
        Self { scope: reach.scope, reachable: reach.reachable }
    }
}

impl From<RemovalReason> for Departure {
    fn from(why: RemovalReason) -> Self {
        match why {
            RemovalReason::Host => Self::RemovedByHost,
            RemovalReason::Silent => Self::Silent,
            RemovalReason::Rejoined => Self::Rejoined,
        }
    }
}
