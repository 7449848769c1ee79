//! The content of a leaf credential (RFC 9420 §5.3, credential type basic).
//!
//! ```text
//! u8 version = 1 | u8 name length | name (UTF-8) | u8 claims = 0 or 1 | [identity key (32) | signature (64)]
//! ```

use crate::{DisplayName, IdentityError, KEY_LEN, MAX_NAME_BYTES, SIGNATURE_LEN};
use crate::{Signature, SigningKey, VerifyingKey};

const VERSION: u8 = 1;
const ENDORSEMENT_LABEL: &[u8] = b"Incamera 1.0 leaf endorsement";

/// A long-term key that says "this leaf is mine"; not verified yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdentityClaim {
    /// The long-term public key.
    pub key: VerifyingKey,
    /// Its signature over the leaf key and the name.
    pub signature: Signature,
}

/// What is known about a member's long-term identity. It never decides about a commit; a failed check closes
/// that member's media (wire.md §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityStatus {
    /// The member claims none.
    Anonymous,
    /// The long-term key signed this leaf.
    Verified(VerifyingKey),
    /// The claim does not verify: somebody is lying.
    Failed,
}

/// Who a leaf says it is. Everybody in the group parses and verifies it (SEC-11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    name: DisplayName,
    claim: Option<IdentityClaim>,
}

impl Credential {
    /// Longest encoding in bytes.
    pub const MAX_LEN: usize = 3 + MAX_NAME_BYTES + KEY_LEN + SIGNATURE_LEN;

    /// A credential without a long-term identity.
    #[must_use]
    pub const fn anonymous(name: DisplayName) -> Self {
        Self { name, claim: None }
    }

    /// A credential in which `identity` endorses `leaf_key`.
    #[must_use]
    pub fn endorsed(name: DisplayName, leaf_key: &VerifyingKey, identity: &SigningKey) -> Self {
        let signature = identity.sign(&endorsement(&name, leaf_key));
        Self { name, claim: Some(IdentityClaim { key: identity.verifying_key(), signature }) }
    }

    /// The display name.
    #[must_use]
    pub const fn name(&self) -> &DisplayName {
        &self.name
    }

    /// The claimed identity, unverified.
    #[must_use]
    pub const fn claim(&self) -> Option<&IdentityClaim> {
        self.claim.as_ref()
    }

    /// Verifies the claim against the leaf key that carries this credential.
    #[must_use]
    pub fn verify(&self, leaf_key: &VerifyingKey) -> IdentityStatus {
        let Some(claim) = &self.claim else {
            return IdentityStatus::Anonymous;
        };
        match claim.key.verify(&endorsement(&self.name, leaf_key), &claim.signature) {
            Ok(()) => IdentityStatus::Verified(claim.key),
            Err(_) => IdentityStatus::Failed,
        }
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let name = self.name.reveal().as_bytes();
        let mut out = Vec::with_capacity(Self::MAX_LEN);
        out.push(VERSION);
        // DisplayName holds at most 128 bytes.
        out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(name);
        out.push(u8::from(self.claim.is_some()));
        if let Some(claim) = &self.claim {
            out.extend_from_slice(claim.key.as_bytes());
            out.extend_from_slice(&claim.signature.0);
        }
        out
    }

    /// Parses a credential strictly.
    ///
    /// # Errors
    /// [`IdentityError::Version`], [`IdentityError::Malformed`], [`IdentityError::Name`] or
    /// [`IdentityError::Key`].
    pub fn parse(bytes: &[u8]) -> Result<Self, IdentityError> {
        let mut rest = bytes;
        let [version] = take(&mut rest)?;
        if version != VERSION {
            return Err(IdentityError::Version(version));
        }
        let [name_len] = take(&mut rest)?;
        let (name, after) = rest.split_at_checked(usize::from(name_len)).ok_or(IdentityError::Malformed)?;
        rest = after;
        let text = str::from_utf8(name).map_err(|_| IdentityError::Name)?;
        // One name has one encoding: what is signed is what is shown.
        let name = DisplayName::new(text).ok().filter(|name| name.reveal() == text);
        let name = name.ok_or(IdentityError::Name)?;
        let claim = match take(&mut rest)? {
            [0] => None,
            [1] => Some(IdentityClaim {
                key: VerifyingKey::from_bytes(take(&mut rest)?)?,
                signature: Signature(take(&mut rest)?),
            }),
            _ => return Err(IdentityError::Malformed),
        };
        if rest.is_empty() { Ok(Self { name, claim }) } else { Err(IdentityError::Malformed) }
    }
}

fn endorsement(name: &DisplayName, leaf_key: &VerifyingKey) -> Vec<u8> {
    [ENDORSEMENT_LABEL, leaf_key.as_bytes(), name.reveal().as_bytes()].concat()
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], IdentityError> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(IdentityError::Malformed)?;
    *rest = tail;
    Ok(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32]).unwrap()
    }

    fn name(text: &str) -> DisplayName {
        DisplayName::new(text).unwrap()
    }

    #[test]
    fn credentials_round_trip_and_verify() {
        let leaf = key(1).verifying_key();
        let endorsed = Credential::endorsed(name("Ada"), &leaf, &key(2));
        let read = Credential::parse(&endorsed.to_bytes()).unwrap();
        assert_eq!(read, endorsed);
        assert_eq!(read.verify(&leaf), IdentityStatus::Verified(key(2).verifying_key()));
        let anonymous = Credential::anonymous(name("Bob"));
        assert_eq!(Credential::parse(&anonymous.to_bytes()).unwrap(), anonymous);
        assert_eq!(anonymous.verify(&leaf), IdentityStatus::Anonymous);
    }

    #[test]
    fn a_claim_holds_for_one_leaf_and_one_name_only() {
        let leaf = key(1).verifying_key();
        let endorsed = Credential::endorsed(name("Ada"), &leaf, &key(2));
        assert_eq!(endorsed.verify(&key(3).verifying_key()), IdentityStatus::Failed);
        let renamed = Credential { name: name("Eve"), claim: endorsed.claim };
        assert_eq!(renamed.verify(&leaf), IdentityStatus::Failed);
    }

    #[test]
    fn every_truncation_and_extension_is_refused() {
        let leaf = key(1).verifying_key();
        let bytes = Credential::endorsed(name("Ada"), &leaf, &key(2)).to_bytes();
        for end in 0..bytes.len() {
            assert!(Credential::parse(&bytes[..end]).is_err(), "{end}");
        }
        assert!(Credential::parse(&[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn unknown_versions_and_claims_are_refused() {
        let mut bytes = Credential::anonymous(name("Ada")).to_bytes();
        *bytes.last_mut().unwrap() = 2;
        assert_eq!(Credential::parse(&bytes), Err(IdentityError::Malformed));
        bytes[0] = 9;
        assert_eq!(Credential::parse(&bytes), Err(IdentityError::Version(9)));
    }
}
