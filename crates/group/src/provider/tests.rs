//! The ring provider against the RustCrypto provider of openmls, both ways.

use openmls::prelude::*;
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_traits::OpenMlsProvider;
use openmls_traits::crypto::OpenMlsCrypto;
use openmls_traits::types::{
    AeadType, CryptoError, HashType, HpkeAeadType, HpkeConfig, HpkeKdfType, HpkeKemType, SignatureScheme,
};
use tls_codec::Serialize as _;

use super::{Provider, SUITE};
use crate::testing::SeededEntropy;

const HPKE: HpkeConfig =
    HpkeConfig(HpkeKemType::DhKem25519, HpkeKdfType::HkdfSha256, HpkeAeadType::AesGcm128);

fn ours() -> Provider {
    Provider::new(Box::new(SeededEntropy::new(7)))
}

#[test]
fn hash_hmac_and_hkdf_agree() {
    let (ours, theirs) = (ours(), OpenMlsRustCrypto::default());
    let (ours, theirs) = (ours.crypto(), theirs.crypto());
    let hash = HashType::Sha2_256;
    for len in [0, 1, 31, 32, 33, 64, 65, 1_000] {
        let data = vec![len as u8; len];
        assert_eq!(ours.hash(hash, &data).unwrap(), theirs.hash(hash, &data).unwrap());
        assert_eq!(
            ours.hmac(hash, &data, b"message").unwrap().as_slice(),
            theirs.hmac(hash, &data, b"message").unwrap().as_slice()
        );
        let prk = ours.hkdf_extract(hash, &data, b"ikm").unwrap();
        assert_eq!(prk.as_slice(), theirs.hkdf_extract(hash, &data, b"ikm").unwrap().as_slice());
        assert_eq!(
            ours.hkdf_expand(hash, prk.as_slice(), &data, len).unwrap().as_slice(),
            theirs.hkdf_expand(hash, prk.as_slice(), &data, len).unwrap().as_slice()
        );
    }
    assert!(ours.hkdf_expand(hash, &[1; 32], b"", 255 * 32 + 1).is_err());
}

#[test]
fn sec_14_signed_content_is_kept_when_it_is_wanted_and_never_otherwise() {
    let ours = ours();
    let crypto = ours.crypto();
    let (key, public) = crypto.signature_key_gen(SignatureScheme::ED25519).unwrap();
    let signed = [&b"\x18MLS 1.0 FramedContentTBS"[..], b"content"].concat();
    let signature = crypto.sign(SignatureScheme::ED25519, &signed, &key).unwrap();
    let verify = || crypto.verify_signature(SignatureScheme::ED25519, &signed, &public, &signature).unwrap();
    verify();
    assert!(crypto.take_verified().is_none());
    crypto.keep_verified();
    verify();
    assert_eq!(crypto.take_verified().unwrap().as_slice(), b"content");
    verify();
    assert!(crypto.take_verified().is_none());
}

#[test]
fn aead_opens_what_the_other_sealed_and_nothing_altered() {
    let (ours, theirs) = (ours(), OpenMlsRustCrypto::default());
    let (ours, theirs) = (ours.crypto(), theirs.crypto());
    let (alg, key, nonce) = (AeadType::Aes128Gcm, [3; 16], [4; 12]);
    for len in [0, 1, 15, 16, 17, 500] {
        let data = vec![9; len];
        let sealed = ours.aead_encrypt(alg, &key, &data, &nonce, b"aad").unwrap();
        assert_eq!(sealed, theirs.aead_encrypt(alg, &key, &data, &nonce, b"aad").unwrap());
        assert_eq!(theirs.aead_decrypt(alg, &key, &sealed, &nonce, b"aad").unwrap(), data);
        assert_eq!(ours.aead_decrypt(alg, &key, &sealed, &nonce, b"aad").unwrap(), data);
        let altered = ours.aead_decrypt(alg, &key, &sealed, &nonce, b"bad");
        assert_eq!(altered, Err(CryptoError::AeadDecryptionError));
    }
    assert!(ours.aead_encrypt(alg, &key[..15], b"", &nonce, b"").is_err());
    assert!(ours.aead_encrypt(alg, &key, b"", &nonce[..11], b"").is_err());
}

#[test]
fn signatures_verify_at_the_other_and_small_order_keys_nowhere() {
    let (ours, theirs) = (ours(), OpenMlsRustCrypto::default());
    let (ours, theirs) = (ours.crypto(), theirs.crypto());
    let scheme = SignatureScheme::ED25519;
    let (private, public) = ours.signature_key_gen(scheme).unwrap();
    let signature = ours.sign(scheme, b"data", &private).unwrap();
    assert_eq!(signature, theirs.sign(scheme, b"data", &private).unwrap());
    assert!(theirs.verify_signature(scheme, b"data", &public, &signature).is_ok());
    assert!(ours.verify_signature(scheme, b"data", &public, &signature).is_ok());
    assert!(ours.verify_signature(scheme, b"date", &public, &signature).is_err());
    let (mut identity, mut forged) = ([0; 32], [0; 64]);
    identity[0] = 1;
    forged[0] = 1;
    assert!(ours.verify_signature(scheme, b"data", &identity, &forged).is_err());
}

#[test]
fn hpke_opens_what_the_other_sealed_and_exports_agree() {
    let (ours, theirs) = (ours(), OpenMlsRustCrypto::default());
    let (ours, theirs) = (ours.crypto(), theirs.crypto());
    let keys = ours.derive_hpke_keypair(HPKE, &[5; 32]).unwrap();
    let same = theirs.derive_hpke_keypair(HPKE, &[5; 32]).unwrap();
    assert_eq!((&keys.public, &*keys.private), (&same.public, &*same.private));
    let sealed = ours.hpke_seal(HPKE, &keys.public, b"info", b"aad", b"text").unwrap();
    assert_eq!(theirs.hpke_open(HPKE, &sealed, &keys.private, b"info", b"aad").unwrap(), b"text");
    let sealed = theirs.hpke_seal(HPKE, &keys.public, b"info", b"aad", b"text").unwrap();
    assert_eq!(ours.hpke_open(HPKE, &sealed, &keys.private, b"info", b"aad").unwrap(), b"text");
    assert!(ours.hpke_open(HPKE, &sealed, &keys.private, b"info", b"bad").is_err());
    let (enc, exported) =
        ours.hpke_setup_sender_and_export(HPKE, &keys.public, b"info", b"context", 40).unwrap();
    let theirs_exported =
        theirs.hpke_setup_receiver_and_export(HPKE, &enc, &keys.private, b"info", b"context", 40).unwrap();
    assert_eq!(&*exported, &*theirs_exported);
    let (enc, exported) =
        theirs.hpke_setup_sender_and_export(HPKE, &keys.public, b"info", b"context", 40).unwrap();
    let ours_exported =
        ours.hpke_setup_receiver_and_export(HPKE, &enc, &keys.private, b"info", b"context", 40).unwrap();
    assert_eq!(&*exported, &*ours_exported);
}

#[test]
fn other_suites_do_not_exist() {
    let provider = ours();
    let crypto = provider.crypto();
    assert_eq!(crypto.supported_ciphersuites(), [SUITE]);
    assert!(crypto.supports(Ciphersuite::MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448).is_err());
    assert!(crypto.hash(HashType::Sha2_512, b"").is_err());
    assert!(crypto.aead_encrypt(AeadType::Aes256Gcm, &[0; 32], b"", &[0; 12], b"").is_err());
    assert!(crypto.sign(SignatureScheme::ECDSA_SECP256R1_SHA256, b"", &[0; 32]).is_err());
}

/// One side of a mixed group.
struct Side<P: OpenMlsProvider> {
    provider: P,
    signer: SignatureKeyPair,
    credential: CredentialWithKey,
}

impl<P: OpenMlsProvider> Side<P> {
    fn new(provider: P, name: &[u8]) -> Self {
        let signer = SignatureKeyPair::new(SignatureScheme::ED25519).unwrap();
        let credential = CredentialWithKey {
            credential: BasicCredential::new(name.to_vec()).into(),
            signature_key: signer.public().into(),
        };
        Self { provider, signer, credential }
    }
}

/// Founder adds joiner, both talk, joiner commits an update, founder follows.
fn talk<A: OpenMlsProvider, B: OpenMlsProvider>(founder: &Side<A>, joiner: &Side<B>) {
    let config = MlsGroupCreateConfig::builder().ciphersuite(SUITE).use_ratchet_tree_extension(true).build();
    let mut ada =
        MlsGroup::new(&founder.provider, &founder.signer, &config, founder.credential.clone()).unwrap();
    let package = KeyPackage::builder()
        .build(SUITE, &joiner.provider, &joiner.signer, joiner.credential.clone())
        .unwrap()
        .into_key_package();
    let (_, welcome, _) = ada.add_members(&founder.provider, &founder.signer, &[package]).unwrap();
    ada.merge_pending_commit(&founder.provider).unwrap();
    let welcome =
        MlsMessageIn::tls_deserialize_exact_bytes(&welcome.tls_serialize_detached().unwrap()).unwrap();
    let MlsMessageBodyIn::Welcome(welcome) = welcome.extract() else { panic!("a welcome") };
    let mut bob = StagedWelcome::new_from_welcome(&joiner.provider, config.join_config(), welcome, None)
        .unwrap()
        .into_group(&joiner.provider)
        .unwrap();
    let sealed = bob.create_message(&joiner.provider, &joiner.signer, b"hello").unwrap();
    let sealed =
        MlsMessageIn::tls_deserialize_exact_bytes(&sealed.tls_serialize_detached().unwrap()).unwrap();
    let heard = ada.process_message(&founder.provider, sealed.try_into_protocol_message().unwrap()).unwrap();
    assert!(matches!(heard.into_content(), ProcessedMessageContent::ApplicationMessage(_)));
    let update = bob
        .self_update(&joiner.provider, &joiner.signer, LeafNodeParameters::default())
        .unwrap()
        .into_commit();
    bob.merge_pending_commit(&joiner.provider).unwrap();
    let update =
        MlsMessageIn::tls_deserialize_exact_bytes(&update.tls_serialize_detached().unwrap()).unwrap();
    let staged = ada.process_message(&founder.provider, update.try_into_protocol_message().unwrap()).unwrap();
    let ProcessedMessageContent::StagedCommitMessage(staged) = staged.into_content() else {
        panic!("a commit")
    };
    ada.merge_staged_commit(&founder.provider, *staged).unwrap();
    assert_eq!(ada.epoch_authenticator().as_slice(), bob.epoch_authenticator().as_slice());
}

#[test]
fn groups_of_both_providers_understand_each_other() {
    talk(&Side::new(ours(), b"ada"), &Side::new(OpenMlsRustCrypto::default(), b"bob"));
    talk(&Side::new(OpenMlsRustCrypto::default(), b"ada"), &Side::new(ours(), b"bob"));
}
