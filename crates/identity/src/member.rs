//! Member ids (wire.md §1).

use incamera_types::{Epoch, MemberId};

use crate::{VerifyingKey, sha256_parts};

const LABEL: &[u8] = b"Incamera 1.0 member";

/// The id of the member that was added with `leaf_key` by the commit that began epoch `added_in` (0 for the
/// founder). Survives leaf updates; differs for the same key added again.
#[must_use]
pub fn derive_member_id(leaf_key: &VerifyingKey, added_in: Epoch) -> MemberId {
    let digest = sha256_parts(&[LABEL, leaf_key.as_bytes(), &added_in.0.to_be_bytes()]);
    let mut id = [0; 16];
    for (byte, from) in id.iter_mut().zip(digest) {
        *byte = from;
    }
    MemberId(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SigningKey;

    #[test]
    fn the_same_key_added_again_is_another_member() {
        let key = SigningKey::from_seed(&[1; 32]).unwrap().verifying_key();
        assert_eq!(derive_member_id(&key, Epoch(3)), derive_member_id(&key, Epoch(3)));
        assert_ne!(derive_member_id(&key, Epoch(3)), derive_member_id(&key, Epoch(4)));
    }
}
