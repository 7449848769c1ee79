//! Secrets of the room that travel inside the group.

use incamera_identity::sha256;
use incamera_relay_proto::{CapabilityHash, CapabilitySecret};
use incamera_types::Entropy;
use tls_codec::{TlsDeserializeBytes, TlsSerialize, TlsSize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::wire::Bounded;

/// What every member has to know to stay connected to the relay.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct RoomSecrets {
    /// Counts the rotations of the room; an older one than known is ignored.
    pub generation: u64,
    /// The members' capability at the relay.
    pub member_capability: [u8; 32],
}

impl Bounded for RoomSecrets {
    fn is_bounded(&self) -> bool {
        true
    }
}

impl RoomSecrets {
    /// Fresh secrets, newer than those of this generation.
    pub(crate) fn after(generation: u64, entropy: &mut dyn Entropy) -> Self {
        let mut member_capability = [0; 32];
        entropy.fill(&mut member_capability);
        Self { generation: generation.saturating_add(1), member_capability }
    }

    /// The capability as the relay's messages carry it.
    pub(crate) fn capability(&self) -> CapabilitySecret {
        CapabilitySecret::new(self.member_capability)
    }
}

/// What the relay keeps of a capability.
pub(crate) fn capability_hash(capability: &CapabilitySecret) -> CapabilityHash {
    CapabilityHash(sha256(&capability.hash_input()))
}
