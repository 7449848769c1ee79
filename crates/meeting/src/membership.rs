//! What a member knows of the relay's capabilities. The members learn a new one before the relay does (wire.md
//! §8), so until the relay has taken the newest it may still ask for an earlier one: whoever told it may have
//! lost the connection just then.

use std::collections::VecDeque;

use incamera_relay_proto::CapabilitySecret;
use incamera_types::Entropy;

use crate::secrets::RoomSecrets;

/// Rotations that a member may miss: far more than a meeting has.
const MAX_STEPS: u64 = 1 << 20;

/// Capabilities kept besides the newest: one is under way at a time, and those that wait are merged into one.
const MAX_EARLIER: usize = 4;

/// The members' capabilities at the relay, as far as one member knows them.
pub(crate) struct Membership {
    newest: RoomSecrets,
    /// Those that the relay may still ask for, newest first.
    earlier: VecDeque<RoomSecrets>,
    /// How many, from the newest on, the relay has denied since it took one.
    denied: usize,
}

impl Membership {
    /// The first capability of a room.
    pub(crate) fn generate(entropy: &mut dyn Entropy) -> Self {
        Self::received(RoomSecrets::after(0, entropy))
    }

    /// What an admission brought.
    pub(crate) fn received(newest: RoomSecrets) -> Self {
        // SEC-14: it never grows, so that no copy of a secret stays behind.
        Self { newest, earlier: VecDeque::with_capacity(MAX_EARLIER), denied: 0 }
    }

    /// What joiners get.
    pub(crate) const fn secrets(&self) -> &RoomSecrets {
        &self.newest
    }

    /// The capability to show the relay now.
    pub(crate) fn capability(&self) -> CapabilitySecret {
        let earlier = self.denied.checked_sub(1).and_then(|at| self.earlier.get(at));
        earlier.unwrap_or(&self.newest).capability()
    }

    /// The relay does not know the capability that was shown; tells whether there is another one to show.
    pub(crate) fn denied(&mut self) -> bool {
        self.denied = self.denied.saturating_add(1);
        let has_another = self.denied <= self.earlier.len();
        if !has_another {
            self.denied = 0;
        }
        has_another
    }

    /// The relay took the capability that was shown: it will never ask for an earlier one.
    pub(crate) fn taken(&mut self) {
        self.earlier.truncate(self.denied);
        self.denied = 0;
    }

    /// Takes newer secrets; tells whether they are newer. A leap is refused: after it nobody could count on.
    pub(crate) fn renew(&mut self, secrets: RoomSecrets) -> bool {
        let steps = secrets.generation.saturating_sub(self.newest.generation);
        let newer = (1..=MAX_STEPS).contains(&steps);
        if newer {
            self.earlier.truncate(MAX_EARLIER.saturating_sub(1));
            self.earlier.push_front(core::mem::replace(&mut self.newest, secrets));
            self.denied = 0;
        }
        newer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(generation: u64) -> RoomSecrets {
        RoomSecrets { generation, member_capability: [generation as u8; 32] }
    }

    /// The generations that are shown to a relay which denies all.
    fn shown(membership: &mut Membership) -> Vec<u64> {
        let mut shown = Vec::new();
        loop {
            let capability = membership.capability();
            shown.extend((0..20).find(|generation| secrets(*generation).capability() == capability));
            if !membership.denied() {
                return shown;
            }
        }
    }

    #[test]
    fn earlier_capabilities_are_shown_until_the_relay_has_taken_a_newer_one() {
        let mut membership = Membership::received(secrets(1));
        assert!(membership.renew(secrets(2)) && membership.renew(secrets(3)));
        assert_eq!(shown(&mut membership), [3, 2, 1]);
        assert!(membership.denied());
        membership.taken();
        assert_eq!(shown(&mut membership), [3, 2], "the relay has still to be told of the newest");
        membership.taken();
        assert_eq!(shown(&mut membership), [3]);
    }

    #[test]
    fn neither_old_secrets_nor_leaps_are_taken_and_few_are_kept() {
        let mut membership = Membership::received(secrets(1));
        assert!(!membership.renew(secrets(1)) && !membership.renew(secrets(2 + MAX_STEPS)));
        for generation in 2..10 {
            assert!(membership.renew(secrets(generation)));
        }
        assert_eq!(shown(&mut membership), [9, 8, 7, 6, 5]);
    }
}
