//! The relay's rules as one state machine: no IO, no clock, no randomness of its own.
//!
//! The WebSocket driver and the simulator run this same code. Inputs go in by [`RelayMachine::handle_input`];
//! what clients are to receive is *pulled* per connection by [`RelayMachine::poll_message`] when that client can
//! take it, straight from the room's log: a slow reader costs no memory and holds nobody up. Everything is kept
//! in ordered maps, so equal inputs give equal outputs.

mod connection;
mod delivery;
mod knocks;
mod lane;
mod meter;
mod opening;
mod orders;
mod room;
mod tickets;
mod timers;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use incamera_relay_proto::{
    ClientMessage, ClientRef, EndReason, IceServer, JanusRoom, RelayFault, RelayFaultCode, Request,
    ServerMessage, SfuKind, TextSecret, TicketIdentity,
};
use incamera_types::{Entropy, Mono, Now, RoomId};

use crate::{AppendId, CreateRule, MemoryLog, RelayLimits, RoomLog};
use connection::Connection;
use room::Room;
use tickets::PendingGrant;
use timers::{Subject, Timers};

/// A client's connection, numbered by the driver; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Where a connection comes from, as a keyed hash that only serves to share what there is fairly: the relay's state
/// holds no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(pub u64);

/// A room as the SFU knows it: random, unlinkable to the room's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SfuRoom(pub [u8; 16]);

/// Number of a grant that the SFU is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantId(pub u64);

/// What happens to a relay.
#[derive(Debug)]
pub enum RelayInput {
    /// A client connected.
    Connected {
        /// Its new number.
        connection: ConnectionId,
        /// Where from.
        origin: Origin,
    },
    /// A client sent a message.
    Received {
        /// From which connection.
        connection: ConnectionId,
        /// The message.
        message: ClientMessage,
        /// Its size on the wire, for the connection's meter.
        wire_bytes: usize,
    },
    /// A client sent a WebSocket ping or pong: costs as much as a message.
    Pinged {
        /// From which connection.
        connection: ConnectionId,
        /// Its size on the wire.
        wire_bytes: usize,
    },
    /// A client sent what is no message; the connection ends.
    Garbled {
        /// From which connection.
        connection: ConnectionId,
    },
    /// A client is gone.
    Disconnected {
        /// Which connection.
        connection: ConnectionId,
    },
    /// The SFU answered a [`RelayOutput::Grant`].
    Granted {
        /// Which one.
        grant: GrantId,
        /// How to reach the SFU, or `None` when it refused or is not there.
        access: Option<SfuAccess>,
    },
    /// A deadline has passed, or just time.
    TimePassed,
    /// The relay stops: rooms end, clients are told.
    Stop,
}

/// What a relay wants done.
#[derive(Debug, PartialEq, Eq)]
pub enum RelayOutput {
    /// [`RelayMachine::poll_message`] has something for this connection.
    Wake(ConnectionId),
    /// Ask the SFU for access; answered by [`RelayInput::Granted`].
    Grant(SfuGrant),
    /// Make the SFU drop this identity and its sessions.
    Revoke {
        /// In which room.
        room: SfuRoom,
        /// Who.
        identity: TicketIdentity,
    },
    /// Make the SFU forget a room.
    EndSfuRoom(SfuRoom),
}

/// A request for access to the SFU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SfuGrant {
    /// Number for the answer.
    pub grant: GrantId,
    /// The room.
    pub room: SfuRoom,
    /// Random identity of the holder.
    pub identity: TicketIdentity,
    /// How long it opens sessions.
    pub valid_for: Duration,
    /// Until when, milliseconds since the Unix epoch: for time-limited TURN credentials.
    pub valid_until_unix_ms: u64,
    /// Number and pin of the room, should the SFU be a Janus.
    pub janus: JanusRoom,
}

/// How to reach the SFU: the part of a [`incamera_relay_proto::Ticket`] that depends on which one it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SfuAccess {
    /// Which adapter to use.
    pub sfu: SfuKind,
    /// See [`incamera_relay_proto::Ticket::publish_url`].
    pub publish_url: String,
    /// See [`incamera_relay_proto::Ticket::subscribe_url`].
    pub subscribe_url: String,
    /// See [`incamera_relay_proto::Ticket::bearer`].
    pub bearer: TextSecret,
    /// See [`incamera_relay_proto::Ticket::janus`].
    pub janus: Option<JanusRoom>,
    /// See [`incamera_relay_proto::Ticket::ice_servers`].
    pub ice_servers: Vec<IceServer>,
}

/// What [`RelayMachine::poll_message`] gives.
#[derive(Debug, PartialEq, Eq)]
pub enum Transmit {
    /// Send this.
    Message(ServerMessage),
    /// Nothing now; a [`RelayOutput::Wake`] follows when there is.
    Idle,
    /// Close the connection.
    Close,
}

/// Numbers for the operator. Nothing in them is about a person or a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayStats {
    /// Rooms now.
    pub rooms: usize,
    /// Connections now.
    pub connections: usize,
    /// Entries appended since the start.
    pub appended: u64,
    /// Requests refused since the start.
    pub refused: u64,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    code: RelayFaultCode,
    detail: u64,
}

impl From<RelayFaultCode> for Refusal {
    fn from(code: RelayFaultCode) -> Self {
        Self { code, detail: 0 }
    }
}

/// An append that the log has not ordered yet.
struct PendingAppend {
    room: RoomId,
    connection: ConnectionId,
    client_ref: ClientRef,
}

/// The relay.
pub struct RelayMachine<L = MemoryLog> {
    limits: RelayLimits,
    create: CreateRule,
    log: L,
    rooms: BTreeMap<RoomId, Room>,
    connections: BTreeMap<ConnectionId, Connection>,
    timers: Timers,
    outputs: VecDeque<RelayOutput>,
    appends: BTreeMap<AppendId, PendingAppend>,
    grants: BTreeMap<GrantId, PendingGrant>,
    next_number: u64,
    stats: RelayStats,
}

impl RelayMachine<MemoryLog> {
    /// A relay without rooms whose log is in memory.
    #[must_use]
    pub fn in_memory(limits: RelayLimits, create: CreateRule) -> Self {
        let log = MemoryLog::new(limits.log());
        Self::new(limits, create, log)
    }
}

impl<L: RoomLog> RelayMachine<L> {
    /// A relay without rooms over `log`.
    #[must_use]
    pub fn new(limits: RelayLimits, create: CreateRule, log: L) -> Self {
        Self {
            limits,
            create,
            log,
            rooms: BTreeMap::new(),
            connections: BTreeMap::new(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
            appends: BTreeMap::new(),
            grants: BTreeMap::new(),
            next_number: 0,
            stats: RelayStats::default(),
        }
    }

    /// Takes one input. Never fails: what a client does wrong is answered to that client.
    pub fn handle_input(&mut self, now: Now, entropy: &mut dyn Entropy, input: RelayInput) {
        match input {
            RelayInput::Connected { connection, origin } => self.handle_connected(now, connection, origin),
            RelayInput::Received { connection, message, wire_bytes } => {
                self.handle_message(now, entropy, connection, message, wire_bytes);
            }
            RelayInput::Pinged { connection, wire_bytes } => {
                if let Some(connection) = self.connections.get_mut(&connection) {
                    connection.meter(now.mono, wire_bytes);
                }
            }
            RelayInput::Garbled { connection } => {
                self.close(connection, RelayFault::connection(RelayFaultCode::Malformed));
            }
            RelayInput::Disconnected { connection } => self.handle_disconnected(now, connection),
            RelayInput::Granted { grant, access } => self.handle_granted(grant, access),
            RelayInput::TimePassed => {}
            RelayInput::Stop => self.handle_stop(now),
        }
        self.handle_due(now);
    }

    /// The next thing to be done, until `None`.
    pub fn poll_output(&mut self) -> Option<RelayOutput> {
        self.outputs.pop_front()
    }

    /// When [`RelayInput::TimePassed`] is due at the latest; `None`: never.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Mono> {
        self.timers.next_at()
    }

    /// From when on the driver may read the connection's next message: whoever sends more than its rate is read
    /// more slowly, and so held back by its own transport.
    #[must_use]
    pub fn read_again_at(&self, connection: ConnectionId) -> Mono {
        self.connections.get(&connection).map_or_else(Mono::default, Connection::read_again_at)
    }

    /// Numbers for the operator.
    #[must_use]
    pub fn stats(&self) -> RelayStats {
        RelayStats { rooms: self.rooms.len(), connections: self.connections.len(), ..self.stats }
    }

    /// The room's name at the SFU; `None` for a room that is not here.
    #[cfg(feature = "danger-hostile-sfu")]
    pub(crate) fn sfu_room(&self, room: RoomId) -> Option<SfuRoom> {
        self.rooms.get(&room).map(|room| room.sfu_room)
    }

    /// The last entry of a room's log.
    #[cfg(feature = "danger-hostile-relay")]
    pub(crate) fn head(&self, room: RoomId) -> incamera_relay_proto::Seq {
        self.log.extent(room).head
    }

    fn handle_connected(&mut self, now: Now, connection: ConnectionId, origin: Origin) {
        let is_full = self.connections.len() >= self.limits.connections;
        let deadline = now.mono.plus(Duration::from_secs(self.limits.open_within_seconds));
        self.connections.insert(connection, Connection::new(&self.limits, now.mono, origin));
        self.timers.set(Subject::Connection(connection), Some(deadline));
        if is_full {
            self.close(connection, RelayFault::connection(RelayFaultCode::TooManyConnections));
        }
    }

    fn handle_disconnected(&mut self, now: Now, connection: ConnectionId) {
        self.leave_room(now, connection);
        self.grants.retain(|_, pending| pending.connection != connection);
        self.connections.remove(&connection);
        self.timers.set(Subject::Connection(connection), None);
    }

    fn handle_message(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        id: ConnectionId,
        message: ClientMessage,
        wire_bytes: usize,
    ) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.is_closing() {
            return;
        }
        connection.meter(now.mono, wire_bytes);
        let client_ref = message.client_ref;
        if let Err(refusal) = self.handle_request(now, entropy, id, client_ref, message.request) {
            self.stats.refused = self.stats.refused.saturating_add(1);
            let fault = RelayFault::reply(client_ref, refusal.code).with_detail(refusal.detail);
            let is_last = match refusal.code {
                RelayFaultCode::Denied | RelayFaultCode::CreateDenied => self.deny_once_more(id),
                code => code == RelayFaultCode::Version,
            };
            if is_last {
                self.close(id, fault);
            } else {
                self.send(id, ServerMessage::Error(fault));
            }
        }
    }

    fn handle_request(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        id: ConnectionId,
        client_ref: ClientRef,
        request: Request,
    ) -> Result<(), Refusal> {
        if !self.connection(id)?.is_greeted() {
            return match request {
                Request::Hello { version } => self.greet(id, version),
                _ => Err(RelayFaultCode::OutOfTurn.into()),
            };
        }
        match request {
            Request::Hello { .. } => Err(RelayFaultCode::OutOfTurn.into()),
            Request::CreateRoom(create) => self.create_room(now, entropy, id, client_ref, create),
            Request::Open { room, access, capability, from } => {
                self.open_room(now, id, client_ref, room, access, &capability, from)
            }
            Request::FetchCard => self.fetch_card(id, client_ref),
            Request::Knock { blob, resume } => self.knock(now, entropy, id, client_ref, blob, &resume),
            Request::ResumeKnock { resume, replies_seen } => {
                self.resume_knock(id, client_ref, &resume, replies_seen)
            }
            Request::WithdrawKnock => self.withdraw_knock(now, id),
            Request::Reply { knock, standing, blob } => self.reply(now, id, knock, standing, blob),
            Request::Append { lane, blob } => self.append(now, id, client_ref, lane, blob),
            Request::Administer(order) => self.administer(now, id, client_ref, &order),
            Request::RequestTicket { renew } => self.request_ticket(now, entropy, id, client_ref, renew),
        }
    }

    /// Serves lanes, hands out log changes and runs deadlines, until nothing is due.
    fn handle_due(&mut self, now: Now) {
        self.handle_log_changes();
        while let Some(subject) = self.timers.pop_due(now.mono) {
            match subject {
                Subject::Connection(id) => {
                    self.close(id, RelayFault::connection(RelayFaultCode::TimedOut));
                }
                Subject::Room(room) => self.handle_room_due(now, room),
            }
        }
    }

    fn handle_room_due(&mut self, now: Now, id: RoomId) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        if room.is_expired(now.mono) {
            self.end_room(now, id, EndReason::Expired);
            return;
        }
        self.expire_knocks(now, id);
        self.expire_tickets(now, id);
        self.serve_lanes(now, id);
    }

    fn handle_stop(&mut self, now: Now) {
        let rooms: Vec<_> = self.rooms.keys().copied().collect();
        for room in rooms {
            self.end_room(now, room, EndReason::RelayStopped);
        }
        let connections: Vec<_> = self.connections.keys().copied().collect();
        for connection in connections {
            self.close(connection, RelayFault::connection(RelayFaultCode::Stopping));
        }
    }

    /// Removes a room and everything about it; its connections stay, without a room.
    fn end_room(&mut self, now: Now, id: RoomId, reason: EndReason) {
        let Some(room) = self.rooms.remove(&id) else { return };
        self.log.purge(id);
        self.appends.retain(|_, append| append.room != id);
        self.timers.set(Subject::Room(id), None);
        self.outputs.push_back(RelayOutput::EndSfuRoom(room.sfu_room));
        let open_until = now.mono.plus(Duration::from_secs(self.limits.open_within_seconds));
        for connection in room.connections() {
            if let Some(connection) = self.connections.get_mut(&connection) {
                connection.leave();
            }
            self.timers.set(Subject::Connection(connection), Some(open_until));
            self.send(connection, ServerMessage::RoomEnded(reason));
        }
    }

    /// Sets the room's timer to its next deadline.
    fn rearm(&mut self, id: RoomId) {
        let at = self.rooms.get(&id).map(Room::next_deadline);
        self.timers.set(Subject::Room(id), at);
    }

    fn number(&mut self) -> u64 {
        self.next_number = self.next_number.saturating_add(1);
        self.next_number
    }

    /// Counts a wrong capability; whether it was one too many.
    fn deny_once_more(&mut self, id: ConnectionId) -> bool {
        self.connections.get_mut(&id).is_some_and(Connection::deny_once_more)
    }

    fn connection(&self, id: ConnectionId) -> Result<&Connection, Refusal> {
        self.connections.get(&id).ok_or_else(|| RelayFaultCode::OutOfTurn.into())
    }

    /// Queues a message to a client. A client that asks and asks but never reads is cut off.
    fn send(&mut self, id: ConnectionId, message: ServerMessage) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.queue(message);
        }
        self.wake(id);
    }

    /// Queues a last error, after which the connection is closed.
    fn close(&mut self, id: ConnectionId, fault: RelayFault) {
        if let Some(connection) = self.connections.get_mut(&id)
            && !connection.is_closing()
        {
            connection.queue(ServerMessage::Error(fault));
            connection.close();
            self.wake(id);
        }
    }

    fn wake(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id)
            && connection.wake()
        {
            self.outputs.push_back(RelayOutput::Wake(id));
        }
    }

    fn wake_room(&mut self, id: RoomId) {
        let connections = self.rooms.get(&id).map(Room::connections).unwrap_or_default();
        for connection in connections {
            self.wake(connection);
        }
    }
}

/// Random bytes.
fn random<const N: usize>(entropy: &mut dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}
