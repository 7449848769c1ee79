//! What openmls needs from outside: cryptography on ring and x25519-dalek, randomness that is passed in, and
//! storage that keeps in RAM only what openmls reads back.

mod crypto;
mod kdf;
mod random;
mod signer;
#[cfg(any(test, feature = "danger-sabotage"))]
mod spoil;
mod storage;

use std::sync::Arc;

use incamera_types::Entropy;
use openmls_traits::OpenMlsProvider;
use openmls_traits::types::Ciphersuite;

pub(crate) use crypto::RingCrypto;
pub(crate) use kdf::{expand, extract};
pub(crate) use random::SharedEntropy;
pub(crate) use signer::LeafSigner;
pub(crate) use storage::RamStorage;

/// MLS suite 0x0001: X25519, AES-128-GCM, SHA-256, Ed25519 (wire.md §5).
pub(crate) const SUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;

/// The provider of one group. Deterministic when its entropy is.
pub(crate) struct Provider {
    crypto: RingCrypto,
    entropy: Arc<SharedEntropy>,
    storage: RamStorage,
}

impl Provider {
    /// A provider with empty storage that draws from `entropy`.
    pub(crate) fn new(entropy: Box<dyn Entropy>) -> Self {
        Self::with_shared(Arc::new(SharedEntropy::new(entropy)), RamStorage::default())
    }

    /// A provider with this storage that draws from an entropy source already in use.
    pub(crate) fn with_shared(entropy: Arc<SharedEntropy>, storage: RamStorage) -> Self {
        Self { crypto: RingCrypto::new(Arc::clone(&entropy)), entropy, storage }
    }

    /// The entropy source, to be shared with another provider.
    pub(crate) fn entropy(&self) -> &Arc<SharedEntropy> {
        &self.entropy
    }
}

impl OpenMlsProvider for Provider {
    type CryptoProvider = RingCrypto;
    type RandProvider = SharedEntropy;
    type StorageProvider = RamStorage;

    fn storage(&self) -> &RamStorage {
        &self.storage
    }

    fn crypto(&self) -> &RingCrypto {
        &self.crypto
    }

    fn rand(&self) -> &SharedEntropy {
        &self.entropy
    }
}

#[cfg(test)]
mod tests;
