//! The lobby as the relay sees it: sealed knocks and the mailboxes for their replies.

use std::time::Duration;

use incamera_relay_proto::{
    Blob, ClientRef, KnockId, RelayFault, RelayFaultCode, ResumeSecret, ServerMessage, Standing as Settling,
};
use incamera_types::{Entropy, Mono, Now, RoomId};

use super::connection::{KnockNews, OpenRoom, OwnKnock, Standing};
use super::timers::Subject;
use super::{ConnectionId, Origin, Refusal, RelayMachine, random};
use crate::RoomLog;
use crate::digest::sha256;

/// One knock and its mailbox.
pub(super) struct Knock {
    pub(super) blob: Blob,
    pub(super) replies: Vec<(Settling, Blob)>,
    /// SHA-256 of what resumes it.
    resume: [u8; 32],
    /// Whose part of the lobby it takes.
    origin: Origin,
    owner: Option<ConnectionId>,
    dies_at: Mono,
    /// When it goes: earlier than `dies_at` while its knocker is away, and once it is settled.
    pub(super) expires_at: Mono,
}

impl Knock {
    pub(super) fn is_settled(&self) -> bool {
        self.replies.last().is_some_and(|(standing, _)| *standing == Settling::Final)
    }

    fn reply_bytes(&self) -> usize {
        self.replies.iter().map(|(_, blob)| blob.as_bytes().len()).sum()
    }
}

impl<L: RoomLog> RelayMachine<L> {
    pub(super) fn knock(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        id: ConnectionId,
        client_ref: ClientRef,
        blob: Blob,
        resume: &ResumeSecret,
    ) -> Result<(), Refusal> {
        let (room_id, generation) = self.knocker_room(id)?;
        let (origin, own) = (self.connection(id)?.origin, self.connection(id)?.own_knock);
        if let Some(own) = own {
            let room = self.rooms.get(&room_id).ok_or(RelayFaultCode::NoRoom)?;
            if room.knocks.get(&own.knock).is_some_and(|knock| !knock.is_settled()) {
                return Err(RelayFaultCode::AlreadyKnocked.into());
            }
            // Whoever knocks anew has read its answer.
            self.close_knock(now, room_id, own.knock);
        }
        let has_memory = self.has_memory_for(room_id, blob.as_bytes().len());
        let room = self.rooms.get_mut(&room_id).ok_or(RelayFaultCode::NoRoom)?;
        if generation != room.knock_generation {
            return Err(RelayFaultCode::Denied.into());
        }
        if let Err(again_at) = room.meter_knock(self.limits.address_knocks, origin, now.mono) {
            let wait = u64::try_from(again_at.since(now.mono).as_millis()).unwrap_or(u64::MAX);
            return Err(Refusal { code: RelayFaultCode::TooFast, detail: wait.max(1) });
        }
        let of_address = room.knocks.values().filter(|knock| knock.origin == origin).count();
        if room.knocks.len() >= self.limits.knocks_per_room
            || of_address >= self.limits.knocks_per_address
            || !has_memory
        {
            return Err(RelayFaultCode::LobbyFull.into());
        }
        let knock = KnockId(random(entropy));
        let dies_at = now.mono.plus(Duration::from_secs(self.limits.knock_seconds));
        let waiting = Knock {
            blob,
            replies: Vec::new(),
            resume: sha256(resume.expose()),
            origin,
            owner: Some(id),
            dies_at,
            expires_at: dies_at,
        };
        room.knocks.insert(knock, waiting);
        self.own(id, OwnKnock { room: room_id, knock, replies_sent: 0 });
        self.send(id, ServerMessage::KnockTaken { in_reply_to: client_ref, knock });
        self.tell_members(room_id, KnockNews::Knocked(knock));
        self.rearm(room_id);
        Ok(())
    }

    pub(super) fn resume_knock(
        &mut self,
        id: ConnectionId,
        client_ref: ClientRef,
        resume: &ResumeSecret,
        replies_seen: u16,
    ) -> Result<(), Refusal> {
        let (room_id, _) = self.knocker_room(id)?;
        let hash = sha256(resume.expose());
        let room = self.rooms.get_mut(&room_id).ok_or(RelayFaultCode::NoRoom)?;
        let found = room.knocks.iter_mut().find(|(_, waiting)| waiting.resume == hash);
        let (knock, waiting) = found.ok_or(RelayFaultCode::NoKnock)?;
        let knock = *knock;
        let before = waiting.owner.replace(id);
        if !waiting.is_settled() {
            waiting.expires_at = waiting.dies_at;
        }
        if let Some(before) = before.filter(|before| *before != id)
            && let Some(connection) = self.connections.get_mut(&before)
        {
            connection.own_knock = None;
        }
        self.own(id, OwnKnock { room: room_id, knock, replies_sent: usize::from(replies_seen) });
        self.send(id, ServerMessage::KnockTaken { in_reply_to: client_ref, knock });
        self.rearm(room_id);
        Ok(())
    }

    pub(super) fn withdraw_knock(&mut self, now: Now, id: ConnectionId) -> Result<(), Refusal> {
        let own = self.connection(id)?.own_knock.ok_or(RelayFaultCode::NoKnock)?;
        self.close_knock(now, own.room, own.knock);
        Ok(())
    }

    pub(super) fn reply(
        &mut self,
        now: Now,
        id: ConnectionId,
        knock: KnockId,
        settling: Settling,
        blob: Blob,
    ) -> Result<(), Refusal> {
        let room_id = self.member_room(id)?;
        let has_memory = self.has_memory_for(room_id, blob.as_bytes().len());
        let grace = self.knock_grace(now);
        let room = self.rooms.get_mut(&room_id).ok_or(RelayFaultCode::NoRoom)?;
        let waiting = room.knocks.get_mut(&knock).filter(|waiting| !waiting.is_settled());
        let waiting = waiting.ok_or(RelayFaultCode::NoKnock)?;
        // The last place in the mailbox is kept for the reply that settles.
        let places = match settling {
            Settling::Open => self.limits.replies_per_knock.saturating_sub(1),
            Settling::Final => usize::MAX,
        };
        let bytes = room.reply_bytes.saturating_add(blob.as_bytes().len());
        if waiting.replies.len() >= places || bytes > self.limits.reply_bytes_per_room || !has_memory {
            return Err(RelayFaultCode::Busy.into());
        }
        room.reply_bytes = bytes;
        waiting.replies.push((settling, blob));
        let owner = waiting.owner;
        if settling == Settling::Final {
            // The mailbox stays for a knocker that reads its answer only after a reconnection.
            waiting.expires_at = waiting.expires_at.min(grace);
            self.rearm(room_id);
            self.tell_members(room_id, KnockNews::Closed(knock));
        }
        if let Some(owner) = owner {
            self.wake(owner);
        }
        Ok(())
    }

    /// Lets the knock of a connection that goes away wait for its knocker.
    pub(super) fn detach_knock(&mut self, now: Now, id: ConnectionId) {
        let Some(own) = self.connections.get_mut(&id).and_then(|connection| connection.own_knock.take())
        else {
            return;
        };
        let grace = self.knock_grace(now);
        let room = self.rooms.get_mut(&own.room);
        if let Some(waiting) = room.and_then(|room| room.knocks.get_mut(&own.knock)) {
            waiting.owner = None;
            waiting.expires_at = waiting.expires_at.min(grace);
        }
        self.rearm(own.room);
    }

    pub(super) fn expire_knocks(&mut self, now: Now, room_id: RoomId) {
        let Some(room) = self.rooms.get(&room_id) else { return };
        let due: Vec<_> = room
            .knocks
            .iter()
            .filter(|(_, waiting)| waiting.expires_at <= now.mono)
            .map(|(knock, waiting)| (*knock, waiting.owner.filter(|_| !waiting.is_settled())))
            .collect();
        for (knock, unanswered) in due {
            self.close_knock(now, room_id, knock);
            if let Some(owner) = unanswered {
                let fault = RelayFault::connection(RelayFaultCode::NoKnock);
                self.send(owner, ServerMessage::Error(fault));
            }
        }
    }

    /// Removes a knock with its mailbox; members who still see it are told.
    fn close_knock(&mut self, now: Now, room_id: RoomId, knock: KnockId) {
        let Some(room) = self.rooms.get_mut(&room_id) else { return };
        let Some(closed) = room.knocks.remove(&knock) else { return };
        room.reply_bytes = room.reply_bytes.saturating_sub(closed.reply_bytes());
        if let Some(owner) = closed.owner {
            if let Some(connection) = self.connections.get_mut(&owner) {
                connection.own_knock = None;
            }
            let deadline = self.knock_until(now, owner);
            self.timers.set(Subject::Connection(owner), deadline);
        }
        if !closed.is_settled() {
            self.tell_members(room_id, KnockNews::Closed(knock));
        }
        self.rearm(room_id);
    }

    fn tell_members(&mut self, room_id: RoomId, news: KnockNews) {
        let members = self.rooms.get(&room_id).map(super::room::Room::members).unwrap_or_default();
        for member in members {
            if let Some(connection) = self.connections.get_mut(&member)
                && connection.open.is_some_and(|open| open.standing == Standing::Member)
            {
                connection.tell(news);
                self.wake(member);
            }
        }
    }

    /// Until when a connection has to have knocked; `None` when it has, or may stay without.
    pub(super) fn knock_until(&self, now: Now, id: ConnectionId) -> Option<Mono> {
        let connection = self.connections.get(&id)?;
        let knocks_here = matches!(connection.open?.standing, Standing::Knocker { .. });
        (knocks_here && connection.own_knock.is_none())
            .then(|| now.mono.plus(Duration::from_secs(self.limits.knock_within_seconds)))
    }

    fn knock_grace(&self, now: Now) -> Mono {
        now.mono.plus(Duration::from_secs(self.limits.knock_grace_seconds))
    }

    fn own(&mut self, id: ConnectionId, own: OwnKnock) {
        self.timers.set(Subject::Connection(id), None);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.own_knock = Some(own);
        }
    }

    fn knocker_room(&self, id: ConnectionId) -> Result<(RoomId, u64), Refusal> {
        match self.opened(id)? {
            OpenRoom { standing: Standing::Knocker { generation }, room, .. } => Ok((room, generation)),
            _ => Err(RelayFaultCode::NotAllowed.into()),
        }
    }
}
