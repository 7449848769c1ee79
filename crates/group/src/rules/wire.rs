//! The rules on the wire (GroupContext extension 0xF1CA).
//!
//! ```text
//! u8 format = 1 | room id (16) | group id (16) | u32 version | u16 frame suite
//! u8 flags (1 lobby, 2 locked; others refused) | u16 media stop s | u16 removal s | u16 participant rights
//! u16 count | count × (leaf key hash (16) | u8 role | u16 rights), ascending by hash
//! room key (32) | u8 count | count × delegation | signer key (32) | signature (64)
//! ```
//! Integers are big endian. The signature covers "Incamera 1.0 rules" and everything before it.

use core::time::Duration;

use incamera_identity::{Fingerprint, Signature, SigningKey, VerifyingKey};
use incamera_types::{FrameSuite, MAX_LEAVES, RoomId};

use super::delegation::{MAX_DELEGATIONS, powers_of, verify_chain};
use super::{
    Delegation, LeafKeyHash, Lobby, Lock, MemberGrant, Powers, Rights, Role, Rules, RulesError, RulesSigner,
    VerifiedRules,
};

const FORMAT: u8 = 1;
const LABEL: &[u8] = b"Incamera 1.0 rules";
const FLAG_LOBBY: u8 = 1;
const FLAG_LOCKED: u8 = 2;

/// Reads fixed-size fields from the front.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], RulesError> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(RulesError::Malformed)?;
        self.0 = tail;
        Ok(*head)
    }

    pub(super) fn key(&mut self) -> Result<VerifyingKey, RulesError> {
        VerifyingKey::from_bytes(self.take()?).map_err(|_| RulesError::Malformed)
    }

    fn u16(&mut self) -> Result<u16, RulesError> {
        self.take().map(u16::from_be_bytes)
    }
}

/// Rules as they came, parsed but not believed.
#[derive(Clone, Debug)]
pub struct UnverifiedRules {
    rules: Rules,
    room_key: VerifyingKey,
    delegations: Vec<Delegation>,
    signer: VerifyingKey,
    signature: Signature,
    bytes: Vec<u8>,
}

impl UnverifiedRules {
    /// Parses rules strictly.
    ///
    /// # Errors
    /// [`RulesError`]; nothing is repaired.
    pub fn parse(bytes: &[u8]) -> Result<Self, RulesError> {
        let mut reader = Reader(bytes);
        let [format] = reader.take()?;
        if format != FORMAT {
            return Err(RulesError::Version(format));
        }
        let rules = read_rules(&mut reader)?;
        rules.check_ranges()?;
        let room_key = reader.key()?;
        let [count] = reader.take()?;
        if usize::from(count) > MAX_DELEGATIONS {
            return Err(RulesError::Malformed);
        }
        let delegations = (0..count).map(|_| Delegation::read(&mut reader)).collect::<Result<Vec<_>, _>>()?;
        let signer = reader.key()?;
        let signature = Signature(reader.take()?);
        if !reader.0.is_empty() {
            return Err(RulesError::Malformed);
        }
        Ok(Self { rules, room_key, delegations, signer, signature, bytes: bytes.to_vec() })
    }

    /// The claimed room key, for a caller that has another way to judge it.
    #[must_use]
    pub const fn room_key(&self) -> &VerifyingKey {
        &self.room_key
    }

    /// Verifies the chain up to a room key with this fingerprint (SEC-19).
    ///
    /// # Errors
    /// [`RulesError::Chain`].
    pub fn verify(self, room_key: &Fingerprint) -> Result<VerifiedRules, RulesError> {
        if Fingerprint::of(&self.room_key) != *room_key {
            return Err(RulesError::Chain);
        }
        verify_chain(self.rules.room, &self.room_key, &self.delegations)?;
        let signer = if self.signer == self.room_key {
            RulesSigner::RoomKey
        } else if powers_of(&self.signer, &self.delegations).contains(Powers::RULES) {
            RulesSigner::Delegate(self.signer)
        } else {
            return Err(RulesError::Chain);
        };
        let signed =
            self.bytes.len().checked_sub(self.signature.0.len()).and_then(|len| self.bytes.get(..len));
        let signed = [LABEL, signed.ok_or(RulesError::Malformed)?].concat();
        self.signer.verify(&signed, &self.signature).map_err(|_| RulesError::Chain)?;
        Ok(VerifiedRules {
            rules: self.rules,
            room_key: self.room_key,
            delegations: self.delegations,
            signer,
            bytes: self.bytes,
        })
    }
}

fn read_rules(reader: &mut Reader<'_>) -> Result<Rules, RulesError> {
    let room = RoomId(reader.take()?);
    let group = reader.take()?;
    let version = reader.take().map(u32::from_be_bytes)?;
    let suite = FrameSuite::from_number(reader.u16()?).ok_or(RulesError::Range)?;
    let [flags] = reader.take()?;
    if flags & !(FLAG_LOBBY | FLAG_LOCKED) != 0 {
        return Err(RulesError::Malformed);
    }
    let media_stop = Duration::from_secs(u64::from(reader.u16()?));
    let removal = Duration::from_secs(u64::from(reader.u16()?));
    let participant_rights = Rights::from_bits(reader.u16()?);
    Ok(Rules {
        room,
        group,
        version,
        suite,
        lobby: if flags & FLAG_LOBBY == 0 { Lobby::Off } else { Lobby::On },
        lock: if flags & FLAG_LOCKED == 0 { Lock::Open } else { Lock::Locked },
        media_stop,
        removal,
        participant_rights,
        grants: read_grants(reader)?,
    })
}

fn read_grants(
    reader: &mut Reader<'_>,
) -> Result<std::collections::BTreeMap<LeafKeyHash, MemberGrant>, RulesError> {
    let count = reader.u16()?;
    if u32::from(count) > MAX_LEAVES {
        return Err(RulesError::Malformed);
    }
    let mut grants = std::collections::BTreeMap::new();
    for _ in 0..count {
        let leaf = LeafKeyHash(reader.take()?);
        let [role] = reader.take()?;
        let grant = MemberGrant { role: Role::from_number(role), rights: Rights::from_bits(reader.u16()?) };
        if grants.last_key_value().is_some_and(|(last, _)| *last >= leaf) {
            return Err(RulesError::Malformed);
        }
        grants.insert(leaf, grant);
    }
    Ok(grants)
}

/// Writes and signs; `key` is the room key or a delegate's.
pub(super) fn sign(
    rules: &Rules,
    room_key: VerifyingKey,
    delegations: &[Delegation],
    key: &SigningKey,
) -> Result<VerifiedRules, RulesError> {
    rules.check_ranges()?;
    let mut bytes = vec![FORMAT];
    write_rules(rules, &mut bytes)?;
    bytes.extend_from_slice(room_key.as_bytes());
    bytes.push(u8::try_from(delegations.len()).map_err(|_| RulesError::Range)?);
    for delegation in delegations {
        delegation.write(&mut bytes);
    }
    bytes.extend_from_slice(key.verifying_key().as_bytes());
    let signature = key.sign(&[LABEL, &bytes].concat());
    bytes.extend_from_slice(&signature.0);
    UnverifiedRules::parse(&bytes)?.verify(&Fingerprint::of(&room_key))
}

fn write_rules(rules: &Rules, out: &mut Vec<u8>) -> Result<(), RulesError> {
    let seconds = |duration: Duration| u16::try_from(duration.as_secs()).map_err(|_| RulesError::Range);
    out.extend_from_slice(&rules.room.0);
    out.extend_from_slice(&rules.group);
    out.extend_from_slice(&rules.version.to_be_bytes());
    out.extend_from_slice(&rules.suite.number().to_be_bytes());
    let lobby = if rules.lobby == Lobby::On { FLAG_LOBBY } else { 0 };
    let locked = if rules.lock == Lock::Locked { FLAG_LOCKED } else { 0 };
    out.push(lobby | locked);
    out.extend_from_slice(&seconds(rules.media_stop)?.to_be_bytes());
    out.extend_from_slice(&seconds(rules.removal)?.to_be_bytes());
    out.extend_from_slice(&rules.participant_rights.bits().to_be_bytes());
    let count = u16::try_from(rules.grants.len()).map_err(|_| RulesError::Range)?;
    out.extend_from_slice(&count.to_be_bytes());
    for (leaf, grant) in &rules.grants {
        out.extend_from_slice(&leaf.0);
        out.push(grant.role.number());
        out.extend_from_slice(&grant.rights.bits().to_be_bytes());
    }
    Ok(())
}
