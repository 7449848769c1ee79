//! RFC 9605 appendix C.3, suites 4 and 5.

use super::*;

const VECTORS: &str = include_str!("../../../../tests/vectors/sframe-rfc9605.json");

struct Vector {
    suite: FrameSuite,
    kid: u64,
    counter: u32,
    fields: serde_json::Value,
}

impl Vector {
    fn all() -> Vec<Self> {
        let file: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
        let known = file["sframe"].as_array().unwrap().iter().filter_map(|vector| {
            let suite = FrameSuite::from_number(vector["cipher_suite"].as_u64()?.try_into().ok()?)?;
            Some(Self {
                suite,
                kid: vector["kid"].as_u64()?,
                counter: vector["ctr"].as_u64()?.try_into().ok()?,
                fields: vector.clone(),
            })
        });
        known.collect()
    }

    fn bytes(&self, field: &str) -> Vec<u8> {
        hex::decode(self.fields[field].as_str().unwrap()).unwrap()
    }

    /// The vectors use 128 bits for every suite.
    fn base_key(&self) -> BaseKey {
        BaseKey::of_any_length(self.suite, Zeroizing::new(self.bytes("base_key")))
    }
}

#[test]
fn rfc_vectors_of_both_suites_are_present() {
    let suites: Vec<_> = Vector::all().iter().map(|vector| vector.suite).collect();
    assert_eq!(suites, FrameSuite::ALL);
}

#[test]
fn rfc_vectors_derive_the_same_key_and_salt() {
    for vector in Vector::all() {
        let material = KeyMaterial::derive(&vector.base_key(), vector.kid).unwrap();
        assert_eq!(material.key[..vector.suite.key_len()], vector.bytes("sframe_key"));
        assert_eq!(material.salt[..], vector.bytes("sframe_salt"));
    }
}

#[test]
fn rfc_vectors_have_the_same_nonce() {
    for vector in Vector::all() {
        let key = FrameKey::derive(&vector.base_key(), vector.kid).unwrap();
        assert_eq!(key.nonce(vector.counter).as_ref()[..], vector.bytes("nonce"));
    }
}

#[test]
fn rfc_vectors_seal_and_open() {
    for vector in Vector::all() {
        let key = FrameKey::derive(&vector.base_key(), vector.kid).unwrap();
        let aad = vector.bytes("aad");
        let mut text = [vector.bytes("pt"), vec![0; TAG_BYTES]].concat();
        key.seal(vector.counter, &aad, &mut text).unwrap();

        let header_len = aad.len() - vector.bytes("metadata").len();
        assert_eq!([&aad[..header_len], &text].concat(), vector.bytes("ct"));
        assert_eq!(key.open(vector.counter, &aad, &mut text).unwrap(), vector.bytes("pt"));
    }
}

#[test]
fn base_key_is_exactly_as_long_as_the_keys_of_its_suite() {
    for suite in FrameSuite::ALL {
        let of = |bytes: usize| BaseKey::new(suite, Zeroizing::new(vec![0; bytes]));
        assert!(of(suite.key_len()).is_some());
        assert!(of(suite.key_len() - 1).is_none() && of(suite.key_len() + 1).is_none());
    }
}
