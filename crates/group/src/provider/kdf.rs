//! HKDF-SHA-256 in two halves (RFC 5869). ring's own HKDF never gives out the pseudorandom key, which MLS and
//! HPKE pass around, so both halves stand on its HMAC.

use ring::hmac;
use zeroize::Zeroizing;

/// Output length of SHA-256 in bytes.
pub(crate) const HASH_LEN: usize = 32;

/// HKDF-Extract.
pub(crate) fn extract(salt: &[u8], ikm: &[u8]) -> Zeroizing<[u8; HASH_LEN]> {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt), ikm);
    let mut prk = Zeroizing::new([0; HASH_LEN]);
    prk.copy_from_slice(tag.as_ref());
    prk
}

/// HKDF-Expand of `len` bytes; `None` above 255 blocks.
pub(crate) fn expand(prk: &[u8], info: &[u8], len: usize) -> Option<Zeroizing<Vec<u8>>> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, prk);
    let mut out = Zeroizing::new(Vec::with_capacity(len.saturating_add(HASH_LEN)));
    let mut counter: u8 = 0;
    let mut previous: Option<hmac::Tag> = None;
    while out.len() < len {
        counter = counter.checked_add(1)?;
        let mut block = hmac::Context::with_key(&key);
        if let Some(tag) = &previous {
            block.update(tag.as_ref());
        }
        block.update(info);
        block.update(&[counter]);
        let tag = block.sign();
        out.extend_from_slice(tag.as_ref());
        previous = Some(tag);
    }
    out.truncate(len);
    Some(out)
}
