//! Sizes, pacing and MLS parameters, each with where it comes from.

use core::time::Duration;

use incamera_identity::{Credential, VerifyingKey};
use openmls::prelude::{
    BasicCredential, Capabilities, CredentialType, CredentialWithKey, Extension, ExtensionType, Extensions,
    GroupContext, Lifetime, MlsGroupJoinConfig, PURE_CIPHERTEXT_WIRE_FORMAT_POLICY, ProtocolVersion,
    RequiredCapabilitiesExtension, SignaturePublicKey, UnknownExtension,
};

use crate::GroupError;
use crate::provider::SUITE;
use crate::rules::VerifiedRules;
use crate::safeguards::Safeguards;

/// Longest application message before sealing, in bytes.
pub const MAX_APPLICATION_LEN: usize = 32 * 1024;

/// Longest Welcome in bytes: the tree of 1,024 members takes about 400 kB, and with its seals it fits into one
/// blob of the relay.
pub const MAX_WELCOME_LEN: usize = 1_000_000;

/// Adds in one commit; more wait for the next one.
pub const MAX_ADDS_PER_COMMIT: usize = 128;

/// Longest key package in bytes.
pub(crate) const MAX_KEY_PACKAGE_LEN: usize = 4 * 1024;

/// GroupContext extension with the signed rules (private use, RFC 9420 §17.3).
pub(crate) const RULES_EXTENSION: u16 = 0xf1ca;

/// GroupInfo extension with what a joiner cannot read from the tree.
pub(crate) const ROSTER_EXTENSION: u16 = 0xf1cb;

/// Shortest time between two commits of one member, so that what comes up meanwhile shares one (wire.md §5).
pub(crate) const COMMIT_GAP: Duration = Duration::from_millis(250);

/// Each later committer waits this much longer than the one before (wire.md §5).
pub(crate) const TURN: Duration = Duration::from_secs(1);

/// At most one leaf update in this time in a room (wire.md §5).
pub(crate) const UPDATE_GAP: Duration = Duration::from_secs(2);

/// Shortest time between two leaf updates of one member (wire.md §5).
pub(crate) const UPDATE_PERIOD: Duration = Duration::from_secs(600);

/// An own commit that the log has not shown in this time is sent again, byte for byte.
pub(crate) const RESEND_AFTER: Duration = Duration::from_secs(3);

/// Commits among which a member without the right to admit may author one (wire.md §5).
pub(crate) const AUTHOR_MEMORY: usize = 8;

/// Own application messages whose echo is awaited.
pub(crate) const MAX_OUTSTANDING: usize = 256;

/// Message ratchets tolerate no reordering, since the log is ordered, but gaps of messages that the relay lost.
const MAX_RATCHET_GAP: u32 = 1_000;

/// Key packages never expire for MLS: lifetimes are checked on the receiver's clock, and members that disagree
/// about a commit fork. Freshness is checked in the knock (wire.md §5).
pub(crate) fn lifetime() -> Lifetime {
    Lifetime::init(0, u64::MAX)
}

pub(crate) fn capabilities() -> Capabilities {
    Capabilities::new(
        Some(&[ProtocolVersion::Mls10]),
        Some(&[SUITE]),
        Some(&[ExtensionType::Unknown(RULES_EXTENSION)]),
        Some(&[]),
        Some(&[CredentialType::Basic]),
    )
}

pub(crate) fn group_config(safeguards: Safeguards) -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
        .max_past_epochs(if safeguards.past_epoch_erasure() { 0 } else { 5 })
        .number_of_resumption_psks(0)
        .use_ratchet_tree_extension(true)
        .sender_ratchet_configuration(openmls::prelude::SenderRatchetConfiguration::new(0, MAX_RATCHET_GAP))
        .build()
}

pub(crate) fn required_capabilities() -> RequiredCapabilitiesExtension {
    RequiredCapabilitiesExtension::new(
        &[ExtensionType::Unknown(RULES_EXTENSION)],
        &[],
        &[CredentialType::Basic],
    )
}

/// The whole GroupContext extension list: what must be supported, and the rules.
pub(crate) fn context_extensions(rules: &VerifiedRules) -> Result<Extensions<GroupContext>, GroupError> {
    Extensions::from_vec(vec![
        Extension::RequiredCapabilities(required_capabilities()),
        Extension::Unknown(RULES_EXTENSION, UnknownExtension(rules.to_bytes().to_vec())),
    ])
    .map_err(|error| GroupError::Library(error.to_string()))
}

pub(crate) fn credential_with_key(credential: &Credential, leaf_key: &VerifyingKey) -> CredentialWithKey {
    CredentialWithKey {
        credential: BasicCredential::new(credential.to_bytes()).into(),
        signature_key: SignaturePublicKey::from(leaf_key.as_bytes().to_vec()),
    }
}
