//! The cryptography of MLS suite 0x0001 on ring; other suites do not exist here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use incamera_identity::{Signature, SigningKey, VerifyingKey, sha256};
use incamera_types::Entropy;
use openmls_traits::crypto::OpenMlsCrypto;
use openmls_traits::types::{
    AeadType, Ciphersuite, CryptoError, ExporterSecret, HashType, HpkeAeadType, HpkeCiphertext, HpkeConfig,
    HpkeKdfType, HpkeKemType, HpkeKeyPair, KemOutput, SignatureScheme,
};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use tls_codec::SecretVLBytes;
use zeroize::Zeroizing;

use super::{SUITE, SharedEntropy, expand, extract};
use crate::hpke::{HpkePrivateKey, HpkePublicKey};

/// Never asked: verification draws no randomness.
struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&mut self, out: &mut [u8]) {
        out.fill(0);
    }
}

/// How the signature input of a framed message begins (RFC 9420 §5.1.2 and §6.1): the length of the label and
/// the label.
const FRAMED_CONTENT: &[u8] = b"\x18MLS 1.0 FramedContentTBS";

/// What becomes of the next framed content whose signature verifies.
#[derive(Default)]
enum Verified {
    /// Nothing: messages between members leave no copy behind (SEC-14).
    #[default]
    Dropped,
    Wanted,
    Kept(Zeroizing<Vec<u8>>),
}

/// ring and x25519-dalek as openmls wants to see them.
pub(crate) struct RingCrypto {
    entropy: Arc<SharedEntropy>,
    /// Makes the ephemeral keys of seals, see [`RingCrypto::ephemeral_for`].
    ephemeral_key: hmac::Key,
    hpke_seals: AtomicU64,
    /// The content of a commit while it is processed, once its signature verified: openmls keeps it to itself.
    verified: Mutex<Verified>,
    #[cfg(any(test, feature = "danger-sabotage"))]
    pub(crate) spoil: super::spoil::Spoil,
}

impl RingCrypto {
    pub(crate) fn new(entropy: Arc<SharedEntropy>) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        entropy.fill(&mut seed[..]);
        let ephemeral_key = hmac::Key::new(hmac::HMAC_SHA256, &seed[..]);
        Self {
            entropy,
            ephemeral_key,
            hpke_seals: AtomicU64::new(0),
            verified: Mutex::default(),
            #[cfg(any(test, feature = "danger-sabotage"))]
            spoil: super::spoil::Spoil::default(),
        }
    }

    /// For verifying alone: whatever would need randomness gets the same bytes each time, so nothing may be
    /// sealed or generated with it.
    pub(crate) fn verifier() -> Self {
        Self::new(Arc::new(SharedEntropy::new(Box::new(NoEntropy))))
    }

    /// HPKE seals so far, the dominant cost of a commit.
    pub(crate) fn hpke_seals(&self) -> u64 {
        self.hpke_seals.load(Ordering::Relaxed)
    }

    /// Keeps the framed content (RFC 9420 §6.1) whose signature verifies next, as it was signed, until it is taken.
    pub(crate) fn keep_verified(&self) {
        *self.verified.lock().unwrap_or_else(PoisonError::into_inner) = Verified::Wanted;
    }

    /// Takes what was kept; nothing is kept any more.
    pub(crate) fn take_verified(&self) -> Option<Zeroizing<Vec<u8>>> {
        match core::mem::take(&mut *self.verified.lock().unwrap_or_else(PoisonError::into_inner)) {
            Verified::Kept(content) => Some(content),
            Verified::Dropped | Verified::Wanted => None,
        }
    }

    fn note_verified(&self, data: &[u8]) {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Verified::Wanted, Some(content)) = (&*verified, data.strip_prefix(FRAMED_CONTENT)) {
            *verified = Verified::Kept(Zeroizing::new(content.to_vec()));
        }
    }

    /// The ephemeral key of one seal: a keyed hash of what is sealed and for whom. openmls seals the path of a
    /// commit on several threads, so drawing keys from the entropy would give them in the order of the threads
    /// and one seed different bytes in each run. Another message or recipient has another key; the same again
    /// gives the same ciphertext and tells no more than the first.
    fn ephemeral_for(&self, sealed: [&[u8]; 4]) -> Result<HpkePrivateKey, CryptoError> {
        let mut hash = hmac::Context::with_key(&self.ephemeral_key);
        for part in sealed {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        HpkePrivateKey::derive(hash.sign().as_ref()).map_err(|_| CryptoError::SenderSetupError)
    }

    fn ephemeral(&self) -> Result<HpkePrivateKey, CryptoError> {
        let mut ikm = Zeroizing::new([0; 32]);
        self.entropy.fill(&mut ikm[..]);
        HpkePrivateKey::derive(&ikm[..]).map_err(|_| CryptoError::SenderSetupError)
    }
}

fn require_sha256(hash: HashType) -> Result<(), CryptoError> {
    if hash == HashType::Sha2_256 { Ok(()) } else { Err(CryptoError::UnsupportedHashAlgorithm) }
}

fn require_ed25519(scheme: SignatureScheme) -> Result<(), CryptoError> {
    if scheme == SignatureScheme::ED25519 { Ok(()) } else { Err(CryptoError::UnsupportedSignatureScheme) }
}

fn require_hpke(config: &HpkeConfig) -> Result<(), CryptoError> {
    let ours = config.0 == HpkeKemType::DhKem25519
        && config.1 == HpkeKdfType::HkdfSha256
        && config.2 == HpkeAeadType::AesGcm128;
    if ours { Ok(()) } else { Err(CryptoError::UnsupportedCiphersuite) }
}

fn aead(alg: AeadType, key: &[u8], nonce: &[u8]) -> Result<(LessSafeKey, Nonce), CryptoError> {
    if alg != AeadType::Aes128Gcm {
        return Err(CryptoError::UnsupportedAeadAlgorithm);
    }
    let key = UnboundKey::new(&AES_128_GCM, key).map_err(|_| CryptoError::InvalidLength)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| CryptoError::InvalidLength)?;
    Ok((LessSafeKey::new(key), nonce))
}

fn public_key(bytes: &[u8]) -> Result<HpkePublicKey, CryptoError> {
    bytes.try_into().map(HpkePublicKey).map_err(|_| CryptoError::InvalidLength)
}

fn private_key(bytes: &[u8]) -> Result<HpkePrivateKey, CryptoError> {
    HpkePrivateKey::from_slice(bytes).map_err(|_| CryptoError::InvalidLength)
}

impl OpenMlsCrypto for RingCrypto {
    fn supports(&self, ciphersuite: Ciphersuite) -> Result<(), CryptoError> {
        if ciphersuite == SUITE { Ok(()) } else { Err(CryptoError::UnsupportedCiphersuite) }
    }

    fn supported_ciphersuites(&self) -> Vec<Ciphersuite> {
        vec![SUITE]
    }

    fn hkdf_extract(&self, hash: HashType, salt: &[u8], ikm: &[u8]) -> Result<SecretVLBytes, CryptoError> {
        require_sha256(hash)?;
        Ok(extract(salt, ikm).to_vec().into())
    }

    fn hmac(&self, hash: HashType, key: &[u8], message: &[u8]) -> Result<SecretVLBytes, CryptoError> {
        require_sha256(hash)?;
        Ok(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec().into())
    }

    fn hkdf_expand(
        &self,
        hash: HashType,
        prk: &[u8],
        info: &[u8],
        okm_len: usize,
    ) -> Result<SecretVLBytes, CryptoError> {
        require_sha256(hash)?;
        let mut okm = expand(prk, info, okm_len).ok_or(CryptoError::HkdfOutputLengthInvalid)?;
        Ok(core::mem::take(&mut *okm).into())
    }

    fn hash(&self, hash: HashType, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        require_sha256(hash)?;
        Ok(sha256(data).to_vec())
    }

    fn aead_encrypt(
        &self,
        alg: AeadType,
        key: &[u8],
        data: &[u8],
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let (key, nonce) = aead(alg, key, nonce)?;
        let mut buffer = Vec::with_capacity(data.len().saturating_add(AES_128_GCM.tag_len()));
        buffer.extend_from_slice(data);
        key.seal_in_place_append_tag(nonce, Aad::from(aad), &mut buffer)
            .map_err(|_| CryptoError::CryptoLibraryError)?;
        Ok(buffer)
    }

    fn aead_decrypt(
        &self,
        alg: AeadType,
        key: &[u8],
        ct_tag: &[u8],
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let (key, nonce) = aead(alg, key, nonce)?;
        let mut buffer = ct_tag.to_vec();
        let len = key
            .open_in_place(nonce, Aad::from(aad), &mut buffer)
            .map_err(|_| CryptoError::AeadDecryptionError)?
            .len();
        buffer.truncate(len);
        Ok(buffer)
    }

    fn signature_key_gen(&self, alg: SignatureScheme) -> Result<(Vec<u8>, Vec<u8>), CryptoError> {
        require_ed25519(alg)?;
        let mut seed = Zeroizing::new([0; 32]);
        self.entropy.fill(&mut seed[..]);
        let key = SigningKey::from_seed(&seed).map_err(|_| CryptoError::CryptoLibraryError)?;
        Ok((seed.to_vec(), key.verifying_key().as_bytes().to_vec()))
    }

    fn verify_signature(
        &self,
        alg: SignatureScheme,
        data: &[u8],
        pk: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        require_ed25519(alg)?;
        // VerifyingKey refuses the eight small-order keys (wire.md §5).
        let key = VerifyingKey::from_slice(pk).map_err(|_| CryptoError::InvalidSignature)?;
        let signature = signature.try_into().map_err(|_| CryptoError::InvalidSignature)?;
        key.verify(data, &Signature(signature)).map_err(|_| CryptoError::InvalidSignature)?;
        self.note_verified(data);
        Ok(())
    }

    fn sign(&self, alg: SignatureScheme, data: &[u8], key: &[u8]) -> Result<Vec<u8>, CryptoError> {
        require_ed25519(alg)?;
        let seed = key.try_into().map_err(|_| CryptoError::InvalidLength)?;
        let key = SigningKey::from_seed(seed).map_err(|_| CryptoError::CryptoLibraryError)?;
        Ok(key.sign(data).0.to_vec())
    }

    fn hpke_seal(
        &self,
        config: HpkeConfig,
        pk_r: &[u8],
        info: &[u8],
        aad: &[u8],
        ptxt: &[u8],
    ) -> Result<HpkeCiphertext, CryptoError> {
        require_hpke(&config)?;
        self.hpke_seals.fetch_add(1, Ordering::Relaxed);
        let ephemeral = self.ephemeral_for([pk_r, info, aad, ptxt])?;
        let (enc, context) =
            public_key(pk_r)?.send(&ephemeral, info).map_err(|_| CryptoError::HpkeEncryptionError)?;
        let ciphertext = context.seal(aad, ptxt).map_err(|_| CryptoError::HpkeEncryptionError)?;
        #[cfg(any(test, feature = "danger-sabotage"))]
        let ciphertext = self.spoil.spoil(pk_r, ciphertext);
        Ok(HpkeCiphertext { kem_output: enc.to_vec().into(), ciphertext: ciphertext.into() })
    }

    fn hpke_open(
        &self,
        config: HpkeConfig,
        input: &HpkeCiphertext,
        sk_r: &[u8],
        info: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        require_hpke(&config)?;
        let enc = input.kem_output.as_slice().try_into().map_err(|_| CryptoError::HpkeDecryptionError)?;
        private_key(sk_r)?
            .receive(enc, info)
            .and_then(|context| context.open(aad, input.ciphertext.as_slice()))
            .map(|mut plaintext| core::mem::take(&mut *plaintext))
            .map_err(|_| CryptoError::HpkeDecryptionError)
    }

    fn hpke_setup_sender_and_export(
        &self,
        config: HpkeConfig,
        pk_r: &[u8],
        info: &[u8],
        exporter_context: &[u8],
        exporter_length: usize,
    ) -> Result<(KemOutput, ExporterSecret), CryptoError> {
        require_hpke(&config)?;
        let (enc, context) =
            public_key(pk_r)?.send(&self.ephemeral()?, info).map_err(|_| CryptoError::SenderSetupError)?;
        let secret =
            context.export(exporter_context, exporter_length).map_err(|_| CryptoError::ExporterError)?;
        Ok((enc.to_vec(), secret.to_vec().into()))
    }

    fn hpke_setup_receiver_and_export(
        &self,
        config: HpkeConfig,
        enc: &[u8],
        sk_r: &[u8],
        info: &[u8],
        exporter_context: &[u8],
        exporter_length: usize,
    ) -> Result<ExporterSecret, CryptoError> {
        require_hpke(&config)?;
        let enc = enc.try_into().map_err(|_| CryptoError::ReceiverSetupError)?;
        let context = private_key(sk_r)?.receive(enc, info).map_err(|_| CryptoError::ReceiverSetupError)?;
        let secret =
            context.export(exporter_context, exporter_length).map_err(|_| CryptoError::ExporterError)?;
        Ok(secret.to_vec().into())
    }

    fn derive_hpke_keypair(&self, config: HpkeConfig, ikm: &[u8]) -> Result<HpkeKeyPair, CryptoError> {
        require_hpke(&config)?;
        let key = HpkePrivateKey::derive(ikm).map_err(|_| CryptoError::CryptoLibraryError)?;
        Ok(HpkeKeyPair { private: key.expose().to_vec().into(), public: key.public_key().0.to_vec() })
    }
}
