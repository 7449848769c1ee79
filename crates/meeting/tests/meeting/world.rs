//! Several meetings around one relay, on virtual time.

use core::time::Duration;
use std::collections::BTreeMap;

use incamera_identity::DisplayName;
use incamera_meeting::{
    AlarmCode, Command, CommandError, EpochKeys, Event, Founding, Input, Knocking, LobbyMode, MediaReport,
    MeetingMachine, MeetingState, Output, StopReason,
};
use incamera_relay_proto::ServerMessage;
use incamera_types::{Entropy, Invite, MemberId, Mono, Now, RelayAddress};

use crate::relay::Relay;

/// A fixed sequence of random-looking bytes (SplitMix64).
pub(crate) struct Seeded(pub u64);

impl Entropy for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (z ^ (z >> 31)) as u8;
        }
    }
}

/// What a client's shell has been told.
pub(crate) struct Client {
    pub(crate) machine: MeetingMachine,
    pub(crate) events: Vec<(Now, Event)>,
    pub(crate) keys: Vec<EpochKeys>,
    pub(crate) dropped: Vec<MemberId>,
    pub(crate) held: Vec<MemberId>,
    pub(crate) media_flows: bool,
    pub(crate) media_gaps: usize,
    pub(crate) tickets: usize,
    pub(crate) key_frames: usize,
    connected: bool,
    dead: bool,
}

/// What a hostile relay makes of a message to a client.
pub(crate) type Tamper = Box<dyn FnMut(usize, ServerMessage) -> Vec<ServerMessage>>;

pub(crate) struct World {
    pub(crate) now: Now,
    pub(crate) relay: Relay,
    pub(crate) clients: Vec<Client>,
    pub(crate) invite: Invite,
    pub(crate) tamper: Tamper,
    /// By how much the clocks of some clients are ahead.
    pub(crate) clocks_ahead: BTreeMap<usize, Duration>,
    relay_is_up: bool,
    /// Clients that messages do not reach for now, and what waits for them.
    held: BTreeMap<usize, Vec<ServerMessage>>,
}

pub(crate) const HOST: usize = 0;

pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

impl World {
    /// A room with its host in it.
    pub(crate) fn new(lobby: LobbyMode) -> Self {
        let now = Now { mono: Mono::from_micros(5_000_000), unix_ms: 1_800_000_000_000 };
        let mut founding =
            Founding::new(RelayAddress::parse("relay.example").unwrap(), DisplayName::new("Host").unwrap());
        founding.lobby = lobby;
        let (machine, invite) = MeetingMachine::found(now, founding, Box::new(Seeded(1))).unwrap();
        let mut world = Self {
            now,
            relay: Relay::default(),
            clients: Vec::new(),
            invite,
            tamper: Box::new(|_, message| vec![message]),
            clocks_ahead: BTreeMap::new(),
            relay_is_up: true,
            held: BTreeMap::new(),
        };
        world.add(machine);
        world.run(Duration::from_millis(10));
        assert_eq!(world.state(HOST), MeetingState::InMeeting);
        world
    }

    /// A room without a lobby that these people have joined.
    pub(crate) fn with(names: &[&str]) -> Self {
        let mut world = Self::new(LobbyMode::Open);
        for name in names {
            world.join(name);
        }
        world
    }

    fn add(&mut self, machine: MeetingMachine) -> usize {
        self.clients.push(Client {
            machine,
            events: Vec::new(),
            keys: Vec::new(),
            dropped: Vec::new(),
            held: Vec::new(),
            media_flows: false,
            media_gaps: 0,
            tickets: 0,
            key_frames: 0,
            connected: false,
            dead: false,
        });
        let client = self.clients.len() - 1;
        if self.relay_is_up {
            self.connect(client);
        }
        client
    }

    /// Somebody who knocks with the link.
    pub(crate) fn knock(&mut self, name: &str) -> usize {
        let machine = self.knocker(name);
        let client = self.add(machine);
        self.run(Duration::from_millis(10));
        client
    }

    pub(crate) fn knocker(&self, name: &str) -> MeetingMachine {
        let knocking =
            Knocking { invite: self.invite.clone(), name: DisplayName::new(name).unwrap(), identity: None };
        let seed = 1_000 + self.clients.len() as u64;
        MeetingMachine::knock(self.now, knocking, Box::new(Seeded(seed))).unwrap()
    }

    pub(crate) fn add_knocker(&mut self, machine: MeetingMachine) -> usize {
        let client = self.add(machine);
        self.run(Duration::from_millis(10));
        client
    }

    /// Somebody who comes in without a lobby.
    pub(crate) fn join(&mut self, name: &str) -> usize {
        let client = self.knock(name);
        self.run(Duration::from_millis(1_500));
        assert_eq!(self.state(client), MeetingState::InMeeting, "{name}: {:?}", self.clients[client].events);
        client
    }

    pub(crate) fn state(&self, client: usize) -> MeetingState {
        self.clients[client].machine.state()
    }

    pub(crate) fn member(&self, client: usize) -> MemberId {
        self.clients[client].machine.own_member().unwrap()
    }

    pub(crate) fn command(&mut self, client: usize, command: Command) -> Result<(), CommandError> {
        self.feed(client, Input::Command(command))
    }

    pub(crate) fn report(&mut self, client: usize, report: MediaReport) {
        self.feed(client, Input::Media(report)).unwrap();
    }

    pub(crate) fn feed(&mut self, client: usize, input: Input) -> Result<(), CommandError> {
        let result = self.tell(client, input);
        self.drain(client);
        self.pump();
        result
    }

    fn tell(&mut self, client: usize, input: Input) -> Result<(), CommandError> {
        let ahead = self.clocks_ahead.get(&client).map_or(0, |ahead| ahead.as_millis() as u64);
        let now = Now { unix_ms: self.now.unix_ms + ahead, ..self.now };
        self.clients[client].machine.handle_input(now, input)
    }

    /// The relay becomes unreachable, for everybody.
    pub(crate) fn relay_down(&mut self) {
        self.relay_is_up = false;
        for client in 0..self.clients.len() {
            self.disconnect(client);
        }
    }

    /// The relay is there again; clients come back one after the other within a second.
    pub(crate) fn relay_up(&mut self) {
        self.relay_is_up = true;
        for client in 0..self.clients.len() {
            if !self.clients[client].dead {
                self.connect(client);
                self.run(Duration::from_millis(300));
            }
        }
    }

    /// From now on nothing of the relay reaches a client.
    pub(crate) fn hold(&mut self, client: usize) {
        self.held.insert(client, Vec::new());
    }

    /// What was held reaches the client, before what the relay sends now.
    pub(crate) fn release(&mut self, client: usize) {
        for message in self.held.remove(&client).into_iter().flatten() {
            self.tell(client, Input::Relay(message)).unwrap();
            self.drain(client);
        }
        self.pump();
    }

    /// The process of a client ends without a word.
    pub(crate) fn kill(&mut self, client: usize) {
        self.disconnect(client);
        self.clients[client].dead = true;
    }

    pub(crate) fn connect(&mut self, client: usize) {
        self.relay_is_up = true;
        self.relay.connect(client);
        self.clients[client].connected = true;
        self.feed(client, Input::RelayConnected).unwrap();
    }

    pub(crate) fn disconnect(&mut self, client: usize) {
        if core::mem::take(&mut self.clients[client].connected) {
            self.relay.disconnect(client);
            self.held.remove(&client);
            self.feed(client, Input::RelayLost).unwrap();
        }
    }

    /// Lets time pass; everything that is due happens at its time.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now.mono.plus(time);
        self.pump();
        for _ in 0..1_000_000 {
            let alive = self.clients.iter().filter(|client| !client.dead);
            let next = alive.filter_map(|client| client.machine.next_deadline()).min();
            let next = next.filter(|next| *next <= end);
            let to = next.unwrap_or(end).max(self.now.mono);
            self.now = self.now.plus(to.since(self.now.mono));
            if next.is_none() {
                return;
            }
            for client in 0..self.clients.len() {
                let due = self.clients[client].machine.next_deadline().is_some_and(|due| due <= to);
                if due && !self.clients[client].dead {
                    self.feed(client, Input::Tick).unwrap();
                }
            }
        }
        panic!("a machine asks for the same time again and again");
    }

    fn pump(&mut self) {
        while let Some((client, message)) = self.relay.poll() {
            if self.clients[client].dead {
                continue;
            }
            if let Some(held) = self.held.get_mut(&client) {
                held.push(message);
                continue;
            }
            for message in (self.tamper)(client, message) {
                self.tell(client, Input::Relay(message)).unwrap();
                self.drain(client);
            }
        }
    }

    fn drain(&mut self, at: usize) {
        let now = self.now;
        let mut reconnect = false;
        while let Some(output) = self.clients[at].machine.poll_output() {
            let client = &mut self.clients[at];
            match output {
                Output::Send(message) => self.relay.receive(at, &message),
                Output::Reconnect => reconnect = true,
                Output::InstallEpochKeys(keys) => client.keys.push(*keys),
                Output::DropMember { member } => client.dropped.push(member),
                Output::HoldMember { member } => client.held.push(member),
                Output::ReleaseMember { member } => client.held.retain(|held| *held != member),
                Output::UseTicket(_) => client.tickets += 1,
                Output::StartMedia => client.media_flows = true,
                Output::StopMedia { .. } => {
                    client.media_flows = false;
                    client.media_gaps += 1;
                }
                Output::ForceKeyFrames => client.key_frames += 1,
                Output::Event(event) => client.events.push((now, event)),
            }
        }
        if reconnect && self.clients[at].connected {
            self.disconnect(at);
            self.connect(at);
        }
    }

    /// When an event that fits was first told to a client.
    pub(crate) fn first(&self, client: usize, fits: impl Fn(&Event) -> bool) -> Option<Now> {
        self.clients[client].events.iter().find(|(_, event)| fits(event)).map(|(at, _)| *at)
    }

    pub(crate) fn count(&self, client: usize, fits: impl Fn(&Event) -> bool) -> usize {
        self.clients[client].events.iter().filter(|(_, event)| fits(event)).count()
    }

    pub(crate) fn alarmed(&self, client: usize, code: AlarmCode) -> bool {
        self.first(client, |event| matches!(event, Event::Alarm { code: raised, .. } if *raised == code))
            .is_some()
    }

    pub(crate) fn stopped(&self, client: usize) -> Option<StopReason> {
        self.clients[client].events.iter().find_map(|(_, event)| match event {
            Event::Stopped { why } => Some(*why),
            _ => None,
        })
    }

    pub(crate) fn names(&self, client: usize) -> Vec<String> {
        let mut names: Vec<_> =
            self.clients[client].machine.members().map(|member| member.name.reveal().clone()).collect();
        names.sort();
        names
    }

    /// Everybody who is in sees the same epoch, keys, code and people.
    pub(crate) fn assert_agreement(&self, clients: &[usize]) {
        let view = |client: usize| {
            let machine = &self.clients[client].machine;
            (
                machine.epoch(),
                machine.epoch_authenticator(),
                machine.room_code().to_owned(),
                self.names(client),
            )
        };
        for client in clients {
            assert_eq!(view(*client), view(clients[0]), "client {client}");
        }
    }

    /// Nobody raised any alarm.
    pub(crate) fn assert_calm(&self) {
        for (at, client) in self.clients.iter().enumerate() {
            let alarms: Vec<_> =
                client.events.iter().filter(|(_, event)| matches!(event, Event::Alarm { .. })).collect();
            assert!(alarms.is_empty(), "client {at}: {alarms:?}");
        }
    }
}
