//! Who a participant is: signature keys, what a leaf credential says and how it is verified, fingerprints,
//! and the room code that people compare by voice.
//!
//! **Core.** No IO, no clock, no OS randomness; cryptography from ring alone.
//!
//! Read first: [`SigningKey`] and [`VerifyingKey`] (Ed25519, strict), [`Credential`] (the content of an MLS
//! leaf credential, RFC 9420 §5.3), [`RoomCode`] (wire.md §5), [`derive_member_id`] (wire.md §1).
//!
//! What does not belong here: the group itself, admission, pinning of keys across meetings.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod credential;
mod digest;
mod error;
mod fingerprint;
mod member;
mod name;
mod room_code;
mod signature;

pub use credential::{Credential, IdentityClaim, IdentityStatus};
pub use digest::{hkdf_sha256, hmac_sha256, sha256, sha256_parts, verify_hmac_sha256};
pub use error::IdentityError;
pub use fingerprint::Fingerprint;
pub use member::derive_member_id;
pub use name::{DisplayName, MAX_NAME_BYTES};
pub use room_code::{RoomCode, RoomCodeKey};
pub use signature::{KEY_LEN, SIGNATURE_LEN, Signature, SigningKey, VerifyingKey};
