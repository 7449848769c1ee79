//! Random numbers for RTP and jitter: numbers that need no secrecy, from the system's generator all the same.

use ring::rand::{SecureRandom, SystemRandom};

/// Random bytes. Where the system gives none, zeros: nothing here is a secret.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    if SystemRandom::new().fill(&mut out).is_err() {
        tracing::warn!("the system gave no random numbers");
    }
    out
}

/// A random 16-bit number.
pub(crate) fn u16() -> u16 {
    u16::from_ne_bytes(bytes())
}

/// A random 32-bit number.
pub(crate) fn u32() -> u32 {
    u32::from_ne_bytes(bytes())
}
