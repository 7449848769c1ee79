//! One source of randomness for the meeting and the groups that it enters.

use std::sync::{Arc, Mutex, PoisonError};

use incamera_types::Entropy;

/// The meeting's randomness; clones draw from the same source.
#[derive(Clone)]
pub(crate) struct SharedEntropy(Arc<Mutex<Box<dyn Entropy>>>);

impl SharedEntropy {
    /// Shares `source`.
    pub(crate) fn new(source: Box<dyn Entropy>) -> Self {
        Self(Arc::new(Mutex::new(source)))
    }

    /// `N` fresh random bytes.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

impl Entropy for SharedEntropy {
    fn fill(&mut self, out: &mut [u8]) {
        // A panic inside `fill` cannot leave the source half-changed in a way that matters.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(out);
    }
}
