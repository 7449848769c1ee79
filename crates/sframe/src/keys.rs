//! Keys: one AEAD key and salt per key id, derived from the base key and the whole key id (RFC 9605 §4.4.2).

use incamera_types::{FrameSuite, Kid, LeafIndex};
use ring::aead::{self, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf;
use zeroize::Zeroizing;

use crate::format::TAG_BYTES;
use crate::{FrameSender, OpenError, SealError};

/// Bytes of a nonce and of the salt (Nn).
const NONCE_BYTES: usize = 12;

/// The secret that an epoch of the group exports for media (RFC 9605 §5.2). Zeroised when dropped.
///
/// It can be neither copied nor shown, and gives out at most one [`FrameSender`] per context (SEC-17).
pub struct BaseKey {
    suite: FrameSuite,
    secret: Zeroizing<Vec<u8>>,
    sending_leaf: Option<LeafIndex>,
    senders_taken: u16,
}

impl BaseKey {
    /// A base key for `suite`, which has [`FrameSuite::key_len`] bytes, as MLS exports it; `None` otherwise.
    #[must_use]
    pub fn new(suite: FrameSuite, secret: Zeroizing<Vec<u8>>) -> Option<Self> {
        (secret.len() == suite.key_len()).then(|| Self::of_any_length(suite, secret))
    }

    const fn of_any_length(suite: FrameSuite, secret: Zeroizing<Vec<u8>>) -> Self {
        Self { suite, secret, sending_leaf: None, senders_taken: 0 }
    }

    /// The suite of the room.
    #[must_use]
    pub const fn suite(&self) -> FrameSuite {
        self.suite
    }

    /// Takes the sender of `kid`, which exists once.
    ///
    /// # Errors
    /// [`SealError::SenderTaken`] the second time, and for a second leaf.
    pub fn take_sender(&mut self, kid: Kid) -> Result<FrameSender, SealError> {
        let bit = 1_u16.checked_shl(u32::from(kid.context().number())).ok_or(SealError::SenderTaken)?;
        let other_leaf = self.sending_leaf.is_some_and(|leaf| leaf != kid.leaf());
        if other_leaf || self.senders_taken & bit != 0 {
            return Err(SealError::SenderTaken);
        }
        let key = FrameKey::derive(self, kid.value()).map_err(|_| SealError::Cipher)?;
        self.sending_leaf = Some(kid.leaf());
        self.senders_taken |= bit;
        Ok(FrameSender::new(kid, key))
    }
}

/// AEAD key and salt of one key id.
pub(crate) struct FrameKey {
    key: LessSafeKey,
    salt: [u8; NONCE_BYTES],
}

impl FrameKey {
    /// RFC 9605 §4.4.2. Fails only if the base key has a length that the suite cannot take.
    pub(crate) fn derive(base: &BaseKey, kid: u64) -> Result<Self, ring::error::Unspecified> {
        let material = KeyMaterial::derive(base, kid)?;
        let key = material.key.get(..base.suite.key_len()).unwrap_or_default();
        let key = LessSafeKey::new(UnboundKey::new(aead_algorithm(base.suite), key)?);
        Ok(Self { key, salt: material.salt })
    }

    /// Seals `text` in place, of which the last bytes are room for the tag.
    #[inline]
    pub(crate) fn seal(&self, counter: u32, aad: &[u8], text: &mut [u8]) -> Result<(), SealError> {
        let (text, room) = text.split_last_chunk_mut::<TAG_BYTES>().ok_or(SealError::Cipher)?;
        let sealed = self.key.seal_in_place_separate_tag(self.nonce(counter), aead::Aad::from(aad), text);
        let tag = sealed.map_err(|_| SealError::Cipher)?;
        room.copy_from_slice(tag.as_ref());
        Ok(())
    }

    /// Opens `text`, ciphertext and tag, in place and gives the plaintext at its start.
    #[inline]
    pub(crate) fn open<'t>(
        &self,
        counter: u32,
        aad: &[u8],
        text: &'t mut [u8],
    ) -> Result<&'t mut [u8], OpenError> {
        self.key
            .open_in_place(self.nonce(counter), aead::Aad::from(aad), text)
            .map_err(|_| OpenError::AuthenticationFailed)
    }

    /// As [`FrameKey::open`], whatever the tag. Counter mode is its own inverse, so sealing the ciphertext again
    /// gives the plaintext.
    #[cfg(feature = "danger-sabotage")]
    pub(crate) fn open_unchecked<'t>(
        &self,
        counter: u32,
        text: &'t mut [u8],
    ) -> Result<&'t mut [u8], OpenError> {
        let len = text.len().saturating_sub(TAG_BYTES);
        let body = text.get_mut(..len).unwrap_or_default();
        self.key
            .seal_in_place_separate_tag(self.nonce(counter), aead::Aad::empty(), body)
            .map(|_| body)
            .map_err(|_| OpenError::AuthenticationFailed)
    }

    /// The salt XORed with the encoded counter, big endian and padded at the front (§4.4.3, erratum 8321).
    ///
    /// The last word is stored whole: the cipher reads it at once.
    #[inline]
    fn nonce(&self, counter: u32) -> Nonce {
        let mut nonce = self.salt;
        if let Some(last) = nonce.last_chunk_mut() {
            *last = (u32::from_be_bytes(*last) ^ counter).to_be_bytes();
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

/// Bytes of key and salt before they become a [`FrameKey`].
struct KeyMaterial {
    key: Zeroizing<[u8; 32]>,
    salt: [u8; NONCE_BYTES],
}

impl KeyMaterial {
    fn derive(base: &BaseKey, kid: u64) -> Result<Self, ring::error::Unspecified> {
        let secret = hkdf::Salt::new(hkdf_algorithm(base.suite), &[]).extract(&base.secret);
        let kid = kid.to_be_bytes();
        let suite = base.suite.number().to_be_bytes();
        let mut key = Zeroizing::new([0; 32]);
        let mut salt = [0; NONCE_BYTES];
        let key_part = key.get_mut(..base.suite.key_len()).unwrap_or_default();
        expand(&secret, &[b"SFrame 1.0 Secret key ", &kid, &suite], key_part)?;
        expand(&secret, &[b"SFrame 1.0 Secret salt ", &kid, &suite], &mut salt)?;
        Ok(Self { key, salt })
    }
}

/// HKDF-Expand of as many bytes as `out` takes.
fn expand(secret: &hkdf::Prk, info: &[&[u8]], out: &mut [u8]) -> Result<(), ring::error::Unspecified> {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    secret.expand(info, Length(out.len()))?.fill(out)
}

fn hkdf_algorithm(suite: FrameSuite) -> hkdf::Algorithm {
    match suite {
        FrameSuite::Aes128GcmSha256 => hkdf::HKDF_SHA256,
        FrameSuite::Aes256GcmSha512 => hkdf::HKDF_SHA512,
    }
}

fn aead_algorithm(suite: FrameSuite) -> &'static aead::Algorithm {
    match suite {
        FrameSuite::Aes128GcmSha256 => &aead::AES_128_GCM,
        FrameSuite::Aes256GcmSha512 => &aead::AES_256_GCM,
    }
}

#[cfg(test)]
mod tests;
