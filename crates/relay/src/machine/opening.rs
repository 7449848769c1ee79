//! Making and opening rooms, and appending to them.

use std::time::Duration;

use incamera_relay_proto::{
    Access, Blob, CapabilityHash, CapabilitySecret, Card, ClientRef, CreateRoom, Lane, Opened, RelayFault,
    RelayFaultCode, Seq, ServerMessage, TextSecret,
};
use incamera_types::{Entropy, Mono, Now, PROTOCOL_VERSION, RoomId};

use super::connection::{Connection, KnockNews, OpenRoom, Standing};
use super::lane::Share;
use super::room::{Maker, Presence, Room};
use super::timers::Subject;
use super::{ConnectionId, PendingAppend, Refusal, RelayMachine};
use crate::digest::sha256;
use crate::{AppendId, CreateRule, RoomLog};

impl<L: RoomLog> RelayMachine<L> {
    pub(super) fn greet(&mut self, id: ConnectionId, version: u16) -> Result<(), Refusal> {
        if version != PROTOCOL_VERSION {
            return Err(Refusal { code: RelayFaultCode::Version, detail: u64::from(PROTOCOL_VERSION) });
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.greet();
        }
        self.send(id, ServerMessage::Hello { version: PROTOCOL_VERSION });
        Ok(())
    }

    pub(super) fn create_room(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        id: ConnectionId,
        client_ref: ClientRef,
        create: CreateRoom,
    ) -> Result<(), Refusal> {
        let room = create.room;
        if self.rooms.contains_key(&room) {
            return Err(RelayFaultCode::RoomExists.into());
        }
        let maker = self.check_quota(id, create.create_token.as_ref())?;
        let card = Card::parse(&create.card).map_err(|_| RelayFaultCode::BadCard)?;
        let is_ours = card.room == room && card.admin_key == create.admin_key;
        if !is_ours || card.valid_until_unix_ms <= now.unix_ms {
            return Err(RelayFaultCode::BadCard.into());
        }
        self.log.subscribe(room);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.admin_key = Some(create.admin_key);
        }
        let new = Room::new(&self.limits, now.mono, entropy, maker, create, card.counter);
        self.rooms.insert(room, new);
        self.enter_room(now, id, client_ref, room, Standing::Member, Seq::FIRST);
        Ok(())
    }

    /// Who may make rooms, and how many, is configuration.
    fn check_quota(&self, id: ConnectionId, token: Option<&TextSecret>) -> Result<Maker, Refusal> {
        let origin = self.connection(id)?.origin;
        let token = match &self.create {
            CreateRule::Anyone => None,
            CreateRule::Tokens(tokens) => {
                let hash = token.map(|token| sha256(token.expose().as_bytes()));
                let known = tokens.iter().position(|known| Some(known.sha256) == hash);
                Some(known.ok_or(RelayFaultCode::CreateDenied)?)
            }
        };
        let made = |of: &dyn Fn(&Maker) -> bool| self.rooms.values().filter(|room| of(&room.maker)).count();
        let token_rooms = match (&self.create, token) {
            (CreateRule::Tokens(tokens), Some(at)) => tokens.get(at).map_or(0, |token| token.rooms),
            _ => usize::MAX,
        };
        if self.rooms.len() >= self.limits.rooms
            || made(&|maker| maker.origin == origin) >= self.limits.rooms_per_address
            || (token.is_some() && made(&|maker| maker.token == token) >= token_rooms)
        {
            return Err(RelayFaultCode::RoomsFull.into());
        }
        Ok(Maker { origin, token })
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one request, used nowhere else")]
    pub(super) fn open_room(
        &mut self,
        now: Now,
        id: ConnectionId,
        client_ref: ClientRef,
        room_id: RoomId,
        access: Access,
        capability: &CapabilitySecret,
        from: Seq,
    ) -> Result<(), Refusal> {
        let room = self.rooms.get(&room_id).ok_or(RelayFaultCode::NoRoom)?;
        let shown = CapabilityHash(sha256(&capability.hash_input()));
        let standing = standing_of(room, access, shown).ok_or(RelayFaultCode::Denied)?;
        let (presence, limit) = match standing {
            Standing::Knocker { .. } => (Presence::Knocker, self.limits.knockers_per_room),
            Standing::Member | Standing::Retired { .. } => (Presence::Member, self.limits.members_per_room),
        };
        let origin = self.connection(id)?.origin;
        let is_crowded = presence == Presence::Knocker
            && room.count_from(presence, origin, id) >= self.limits.knockers_per_address;
        if is_crowded || room.count(presence, id) >= limit {
            return Err(RelayFaultCode::RoomFull.into());
        }
        self.enter_room(now, id, client_ref, room_id, standing, from);
        Ok(())
    }

    fn enter_room(
        &mut self,
        now: Now,
        id: ConnectionId,
        client_ref: ClientRef,
        room_id: RoomId,
        standing: Standing,
        from: Seq,
    ) {
        let before = self.connections.get(&id).and_then(|connection| connection.open);
        if before.is_some_and(|open| open.room != room_id) {
            self.leave_room(now, id);
        }
        if standing == Standing::Member {
            // A member needs its own knock no longer: the Welcome has arrived.
            let _ = self.withdraw_knock(now, id);
        }
        let extent = self.log.extent(room_id);
        let (Some(room), Some(connection)) = (self.rooms.get_mut(&room_id), self.connections.get_mut(&id))
        else {
            return;
        };
        let presence = match standing {
            Standing::Knocker { .. } => Presence::Knocker,
            Standing::Member | Standing::Retired { .. } => Presence::Member,
        };
        room.enter(id, presence, connection.origin);
        let dropped = match standing {
            Standing::Member => {
                room.let_append(id, share_of(room, id, connection));
                room.keep_tickets_of(id);
                Vec::new()
            }
            Standing::Knocker { .. } | Standing::Retired { .. } => room.stop_appending(id),
        };
        connection.open = Some(OpenRoom {
            room: room_id,
            standing,
            cursor: from.max(extent.oldest).min(extent.head.next()),
            caught_up: false,
        });
        connection.forget_knock_news();
        if standing == Standing::Member {
            let waiting = room.knocks.iter().filter(|(_, knock)| !knock.is_settled());
            waiting.for_each(|(knock, _)| connection.tell(KnockNews::Knocked(*knock)));
        }
        let read_only_until = match standing {
            Standing::Retired { until } => Some(until),
            Standing::Knocker { .. } | Standing::Member => None,
        };
        let opened = Opened {
            in_reply_to: client_ref,
            incarnation: room.incarnation,
            oldest: extent.oldest,
            head: extent.head,
            admin_counter: room.admin_counter,
            read_only_until,
        };
        let deadline = match standing {
            Standing::Member => None,
            Standing::Retired { .. } => Some(self.retired_until(now)),
            Standing::Knocker { .. } => self.knock_until(now, id),
        };
        self.timers.set(Subject::Connection(id), deadline);
        self.send(id, ServerMessage::Opened(opened));
        self.refuse_appends(id, dropped);
        self.rearm(room_id);
    }

    /// Answers appends that waited for their turn when the connection lost the right to append.
    pub(super) fn refuse_appends(&mut self, id: ConnectionId, appends: Vec<ClientRef>) {
        for client_ref in appends {
            let fault = RelayFault::reply(client_ref, RelayFaultCode::Denied);
            self.send(id, ServerMessage::Error(fault));
        }
    }

    /// Until when a connection whose capability was rotated away is kept.
    pub(super) fn retired_until(&self, now: Now) -> Mono {
        now.mono.plus(Duration::from_secs(self.limits.retired_seconds))
    }

    /// Takes a connection out of its room; its knock waits for it for a while.
    pub(super) fn leave_room(&mut self, now: Now, id: ConnectionId) {
        self.detach_knock(now, id);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let open = connection.open;
        connection.leave();
        if let Some(open) = open {
            if let Some(room) = self.rooms.get_mut(&open.room) {
                room.leave(now.mono, id);
            }
            self.rearm(open.room);
        }
    }

    pub(super) fn fetch_card(&mut self, id: ConnectionId, client_ref: ClientRef) -> Result<(), Refusal> {
        let open = self.opened(id)?;
        let room = self.rooms.get(&open.room).ok_or(RelayFaultCode::NoRoom)?;
        let card = room.card.clone();
        self.send(id, ServerMessage::Card { in_reply_to: client_ref, card });
        Ok(())
    }

    pub(super) fn append(
        &mut self,
        now: Now,
        id: ConnectionId,
        client_ref: ClientRef,
        lane: Lane,
        blob: Blob,
    ) -> Result<(), Refusal> {
        let room_id = self.member_room(id)?;
        let has_memory = self.has_memory_for(room_id, blob.as_bytes().len());
        let room = self.rooms.get_mut(&room_id).ok_or(RelayFaultCode::NoRoom)?;
        let queue = room.lane(lane);
        let queued = if has_memory { queue.push(id, client_ref, blob) } else { Err(blob) };
        let wait = queue.next_at().map_or(0, |at| at.since(now.mono).as_millis());
        let busy =
            Refusal { code: RelayFaultCode::Busy, detail: u64::try_from(wait).unwrap_or(u64::MAX).max(1) };
        for (dropped, client_ref) in queued.map_err(|_| busy)? {
            let fault = RelayFault::reply(client_ref, busy.code).with_detail(busy.detail);
            self.send(dropped, ServerMessage::Error(fault));
        }
        self.serve_lanes(now, room_id);
        Ok(())
    }

    /// Whether a room may hold so much more: always up to its even share of what the relay holds in all.
    pub(super) fn has_memory_for(&self, room: RoomId, bytes: usize) -> bool {
        let held = self.rooms.get(&room).map_or(0, Room::held_bytes).saturating_add(bytes);
        let share = self.limits.held_bytes.checked_div(self.rooms.len()).unwrap_or(0);
        let in_all = || self.rooms.values().map(Room::held_bytes).fold(bytes, usize::saturating_add);
        held <= share || in_all() <= self.limits.held_bytes
    }

    /// Appends what has its turn: commits first, so that chat and heartbeats cannot starve them.
    pub(super) fn serve_lanes(&mut self, now: Now, room_id: RoomId) {
        for lane in Lane::ALL {
            while let Some(turn) = self.rooms.get_mut(&room_id).and_then(|room| room.lane(lane).pop(now.mono))
            {
                let append = AppendId(self.number());
                let pending =
                    PendingAppend { room: room_id, connection: turn.connection, client_ref: turn.client_ref };
                self.appends.insert(append, pending);
                self.log.append(room_id, lane, turn.blob, append);
            }
        }
        self.handle_log_changes();
        self.rearm(room_id);
    }

    /// Tells clients what the log has ordered.
    pub(super) fn handle_log_changes(&mut self) {
        while let Some(change) = self.log.poll_change() {
            self.stats.appended = self.stats.appended.saturating_add(1);
            let own = change.append.and_then(|append| self.appends.remove(&append));
            if let Some(own) = own
                && self.opened(own.connection).is_ok_and(|open| open.room == own.room)
            {
                let appended = ServerMessage::Appended { in_reply_to: own.client_ref, seq: change.seq };
                self.send(own.connection, appended);
            }
            self.wake_room(change.room);
        }
    }

    pub(super) fn opened(&self, id: ConnectionId) -> Result<OpenRoom, Refusal> {
        self.connection(id)?.open.ok_or_else(|| RelayFaultCode::OutOfTurn.into())
    }

    /// The room in which the connection is a member under the current capability.
    pub(super) fn member_room(&self, id: ConnectionId) -> Result<RoomId, Refusal> {
        match self.opened(id)? {
            OpenRoom { standing: Standing::Member, room, .. } => Ok(room),
            OpenRoom { standing: Standing::Retired { .. }, .. } => Err(RelayFaultCode::Denied.into()),
            OpenRoom { standing: Standing::Knocker { .. }, .. } => Err(RelayFaultCode::NotAllowed.into()),
        }
    }
}

/// With whom a connection takes turns.
pub(super) fn share_of(room: &Room, id: ConnectionId, connection: &Connection) -> Share {
    if connection.admin_key == Some(room.admin_key) {
        Share::Admin(id)
    } else {
        Share::Origin(connection.origin)
    }
}

/// What a capability gives. Hashes of secrets with 256 bits are compared: the time it takes tells nothing.
fn standing_of(room: &Room, access: Access, shown: CapabilityHash) -> Option<Standing> {
    match access {
        Access::Knock if shown == room.knock => Some(Standing::Knocker { generation: room.knock_generation }),
        Access::Member if shown == room.member => Some(Standing::Member),
        Access::Member => {
            let mut retired = room.retired.iter().rev();
            let found = retired.find(|(hash, _)| *hash == shown);
            found.map(|(_, until)| Standing::Retired { until: *until })
        }
        Access::Knock => None,
    }
}
