//! A relay, its clients and a clock that only tests move.

use std::time::Duration;

use incamera_relay::{
    ConnectionId, CreateRule, Origin, RelayInput, RelayLimits, RelayMachine, RelayOutput, SfuAccess, Transmit,
};
use incamera_relay_proto::{
    Access, AdminAction, AdminOrder, AdminPublicKey, Blob, CapabilityHash, CapabilitySecret, Card,
    ClientMessage, ClientRef, CreateRoom, Incarnation, Lane, LobbyPublicKey, Opened, RelayFaultCode, Request,
    RoomPublicKey, Rotation, Seq, ServerMessage, SfuKind, Signature, SignedAdminOrder, TextSecret,
};
use incamera_types::{Entropy, Mono, Now, PROTOCOL_VERSION, RoomId};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

pub(crate) const ROOM: RoomId = RoomId([7; 16]);
pub(crate) const START_UNIX_MS: u64 = 1_800_000_000_000;

/// Counts up: different every time, the same in every run.
pub(crate) struct Counting(u8);

impl Entropy for Counting {
    fn fill(&mut self, out: &mut [u8]) {
        self.0 = self.0.wrapping_add(1);
        out.fill(self.0);
    }
}

pub(crate) struct World {
    pub(crate) relay: RelayMachine,
    pub(crate) now: Now,
    pub(crate) outputs: Vec<RelayOutput>,
    pub(crate) admin: Ed25519KeyPair,
    /// Where the next connections come from.
    pub(crate) origin: Origin,
    entropy: Counting,
    connections: u64,
    refs: u32,
}

pub(crate) fn capability(n: u8) -> CapabilitySecret {
    CapabilitySecret::new([n; 32])
}

pub(crate) fn hash(secret: &CapabilitySecret) -> CapabilityHash {
    let digest = ring::digest::digest(&ring::digest::SHA256, &secret.hash_input());
    CapabilityHash(digest.as_ref().try_into().unwrap())
}

pub(crate) fn knock_capability() -> CapabilitySecret {
    capability(1)
}

pub(crate) fn member_capability() -> CapabilitySecret {
    capability(2)
}

pub(crate) fn blob(text: &str) -> Blob {
    Blob::pad(text.as_bytes()).unwrap()
}

pub(crate) fn text(blob: &Blob) -> String {
    String::from_utf8(blob.unpad().unwrap().to_vec()).unwrap()
}

pub(crate) fn key_pair(n: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[n; 32]).unwrap()
}

pub(crate) fn public(key: &Ed25519KeyPair) -> AdminPublicKey {
    AdminPublicKey(key.public_key().as_ref().try_into().unwrap())
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(RelayLimits::default(), CreateRule::Anyone)
    }

    pub(crate) fn with(limits: RelayLimits, create: CreateRule) -> Self {
        Self {
            relay: RelayMachine::in_memory(limits, create),
            now: Now { mono: Mono::from_micros(1_000_000), unix_ms: START_UNIX_MS },
            outputs: Vec::new(),
            admin: key_pair(9),
            origin: Origin(1),
            entropy: Counting(0),
            connections: 0,
            refs: 0,
        }
    }

    pub(crate) fn input(&mut self, input: RelayInput) {
        self.relay.handle_input(self.now, &mut self.entropy, input);
        while let Some(output) = self.relay.poll_output() {
            self.outputs.push(output);
        }
    }

    /// Lets time pass, stopping at each of the relay's deadlines.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now.plus(time);
        while let Some(at) = self.relay.poll_timeout().filter(|at| *at <= end.mono) {
            self.now = self.now.plus(at.since(self.now.mono));
            self.input(RelayInput::TimePassed);
        }
        self.now = end;
    }

    pub(crate) fn connect_raw(&mut self) -> ConnectionId {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        self.input(RelayInput::Connected { connection, origin: self.origin });
        connection
    }

    pub(crate) fn connect(&mut self) -> ConnectionId {
        let connection = self.connect_raw();
        let said = self.ask(connection, Request::Hello { version: PROTOCOL_VERSION });
        assert_eq!(said, [ServerMessage::Hello { version: PROTOCOL_VERSION }]);
        connection
    }

    /// Sends a request without reading anything.
    pub(crate) fn send(&mut self, connection: ConnectionId, request: Request) -> ClientRef {
        self.refs += 1;
        let client_ref = ClientRef(self.refs);
        let message = ClientMessage { client_ref, request };
        let wire_bytes = message.encode().unwrap().len();
        self.input(RelayInput::Received { connection, message, wire_bytes });
        client_ref
    }

    /// Reads everything there is.
    pub(crate) fn read(&mut self, connection: ConnectionId) -> Vec<ServerMessage> {
        let mut read = Vec::new();
        while let Transmit::Message(message) = self.relay.poll_message(connection) {
            assert_eq!(ServerMessage::parse(&message.encode().unwrap()).unwrap(), message);
            read.push(message);
        }
        read
    }

    pub(crate) fn is_closed(&mut self, connection: ConnectionId) -> bool {
        self.read(connection);
        self.relay.poll_message(connection) == Transmit::Close
    }

    pub(crate) fn ask(&mut self, connection: ConnectionId, request: Request) -> Vec<ServerMessage> {
        self.send(connection, request);
        self.read(connection)
    }

    pub(crate) fn refusal(&mut self, connection: ConnectionId, request: Request) -> RelayFaultCode {
        let client_ref = self.send(connection, request);
        let said = self.read(connection);
        let refusal = said.iter().find_map(|message| match message {
            ServerMessage::Error(fault) if fault.in_reply_to == Some(client_ref) => Some(fault.code),
            _ => None,
        });
        refusal.unwrap_or_else(|| panic!("not refused: {said:?}"))
    }

    pub(crate) fn disconnect(&mut self, connection: ConnectionId) {
        self.input(RelayInput::Disconnected { connection });
    }

    pub(crate) fn card(&self, counter: u64) -> Card {
        Card {
            version: PROTOCOL_VERSION,
            room: ROOM,
            room_key: RoomPublicKey([3; 32]),
            lobby_key: LobbyPublicKey([4; 32]),
            admin_key: public(&self.admin),
            sfu: SfuKind::Embedded,
            issued_unix_ms: self.now.unix_ms,
            valid_until_unix_ms: self.now.unix_ms + 3_600_000,
            counter,
            delegation: None,
            signature: Signature([5; 64]),
        }
    }

    pub(crate) fn create_request(&self) -> CreateRoom {
        CreateRoom {
            room: ROOM,
            knock: hash(&knock_capability()),
            member: hash(&member_capability()),
            admin_key: public(&self.admin),
            card: self.card(1).encode().unwrap(),
            create_token: None,
        }
    }

    /// A connection that has made the room.
    pub(crate) fn host(&mut self) -> (ConnectionId, Opened) {
        let host = self.connect();
        let request = Request::CreateRoom(self.create_request());
        match self.ask(host, request).as_slice() {
            [ServerMessage::Opened(opened), ServerMessage::CaughtUp { seq: Seq(0) }] => (host, *opened),
            other => panic!("not created: {other:?}"),
        }
    }

    pub(crate) fn open_request(access: Access, capability: CapabilitySecret, from: u64) -> Request {
        Request::Open { room: ROOM, access, capability, from: Seq(from) }
    }

    pub(crate) fn open(
        &mut self,
        connection: ConnectionId,
        access: Access,
        secret: CapabilitySecret,
    ) -> Opened {
        match self.ask(connection, Self::open_request(access, secret, 1)).first() {
            Some(ServerMessage::Opened(opened)) => *opened,
            other => panic!("not opened: {other:?}"),
        }
    }

    pub(crate) fn member(&mut self) -> ConnectionId {
        let member = self.connect();
        self.open(member, Access::Member, member_capability());
        member
    }

    pub(crate) fn knocker(&mut self) -> ConnectionId {
        let knocker = self.connect();
        self.open(knocker, Access::Knock, knock_capability());
        knocker
    }

    pub(crate) fn append(&mut self, connection: ConnectionId, lane: Lane, what: &str) -> ClientRef {
        self.send(connection, Request::Append { lane, blob: blob(what) })
    }

    /// What the entries among `messages` say.
    pub(crate) fn entries(messages: &[ServerMessage]) -> Vec<String> {
        let entry = |message: &ServerMessage| match message {
            ServerMessage::Entry { blob, .. } => Some(text(blob)),
            _ => None,
        };
        messages.iter().filter_map(entry).collect()
    }

    pub(crate) fn order(
        &self,
        incarnation: Incarnation,
        counter: u64,
        action: AdminAction,
    ) -> SignedAdminOrder {
        let order = AdminOrder { room: ROOM, incarnation, counter, action };
        let signature = self.admin.sign(&order.signing_bytes().unwrap());
        SignedAdminOrder { order, signature: Signature(signature.as_ref().try_into().unwrap()) }
    }

    pub(crate) fn rotation(&self, member: &CapabilitySecret) -> Rotation {
        Rotation { member: hash(member), knock: None, admin_key: None, revoked_tickets: Vec::new() }
    }

    /// Answers every question to the SFU.
    pub(crate) fn grant_all(&mut self) {
        let outputs = std::mem::take(&mut self.outputs);
        for output in outputs {
            if let RelayOutput::Grant(grant) = output {
                let access = SfuAccess {
                    sfu: SfuKind::Embedded,
                    publish_url: "/sfu/whip".into(),
                    subscribe_url: "/sfu/whep".into(),
                    bearer: TextSecret::new("bearer".into()),
                    janus: Some(grant.janus),
                    ice_servers: Vec::new(),
                };
                self.input(RelayInput::Granted { grant: grant.grant, access: Some(access) });
            } else {
                self.outputs.push(output);
            }
        }
    }
}
