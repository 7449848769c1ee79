//! Seals that do not open, for the commits of a malicious member.
//!
//! For tests and simulations only: the feature `danger-sabotage` is refused in release builds.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The key whose seals are spoilt at present, and how many were.
#[derive(Default)]
pub(crate) struct Spoil(Mutex<Option<(Vec<u8>, u64)>>);

impl Spoil {
    /// From now on what is sealed to this key does not open.
    pub(crate) fn begin(&self, key: Vec<u8>) {
        *self.lock() = Some((key, 0));
    }

    /// Seals honestly again; how many seals were spoilt.
    pub(crate) fn end(&self) -> u64 {
        self.lock().take().map_or(0, |(_, seals)| seals)
    }

    /// What is given out in place of a seal to `key`.
    pub(super) fn spoil(&self, key: &[u8], mut ciphertext: Vec<u8>) -> Vec<u8> {
        if let Some((_, seals)) = self.lock().as_mut().filter(|(spoilt, _)| spoilt == key)
            && let Some(last) = ciphertext.last_mut()
        {
            *last ^= 1;
            *seals = seals.saturating_add(1);
        }
        ciphertext
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Vec<u8>, u64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
