//! Rights at the relay: capabilities and the admin key (wire.md §8).

use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const CAPABILITY_LABEL: &[u8] = b"Incamera 1.0 relay capability";

/// Shown to the relay to prove a right: knocking (derived from the link) or membership (known in the group).
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct CapabilitySecret([u8; 32]);

impl CapabilitySecret {
    /// Wraps 32 random or derived bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be written to the wire or sealed for a joiner.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// What is hashed with SHA-256 to get the [`CapabilityHash`] that the relay keeps.
    #[must_use]
    pub fn hash_input(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([CAPABILITY_LABEL, &self.0].concat())
    }
}

impl fmt::Debug for CapabilitySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// SHA-256 of [`CapabilitySecret::hash_input`]: all that the relay keeps of a capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CapabilityHash(pub [u8; 32]);

/// Ed25519 public key that lets the relay accept [`crate::AdminOrder`]s. Pseudonymous: made for one room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AdminPublicKey(pub [u8; 32]);

/// An Ed25519 signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);
