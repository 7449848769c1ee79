//! Ed25519 (RFC 8032) on ring, with small-order keys refused.

use core::fmt;

use incamera_types::Entropy;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use zeroize::Zeroizing;

use crate::IdentityError;

/// Bytes of a public key and of a private seed.
pub const KEY_LEN: usize = 32;

/// Bytes of a signature.
pub const SIGNATURE_LEN: usize = 64;

/// The y coordinates of the eight small-order points in every encoding that decoders accept, sign bit clear:
/// 0, 1, two of order eight, p − 1, p and p + 1 (little endian). Under such a key some signatures verify for
/// every message.
const SMALL_ORDER: [[u8; KEY_LEN]; 7] = [
    [0; KEY_LEN],
    edge_coordinate(0x01, 0x00, 0x00),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    edge_coordinate(0xec, 0xff, 0x7f),
    edge_coordinate(0xed, 0xff, 0x7f),
    edge_coordinate(0xee, 0xff, 0x7f),
];

const fn edge_coordinate(first: u8, middle: u8, last: u8) -> [u8; KEY_LEN] {
    let mut y = [middle; KEY_LEN];
    if let Some(byte) = y.first_mut() {
        *byte = first;
    }
    if let Some(byte) = y.last_mut() {
        *byte = last;
    }
    y
}

/// A private Ed25519 key, kept expanded for signing.
///
/// The seed is not kept (SEC-14). ring keeps its expanded copy behind this type without erasing it; the copy never
/// leaves this value and dies with it.
pub struct SigningKey {
    expanded: Box<Ed25519KeyPair>,
    public: VerifyingKey,
}

impl SigningKey {
    /// A fresh key from 32 random bytes.
    #[must_use]
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        let mut seed = Zeroizing::new([0; KEY_LEN]);
        loop {
            entropy.fill(&mut seed[..]);
            if let Ok(key) = Self::from_seed(&seed) {
                return key;
            }
        }
    }

    /// The key with this seed (RFC 8032 §5.1.5).
    ///
    /// # Errors
    /// [`IdentityError::Key`] if ring refuses the seed; it refuses none of 32 bytes.
    pub fn from_seed(seed: &[u8; KEY_LEN]) -> Result<Self, IdentityError> {
        let expanded = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| IdentityError::Key)?;
        let public = VerifyingKey::from_slice(expanded.public_key().as_ref())?;
        Ok(Self { expanded: Box::new(expanded), public })
    }

    /// The public key.
    #[must_use]
    pub const fn verifying_key(&self) -> VerifyingKey {
        self.public
    }

    /// Signs `message`. Deterministic.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        let mut bytes = [0; SIGNATURE_LEN];
        bytes.copy_from_slice(self.expanded.sign(message).as_ref());
        Signature(bytes)
    }
}

/// A public Ed25519 key that is not of small order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerifyingKey([u8; KEY_LEN]);

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "VerifyingKey({a:02x}{b:02x}{c:02x}{d:02x}…)")
    }
}

impl VerifyingKey {
    /// Takes a key from the wire.
    ///
    /// # Errors
    /// [`IdentityError::Key`] for the small-order points in any encoding. Whether the bytes are a point at
    /// all shows when a signature is verified.
    pub fn from_bytes(bytes: [u8; KEY_LEN]) -> Result<Self, IdentityError> {
        let mut y = bytes;
        if let Some(last) = y.last_mut() {
            *last &= 0x7f;
        }
        if SMALL_ORDER.contains(&y) { Err(IdentityError::Key) } else { Ok(Self(bytes)) }
    }

    /// Takes a key of unchecked length from the wire.
    ///
    /// # Errors
    /// [`IdentityError::Key`] as [`VerifyingKey::from_bytes`], or when it is not 32 bytes long.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, IdentityError> {
        bytes.try_into().map_err(|_| IdentityError::Key).and_then(Self::from_bytes)
    }

    /// The bytes on the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// Verifies `signature` over `message`.
    ///
    /// # Errors
    /// [`IdentityError::Signature`] when it does not verify.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), IdentityError> {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(message, &signature.0)
            .map_err(|_| IdentityError::Signature)
    }
}

/// An Ed25519 signature that nobody verified yet.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature(pub [u8; SIGNATURE_LEN]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(…)")
    }
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::EIGHT_TORSION;

    use super::*;

    #[test]
    fn signatures_verify_only_for_their_message_and_key() {
        let key = SigningKey::from_seed(&[7; 32]).unwrap();
        let signature = key.sign(b"message");
        assert!(key.verifying_key().verify(b"message", &signature).is_ok());
        assert_eq!(key.verifying_key().verify(b"massage", &signature), Err(IdentityError::Signature));
        let other = SigningKey::from_seed(&[8; 32]).unwrap().verifying_key();
        assert_eq!(other.verify(b"message", &signature), Err(IdentityError::Signature));
    }

    #[test]
    fn every_small_order_key_is_refused() {
        for point in EIGHT_TORSION {
            let mut bytes = point.compress().0;
            for _ in 0..2 {
                assert_eq!(VerifyingKey::from_bytes(bytes), Err(IdentityError::Key));
                bytes[31] ^= 0x80;
            }
        }
        for bytes in SMALL_ORDER {
            assert!(
                curve25519_dalek::edwards::CompressedEdwardsY(bytes).decompress().unwrap().is_small_order()
            );
        }
    }

    #[test]
    fn a_small_order_key_would_verify_a_signature_of_nobody() {
        let mut identity_point = [0; 32];
        identity_point[0] = 1;
        let mut forged = [0; SIGNATURE_LEN];
        forged[0] = 1;
        let accepted = |message: &[u8]| {
            UnparsedPublicKey::new(&ED25519, &identity_point).verify(message, &forged).is_ok()
        };
        assert!(accepted(b"anything") && accepted(b"something else"));
        assert_eq!(VerifyingKey::from_bytes(identity_point), Err(IdentityError::Key));
    }

    #[test]
    fn keys_of_another_length_are_refused() {
        assert!(VerifyingKey::from_slice(&[9; 31]).is_err());
        assert!(VerifyingKey::from_slice(&[9; 33]).is_err());
    }
}
