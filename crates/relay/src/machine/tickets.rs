//! Tickets to the SFU (wire.md §8).

use incamera_relay_proto::{
    ClientRef, RelayFault, RelayFaultCode, ResumeSecret, ServerMessage, Ticket, TicketIdentity,
};
use incamera_types::{Entropy, Mono, Now, RoomId};

use super::room::Room;
use super::{ConnectionId, GrantId, Refusal, RelayMachine, RelayOutput, SfuAccess, SfuGrant, random};
use crate::RoomLog;
use crate::digest::sha256;

/// A ticket that was given out, or is about to be.
pub(super) struct IssuedTicket {
    /// SHA-256 of what renews it.
    renewal: [u8; 32],
    /// The connection that took or renewed it last: whoever has the ticket must have this one's right to it.
    holder: ConnectionId,
    dies_at: Mono,
    /// When it is revoked: earlier than `dies_at` while its holder has not shown a changed capability.
    pub(super) expires_at: Mono,
}

impl Room {
    /// After a rotation: tickets whose holders do not show the new capability by `until` go (SEC-05). Another
    /// rotation gives nobody more time.
    pub(super) fn retire_tickets(&mut self, until: Mono) {
        for ticket in self.tickets.values_mut() {
            ticket.expires_at = ticket.expires_at.min(until);
        }
    }

    /// The holder has shown the current capability.
    pub(super) fn keep_tickets_of(&mut self, holder: ConnectionId) {
        for ticket in self.tickets.values_mut().filter(|ticket| ticket.holder == holder) {
            ticket.expires_at = ticket.dies_at;
        }
    }
}

/// A ticket that waits for the SFU.
pub(super) struct PendingGrant {
    pub(super) connection: ConnectionId,
    client_ref: ClientRef,
    room: RoomId,
    identity: TicketIdentity,
    renewal: ResumeSecret,
    valid_until_unix_ms: u64,
}

impl<L: RoomLog> RelayMachine<L> {
    pub(super) fn request_ticket(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        id: ConnectionId,
        client_ref: ClientRef,
        renew: Option<(TicketIdentity, ResumeSecret)>,
    ) -> Result<(), Refusal> {
        let room_id = self.member_room(id)?;
        if self.grants.values().any(|pending| pending.connection == id) {
            return Err(RelayFaultCode::Busy.into());
        }
        let (identity, renewal) = match renew {
            Some((identity, renewal)) => {
                self.check_renewal(now, room_id, identity, &renewal)?;
                (identity, renewal)
            }
            None => self.new_identity(entropy, id, room_id)?,
        };
        let valid_for = self.limits.ticket_life();
        let grant = GrantId(self.number());
        let room = self.rooms.get_mut(&room_id).ok_or(RelayFaultCode::NoRoom)?;
        let dies_at = now.mono.plus(valid_for);
        let issued =
            IssuedTicket { renewal: sha256(renewal.expose()), holder: id, dies_at, expires_at: dies_at };
        room.tickets.insert(identity, issued);
        let valid_until_unix_ms = now.plus(valid_for).unix_ms;
        self.outputs.push_back(RelayOutput::Grant(SfuGrant {
            grant,
            room: room.sfu_room,
            identity,
            valid_for,
            valid_until_unix_ms,
            janus: room.janus.clone(),
        }));
        let pending = PendingGrant {
            connection: id,
            client_ref,
            room: room_id,
            identity,
            renewal,
            valid_until_unix_ms,
        };
        self.grants.insert(grant, pending);
        self.rearm(room_id);
        Ok(())
    }

    fn check_renewal(
        &self,
        now: Now,
        room_id: RoomId,
        identity: TicketIdentity,
        renewal: &ResumeSecret,
    ) -> Result<(), Refusal> {
        let issued = self.rooms.get(&room_id).and_then(|room| room.tickets.get(&identity));
        let is_holder = issued
            .is_some_and(|issued| issued.renewal == sha256(renewal.expose()) && issued.expires_at > now.mono);
        if is_holder { Ok(()) } else { Err(RelayFaultCode::NoTicket.into()) }
    }

    fn new_identity(
        &mut self,
        entropy: &mut dyn Entropy,
        id: ConnectionId,
        room_id: RoomId,
    ) -> Result<(TicketIdentity, ResumeSecret), Refusal> {
        let room = self.rooms.get(&room_id).ok_or(RelayFaultCode::NoRoom)?;
        let connection = self.connections.get_mut(&id).ok_or(RelayFaultCode::OutOfTurn)?;
        if room.tickets.len() >= self.limits.tickets_per_room
            || connection.tickets >= self.limits.tickets_per_connection
        {
            return Err(RelayFaultCode::NoTicket.into());
        }
        connection.tickets = connection.tickets.saturating_add(1);
        Ok((TicketIdentity(random(entropy)), ResumeSecret::new(random(entropy))))
    }

    /// Sends the ticket, unless its holder was removed while the SFU was asked (SEC-05).
    pub(super) fn handle_granted(&mut self, grant: GrantId, access: Option<SfuAccess>) {
        let Some(pending) = self.grants.remove(&grant) else { return };
        let is_member = self.member_room(pending.connection).is_ok_and(|room| room == pending.room);
        let refused = |code| ServerMessage::Error(RelayFault::reply(pending.client_ref, code));
        let message = match access {
            _ if !is_member => refused(RelayFaultCode::NoTicket),
            Some(access) => ServerMessage::Ticket {
                in_reply_to: pending.client_ref,
                ticket: Box::new(ticket(&pending, access)),
            },
            None => refused(RelayFaultCode::SfuUnavailable),
        };
        self.send(pending.connection, message);
    }

    /// Revokes the tickets that nobody has renewed, or shown the right to, in time.
    pub(super) fn expire_tickets(&mut self, now: Now, room_id: RoomId) {
        let Some(room) = self.rooms.get(&room_id) else { return };
        let due = room.tickets.iter().filter(|(_, ticket)| ticket.expires_at <= now.mono);
        let due: Vec<_> = due.map(|(identity, _)| *identity).collect();
        self.revoke_tickets(room_id, &due);
    }

    /// Takes tickets back: from the SFU, and from whoever waits for one.
    pub(super) fn revoke_tickets(&mut self, room_id: RoomId, revoked: &[TicketIdentity]) {
        let Some(room) = self.rooms.get_mut(&room_id) else { return };
        for identity in revoked {
            room.tickets.remove(identity);
            self.outputs.push_back(RelayOutput::Revoke { room: room.sfu_room, identity: *identity });
        }
        self.grants.retain(|_, pending| !revoked.contains(&pending.identity));
    }
}

fn ticket(pending: &PendingGrant, access: SfuAccess) -> Ticket {
    Ticket {
        identity: pending.identity,
        sfu: access.sfu,
        publish_url: access.publish_url,
        subscribe_url: access.subscribe_url,
        bearer: access.bearer,
        janus: access.janus,
        ice_servers: access.ice_servers,
        valid_until_unix_ms: pending.valid_until_unix_ms,
        renewal: pending.renewal.clone(),
    }
}
