//! From a key package to a group that is believed (SEC-19).

use std::sync::Arc;

use incamera_identity::{Credential, DisplayName, Fingerprint, IdentityStatus, SigningKey, VerifyingKey};
use incamera_types::{Entropy, LeafIndex, Now, RoomId};
use openmls::prelude::{
    KeyPackage, KeyPackageIn, LeafNodeIndex, MlsMessageBodyIn, MlsMessageIn, MlsMessageOut, ProcessedWelcome,
    ProtocolVersion, StagedWelcome,
};
use openmls_traits::OpenMlsProvider as _;
use tls_codec::{DeserializeBytes as _, Serialize as _};

use crate::error::{GroupError, JoinRefusal};
use crate::facts::{is_group_info_extension, read_added, read_rules_bytes};
use crate::filter::admit_welcome;
use crate::machine::GroupMachine;
use crate::parameters::{
    MAX_KEY_PACKAGE_LEN, ROSTER_EXTENSION, capabilities, credential_with_key, group_config, lifetime,
};
use crate::provider::{LeafSigner, Provider, RingCrypto, SUITE};
use crate::roster::{JoinRoster, JoinRosterError, Roster};
use crate::rules::{Rights, UnverifiedRules, VerifiedRules};
use crate::safeguards::Safeguards;

/// What the link says about the room; the joiner believes nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// The room id.
    pub room: RoomId,
    /// The fingerprint of the room key.
    pub room_key: Fingerprint,
}

/// Who knocks, read from a key package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applicant {
    /// The leaf key it will have.
    pub leaf_key: VerifyingKey,
    /// What it says it is.
    pub credential: Credential,
    /// Whether its long-term identity verified.
    pub identity: IdentityStatus,
}

impl Applicant {
    /// Reads and verifies the key package of a knock.
    ///
    /// # Errors
    /// [`GroupError::KeyPackage`] when it could never be admitted.
    pub fn read(key_package: &[u8]) -> Result<Self, GroupError> {
        let crypto = RingCrypto::verifier();
        let (_, leaf) = read_key_package(&crypto, key_package)?;
        let identity = leaf.credential.verify(&leaf.leaf_key);
        Ok(Self { leaf_key: leaf.leaf_key, credential: leaf.credential, identity })
    }
}

/// Parses and validates a key package.
pub(crate) fn read_key_package(
    crypto: &RingCrypto,
    bytes: &[u8],
) -> Result<(KeyPackage, crate::facts::AddedLeaf), GroupError> {
    if bytes.len() > MAX_KEY_PACKAGE_LEN {
        return Err(GroupError::KeyPackage);
    }
    let message = MlsMessageIn::tls_deserialize_exact_bytes(bytes).map_err(|_| GroupError::KeyPackage)?;
    let MlsMessageBodyIn::KeyPackage(package) = message.extract() else {
        return Err(GroupError::KeyPackage);
    };
    let package: KeyPackageIn = package;
    let package = package.validate(crypto, ProtocolVersion::Mls10).map_err(|_| GroupError::KeyPackage)?;
    let leaf = read_added(&package).map_err(|_| GroupError::KeyPackage)?;
    Ok((package, leaf))
}

/// Somebody who knocks: makes a key package and turns Welcomes into groups.
///
/// Keep it until the meeting has confirmed the join: a worthless Welcome, which the relay can make up, must not
/// use up the key package.
pub struct Joiner {
    provider: Provider,
    leaf_key: Arc<SigningKey>,
    key_package: Vec<u8>,
    safeguards: Safeguards,
}

impl Joiner {
    /// Makes a fresh leaf key and key package for one room.
    ///
    /// # Errors
    /// [`GroupError::Library`] only by a defect.
    pub fn new(
        name: DisplayName,
        identity: Option<&SigningKey>,
        mut entropy: Box<dyn Entropy>,
    ) -> Result<Self, GroupError> {
        let leaf_key = SigningKey::generate(&mut entropy);
        let public = leaf_key.verifying_key();
        let credential = match identity {
            Some(identity) => Credential::endorsed(name, &public, identity),
            None => Credential::anonymous(name),
        };
        let provider = Provider::new(entropy);
        let bundle = KeyPackage::builder()
            .key_package_lifetime(lifetime())
            .leaf_node_capabilities(capabilities())
            .build(SUITE, &provider, &LeafSigner(&leaf_key), credential_with_key(&credential, &public))
            .map_err(|error| GroupError::Library(error.to_string()))?;
        let key_package = MlsMessageOut::from(bundle.key_package().clone())
            .tls_serialize_detached()
            .map_err(|error| GroupError::Library(error.to_string()))?;
        Ok(Self { provider, leaf_key: Arc::new(leaf_key), key_package, safeguards: Safeguards::default() })
    }

    /// Switches safeguards off in the groups that this joiner enters.
    #[cfg(feature = "danger-sabotage")]
    #[must_use]
    pub fn with_safeguards(mut self, safeguards: Safeguards) -> Self {
        self.safeguards = safeguards;
        self
    }

    /// The key package for the knock (an MLSMessage).
    #[must_use]
    pub fn key_package(&self) -> &[u8] {
        &self.key_package
    }

    /// The leaf key of this join.
    #[must_use]
    pub fn leaf_key(&self) -> VerifyingKey {
        self.leaf_key.verifying_key()
    }

    /// Enters the group of a Welcome, in the state "joining". May be tried with any number of Welcomes.
    ///
    /// # Errors
    /// [`GroupError::Welcome`] when it is not for this key package or damaged, [`GroupError::Unbelievable`]
    /// when it leads into a group that does not belong to the link.
    pub fn join(
        &self,
        now: Now,
        welcome: &[u8],
        expectation: &Expectation,
    ) -> Result<GroupMachine, GroupError> {
        let welcome = admit_welcome(welcome)?;
        let storage = self.provider.storage().duplicate();
        let provider = Provider::with_shared(Arc::clone(self.provider.entropy()), storage);
        let processed =
            ProcessedWelcome::new_from_welcome(&provider, &group_config(self.safeguards), welcome)
                .map_err(|_| GroupError::Welcome)?;
        let join_roster = read_join_roster(&processed)?;
        let staged = processed.into_staged_welcome(&provider, None).map_err(|_| GroupError::Welcome)?;
        let rules = self.read_rules(&staged, expectation)?;
        let epoch = crate::machine::epoch_of(staged.group_context().epoch());
        let own = LeafIndex(staged.own_leaf_index().u32());
        let roster = join_roster.into_roster(staged.members(), own, epoch, rules.rules()).map_err(
            |error| match error {
                JoinRosterError::Leaf => GroupError::Unbelievable(JoinRefusal::Credential),
                JoinRosterError::Mismatch => GroupError::Unbelievable(JoinRefusal::Roster),
            },
        )?;
        self.check_signer(staged.welcome_sender_index(), &roster)?;
        let group = staged.into_group(&provider).map_err(|_| GroupError::Welcome)?;
        GroupMachine::joined(now, provider, Arc::clone(&self.leaf_key), group, roster, rules, self.safeguards)
    }

    /// SEC-19: the rules chain to the link and speak of this room and group.
    fn read_rules(
        &self,
        staged: &StagedWelcome,
        expectation: &Expectation,
    ) -> Result<VerifiedRules, GroupError> {
        let context = staged.group_context();
        if context.ciphersuite() != SUITE {
            return Err(GroupError::Unbelievable(JoinRefusal::Parameters));
        }
        let bytes = read_rules_bytes(context.extensions())
            .map_err(|_| GroupError::Unbelievable(JoinRefusal::Parameters))?;
        let unverified =
            UnverifiedRules::parse(&bytes).map_err(|_| GroupError::Unbelievable(JoinRefusal::Rules))?;
        let expected_key = if self.safeguards.rules_chain() {
            expectation.room_key
        } else {
            Fingerprint::of(unverified.room_key())
        };
        let rules =
            unverified.verify(&expected_key).map_err(|_| GroupError::Unbelievable(JoinRefusal::Rules))?;
        let ours = rules.rules().room == expectation.room
            && rules.rules().group[..] == *context.group_id().as_slice();
        if ours || !self.safeguards.rules_chain() {
            Ok(rules)
        } else {
            Err(GroupError::Unbelievable(JoinRefusal::OtherRoom))
        }
    }

    /// SEC-19: whoever signed the Welcome may admit.
    fn check_signer(&self, signer: LeafNodeIndex, roster: &Roster) -> Result<(), GroupError> {
        let may_admit =
            roster.at(LeafIndex(signer.u32())).is_some_and(|member| member.rights.contains(Rights::ADMIT));
        if may_admit || !self.safeguards.welcome_signer() {
            Ok(())
        } else {
            Err(GroupError::Unbelievable(JoinRefusal::WelcomeSigner))
        }
    }
}

fn read_join_roster(processed: &ProcessedWelcome) -> Result<JoinRoster, GroupError> {
    let extensions = processed.unverified_group_info().extensions();
    if !extensions.iter().all(is_group_info_extension) {
        return Err(GroupError::Unbelievable(JoinRefusal::Parameters));
    }
    extensions
        .unknown(ROSTER_EXTENSION)
        .and_then(|extension| JoinRoster::parse(&extension.0))
        .ok_or(GroupError::Unbelievable(JoinRefusal::Roster))
}
