//! A relay in memory: one room, one ordered log, the rules of wire.md §8 as far as members notice them.

use std::collections::{BTreeMap, VecDeque};

use incamera_identity::{VerifyingKey, sha256};
use incamera_relay_proto::{
    Access, AdminAction, Blob, CapabilityHash, CapabilitySecret, ClientMessage, ClientRef, CreateRoom,
    EndReason, Incarnation, KnockId, Lane, Opened, RelayFault, RelayFaultCode, Request, ResumeSecret, Seq,
    ServerMessage, SfuKind, SignedAdminOrder, Standing, TextSecret, Ticket, TicketIdentity,
};

/// What becomes of requests of one kind.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Fate {
    #[default]
    CarriedOut,
    /// They never reach the relay.
    Lost,
    Refused,
}

/// What becomes of appends.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Appends {
    #[default]
    Taken,
    /// They never reach the relay.
    Lost,
    /// The relay is busy for so many milliseconds.
    Busy(u64),
}

#[derive(Default)]
pub(crate) struct Relay {
    pub(crate) room: Option<Room>,
    /// Of the orders of the admin key.
    pub(crate) orders: Fate,
    /// Of replies to knocks.
    pub(crate) replies: Fate,
    pub(crate) appends: Appends,
    /// Entries that nobody can read, before each application message.
    pub(crate) junk: usize,
    pub(crate) revoked: Vec<TicketIdentity>,
    /// Who took its knock back.
    pub(crate) withdrawn: Vec<usize>,
    lives: u64,
    knocks: u64,
    tickets: u8,
    connections: BTreeMap<usize, Connection>,
    outbox: VecDeque<(usize, ServerMessage)>,
}

pub(crate) struct Room {
    pub(crate) log: Vec<(Lane, Blob)>,
    pub(crate) card: Vec<u8>,
    incarnation: Incarnation,
    member: CapabilityHash,
    retired: Option<(CapabilityHash, Seq)>,
    knock: CapabilityHash,
    admin_key: [u8; 32],
    admin_counter: u64,
    knocks: BTreeMap<KnockId, Knock>,
}

struct Knock {
    resume: ResumeSecret,
    blob: Blob,
    replies: Vec<(Standing, Blob)>,
}

#[derive(Default)]
struct Connection {
    access: Option<Access>,
    /// Entries up to here were sent.
    read: u64,
    /// The capability was taken back: nothing after this entry is sent.
    until: Option<Seq>,
    knock: Option<KnockId>,
}

fn hash(capability: &CapabilitySecret) -> CapabilityHash {
    CapabilityHash(sha256(&capability.hash_input()))
}

impl Relay {
    /// Forgets the room, as an embedded relay does when it is started again.
    pub(crate) fn forget(&mut self) {
        self.room = None;
    }

    pub(crate) fn connect(&mut self, client: usize) {
        self.connections.insert(client, Connection::default());
    }

    pub(crate) fn disconnect(&mut self, client: usize) {
        self.connections.remove(&client);
        self.outbox.retain(|(to, _)| *to != client);
    }

    pub(crate) fn poll(&mut self) -> Option<(usize, ServerMessage)> {
        self.outbox.pop_front()
    }

    fn send(&mut self, client: usize, message: ServerMessage) {
        // What goes over the wire has been encoded and parsed.
        let bytes = message.encode().expect("relay message is in range");
        assert_eq!(ServerMessage::parse(&bytes).as_ref(), Ok(&message));
        self.outbox.push_back((client, message));
    }

    fn refuse(&mut self, client: usize, to: ClientRef, code: RelayFaultCode) {
        self.send(client, ServerMessage::Error(RelayFault::reply(to, code)));
    }

    pub(crate) fn receive(&mut self, client: usize, message: &ClientMessage) {
        let bytes = message.encode().expect("client message is in range");
        let ClientMessage { client_ref, request } = ClientMessage::parse(&bytes).expect("and parses");
        if !self.connections.contains_key(&client) {
            return;
        }
        match request {
            Request::Hello { version } => self.send(client, ServerMessage::Hello { version }),
            Request::CreateRoom(create) => self.create(client, client_ref, create),
            Request::Open { access, capability, from, .. } => {
                self.open(client, client_ref, (access, hash(&capability)), from);
            }
            Request::FetchCard => {
                let card = self.room.as_ref().map(|room| room.card.clone()).unwrap_or_default();
                self.send(client, ServerMessage::Card { in_reply_to: client_ref, card });
            }
            Request::Knock { blob, resume } => self.knock(client, client_ref, blob, resume),
            Request::ResumeKnock { resume, replies_seen } => {
                self.resume(client, client_ref, &resume, replies_seen);
            }
            Request::WithdrawKnock => self.withdraw_knock(client),
            Request::Reply { knock, standing, blob } => {
                self.reply((client, client_ref), knock, standing, blob);
            }
            Request::Append { lane, blob } => self.append(client, client_ref, lane, blob),
            Request::Administer(order) => self.administer(client, client_ref, order),
            Request::RequestTicket { renew } => {
                self.tickets += 1;
                let identity = renew.map_or(TicketIdentity([self.tickets; 16]), |(identity, _)| identity);
                self.send(
                    client,
                    ServerMessage::Ticket { in_reply_to: client_ref, ticket: Box::new(ticket(identity)) },
                );
            }
        }
        self.pump();
    }

    fn create(&mut self, client: usize, to: ClientRef, create: CreateRoom) {
        if self.room.is_some() {
            return self.refuse(client, to, RelayFaultCode::RoomExists);
        }
        self.lives += 1;
        self.room = Some(Room {
            log: Vec::new(),
            card: create.card,
            incarnation: Incarnation(self.lives),
            member: create.member,
            retired: None,
            knock: create.knock,
            admin_key: create.admin_key.0,
            admin_counter: 0,
            knocks: BTreeMap::new(),
        });
        self.opened(client, to, Access::Member, Seq::FIRST, None);
    }

    fn open(
        &mut self,
        client: usize,
        to: ClientRef,
        (access, capability): (Access, CapabilityHash),
        from: Seq,
    ) {
        let Some(room) = &self.room else { return self.refuse(client, to, RelayFaultCode::NoRoom) };
        let until = room.retired.filter(|(retired, _)| *retired == capability).map(|(_, last)| last);
        let allowed = match access {
            Access::Knock => room.knock == capability,
            Access::Member => room.member == capability || until.is_some(),
        };
        if !allowed {
            return self.refuse(client, to, RelayFaultCode::Denied);
        }
        self.opened(client, to, access, from, until);
    }

    fn opened(&mut self, client: usize, to: ClientRef, access: Access, from: Seq, until: Option<Seq>) {
        let room = self.room.as_ref().expect("a room is open");
        let head = Seq(room.log.len() as u64);
        let opened = Opened {
            in_reply_to: to,
            incarnation: room.incarnation,
            oldest: Seq::FIRST,
            head,
            admin_counter: room.admin_counter,
            read_only_until: until,
        };
        let knocks: Vec<_> = room
            .knocks
            .iter()
            .filter(|(_, knock)| knock.replies.is_empty())
            .map(|(id, knock)| (*id, knock.blob.clone()))
            .collect();
        let connection = self.connections.get_mut(&client).expect("connected");
        connection.access = Some(access);
        connection.read = from.0.saturating_sub(1);
        connection.until = until;
        self.send(client, ServerMessage::Opened(opened));
        if access == Access::Member {
            self.pump();
            let seq = Seq(self.connections[&client].read);
            self.send(client, ServerMessage::CaughtUp { seq });
            for (knock, blob) in knocks {
                self.send(client, ServerMessage::Knocked { knock, blob });
            }
        }
    }

    fn knock(&mut self, client: usize, to: ClientRef, blob: Blob, resume: ResumeSecret) {
        let Some(room) = &mut self.room else { return };
        self.knocks += 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.knocks.to_be_bytes());
        let knock = KnockId(id);
        room.knocks.insert(knock, Knock { resume, blob: blob.clone(), replies: Vec::new() });
        self.connections.get_mut(&client).expect("connected").knock = Some(knock);
        self.send(client, ServerMessage::KnockTaken { in_reply_to: to, knock });
        self.tell_members(&ServerMessage::Knocked { knock, blob });
    }

    /// Puts a knock before the members that nobody here made.
    pub(crate) fn inject_knock(&mut self, number: u64, blob: Blob) {
        let mut id = [0xff; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        self.tell_members(&ServerMessage::Knocked { knock: KnockId(id), blob });
    }

    /// The blobs of all knocks so far.
    pub(crate) fn knocks(&self) -> Vec<Blob> {
        self.room.iter().flat_map(|room| room.knocks.values().map(|knock| knock.blob.clone())).collect()
    }

    /// All knocks so far, as members are told of them.
    pub(crate) fn knocked(&self) -> Vec<ServerMessage> {
        let knocks = self.room.iter().flat_map(|room| &room.knocks);
        knocks
            .map(|(knock, Knock { blob, .. })| ServerMessage::Knocked { knock: *knock, blob: blob.clone() })
            .collect()
    }

    /// Nobody decided about the knocks that wait for as long as a relay keeps them.
    pub(crate) fn expire_knocks(&mut self) {
        let room = self.room.as_ref().expect("a room");
        let waiting = room.knocks.iter().filter(|(_, knock)| knock.replies.is_empty());
        for knock in waiting.map(|(knock, _)| *knock).collect::<Vec<_>>() {
            let owner = self.connections.iter().find(|(_, connection)| connection.knock == Some(knock));
            if let Some(owner) = owner.map(|(owner, _)| *owner) {
                let fault = RelayFault::connection(RelayFaultCode::NoKnock);
                self.send(owner, ServerMessage::Error(fault));
            }
            self.close_knock(knock);
        }
    }

    fn close_knock(&mut self, knock: KnockId) {
        self.room.as_mut().expect("a room").knocks.remove(&knock);
        self.tell_members(&ServerMessage::KnockClosed { knock });
    }

    fn withdraw_knock(&mut self, client: usize) {
        self.withdrawn.push(client);
        if let Some(knock) = self.connections.get_mut(&client).and_then(|connection| connection.knock.take())
        {
            self.close_knock(knock);
        }
    }

    fn resume(&mut self, client: usize, to: ClientRef, resume: &ResumeSecret, seen: u16) {
        let room = self.room.as_ref().expect("a room");
        let found = room.knocks.iter().find(|(_, knock)| knock.resume == *resume);
        let Some((id, knock)) = found.map(|(id, knock)| (*id, knock.replies.clone())) else {
            return self.refuse(client, to, RelayFaultCode::NoKnock);
        };
        self.connections.get_mut(&client).expect("connected").knock = Some(id);
        self.send(client, ServerMessage::KnockTaken { in_reply_to: to, knock: id });
        for (number, (standing, blob)) in (1..).zip(knock).filter(|(number, _)| *number > seen) {
            self.send(client, ServerMessage::Replied { number, standing, blob });
        }
    }

    fn reply(&mut self, (client, to): (usize, ClientRef), id: KnockId, standing: Standing, blob: Blob) {
        match self.replies {
            Fate::CarriedOut => {}
            Fate::Lost => return,
            Fate::Refused => return self.refuse(client, to, RelayFaultCode::Busy),
        }
        let knock = self.room.as_mut().and_then(|room| room.knocks.get_mut(&id));
        let Some(knock) = knock.filter(|knock| knock.replies.is_empty()) else {
            return self.refuse(client, to, RelayFaultCode::NoKnock);
        };
        knock.replies.push((standing, blob.clone()));
        let number = knock.replies.len() as u16;
        let knocker = self.connections.iter().find(|(_, connection)| connection.knock == Some(id));
        if let Some((client, _)) = knocker {
            self.send(*client, ServerMessage::Replied { number, standing, blob });
        }
        self.tell_members(&ServerMessage::KnockClosed { knock: id });
    }

    fn tell_members(&mut self, message: &ServerMessage) {
        let members = self.connections.iter().filter(|(_, c)| c.access == Some(Access::Member));
        for client in members.map(|(client, _)| *client).collect::<Vec<_>>() {
            self.send(client, message.clone());
        }
    }

    fn append(&mut self, client: usize, to: ClientRef, lane: Lane, blob: Blob) {
        match self.appends {
            Appends::Taken => {}
            Appends::Lost => return,
            Appends::Busy(millis) => {
                let busy = RelayFault::reply(to, RelayFaultCode::Busy).with_detail(millis);
                return self.send(client, ServerMessage::Error(busy));
            }
        }
        let connection = &self.connections[&client];
        let (Some(room), Some(Access::Member), None) = (&mut self.room, connection.access, connection.until)
        else {
            return self.refuse(client, to, RelayFaultCode::NotAllowed);
        };
        if lane == Lane::Application {
            let junk = (0..self.junk).map(|_| (Lane::Application, Blob::pad(b"junk").expect("short")));
            room.log.extend(junk);
        }
        room.log.push((lane, blob));
        let seq = Seq(room.log.len() as u64);
        self.send(client, ServerMessage::Appended { in_reply_to: to, seq });
    }

    fn administer(&mut self, client: usize, to: ClientRef, signed: SignedAdminOrder) {
        match self.orders {
            Fate::CarriedOut => {}
            Fate::Lost => return,
            Fate::Refused => return self.refuse(client, to, RelayFaultCode::NotAllowed),
        }
        let Some(room) = &mut self.room else { return };
        let key = VerifyingKey::from_bytes(room.admin_key).expect("a key");
        let bytes = signed.order.signing_bytes().expect("in range");
        key.verify(&bytes, &incamera_identity::Signature(signed.signature.0))
            .expect("signed by the admin key");
        assert_eq!(signed.order.counter, room.admin_counter + 1);
        room.admin_counter += 1;
        let counter = room.admin_counter;
        match signed.order.action {
            AdminAction::PutCard(card) => room.card = card,
            AdminAction::EndRoom => {
                self.room = None;
                self.send(client, ServerMessage::OrderDone { in_reply_to: to, counter });
                return self.tell_members(&ServerMessage::RoomEnded(EndReason::Ordered));
            }
            AdminAction::Rotate(rotation) => {
                let last = Seq(room.log.len() as u64);
                room.retired = Some((room.member, last));
                room.member = rotation.member;
                self.revoked.extend(rotation.revoked_tickets);
                self.pump();
                for connection in self.connections.values_mut() {
                    connection.until = Some(last);
                }
                self.tell_members(&ServerMessage::Rotated { last });
            }
        }
        self.send(client, ServerMessage::OrderDone { in_reply_to: to, counter });
    }

    fn pump(&mut self) {
        let Some(room) = &self.room else { return };
        let mut due = Vec::new();
        for (client, connection) in &mut self.connections {
            let end =
                connection.until.map_or(room.log.len() as u64, |last| last.0.min(room.log.len() as u64));
            if connection.access != Some(Access::Member) {
                continue;
            }
            while connection.read < end {
                let (lane, blob) = &room.log[connection.read as usize];
                connection.read += 1;
                let entry =
                    ServerMessage::Entry { seq: Seq(connection.read), lane: *lane, blob: blob.clone() };
                due.push((*client, entry));
            }
        }
        due.into_iter().for_each(|(client, entry)| self.send(client, entry));
    }
}

fn ticket(identity: TicketIdentity) -> Ticket {
    Ticket {
        identity,
        sfu: SfuKind::Embedded,
        publish_url: "/sfu/publish".into(),
        subscribe_url: "/sfu/subscribe".into(),
        bearer: TextSecret::new("bearer".into()),
        janus: None,
        ice_servers: Vec::new(),
        valid_until_unix_ms: u64::MAX / 2,
        renewal: ResumeSecret::new([1; 16]),
    }
}
