//! The room code: what people read to each other to be sure that they are in the same meeting with the same
//! people (wire.md §5).

use core::fmt;

use incamera_types::RoomId;

use crate::{VerifyingKey, sha256_parts};

const LABEL: &[u8] = b"Incamera 1.0 room code";
const GROUPS: usize = 5;

/// What stands for a member in the room code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoomCodeKey {
    /// The long-term identity key of a member whose claim verified.
    Identity(VerifyingKey),
    /// The leaf key of a member without a verified identity.
    Leaf(VerifyingKey),
}

impl RoomCodeKey {
    const fn tag(&self) -> u8 {
        match self {
            Self::Identity(_) => 1,
            Self::Leaf(_) => 2,
        }
    }

    const fn key(&self) -> &VerifyingKey {
        match self {
            Self::Identity(key) | Self::Leaf(key) => key,
        }
    }
}

/// Five groups of four digits, 66 bits of SHA-256 over the room id and the members' keys in ascending order.
/// Unchanged by leaf updates, changed by every join and leave (SEC-11).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomCode([u16; GROUPS]);

impl RoomCode {
    /// The code of a room with these members, in any order.
    #[must_use]
    pub fn compute(room: RoomId, members: &[RoomCodeKey]) -> Self {
        let mut sorted = members.to_vec();
        sorted.sort_unstable();
        let mut content = Vec::with_capacity(sorted.len().saturating_mul(33));
        for member in &sorted {
            content.push(member.tag());
            content.extend_from_slice(member.key().as_bytes());
        }
        let digest = sha256_parts(&[LABEL, &room.0, &content]);
        let mut number = digest.first_chunk::<16>().map_or(0, |chunk| u128::from_be_bytes(*chunk));
        let mut groups = [0; GROUPS];
        for group in groups.iter_mut().rev() {
            *group = u16::try_from(number % 10_000).unwrap_or(0);
            number /= 10_000;
        }
        Self(groups)
    }
}

impl fmt::Display for RoomCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e] = self.0;
        write!(f, "{a:04} {b:04} {c:04} {d:04} {e:04}")
    }
}

impl fmt::Debug for RoomCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoomCode({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SigningKey;

    fn key(seed: u8) -> VerifyingKey {
        SigningKey::from_seed(&[seed; 32]).unwrap().verifying_key()
    }

    #[test]
    fn room_code_depends_on_the_room_and_the_set_of_members_only() {
        let room = RoomId([1; 16]);
        let (ada, bob) = (RoomCodeKey::Leaf(key(1)), RoomCodeKey::Leaf(key(2)));
        let code = RoomCode::compute(room, &[ada, bob]);
        assert_eq!(code, RoomCode::compute(room, &[bob, ada]));
        assert_ne!(code, RoomCode::compute(room, &[ada]));
        assert_ne!(code, RoomCode::compute(room, &[ada, bob, bob]));
        assert_ne!(code, RoomCode::compute(RoomId([2; 16]), &[ada, bob]));
        assert_ne!(code, RoomCode::compute(room, &[ada, RoomCodeKey::Identity(key(2))]));
    }

    #[test]
    fn room_code_is_five_groups_of_four_digits() {
        let shown = RoomCode::compute(RoomId([0; 16]), &[]).to_string();
        assert_eq!(shown.len(), 24);
        assert!(shown.split(' ').all(|group| group.len() == 4 && group.bytes().all(|b| b.is_ascii_digit())));
    }
}
