//! Fingerprints of public keys, as people and links carry them.

use core::fmt;

use crate::{VerifyingKey, sha256};

/// The first 20 bytes of the SHA-256 of a public key: in the invite link for the room key (wire.md §10), on
/// screen for an identity key (SEC-11).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 20]);

impl Fingerprint {
    /// The fingerprint of `key`.
    #[must_use]
    pub fn of(key: &VerifyingKey) -> Self {
        let digest = sha256(key.as_bytes());
        let mut bytes = [0; 20];
        for (byte, from) in bytes.iter_mut().zip(digest) {
            *byte = from;
        }
        Self(bytes)
    }
}

impl fmt::Display for Fingerprint {
    /// Ten groups of four hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, pair) in self.0.chunks(2).enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            for byte in pair {
                write!(f, "{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "Fingerprint({a:02x}{b:02x}{c:02x}{d:02x}…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SigningKey;

    #[test]
    fn fingerprint_is_shown_in_ten_groups() {
        let key = SigningKey::from_seed(&[1; 32]).unwrap().verifying_key();
        let shown = Fingerprint::of(&key).to_string();
        assert_eq!(shown.split(' ').count(), 10);
        assert!(shown.split(' ').all(|group| group.len() == 4));
        assert_ne!(
            Fingerprint::of(&SigningKey::from_seed(&[2; 32]).unwrap().verifying_key()),
            Fingerprint::of(&key)
        );
    }
}
