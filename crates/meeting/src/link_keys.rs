//! What the link's secret gives: the right to knock at the relay, and the key that authenticates a knock
//! (wire.md §10).

use incamera_identity::{hkdf_sha256, hmac_sha256, verify_hmac_sha256};
use incamera_relay_proto::CapabilitySecret;
use incamera_types::{LinkSecret, RoomId};
use zeroize::Zeroizing;

use crate::error::MeetingError;

const CAPABILITY_INFO: &[u8] = b"Incamera 1.0 knock capability";
const MAC_INFO: &[u8] = b"Incamera 1.0 knock proof";

/// Authenticates knocks: whoever has the link can make and check the proof.
pub(crate) struct KnockProofKey(Zeroizing<Vec<u8>>);

impl KnockProofKey {
    /// The key of a room's link.
    pub(crate) fn derive(secret: &LinkSecret, room: RoomId) -> Result<Self, MeetingError> {
        let key = hkdf_sha256(&room.0, secret.expose(), MAC_INFO, 32);
        key.map(Self).map_err(|_| MeetingError::Internal)
    }

    /// The proof over `message`.
    pub(crate) fn prove(&self, message: &[u8]) -> [u8; 32] {
        hmac_sha256(&self.0, message)
    }

    /// Whether `proof` belongs to `message`; constant time.
    pub(crate) fn proves(&self, message: &[u8], proof: &[u8; 32]) -> bool {
        verify_hmac_sha256(&self.0, message, proof).is_ok()
    }
}

/// The right to knock that the link's secret gives.
pub(crate) fn knock_capability(secret: &LinkSecret, room: RoomId) -> Result<CapabilitySecret, MeetingError> {
    let bytes = hkdf_sha256(&room.0, secret.expose(), CAPABILITY_INFO, 32);
    let bytes = bytes.map_err(|_| MeetingError::Internal)?;
    let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| MeetingError::Internal)?;
    Ok(CapabilitySecret::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capability_and_proof_key_are_independent_and_bound_to_the_room() {
        let secret = LinkSecret::new([7; 16]);
        let proof = KnockProofKey::derive(&secret, RoomId([1; 16])).unwrap();
        let capability = knock_capability(&secret, RoomId([1; 16])).unwrap();
        assert_ne!(proof.0.as_slice(), capability.expose());
        assert_ne!(capability.expose(), knock_capability(&secret, RoomId([2; 16])).unwrap().expose());
        assert!(proof.proves(b"knock", &proof.prove(b"knock")));
        assert!(!proof.proves(b"other", &proof.prove(b"knock")));
    }
}
