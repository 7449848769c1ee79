//! Delegations: the room key lets a co-host sign rules or cards, and perhaps delegate further.
//!
//! ```text
//! u8 format = 1 | room id (16) | delegate key (32) | u8 powers | u8 issuer (0 room key, n the n-th) | signature (64)
//! signature over "Incamera 1.0 delegation" | format | room id | delegate key | powers | issuer key (32)
//! ```

use incamera_identity::{Signature, SigningKey, VerifyingKey};
use incamera_types::RoomId;

use super::RulesError;
use super::wire::Reader;

/// Delegations that may travel with the rules.
pub const MAX_DELEGATIONS: usize = 16;

const FORMAT: u8 = 1;
const LABEL: &[u8] = b"Incamera 1.0 delegation";

/// What a delegate may sign. Bits of later versions grant nothing here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Powers(u8);

impl Powers {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// The relay's card of the room.
    pub const CARD: Self = Self(1);
    /// The rules.
    pub const RULES: Self = Self(2);
    /// Further delegations, of powers that the delegate has itself.
    pub const DELEGATE: Self = Self(4);

    /// Whether all of `other` is granted.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// One link of the chain from the room key to a co-host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    room: RoomId,
    delegate: VerifyingKey,
    powers: Powers,
    issuer: u8,
    signature: Signature,
}

impl Delegation {
    /// The room key lets `delegate` sign; usually the leaf key of a co-host.
    #[must_use]
    pub fn issue(room: RoomId, room_key: &SigningKey, delegate: VerifyingKey, powers: Powers) -> Self {
        Self::issue_from(room, room_key, 0, delegate, powers)
    }

    /// The holder of the `issuer`-th delegation (counted from 1) lets `delegate` sign.
    #[must_use]
    pub(crate) fn issue_from(
        room: RoomId,
        issuer_key: &SigningKey,
        issuer: u8,
        delegate: VerifyingKey,
        powers: Powers,
    ) -> Self {
        let signature = issuer_key.sign(&to_be_signed(room, &delegate, powers, &issuer_key.verifying_key()));
        Self { room, delegate, powers, issuer, signature }
    }

    /// Who may sign.
    #[must_use]
    pub const fn delegate(&self) -> &VerifyingKey {
        &self.delegate
    }

    /// What it may sign.
    #[must_use]
    pub const fn powers(&self) -> Powers {
        self.powers
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(FORMAT);
        out.extend_from_slice(&self.room.0);
        out.extend_from_slice(self.delegate.as_bytes());
        out.extend_from_slice(&[self.powers.0, self.issuer]);
        out.extend_from_slice(&self.signature.0);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, RulesError> {
        let [format] = reader.take()?;
        if format != FORMAT {
            return Err(RulesError::Version(format));
        }
        let room = RoomId(reader.take()?);
        let delegate = reader.key()?;
        let [powers, issuer] = reader.take()?;
        Ok(Self { room, delegate, powers: Powers(powers), issuer, signature: Signature(reader.take()?) })
    }
}

fn to_be_signed(room: RoomId, delegate: &VerifyingKey, powers: Powers, issuer: &VerifyingKey) -> Vec<u8> {
    [LABEL, &[FORMAT], &room.0, delegate.as_bytes(), &[powers.0], issuer.as_bytes()].concat()
}

/// Verifies that every delegation chains to `room_key` through earlier ones with the power to delegate, and
/// grants nothing that its issuer lacks.
pub(super) fn verify_chain(
    room: RoomId,
    room_key: &VerifyingKey,
    delegations: &[Delegation],
) -> Result<(), RulesError> {
    if delegations.len() > MAX_DELEGATIONS {
        return Err(RulesError::Malformed);
    }
    for (at, delegation) in delegations.iter().enumerate() {
        let issuer = match usize::from(delegation.issuer).checked_sub(1) {
            None => room_key,
            Some(index) => {
                let parent = delegations.get(..at).and_then(|earlier| earlier.get(index));
                let parent = parent.ok_or(RulesError::Chain)?;
                if !parent.powers.contains(delegation.powers.with(Powers::DELEGATE)) {
                    return Err(RulesError::Chain);
                }
                &parent.delegate
            }
        };
        let signed = to_be_signed(room, &delegation.delegate, delegation.powers, issuer);
        if delegation.room != room || issuer.verify(&signed, &delegation.signature).is_err() {
            return Err(RulesError::Chain);
        }
    }
    Ok(())
}

/// Everything that verified delegations grant to `key`.
pub(super) fn powers_of(key: &VerifyingKey, delegations: &[Delegation]) -> Powers {
    delegations
        .iter()
        .filter(|delegation| delegation.delegate == *key)
        .fold(Powers::NONE, |powers, delegation| powers.with(delegation.powers))
}
