//! The meeting machine: its state, what it is told, and what it wants.

mod advance;
mod begin;
mod commands;
mod deadlines;
mod epoch;
#[cfg(feature = "danger-sabotage")]
mod forge;
mod group;
mod heartbeats;
mod joining;
mod knocks;
mod messages;
mod relay;
mod view;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use incamera_group::{ApplicationId, GroupMachine};
use incamera_identity::{DisplayName, SigningKey};
use incamera_relay_proto::Request;
use incamera_types::{Epoch, Invite, LeafIndex, MemberId, Mono, Now};

use crate::absence::Absence;
use crate::alarms::Alarms;
use crate::answers::Answers;
use crate::card::CardWatch;
use crate::chat::Chat;
use crate::codes::AlarmCode;
use crate::confirmation::Confirmation;
use crate::door::Door;
use crate::early::EarlyMessages;
use crate::entropy::SharedEntropy;
use crate::error::CommandError;
use crate::event::{Event, MediaStop, MeetingState, StopReason};
use crate::heartbeat::HeartbeatClock;
use crate::host::Founder;
use crate::input::Input;
use crate::link_keys::KnockProofKey;
use crate::liveness::Liveness;
use crate::lobby::Lobby;
use crate::log::LogView;
use crate::membership::Membership;
use crate::output::Output;
use crate::repair::Repair;
use crate::roster::Roster;
use crate::rotation::Admin;
use crate::rules::RulesView;
use crate::safeguards::Safeguards;
use crate::session::{Purpose, Session};
use crate::streams::Streams;
use crate::tickets::Tickets;

pub use begin::{Founding, Knocking};

/// A whole meeting as one participant sees it.
///
/// Feed it with [`MeetingMachine::handle_input`], drain [`MeetingMachine::poll_output`] after every input, and
/// call again with [`Input::Tick`] at [`MeetingMachine::next_deadline`].
pub struct MeetingMachine {
    // Who we are, and which room it is.
    invite: Invite,
    name: DisplayName,
    identity: Option<Arc<SigningKey>>,
    entropy: SharedEntropy,
    safeguards: Safeguards,
    #[cfg(feature = "danger-sabotage")]
    group_safeguards: incamera_group::Safeguards,
    state: MeetingState,
    outputs: VecDeque<Output>,
    alarms: Alarms,
    // The relay.
    session: Session,
    absence: Absence,
    log: LogView,
    membership: Option<Membership>,
    tickets: Tickets,
    timers: Timers,
    deadline: Option<Mono>,
    /// The newest own commit, until the log can take it.
    commit: Option<Request>,
    // Getting in.
    door: Option<Door>,
    card: CardWatch,
    proof_key: KnockProofKey,
    // Letting in.
    founder: Option<Founder>,
    admin: Option<Admin>,
    lobby: Lobby,
    answers: Answers,
    // Being in.
    group: Option<GroupMachine>,
    rejoin_key: Option<SigningKey>,
    roster: Roster,
    state_hash: [u8; 16],
    rules: Option<RulesView>,
    room_code: String,
    online: BTreeSet<MemberId>,
    leaving: BTreeSet<MemberId>,
    early: EarlyMessages,
    // What is said inside.
    clock: HeartbeatClock,
    /// The leaves that never slow down.
    anchors: Vec<LeafIndex>,
    /// Since when no head of a member could be compared with ours (SEC-09).
    uncompared: BTreeMap<MemberId, Mono>,
    liveness: Liveness,
    confirmation: Confirmation,
    media: MediaFlow,
    repair: Repair,
    streams: Streams,
    chat: Chat,
    sent: BTreeMap<ApplicationId, Sent>,
    secrets_sent_in: Option<(u64, Epoch)>,
}

/// What an own message between members was, until the log shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// The heartbeat with this counter.
    Heartbeat(u32),
    /// The chat line with this id; its text is kept by the chat.
    Chat([u8; 8]),
    /// An announcement of streams.
    Streams,
    /// The room's secrets of this generation.
    Secrets(u64),
    /// A request to repair a member; not sent again, the next report asks anew.
    KeyMissing,
    /// That we leave.
    Leaving,
    /// That the meeting is over.
    Ended,
}

/// Whether media flows, as the user was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MediaFlow {
    /// Never yet.
    NotYet,
    /// It does; the view behind it is confirmed.
    Flowing,
    /// It does, but the countdown runs.
    Degraded,
    /// It does not.
    Stopped(MediaStop),
}

/// What happens later by itself.
#[derive(Debug, Default)]
struct Timers {
    /// The room is asked for again.
    reopen_at: Option<Mono>,
    /// Since when the relay has said on this connection that there is no such room.
    room_missing_since: Option<Mono>,
    /// By when the relay must say something, where something is waited for.
    answer_by: Option<Mono>,
    /// Another connection is asked for; the last one was given up too lately.
    reconnect_at: Option<Mono>,
    /// When a connection was given up last.
    reconnected: Option<Mono>,
    /// We knock again, after the keys were lost too soon after the last time.
    rejoin_at: Option<Mono>,
    /// What the relay refused is sent again.
    resend_at: Option<Mono>,
    /// The own commit that the relay refused is sent again.
    recommit_at: Option<Mono>,
    /// We are out of a meeting that we ended even if the relay does not say that it is over.
    end_by: Option<Mono>,
    /// We have left even if the log does not show our goodbye.
    leave_by: Option<Mono>,
    /// Key frames are asked for.
    key_frames_at: Option<Mono>,
    /// When they were asked for last.
    key_frames_asked: Option<Mono>,
    /// Since when entries of a later epoch have come.
    ahead_since: Option<Mono>,
}

impl MeetingMachine {
    /// Takes one input. What peers, the relay or the media do wrong becomes an event, never an error.
    ///
    /// # Errors
    /// [`CommandError`] for a command that cannot be carried out; nothing changed then.
    pub fn handle_input(&mut self, now: Now, input: Input) -> Result<(), CommandError> {
        if self.state == MeetingState::Stopped {
            return if matches!(input, Input::Command(_)) { Err(CommandError::NotInMeeting) } else { Ok(()) };
        }
        let mut result = Ok(());
        match input {
            Input::RelayConnected => self.relay_connected(now),
            Input::RelayLost => self.relay_lost(now),
            Input::Relay(message) => self.relay_said(now, message),
            Input::Command(command) => result = self.obey(now, command),
            Input::Media(report) => self.media_reported(now, report),
            Input::Tick => {}
        }
        self.advance(now);
        result
    }

    /// The next thing to do or tell, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Raises an alarm, once per episode.
    fn alarm(&mut self, now: Now, code: AlarmCode, member: Option<MemberId>) {
        if self.alarms.raise(now.mono, code, member) {
            self.emit(Event::Alarm { code, member });
        }
    }

    fn set_state(&mut self, state: MeetingState) {
        if self.state != state {
            self.state = state;
            self.emit(Event::StateChanged { state });
        }
    }

    /// Ends this participation. Nothing that comes later is looked at.
    fn stop(&mut self, why: StopReason) {
        if self.state == MeetingState::Stopped {
            return;
        }
        self.withdraw_knock();
        self.stop_media(MediaStop::Stopped);
        self.group = None;
        self.door = None;
        self.set_state(MeetingState::Stopped);
        self.emit(Event::Stopped { why });
    }

    fn stop_media(&mut self, why: MediaStop) {
        if matches!(self.media, MediaFlow::Flowing | MediaFlow::Degraded) {
            self.outputs.push_back(Output::StopMedia { why });
        }
        // Another reason is told too: something else is waited for then.
        if !matches!(self.media, MediaFlow::NotYet) && self.media != MediaFlow::Stopped(why) {
            self.media = MediaFlow::Stopped(why);
            self.emit(Event::MediaStopped { why });
        }
    }

    fn start_media(&mut self) {
        if !matches!(self.media, MediaFlow::Flowing | MediaFlow::Degraded) {
            self.outputs.push_back(Output::StartMedia);
            self.emit(Event::MediaStarted);
        }
        self.media = MediaFlow::Flowing;
    }

    /// Sends a request on the present connection.
    fn ask(&mut self, purpose: Purpose, request: Request) -> incamera_relay_proto::ClientRef {
        let (client_ref, message) = self.session.ask(purpose, request);
        self.outputs.push_back(Output::Send(message));
        client_ref
    }
}
