//! The world of one run: participants, relay, SFU, network and clock, and the loop that moves them.

use core::fmt::Display;
use core::time::Duration;
use std::collections::BTreeMap;

use incamera_identity::DisplayName;
use incamera_meeting::{
    Command, CommandError, Event, Founding, Input, Knocking, MeetingError, MeetingMachine, MeetingState,
    Output, RemovalReason, StopReason,
};
use incamera_relay::{ConnectionId, CreateRule, RelayLimits, RelayMachine};
use incamera_types::{Invite, Mono, Now, RelayAddress};

use crate::actor::{Actor, Life};
use crate::chance::Chance;
use crate::counts::EventCounts;
use crate::invariants::Invariants;
use crate::network::{Happening, Network};
use crate::recording::Recording;
use crate::sabotage::Rule;
use crate::setup::Setup;
use crate::sfu::Sfu;

/// The founder, who alone admits.
pub(crate) const HOST: usize = 0;

/// Steps at one instant after which a machine is taken to ask for the same time again and again.
const MAX_STEPS_AT_ONCE: u32 = 20_000;

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) now: Now,
    pub(crate) chance: Chance,
    pub(crate) setup: Setup,
    pub(crate) rule: Option<Rule>,
    pub(crate) invite: Invite,
    pub(crate) actors: Vec<Actor>,
    pub(crate) relay: RelayMachine,
    pub(crate) relay_entropy: Chance,
    pub(crate) relay_down_until: Option<Mono>,
    pub(crate) relay_was_down: Option<Mono>,
    pub(crate) connections: BTreeMap<ConnectionId, usize>,
    pub(crate) connections_made: u64,
    pub(crate) network: Network,
    pub(crate) sfu: Sfu,
    pub(crate) attacks: crate::attacks::Attacks,
    pub(crate) invariants: Invariants,
    pub(crate) counts: EventCounts,
    pub(crate) trace: Vec<String>,
    pub(crate) recording: Recording,
    pub(crate) is_busy: bool,
    /// The host has ended the meeting.
    pub(crate) is_ended: bool,
    steps_at_once: u32,
}

impl World {
    /// A room with its host, at the beginning of a run.
    pub(crate) fn new(seed: u64, rule: Option<Rule>) -> Result<Self, MeetingError> {
        let mut chance = Chance::new(seed, 0);
        let setup = Setup::draw(&mut chance);
        let now = Now { mono: Mono::from_micros(5_000_000), unix_ms: 1_800_000_000_000 };
        let name = canary_name(seed, 0);
        let relay = RelayAddress::parse("relay.example").map_err(|_| MeetingError::Rules)?;
        let mut founding = Founding::new(relay, display(&name)?);
        founding.lobby = setup.lobby;
        founding.media_stops_after = setup.media_stops_after;
        founding.removed_after = setup.removed_after;
        let (machine, invite) = MeetingMachine::found(now, founding, Box::new(Chance::new(seed, 100)))?;
        let mut world = Self {
            seed,
            now,
            chance,
            setup,
            rule,
            invite,
            actors: Vec::new(),
            relay: RelayMachine::in_memory(RelayLimits::default(), CreateRule::Anyone),
            relay_entropy: Chance::new(seed, 1),
            relay_down_until: None,
            relay_was_down: None,
            connections: BTreeMap::new(),
            connections_made: 0,
            network: Network::default(),
            sfu: Sfu::new(Chance::new(seed, 2)),
            attacks: crate::attacks::Attacks::default(),
            invariants: Invariants::default(),
            counts: EventCounts::default(),
            trace: Vec::new(),
            recording: Recording::default(),
            is_busy: true,
            is_ended: false,
            steps_at_once: 0,
        };
        world.enter(name, machine);
        Ok(world)
    }

    /// Somebody with the link appears and knocks.
    pub(crate) fn arrive(&mut self) -> Result<usize, MeetingError> {
        let name = canary_name(self.seed, self.actors.len());
        let knocking = Knocking { invite: self.invite.clone(), name: display(&name)?, identity: None };
        let entropy = Chance::new(self.seed, 100 + self.actors.len() as u64);
        let machine = MeetingMachine::knock(self.now, knocking, Box::new(entropy))?;
        Ok(self.enter(name, machine))
    }

    fn enter(&mut self, name: String, machine: MeetingMachine) -> usize {
        let mut client = Actor::new(name, machine);
        if let Some(rule) = self.rule {
            rule.switch_off(&mut client.machine, &mut client.receiver);
        }
        client.is_modified = !self.actors.is_empty() && self.chance.happens(120);
        self.actors.push(client);
        let actor = self.actors.len() - 1;
        self.note(actor, "appears");
        self.network.schedule(self.now.mono, Happening::Reconnect { actor });
        self.network.schedule(self.now.mono, Happening::Media { actor });
        actor
    }

    /// Lets time pass until `end`, or until an invariant is broken.
    pub(crate) fn run_until(&mut self, end: Mono) {
        while self.invariants.broken.is_none() {
            let Some(due) = self.next_at().filter(|due| *due <= end) else {
                self.now = self.now.plus(end.since(self.now.mono));
                return;
            };
            let wait = due.since(self.now.mono);
            self.steps_at_once = if wait.is_zero() { self.steps_at_once + 1 } else { 0 };
            if self.steps_at_once > MAX_STEPS_AT_ONCE {
                return self.broken(format_args!("a machine asks for the same time again and again"));
            }
            self.now = self.now.plus(wait);
            self.step();
        }
    }

    fn next_at(&self) -> Option<Mono> {
        let live = self.actors.iter().filter(|actor| actor.life != Life::Crashed);
        let machines = live.flat_map(|actor| [actor.machine.next_deadline(), actor.receiver.next_deadline()]);
        let others = [self.network.next_at(), self.relay.poll_timeout()];
        machines.chain(others).flatten().min()
    }

    fn step(&mut self) {
        if let Some(happening) = self.network.pop_due(self.now.mono) {
            self.happen(happening);
        }
        if self.relay.poll_timeout().is_some_and(|due| due <= self.now.mono) {
            self.tell_relay(incamera_relay::RelayInput::TimePassed);
        }
        for actor in 0..self.actors.len() {
            let now = self.now.mono;
            let client = &mut self.actors[actor];
            if client.life == Life::Crashed {
                continue;
            }
            if client.receiver.next_deadline().is_some_and(|due| due <= now) {
                client.receiver.handle_timeout(self.now);
                self.drain_receiver(actor);
            }
            if self.actors[actor].machine.next_deadline().is_some_and(|due| due <= now) {
                self.feed(actor, Input::Tick);
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::ToRelay { connection, message, wire_bytes } => {
                self.reach_relay(connection, message, wire_bytes);
            }
            Happening::ToClient { actor, connection, message } => {
                self.reach_client(actor, connection, message);
            }
            Happening::ForgedReply { actor, connection, message } => {
                if self.actors[actor].connection == Some(connection)
                    && self.actors[actor].life == Life::Running
                {
                    self.reach_with_forged_reply(actor, message);
                }
            }
            Happening::Vanish { actor } => self.vanish(actor),
            Happening::Frame { actor, track, bytes } => self.receive_frame(actor, track, &bytes),
            Happening::Reconnect { actor } => self.connect(actor),
            Happening::Mend { actor } => self.mend(actor),
            Happening::RelayReturns => self.relay_returns(),
            Happening::Race => self.lock(),
            Happening::Media { actor } => self.send_media(actor),
            Happening::RenewLeaf { actor } => self.leaf_renewed(actor),
            Happening::Action => self.act(),
        }
    }

    /// Gives a machine an input and does what it wants.
    pub(crate) fn feed(&mut self, actor: usize, input: Input) -> bool {
        let result = self.try_feed(actor, input);
        result.is_ok()
    }

    /// Gives a machine a user's command.
    pub(crate) fn command(&mut self, actor: usize, command: Command) -> Result<(), CommandError> {
        self.try_feed(actor, Input::Command(command))
    }

    fn try_feed(&mut self, actor: usize, input: Input) -> Result<(), CommandError> {
        let result = self.actors[actor].machine.handle_input(self.now, input);
        self.drain(actor);
        self.check_actor(actor);
        result
    }

    pub(crate) fn drain(&mut self, actor: usize) {
        while let Some(output) = self.actors[actor].machine.poll_output() {
            let client = &mut self.actors[actor];
            match output {
                Output::Send(message) => self.send_to_relay(actor, message),
                Output::Reconnect => {
                    self.disconnect(actor);
                    let at = self.now.mono.plus(Duration::from_millis(50));
                    self.network.schedule(at, Happening::Reconnect { actor });
                }
                Output::InstallEpochKeys(keys) => self.install(actor, *keys),
                Output::DropMember { member } => client.receiver.drop_member(member),
                Output::HoldMember { member } => {
                    client.receiver.hold_member(member);
                    client.held.insert(member);
                }
                Output::ReleaseMember { member } => {
                    client.receiver.release_member(member);
                    client.held.remove(&member);
                }
                Output::StartMedia => {
                    client.media_flows = true;
                    client.sealer.start();
                    client.receiver.start();
                }
                Output::StopMedia { .. } => {
                    client.media_flows = false;
                    if !client.is_modified {
                        client.sealer.stop();
                    }
                    client.receiver.stop();
                }
                Output::UseTicket(_) | Output::ForceKeyFrames => {}
                Output::Event(event) => self.told(actor, &event),
            }
        }
    }

    fn told(&mut self, actor: usize, event: &Event) {
        self.recording.told(self.now.mono, actor, event);
        self.check_event(actor, event);
        self.count_event(actor, event);
        match event {
            Event::Knocked { knock, name } => {
                self.actors[actor].knocks.push(*knock);
                if actor == HOST && self.is_busy && self.chance.happens(120) {
                    self.forge_welcome(*knock, name.reveal());
                }
            }
            Event::Admitted { knock } if self.actors[actor].denied.contains(knock) => {
                self.broken(format_args!("{knock:?} was let in after it was denied (SEC-19)"));
            }
            Event::KnockEnded { knock } | Event::Admitted { knock } => {
                self.actors[actor].knocks.retain(|known| known != knock);
            }
            Event::EpochChanged { .. } if self.actors[actor].churns => self.renew_leaf(actor),
            Event::StateChanged { state: MeetingState::InMeeting } => {
                self.actors[actor].in_since = Some(self.now.mono);
            }
            Event::Stopped { why } => self.over(actor, *why),
            _ => {}
        }
    }

    fn count_event(&mut self, actor: usize, event: &Event) {
        let kind = match event {
            Event::StateChanged { state: MeetingState::InMeeting } if actor != HOST => match self.setup.lobby
            {
                incamera_meeting::LobbyMode::Open => "join by open door",
                incamera_meeting::LobbyMode::Wait => "join through lobby",
            },
            Event::Removed { why: RemovalReason::Silent, .. } if actor == HOST => {
                "removal of a silent member"
            }
            Event::Removed { why: RemovalReason::Host, .. } if actor == HOST => "removal",
            Event::Removed { why: RemovalReason::Rejoined, .. } if actor == HOST => "repair by adding again",
            Event::Left { .. } if actor == HOST => "leave",
            Event::EpochChanged { .. } if actor == HOST => "commit won",
            Event::ChatReceived { .. } => "chat line received",
            Event::MediaHeld { .. } | Event::MediaStopped { .. } => "media held or stopped",
            Event::Alarm { code, .. } => code.code(),
            _ => {
                return;
            }
        };
        self.counts.add(kind);
        self.note(actor, kind);
    }

    fn over(&mut self, actor: usize, why: StopReason) {
        self.note(actor, format_args!("is out: {why:?}"));
        let client = &mut self.actors[actor];
        client.life = Life::Over(why);
        match why {
            // A modified client would go on listening with what it has.
            StopReason::Removed | StopReason::Left if !client.epochs.is_empty() => {
                client.removed_at = Some(self.now.mono).filter(|_| why == StopReason::Removed);
                client.receiver.start();
            }
            _ => self.disconnect(actor),
        }
    }

    /// Writes a line of the trace.
    pub(crate) fn note(&mut self, actor: usize, what: impl Display) {
        let (seconds, what) = (self.now.mono.as_micros() as f64 / 1e6, what.to_string());
        self.trace.push(format!("{seconds:11.6} {actor:2} {what}"));
        self.recording.happened(self.now.mono, actor, what);
    }

    /// Ends the run: an invariant does not hold.
    pub(crate) fn broken(&mut self, what: impl Display) {
        let seconds = self.now.mono.as_micros() as f64 / 1e6;
        self.invariants.broken.get_or_insert_with(|| format!("at {seconds:.6} s: {what}"));
    }
}

/// A name that must never be seen outside the machines.
fn canary_name(seed: u64, actor: usize) -> String {
    format!("Canary {actor} of {seed}")
}

fn display(name: &str) -> Result<DisplayName, MeetingError> {
    DisplayName::new(name).map_err(|_| MeetingError::Rules)
}
