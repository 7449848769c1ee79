//! HPKE (RFC 9180), base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM: for the group itself and
//! for knocks sealed to a lobby key (wire.md §5).
//!
//! Composed from ring and x25519-dalek: ring can neither import a static X25519 key nor take our randomness.

use core::fmt;

use incamera_types::Entropy;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::GroupError;
use crate::provider::{expand, extract};

/// Bytes of a public key, a private key and an encapsulated key.
pub const KEY_LEN: usize = 32;

/// Bytes that [`HpkePublicKey::seal`] adds: encapsulated key and tag.
pub const OVERHEAD: usize = KEY_LEN + 16;

const SECRET_LEN: usize = 32;
const AEAD_KEY_LEN: usize = 16;
const NONCE_LEN: usize = 12;
const VERSION: &[u8] = b"HPKE-v1";
/// "KEM" and the id of DHKEM(X25519, HKDF-SHA256), RFC 9180 §4.1.
const KEM_SUITE: &[u8] = b"KEM\x00\x20";
/// "HPKE" and the ids of KEM, KDF and AEAD, RFC 9180 §5.1.
const HPKE_SUITE: &[u8] = b"HPKE\x00\x20\x00\x01\x00\x01";
const MODE_BASE: u8 = 0;

/// A private X25519 key, erased on drop.
#[derive(Clone)]
pub struct HpkePrivateKey(StaticSecret);

impl HpkePrivateKey {
    /// A fresh key.
    ///
    /// # Errors
    /// Never in practice; [`GroupError::Crypto`] if key derivation fails.
    pub fn generate(entropy: &mut dyn Entropy) -> Result<Self, GroupError> {
        let mut ikm = Zeroizing::new([0; SECRET_LEN]);
        entropy.fill(&mut ikm[..]);
        Self::derive(&ikm[..])
    }

    /// DeriveKeyPair of RFC 9180 §7.1.3.
    ///
    /// # Errors
    /// Never in practice; [`GroupError::Crypto`] if key derivation fails.
    pub fn derive(ikm: &[u8]) -> Result<Self, GroupError> {
        let prk = labeled_extract(KEM_SUITE, b"", b"dkp_prk", ikm);
        let secret = labeled_expand(KEM_SUITE, &prk[..], b"sk", b"", KEY_LEN)?;
        Self::from_slice(&secret)
    }

    /// A key from 32 bytes.
    ///
    /// # Errors
    /// [`GroupError::Crypto`] for another length.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, GroupError> {
        let bytes: Zeroizing<[u8; KEY_LEN]> =
            Zeroizing::new(bytes.try_into().map_err(|_| GroupError::Crypto)?);
        Ok(Self(StaticSecret::from(*bytes)))
    }

    /// The private bytes, for handing the lobby key to others who may admit, inside the group.
    #[must_use]
    pub fn expose(&self) -> &[u8; KEY_LEN] {
        self.0.as_bytes()
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> HpkePublicKey {
        HpkePublicKey(PublicKey::from(&self.0).to_bytes())
    }

    /// Opens what [`HpkePublicKey::seal`] made.
    ///
    /// # Errors
    /// [`GroupError::Sealed`] when it is too short, altered, or sealed to another key, `info` or `aad`.
    pub fn open(&self, info: &[u8], aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, GroupError> {
        let (enc, ciphertext) = sealed.split_first_chunk::<KEY_LEN>().ok_or(GroupError::Sealed)?;
        self.receive(enc, info)?.open(aad, ciphertext)
    }

    /// SetupBaseR.
    pub(crate) fn receive(&self, enc: &[u8; KEY_LEN], info: &[u8]) -> Result<HpkeContext, GroupError> {
        let shared = self.0.diffie_hellman(&PublicKey::from(*enc));
        if !shared.was_contributory() {
            return Err(GroupError::Sealed);
        }
        HpkeContext::new(shared.as_bytes(), enc, &self.public_key().0, info)
    }
}

/// A public X25519 key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HpkePublicKey(pub [u8; KEY_LEN]);

impl fmt::Debug for HpkePublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "HpkePublicKey({a:02x}{b:02x}{c:02x}{d:02x}…)")
    }
}

impl HpkePublicKey {
    /// Single-shot seal: encapsulated key, ciphertext, tag ([`OVERHEAD`] bytes more than `plaintext`).
    ///
    /// # Errors
    /// [`GroupError::Crypto`] when this is a key under which nothing is secret.
    pub fn seal(
        &self,
        entropy: &mut dyn Entropy,
        info: &[u8],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, GroupError> {
        let ephemeral = HpkePrivateKey::generate(entropy)?;
        let (enc, context) = self.send(&ephemeral, info)?;
        let mut sealed = enc.to_vec();
        sealed.extend_from_slice(&context.seal(aad, plaintext)?);
        Ok(sealed)
    }

    /// SetupBaseS with this ephemeral key.
    pub(crate) fn send(
        &self,
        ephemeral: &HpkePrivateKey,
        info: &[u8],
    ) -> Result<([u8; KEY_LEN], HpkeContext), GroupError> {
        let enc = ephemeral.public_key().0;
        let shared = ephemeral.0.diffie_hellman(&PublicKey::from(self.0));
        if !shared.was_contributory() {
            return Err(GroupError::Crypto);
        }
        Ok((enc, HpkeContext::new(shared.as_bytes(), &enc, &self.0, info)?))
    }
}

/// The state after set-up, for one message and any number of exports.
pub(crate) struct HpkeContext {
    key: Zeroizing<Vec<u8>>,
    nonce: [u8; NONCE_LEN],
    exporter_secret: Zeroizing<Vec<u8>>,
}

impl HpkeContext {
    /// ExtractAndExpand (§4.1) and KeySchedule (§5.1) in base mode.
    fn new(dh: &[u8], enc: &[u8; KEY_LEN], public: &[u8; KEY_LEN], info: &[u8]) -> Result<Self, GroupError> {
        let kem_context = [&enc[..], &public[..]].concat();
        let prk = labeled_extract(KEM_SUITE, b"", b"eae_prk", dh);
        let shared = labeled_expand(KEM_SUITE, &prk[..], b"shared_secret", &kem_context, SECRET_LEN)?;
        let psk_id_hash = labeled_extract(HPKE_SUITE, b"", b"psk_id_hash", b"");
        let info_hash = labeled_extract(HPKE_SUITE, b"", b"info_hash", info);
        let context = [&[MODE_BASE][..], &psk_id_hash[..], &info_hash[..]].concat();
        let secret = labeled_extract(HPKE_SUITE, &shared, b"secret", b"");
        let base_nonce = labeled_expand(HPKE_SUITE, &secret[..], b"base_nonce", &context, NONCE_LEN)?;
        Ok(Self {
            key: labeled_expand(HPKE_SUITE, &secret[..], b"key", &context, AEAD_KEY_LEN)?,
            nonce: base_nonce.as_slice().try_into().map_err(|_| GroupError::Crypto)?,
            exporter_secret: labeled_expand(HPKE_SUITE, &secret[..], b"exp", &context, SECRET_LEN)?,
        })
    }

    /// The first message of the context; a context is never used for a second one.
    pub(crate) fn seal(self, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, GroupError> {
        let mut buffer = plaintext.to_vec();
        self.aead()?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(self.nonce), Aad::from(aad), &mut buffer)
            .map_err(|_| GroupError::Crypto)?;
        Ok(buffer)
    }

    pub(crate) fn open(self, aad: &[u8], ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, GroupError> {
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let len = self
            .aead()?
            .open_in_place(Nonce::assume_unique_for_key(self.nonce), Aad::from(aad), &mut buffer)
            .map_err(|_| GroupError::Sealed)?
            .len();
        buffer.truncate(len);
        Ok(buffer)
    }

    pub(crate) fn export(&self, context: &[u8], len: usize) -> Result<Zeroizing<Vec<u8>>, GroupError> {
        labeled_expand(HPKE_SUITE, &self.exporter_secret, b"sec", context, len)
    }

    fn aead(&self) -> Result<LessSafeKey, GroupError> {
        UnboundKey::new(&AES_128_GCM, &self.key).map(LessSafeKey::new).map_err(|_| GroupError::Crypto)
    }
}

fn labeled_extract(suite: &[u8], salt: &[u8], label: &[u8], ikm: &[u8]) -> Zeroizing<[u8; SECRET_LEN]> {
    let labeled = Zeroizing::new([VERSION, suite, label, ikm].concat());
    extract(salt, &labeled)
}

fn labeled_expand(
    suite: &[u8],
    prk: &[u8],
    label: &[u8],
    info: &[u8],
    len: usize,
) -> Result<Zeroizing<Vec<u8>>, GroupError> {
    let wire_len = u16::try_from(len).map_err(|_| GroupError::Crypto)?.to_be_bytes();
    expand(prk, &[&wire_len, VERSION, suite, label, info].concat(), len).ok_or(GroupError::Crypto)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{SeededEntropy, hex};

    /// RFC 9180 appendix A.1.1.
    #[test]
    fn base_mode_matches_rfc_9180_a_1_1() {
        let info = hex("4f6465206f6e2061204772656369616e2055726e");
        let ephemeral =
            HpkePrivateKey::derive(&hex("7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234"))
                .unwrap();
        let receiver =
            HpkePrivateKey::derive(&hex("6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037"))
                .unwrap();
        assert_eq!(
            receiver.expose()[..],
            hex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")[..]
        );
        assert_eq!(
            receiver.public_key().0[..],
            hex("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d")[..]
        );
        let (enc, context) = receiver.public_key().send(&ephemeral, &info).unwrap();
        assert_eq!(enc[..], hex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431")[..]);
        assert_eq!(
            context.export(&[], 32).unwrap()[..],
            hex("3853fe2b4035195a573ffc53856e77058e15d9ea064de3e59f4961d0095250ee")[..]
        );
        assert_eq!(
            context.export(&[0], 32).unwrap()[..],
            hex("2e8f0b54673c7029649d4eb9d5e33bf1872cf76d623ff164ac185da9e88c21a5")[..]
        );
        let plaintext = hex("4265617574792069732074727574682c20747275746820626561757479");
        let aad = hex("436f756e742d30");
        let ciphertext = context.seal(&aad, &plaintext).unwrap();
        assert_eq!(
            ciphertext,
            hex("f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a")
        );
        assert_eq!(receiver.open(&info, &aad, &[&enc[..], &ciphertext].concat()).unwrap()[..], plaintext[..]);
    }

    #[test]
    fn sealed_bytes_open_only_whole_and_for_their_key_info_and_aad() {
        let mut entropy = SeededEntropy::new(1);
        let key = HpkePrivateKey::generate(&mut entropy).unwrap();
        let sealed = key.public_key().seal(&mut entropy, b"info", b"aad", b"knock").unwrap();
        assert_eq!(sealed.len(), 5 + OVERHEAD);
        assert_eq!(key.open(b"info", b"aad", &sealed).unwrap()[..], b"knock"[..]);
        let other = HpkePrivateKey::generate(&mut entropy).unwrap();
        assert_eq!(other.open(b"info", b"aad", &sealed), Err(GroupError::Sealed));
        assert_eq!(key.open(b"other", b"aad", &sealed), Err(GroupError::Sealed));
        assert_eq!(key.open(b"info", b"other", &sealed), Err(GroupError::Sealed));
        for end in 0..sealed.len() {
            assert_eq!(key.open(b"info", b"aad", &sealed[..end]), Err(GroupError::Sealed));
        }
    }

    #[test]
    fn keys_without_secrecy_are_refused() {
        let mut entropy = SeededEntropy::new(2);
        let zero = HpkePublicKey([0; KEY_LEN]);
        assert_eq!(zero.seal(&mut entropy, b"", b"", b"x"), Err(GroupError::Crypto));
        let key = HpkePrivateKey::generate(&mut entropy).unwrap();
        assert_eq!(key.open(b"", b"", &[0; 64]), Err(GroupError::Sealed));
    }
}
