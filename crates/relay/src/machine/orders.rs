//! Orders signed by a room's admin key.

use incamera_relay_proto::{
    AdminAction, Card, ClientRef, EndReason, RelayFaultCode, Rotation, Seq, ServerMessage, SignedAdminOrder,
};
use incamera_types::{Now, RoomId};

use super::connection::Standing;
use super::opening::share_of;
use super::room::Room;
use super::timers::Subject;
use super::{ConnectionId, Refusal, RelayMachine};
use crate::RoomLog;

impl<L: RoomLog> RelayMachine<L> {
    /// Carries out an order. The signature is the right: a connection needs only to have the room open.
    pub(super) fn administer(
        &mut self,
        now: Now,
        id: ConnectionId,
        client_ref: ClientRef,
        signed: &SignedAdminOrder,
    ) -> Result<(), Refusal> {
        let order = &signed.order;
        let room_id = self.opened(id)?.room;
        if order.room != room_id {
            return Err(RelayFaultCode::NotAllowed.into());
        }
        let room = self.rooms.get_mut(&room_id).ok_or(RelayFaultCode::NoRoom)?;
        check_order(room, signed)?;
        match &order.action {
            AdminAction::Rotate(rotation) => {
                room.admin_counter = order.counter;
                self.rotate(now, room_id, rotation);
            }
            AdminAction::PutCard(card) => {
                put_card(now, room_id, room, card)?;
                room.admin_counter = order.counter;
            }
            AdminAction::EndRoom => {
                self.send(id, ServerMessage::OrderDone { in_reply_to: client_ref, counter: order.counter });
                self.end_room(now, room_id, EndReason::Ordered);
                return Ok(());
            }
        }
        self.note_admin(room_id, id);
        self.send(id, ServerMessage::OrderDone { in_reply_to: client_ref, counter: order.counter });
        Ok(())
    }

    /// Gives the connection that carried an order turns of its own.
    fn note_admin(&mut self, room_id: RoomId, id: ConnectionId) {
        let (Some(room), Some(connection)) = (self.rooms.get_mut(&room_id), self.connections.get_mut(&id))
        else {
            return;
        };
        connection.admin_key = Some(room.admin_key);
        if connection.open.is_some_and(|open| open.standing == Standing::Member) {
            room.let_append(id, share_of(room, id, connection));
        }
    }

    /// SEC-05: whoever does not show the new capability in time is out of the relay, and its tickets with it. The
    /// tickets that the order names go at once.
    fn rotate(&mut self, now: Now, room_id: RoomId, rotation: &Rotation) {
        let last = self.log.extent(room_id).head;
        let retired_until = self.retired_until(now);
        let Some(room) = self.rooms.get_mut(&room_id) else { return };
        room.retire_capability(rotation.member, last);
        if let Some(knock) = rotation.knock {
            room.knock = knock;
            room.knock_generation = room.knock_generation.saturating_add(1);
        }
        if let Some(admin_key) = rotation.admin_key {
            room.admin_key = admin_key;
        }
        room.retire_tickets(retired_until);
        let members = room.members();
        for member in members {
            self.retire(now, room_id, member, last);
        }
        self.revoke_tickets(room_id, &rotation.revoked_tickets);
        self.rearm(room_id);
    }

    /// Leaves a connection only the log up to `last`, until it shows the new capability.
    fn retire(&mut self, now: Now, room_id: RoomId, member: ConnectionId, last: Seq) {
        let Some(connection) = self.connections.get_mut(&member) else { return };
        connection.forget_knock_news();
        let Some(open) = connection.open.as_mut().filter(|open| open.standing == Standing::Member) else {
            return;
        };
        open.standing = Standing::Retired { until: last };
        self.send(member, ServerMessage::Rotated { last });
        let dropped = self.rooms.get_mut(&room_id).map(|room| room.stop_appending(member));
        self.refuse_appends(member, dropped.unwrap_or_default());
        let deadline = self.retired_until(now);
        self.timers.set(Subject::Connection(member), Some(deadline));
    }
}

/// Whether an order is the next one and signed by the room's admin key.
fn check_order(room: &Room, signed: &SignedAdminOrder) -> Result<(), Refusal> {
    let order = &signed.order;
    let bytes = order.signing_bytes().map_err(|_| RelayFaultCode::Malformed)?;
    let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, room.admin_key.0);
    key.verify(&bytes, &signed.signature.0).map_err(|_| RelayFaultCode::BadSignature)?;
    let is_next = order.counter == room.admin_counter.saturating_add(1);
    if !is_next || order.incarnation != room.incarnation {
        return Err(Refusal { code: RelayFaultCode::StaleOrder, detail: room.admin_counter });
    }
    Ok(())
}

/// Replaces the card by a newer one. Clients verify it up to the link; the relay only keeps it from going back.
fn put_card(now: Now, room_id: RoomId, room: &mut Room, bytes: &[u8]) -> Result<(), Refusal> {
    let card = Card::parse(bytes).map_err(|_| RelayFaultCode::BadCard)?;
    let is_newer = card.counter > room.card_counter && card.valid_until_unix_ms > now.unix_ms;
    if card.room != room_id || card.admin_key != room.admin_key || !is_newer {
        return Err(RelayFaultCode::BadCard.into());
    }
    room.card = bytes.to_vec();
    room.card_counter = card.counter;
    Ok(())
}
