//! Tickets to the SFU (wire.md §8).

use incamera_relay_proto::{
    ClientRef, RelayFault, RelayFaultCode, ResumeSecret, ServerMessage, Ticket, TicketIdentity,
};
use incamera_types::{Entropy, Mono, Now, RoomId};

use super::{ConnectionId, GrantId, Refusal, RelayMachine, RelayOutput, SfuAccess, SfuGrant, random, sha256};
use crate::RoomLog;

/// A ticket that was given out, or is about to be.
pub(super) struct IssuedTicket {
    /// SHA-256 of what renews it.
    renewal: [u8; 32],
    expires_at: Mono,
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
            None => self.new_identity(now, entropy, id, room_id)?,
        };
        let valid_for = self.limits.ticket_life();
        let grant = GrantId(self.number());
        let room = self.rooms.get_mut(&room_id).ok_or(RelayFaultCode::NoRoom)?;
        let issued = IssuedTicket { renewal: sha256(renewal.expose()), expires_at: now.mono.plus(valid_for) };
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
        now: Now,
        entropy: &mut dyn Entropy,
        id: ConnectionId,
        room_id: RoomId,
    ) -> Result<(TicketIdentity, ResumeSecret), Refusal> {
        let room = self.rooms.get_mut(&room_id).ok_or(RelayFaultCode::NoRoom)?;
        room.tickets.retain(|_, issued| issued.expires_at > now.mono);
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

    /// Forgets tickets that are on their way to someone whose identity was revoked.
    pub(super) fn drop_grants(&mut self, revoked: &[TicketIdentity]) {
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
