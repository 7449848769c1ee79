//! Rotations of the members' capability, and orders signed by the admin key: a removed member loses the relay and
//! its tickets, and no member can lock the others out (wire.md §8).

use std::collections::VecDeque;

use incamera_identity::SigningKey;
use incamera_relay_proto::{
    AdminAction, AdminOrder, AdminPublicKey, ClientRef, Incarnation, Request, Rotation, Signature,
    SignedAdminOrder, TicketIdentity, WireError,
};
use incamera_types::{Entropy, RoomId};

use crate::secrets::{RoomSecrets, capability_hash};

/// Revocations that wait for the next rotation.
const MAX_REVOKED: usize = incamera_relay_proto::limits::REVOKED_TICKETS;

/// The admin key and its orders, for who may admit.
pub(crate) struct Admin {
    key: SigningKey,
    counter: u64,
    orders: VecDeque<AdminAction>,
    under_way: Option<(ClientRef, AdminAction)>,
    rotation: Option<PendingRotation>,
    standing: Standing,
    revoked: Vec<TicketIdentity>,
}

/// Whether the relay knows whose a connection is: it appends our commits first then (SEC-05).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Unknown,
    /// The room was made, or an order carried out, on this connection.
    Known,
}

/// A capability on its way to the members; the relay is told once all can have read it.
struct PendingRotation {
    secrets: RoomSecrets,
}

impl Admin {
    /// The holder of an admin key.
    pub(crate) const fn new(key: SigningKey) -> Self {
        Self {
            key,
            counter: 0,
            orders: VecDeque::new(),
            under_way: None,
            rotation: None,
            standing: Standing::Unknown,
            revoked: Vec::new(),
        }
    }

    /// The public key, for the card.
    pub(crate) fn public_key(&self) -> AdminPublicKey {
        AdminPublicKey(*self.key.verifying_key().as_bytes())
    }

    /// The relay says how many orders it has taken. What was under way is given again.
    pub(crate) fn opened(&mut self, counter: u64) {
        self.counter = counter;
        self.give_again();
    }

    /// The connection is gone, and what was under way with it.
    pub(crate) fn link_lost(&mut self) {
        self.standing = Standing::Unknown;
        self.give_again();
    }

    /// The room was made on this connection, with the newest card.
    pub(crate) fn made_room(&mut self) {
        self.standing = Standing::Known;
        self.orders.retain(|waiting| !matches!(waiting, AdminAction::PutCard(_)));
    }

    /// Whether the relay does not know this connection and no order is there to show it whose it is.
    pub(crate) fn is_unknown(&self) -> bool {
        self.standing == Standing::Unknown && self.orders.is_empty() && self.under_way.is_none()
    }

    /// The order under way was refused because another came first.
    pub(crate) fn overtaken(&mut self, counter: u64) {
        self.counter = counter;
        self.give_again();
    }

    /// What was under way has to be given again.
    pub(crate) fn give_again(&mut self) {
        if let Some((_, action)) = self.under_way.take() {
            self.orders.push_front(action);
        }
    }

    /// Lets an order wait for its turn. Only the newest of each kind counts, so few ever wait.
    pub(crate) fn order(&mut self, mut action: AdminAction) {
        self.orders.retain(|waiting| match (waiting, &mut action) {
            (AdminAction::Rotate(earlier), AdminAction::Rotate(newer)) => {
                newer.revoked_tickets.extend_from_slice(&earlier.revoked_tickets);
                newer.revoked_tickets.truncate(MAX_REVOKED);
                false
            }
            (AdminAction::PutCard(_), AdminAction::PutCard(_))
            | (AdminAction::EndRoom, AdminAction::EndRoom) => false,
            _ => true,
        });
        self.orders.push_back(action);
    }

    /// Begins a rotation: the new secrets, to be told to the members first. `revoke` are the tickets of who
    /// was removed.
    pub(crate) fn rotate(
        &mut self,
        known: &RoomSecrets,
        revoke: impl Iterator<Item = TicketIdentity>,
        entropy: &mut dyn Entropy,
    ) -> RoomSecrets {
        let generation =
            self.rotation.as_ref().map_or(known.generation, |pending| pending.secrets.generation);
        let secrets = RoomSecrets::after(generation.max(known.generation), entropy);
        self.revoked.extend(revoke);
        self.revoked.truncate(MAX_REVOKED);
        self.rotation = Some(PendingRotation { secrets: secrets.clone() });
        secrets
    }

    /// The secrets that members have not been told yet for certain.
    pub(crate) fn pending(&self) -> Option<&RoomSecrets> {
        self.rotation.as_ref().map(|pending| &pending.secrets)
    }

    /// Every member can have read the secrets of this generation: tell the relay. `None` when a later
    /// rotation replaced it.
    pub(crate) fn told(&mut self, generation: u64) -> Option<RoomSecrets> {
        let pending = self.rotation.take_if(|pending| pending.secrets.generation == generation)?;
        let rotation = Rotation {
            member: capability_hash(&pending.secrets.capability()),
            knock: None,
            admin_key: None,
            revoked_tickets: core::mem::take(&mut self.revoked),
        };
        self.order(AdminAction::Rotate(rotation));
        Some(pending.secrets)
    }

    /// The next order, signed, unless one is under way.
    pub(crate) fn next_order(
        &mut self,
        room: RoomId,
        incarnation: Incarnation,
    ) -> Option<Result<(AdminAction, Request), WireError>> {
        if self.under_way.is_some() {
            return None;
        }
        let action = self.orders.pop_front()?;
        let order =
            AdminOrder { room, incarnation, counter: self.counter.saturating_add(1), action: action.clone() };
        let signed = order.signing_bytes().map(|bytes| Signature(self.key.sign(&bytes).0));
        Some(signed.map(|signature| (action, Request::Administer(SignedAdminOrder { order, signature }))))
    }

    /// Notes under which number an order was given.
    pub(crate) fn given(&mut self, client_ref: ClientRef, action: AdminAction) {
        self.under_way = Some((client_ref, action));
    }

    /// The relay carried an order out; gives it back if it was the one under way.
    pub(crate) fn done(&mut self, in_reply_to: ClientRef, counter: u64) -> Option<AdminAction> {
        let (_, action) = self.under_way.take_if(|(client_ref, _)| *client_ref == in_reply_to)?;
        self.counter = self.counter.max(counter);
        self.standing = Standing::Known;
        Some(action)
    }

    /// The relay refused an order for good; it is given up. A rotation never is: whoever was removed has the relay
    /// until one is carried out (SEC-05).
    pub(crate) fn refused(&mut self, in_reply_to: ClientRef) {
        let refused = self.under_way.take_if(|(client_ref, _)| *client_ref == in_reply_to);
        if let Some((_, rotation @ AdminAction::Rotate(_))) = refused {
            self.orders.push_front(rotation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::Membership;

    struct Zeros;

    impl Entropy for Zeros {
        fn fill(&mut self, out: &mut [u8]) {
            out.fill(7);
        }
    }

    fn admin() -> Admin {
        Admin::new(SigningKey::from_seed(&[3; 32]).unwrap())
    }

    fn next(admin: &mut Admin) -> Option<AdminOrder> {
        let (_, request) = admin.next_order(RoomId([1; 16]), Incarnation(9))?.unwrap();
        let Request::Administer(signed) = request else { panic!("{request:?}") };
        Some(signed.order)
    }

    #[test]
    fn relay_is_told_only_after_the_members_and_only_of_the_newest_capability() {
        let mut admin = admin();
        let known = Membership::generate(&mut Zeros);
        let first = admin.rotate(known.secrets(), core::iter::empty(), &mut Zeros);
        let second = admin.rotate(known.secrets(), core::iter::empty(), &mut Zeros);
        assert_eq!((first.generation, second.generation), (2, 3));
        assert!(next(&mut admin).is_none());
        assert!(admin.told(first.generation).is_none());
        assert!(admin.told(second.generation).is_some());
        assert!(matches!(next(&mut admin).unwrap().action, AdminAction::Rotate(_)));
    }

    #[test]
    fn tickets_of_everybody_removed_since_the_last_rotation_are_revoked_together() {
        let mut admin = admin();
        let known = Membership::generate(&mut Zeros);
        admin.rotate(known.secrets(), [TicketIdentity([1; 16])].into_iter(), &mut Zeros);
        let newest = admin.rotate(known.secrets(), [TicketIdentity([2; 16])].into_iter(), &mut Zeros);
        admin.told(newest.generation);
        let AdminAction::Rotate(rotation) = next(&mut admin).unwrap().action else { panic!() };
        assert_eq!(rotation.revoked_tickets, [[1; 16], [2; 16]].map(TicketIdentity));
    }

    #[test]
    fn order_that_was_overtaken_is_given_again_with_the_next_counter() {
        let mut admin = admin();
        admin.opened(4);
        admin.order(AdminAction::PutCard(vec![1]));
        let order = next(&mut admin).unwrap();
        assert_eq!(order.counter, 5);
        admin.given(ClientRef(1), order.action);
        assert!(next(&mut admin).is_none());
        admin.overtaken(7);
        assert_eq!(next(&mut admin).unwrap().counter, 8);
    }

    /// SEC-05
    #[test]
    fn rotation_that_the_relay_refuses_is_given_again_and_a_card_is_not() {
        let mut admin = admin();
        let known = Membership::generate(&mut Zeros);
        let secrets = admin.rotate(known.secrets(), core::iter::empty(), &mut Zeros);
        admin.told(secrets.generation);
        let order = next(&mut admin).unwrap();
        admin.given(ClientRef(1), order.action.clone());
        admin.refused(ClientRef(1));
        assert_eq!(next(&mut admin).unwrap().action, order.action);
        admin.given(ClientRef(2), AdminAction::PutCard(vec![1]));
        admin.refused(ClientRef(2));
        assert!(next(&mut admin).is_none());
    }

    #[test]
    fn rotations_that_wait_become_one_that_revokes_the_tickets_of_all() {
        let mut admin = admin();
        let known = Membership::generate(&mut Zeros);
        for ticket in [1, 2] {
            let revoke = [TicketIdentity([ticket; 16])].into_iter();
            let secrets = admin.rotate(known.secrets(), revoke, &mut Zeros);
            admin.told(secrets.generation);
        }
        let AdminAction::Rotate(rotation) = next(&mut admin).unwrap().action else { panic!() };
        assert_eq!(rotation.revoked_tickets, [[2; 16], [1; 16]].map(TicketIdentity));
        assert!(next(&mut admin).is_none());
    }

    #[test]
    fn relay_knows_the_holder_of_the_admin_key_by_an_order_on_each_connection() {
        let mut admin = admin();
        assert!(admin.is_unknown());
        admin.made_room();
        assert!(!admin.is_unknown());
        admin.link_lost();
        assert!(admin.is_unknown());
        admin.order(AdminAction::PutCard(vec![1]));
        assert!(!admin.is_unknown(), "that order will tell");
        let order = next(&mut admin).unwrap();
        admin.given(ClientRef(1), order.action);
        admin.done(ClientRef(1), order.counter);
        assert!(!admin.is_unknown());
    }

    #[test]
    fn only_the_newest_card_waits() {
        let mut admin = admin();
        admin.order(AdminAction::PutCard(vec![1]));
        admin.order(AdminAction::PutCard(vec![2]));
        assert_eq!(next(&mut admin).unwrap().action, AdminAction::PutCard(vec![2]));
        assert!(next(&mut admin).is_none());
    }
}
