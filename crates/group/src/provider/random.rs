//! Randomness for openmls from the entropy that was passed in.

use core::convert::Infallible;
use std::sync::{Mutex, PoisonError};

use incamera_types::Entropy;
use openmls_traits::random::OpenMlsRand;

/// An entropy source behind the shared references that openmls works with.
pub(crate) struct SharedEntropy(Mutex<Box<dyn Entropy>>);

impl SharedEntropy {
    pub(crate) fn new(entropy: Box<dyn Entropy>) -> Self {
        Self(Mutex::new(entropy))
    }

    /// Fills `out` with fresh bytes.
    pub(crate) fn fill(&self, out: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(out);
    }
}

impl OpenMlsRand for SharedEntropy {
    type Error = Infallible;

    fn random_array<const N: usize>(&self) -> Result<[u8; N], Infallible> {
        let mut out = [0; N];
        self.fill(&mut out);
        Ok(out)
    }

    fn random_vec(&self, len: usize) -> Result<Vec<u8>, Infallible> {
        let mut out = vec![0; len];
        self.fill(&mut out);
        Ok(out)
    }
}
