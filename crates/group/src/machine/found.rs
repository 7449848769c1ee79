//! Making a room, and entering one from a Welcome.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use incamera_identity::{Credential, DisplayName, SigningKey};
use incamera_types::{Entropy, Epoch, FrameSuite, Now, RoomId};
use openmls::prelude::{GroupId, MlsGroup, MlsGroupCreateConfig, PURE_CIPHERTEXT_WIRE_FORMAT_POLICY};
use openmls_traits::OpenMlsProvider as _;
use zeroize::Zeroizing;

use super::{GroupMachine, Standing, TAG_LABEL};
use crate::error::GroupError;
use crate::parameters::{capabilities, context_extensions, credential_with_key, group_config, lifetime};
use crate::plan::Plan;
use crate::provider::{LeafSigner, Provider, SUITE};
use crate::roster::Roster;
use crate::rules::{Lobby, Rights, Rules, VerifiedRules};
use crate::safeguards::Safeguards;

/// What a host chooses when making a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomSettings {
    /// The SFrame suite; fixed from then on.
    pub suite: FrameSuite,
    /// Whether knocks wait for a person.
    pub lobby: Lobby,
    /// See [`Rules::media_stop`].
    pub media_stop: Duration,
    /// See [`Rules::removal`].
    pub removal: Duration,
    /// See [`Rules::participant_rights`].
    pub participant_rights: Rights,
}

impl Default for RoomSettings {
    fn default() -> Self {
        Self {
            suite: FrameSuite::default(),
            lobby: Lobby::Off,
            media_stop: Duration::from_secs(30),
            removal: Duration::from_secs(60),
            participant_rights: Rights::DEFAULT_PARTICIPANT,
        }
    }
}

/// Who makes which room.
pub struct Founding<'a> {
    /// The room id at the relay.
    pub room: RoomId,
    /// The room key: fresh for this room, its fingerprint is in the link.
    pub room_key: Arc<SigningKey>,
    /// The host's name.
    pub name: DisplayName,
    /// The host's long-term identity, if it shows one.
    pub identity: Option<&'a SigningKey>,
    /// The first rules.
    pub settings: RoomSettings,
}

impl GroupMachine {
    /// Makes the group of a new room with its host as the only member. The founding epoch's keys are an output.
    ///
    /// # Errors
    /// [`GroupError::Rules`] for settings out of range, [`GroupError::Library`] only by a defect.
    pub fn found(
        now: Now,
        founding: Founding<'_>,
        mut entropy: Box<dyn Entropy>,
    ) -> Result<Self, GroupError> {
        let leaf_key = SigningKey::generate(&mut entropy);
        let public = leaf_key.verifying_key();
        let mut group_id = [0; 16];
        entropy.fill(&mut group_id);
        let credential = match founding.identity {
            Some(identity) => Credential::endorsed(founding.name, &public, identity),
            None => Credential::anonymous(founding.name),
        };
        let settings = founding.settings;
        let rules = Rules {
            suite: settings.suite,
            lobby: settings.lobby,
            media_stop: settings.media_stop,
            removal: settings.removal,
            participant_rights: settings.participant_rights,
            ..Rules::new(founding.room, group_id, &public)
        }
        .sign(&founding.room_key, &[])?;
        let provider = Provider::new(entropy);
        let group = MlsGroup::new_with_group_id(
            &provider,
            &LeafSigner(&leaf_key),
            &create_config(&rules)?,
            GroupId::from_slice(&group_id),
            credential_with_key(&credential, &public),
        )
        .map_err(|error| GroupError::Library(error.to_string()))?;
        let roster = Roster::default()
            .advance(group.members(), &[], Epoch(0), rules.rules(), None)
            .map_err(|_| GroupError::Crypto)?;
        let mut machine =
            Self::assemble(provider, Arc::new(leaf_key), group, roster, rules, Safeguards::default())?;
        machine.room_key = Some(founding.room_key);
        machine.standing = Standing::Active;
        machine.enter(now.mono)?;
        Ok(machine)
    }

    /// Takes over a group entered by a Welcome whose claims were checked.
    pub(crate) fn joined(
        now: Now,
        provider: Provider,
        leaf_key: Arc<SigningKey>,
        group: MlsGroup,
        roster: Roster,
        rules: VerifiedRules,
        safeguards: Safeguards,
    ) -> Result<Self, GroupError> {
        let mut machine = Self::assemble(provider, leaf_key, group, roster, rules, safeguards)?;
        if !safeguards.confirmation() {
            machine.confirm(now)?;
        }
        Ok(machine)
    }

    fn assemble(
        provider: Provider,
        leaf_key: Arc<SigningKey>,
        group: MlsGroup,
        roster: Roster,
        rules: VerifiedRules,
        safeguards: Safeguards,
    ) -> Result<Self, GroupError> {
        let group_id = group.group_id().as_slice().try_into().map_err(|_| GroupError::Welcome)?;
        let tag_key = group
            .export_secret(provider.crypto(), TAG_LABEL, &[], 32)
            .map(Zeroizing::new)
            .map_err(|error| GroupError::Library(error.to_string()))?;
        Ok(Self {
            provider,
            leaf_key,
            room_key: None,
            group,
            group_id,
            roster,
            rules,
            tag_key,
            standing: Standing::Joining,
            plan: Plan::new(),
            own_commit: None,
            outstanding: VecDeque::new(),
            next_application: 0,
            last_seq: None,
            outputs: VecDeque::new(),
            safeguards,
        })
    }
}

pub(super) fn create_config(rules: &VerifiedRules) -> Result<MlsGroupCreateConfig, GroupError> {
    let join = group_config(Safeguards::default());
    Ok(MlsGroupCreateConfig::builder()
        .ciphersuite(SUITE)
        .capabilities(capabilities())
        .lifetime(lifetime())
        .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
        .max_past_epochs(0)
        .number_of_resumption_psks(0)
        .use_ratchet_tree_extension(true)
        .sender_ratchet_configuration(*join.sender_ratchet_configuration())
        .with_group_context_extensions(context_extensions(rules)?)
        .build())
}
