//! SHA-256, HMAC and HKDF (RFC 5869) in the shape that the cores need.

use ring::{digest, hkdf, hmac};
use zeroize::Zeroizing;

use crate::IdentityError;

/// SHA-256 of `data`.
#[must_use]
pub fn sha256(data: &[u8]) -> [u8; 32] {
    sha256_parts(&[data])
}

/// SHA-256 of the concatenation of `parts`. The caller makes the concatenation unambiguous.
#[must_use]
pub fn sha256_parts(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// HMAC-SHA-256 of `message` under `key`.
#[must_use]
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let mut out = [0; 32];
    out.copy_from_slice(tag.as_ref());
    out
}

/// Compares an HMAC-SHA-256 in constant time.
///
/// # Errors
/// [`IdentityError::Mac`] when `tag` is not the code of `message` under `key`.
pub fn verify_hmac_sha256(key: &[u8], message: &[u8], tag: &[u8; 32]) -> Result<(), IdentityError> {
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), message, tag).map_err(|_| IdentityError::Mac)
}

struct OutputLen(usize);

impl hkdf::KeyType for OutputLen {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-SHA-256 extract-then-expand (RFC 5869): `len` bytes from `secret` for the purpose `info`.
///
/// # Errors
/// [`IdentityError::OutputTooLong`] above 255 × 32 bytes.
pub fn hkdf_sha256(
    salt: &[u8],
    secret: &[u8],
    info: &[u8],
    len: usize,
) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
    let mut out = Zeroizing::new(vec![0; len]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(secret)
        .expand(&[info], OutputLen(len))
        .and_then(|okm| okm.fill(&mut out))
        .map_err(|_| IdentityError::OutputTooLong)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn hkdf_matches_rfc_5869_case_1() {
        let okm =
            hkdf_sha256(&hex("000102030405060708090a0b0c"), &[0x0b; 22], &hex("f0f1f2f3f4f5f6f7f8f9"), 42)
                .unwrap();
        let expected =
            hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
        assert_eq!(okm[..], expected[..]);
        assert_eq!(hkdf_sha256(b"", b"", b"", 255 * 32 + 1).err(), Some(IdentityError::OutputTooLong));
    }

    #[test]
    fn hmac_matches_rfc_4231_case_2_and_refuses_one_flipped_bit() {
        let mut tag = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(tag[..], hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")[..]);
        assert!(verify_hmac_sha256(b"Jefe", b"what do ya want for nothing?", &tag).is_ok());
        tag[31] ^= 1;
        assert_eq!(
            verify_hmac_sha256(b"Jefe", b"what do ya want for nothing?", &tag),
            Err(IdentityError::Mac)
        );
    }

    #[test]
    fn hash_of_parts_is_the_hash_of_the_whole() {
        assert_eq!(sha256_parts(&[b"a", b"", b"bc"]), sha256(b"abc"));
        assert_eq!(
            sha256(b"abc")[..],
            hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")[..]
        );
    }
}
