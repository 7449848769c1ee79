//! What a modified client can make: commits past all own checks, and Welcomes into groups that are not the
//! room's. Each is valid MLS, and one safeguard stands against it.
//!
//! For tests and simulations only: the feature `danger-sabotage` is refused in release builds.

use incamera_identity::{Credential, DisplayName, SigningKey};
use incamera_types::{Entropy, Epoch, LeafIndex, MemberId, Now};
use openmls::group::Initial;
use openmls::prelude::{
    CommitBuilder, Extension, GroupId, LeafNodeIndex, LeafNodeParameters, MlsGroup, UnknownExtension,
};
use openmls_traits::OpenMlsProvider as _;
use tls_codec::Serialize as _;

use super::author::Proposals;
use super::found::create_config;
use super::{GroupMachine, Standing, committer_tag};
use crate::join::read_key_package;
use crate::parameters::{ROSTER_EXTENSION, credential_with_key};
use crate::provider::{LeafSigner, Provider};
use crate::roster::{JoinRoster, Roster};
use crate::rules::{Rights, Rules, VerifiedRules};

/// A commit that everybody must refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forgery {
    /// Removes a member that the author may not remove (`authority`).
    Removal(MemberId),
    /// Gives the author another name (`path_leaf`).
    Renaming(DisplayName),
    /// Renews the author's leaf once more although it did so lately (`commit_spacing`).
    HastyUpdate,
    /// Claims to be what the author itself has under way (`own_echo_bytes`); others see a wrong committer.
    FalseEcho,
}

/// The rules of a group that is not the room's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhantomRules {
    /// A copy of the room's; its maker is nobody in them (`welcome_signer`).
    Copied,
    /// Its maker's own, in which it is host (`rules_chain`).
    Invented,
}

impl GroupMachine {
    /// Makes a forged commit and forgets it; `None` when this member cannot make it now, or when it would be
    /// valid.
    pub fn forge(&mut self, forgery: &Forgery) -> Option<Vec<u8>> {
        if self.own_commit.is_some() || self.standing != Standing::Active {
            return None;
        }
        let own = self.own()?.clone();
        let tag = committer_tag(&self.tag_key, own.id);
        match forgery {
            Forgery::Removal(member) => {
                let removed = self.roster.by_id(*member).filter(|removed| !own.may_remove(removed))?;
                let leaf = LeafNodeIndex::new(removed.leaf.0);
                self.forge_commit(tag, |builder| builder.propose_removals([leaf]))
            }
            Forgery::Renaming(name) => {
                let renamed = credential_with_key(&Credential::anonymous(name.clone()), &own.leaf_key);
                let leaf = LeafNodeParameters::builder().with_credential_with_key(renamed).build();
                self.forge_commit(tag, |builder| builder.leaf_node_parameters(leaf))
            }
            Forgery::HastyUpdate => {
                if own.rights.contains(Rights::ADMIT) || !self.roster.authored_recently(own.id) {
                    return None;
                }
                self.forge_commit(tag, |builder| builder.force_self_update(true))
            }
            Forgery::FalseEcho => {
                let other = self.roster.iter().find(|member| member.id != own.id)?.id;
                let tag = committer_tag(&self.tag_key, other);
                self.forge_commit(tag, |builder| builder.force_self_update(true))
            }
        }
    }

    /// Renews the own leaf by a commit whose path does not open for `victim`, and is sound for everybody else:
    /// nothing public tells it from an honest one. Tells whether it could be made now.
    pub fn commit_without(&mut self, now: Now, victim: MemberId) -> bool {
        let Some(leaf) = self.roster.by_id(victim).map(|member| LeafNodeIndex::new(member.leaf.0)) else {
            return false;
        };
        let key =
            self.group.members().find(|member| member.index == leaf).map(|member| member.encryption_key);
        if self.own_commit.is_some() || self.standing != Standing::Active {
            return false;
        }
        self.provider.crypto().spoil.begin(key.unwrap_or_default());
        let made = self.commit(now.mono, Proposals::default()).is_ok();
        let is_spoilt = self.provider.crypto().spoil.end() > 0;
        if made && !is_spoilt {
            // The victim's part is sealed to a key that others have too: this commit is never sent.
            self.outputs.pop_back();
            self.own_commit = None;
            self.group.clear_pending_commit(self.provider.storage()).ok();
        }
        made && is_spoilt
    }

    /// Renews the own leaf at once, whatever its turn: valid as long as this member authored none of the last
    /// commits. Whether a commit is on its way now.
    pub fn renew_leaf(&mut self, now: Now) -> bool {
        let can = self.own_commit.is_none() && self.standing == Standing::Active;
        can && self.commit(now.mono, Proposals::default()).is_ok()
    }

    /// Builds a commit past all own checks and gives its bytes; the machine forgets it.
    pub(super) fn forge_commit(
        &mut self,
        tag: Vec<u8>,
        build: impl FnOnce(CommitBuilder<'_, Initial>) -> CommitBuilder<'_, Initial>,
    ) -> Option<Vec<u8>> {
        self.group.set_aad(tag);
        let bundle = build(self.group.commit_builder())
            .load_psks(self.provider.storage())
            .ok()?
            .build(self.provider.rand(), self.provider.crypto(), &LeafSigner(&self.leaf_key), |_| true)
            .ok()?
            .stage_commit(&self.provider)
            .ok()?;
        let blob = bundle.into_commit().tls_serialize_detached().ok()?;
        self.group.clear_pending_commit(self.provider.storage()).ok()?;
        Some(blob)
    }

    /// Makes a group of its own under the name of the room, and the Welcome of a knocker into it.
    pub fn phantom_welcome(
        &self,
        key_package: &[u8],
        rules: PhantomRules,
        mut entropy: Box<dyn Entropy>,
    ) -> Option<Vec<u8>> {
        let key = SigningKey::generate(&mut entropy);
        let rules = match rules {
            PhantomRules::Copied => self.rules.clone(),
            PhantomRules::Invented => invented(&self.rules, &key, &SigningKey::generate(&mut entropy))?,
        };
        let provider = Provider::new(entropy);
        let credential = Credential::anonymous(DisplayName::new("Host").ok()?);
        let mut group = MlsGroup::new_with_group_id(
            &provider,
            &LeafSigner(&key),
            &create_config(&rules).ok()?,
            GroupId::from_slice(&rules.rules().group),
            credential_with_key(&credential, &key.verifying_key()),
        )
        .ok()?;
        let (package, _) = read_key_package(provider.crypto(), key_package).ok()?;
        let roster = Roster::default().advance(group.members(), &[], Epoch(0), rules.rules(), None).ok()?;
        let author = roster.at(LeafIndex(0))?.id;
        let roster = UnknownExtension(JoinRoster::of(&roster, &[], author).to_bytes());
        let bundle = group
            .commit_builder()
            .propose_adds([package])
            .load_psks(provider.storage())
            .ok()?
            .create_group_info_with_extensions([Extension::Unknown(ROSTER_EXTENSION, roster)])
            .ok()?
            .create_group_info(false)
            .build(provider.rand(), provider.crypto(), &LeafSigner(&key), |_| true)
            .ok()?
            .stage_commit(&provider)
            .ok()?;
        bundle.into_welcome_msg()?.tls_serialize_detached().ok()
    }
}

fn invented(genuine: &VerifiedRules, host: &SigningKey, room_key: &SigningKey) -> Option<VerifiedRules> {
    let genuine = genuine.rules();
    Rules { suite: genuine.suite, ..Rules::new(genuine.room, genuine.group, &host.verifying_key()) }
        .sign(room_key, &[])
        .ok()
}
