//! The members' capability at the relay, and orders signed by the admin key: a removed member loses the
//! relay and its tickets, and no member can lock the others out (wire.md §8).

use std::collections::VecDeque;

use incamera_identity::SigningKey;
use incamera_relay_proto::{
    AdminAction, AdminOrder, AdminPublicKey, CapabilitySecret, ClientRef, Incarnation, Request, Rotation,
    Signature, SignedAdminOrder, TicketIdentity, WireError,
};
use incamera_types::{Entropy, RoomId};

use crate::secrets::{RoomSecrets, capability_hash};

/// Orders that wait for their turn; rotations are merged, so there are at most a card and an end beside one.
const MAX_ORDERS: usize = 8;

/// Revocations that wait for the next rotation.
const MAX_REVOKED: usize = incamera_relay_proto::limits::REVOKED_TICKETS;

/// Rotations that a member may miss: far more than a meeting has.
const MAX_STEPS: u64 = 1 << 20;

/// What a member knows of the capability.
pub(crate) struct Membership {
    secrets: RoomSecrets,
}

impl Membership {
    /// The first capability of a room.
    pub(crate) fn generate(entropy: &mut dyn Entropy) -> Self {
        Self { secrets: next_secrets(0, entropy) }
    }

    /// What an admission brought.
    pub(crate) const fn received(secrets: RoomSecrets) -> Self {
        Self { secrets }
    }

    /// What joiners get.
    pub(crate) const fn secrets(&self) -> &RoomSecrets {
        &self.secrets
    }

    /// The capability for the relay.
    pub(crate) fn capability(&self) -> CapabilitySecret {
        self.secrets.capability()
    }

    /// Takes newer secrets; tells whether they are newer. A leap is refused: after it nobody could count on.
    pub(crate) fn renew(&mut self, secrets: RoomSecrets) -> bool {
        let steps = secrets.generation.saturating_sub(self.secrets.generation);
        let newer = (1..=MAX_STEPS).contains(&steps);
        if newer {
            self.secrets = secrets;
        }
        newer
    }
}

fn next_secrets(generation: u64, entropy: &mut dyn Entropy) -> RoomSecrets {
    let mut member_capability = [0; 32];
    entropy.fill(&mut member_capability);
    RoomSecrets { generation: generation.saturating_add(1), member_capability }
}

/// The admin key and its orders, for who may admit.
pub(crate) struct Admin {
    key: SigningKey,
    counter: u64,
    orders: VecDeque<AdminAction>,
    under_way: Option<(ClientRef, AdminAction)>,
    rotation: Option<PendingRotation>,
    revoked: Vec<TicketIdentity>,
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

    /// Lets an order wait for its turn. Only the newest card counts.
    pub(crate) fn order(&mut self, action: AdminAction) {
        if matches!(action, AdminAction::PutCard(_)) {
            self.orders.retain(|waiting| !matches!(waiting, AdminAction::PutCard(_)));
        }
        if self.orders.len() >= MAX_ORDERS {
            self.orders.pop_front();
        }
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
        let secrets = next_secrets(generation.max(known.generation), entropy);
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
        Some(action)
    }

    /// The relay refused an order for good; it is given up.
    pub(crate) fn refused(&mut self, in_reply_to: ClientRef) -> Option<AdminAction> {
        self.under_way.take_if(|(client_ref, _)| *client_ref == in_reply_to).map(|(_, action)| action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn only_the_newest_card_waits() {
        let mut admin = admin();
        admin.order(AdminAction::PutCard(vec![1]));
        admin.order(AdminAction::PutCard(vec![2]));
        assert_eq!(next(&mut admin).unwrap().action, AdminAction::PutCard(vec![2]));
        assert!(next(&mut admin).is_none());
    }
}
