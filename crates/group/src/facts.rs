//! What a staged commit would do, taken out of openmls: sender = member, inline proposals, three proposal types
//! (wire.md §5). Everything else is refused here.

mod signed;

use incamera_identity::{Credential, VerifyingKey};
use incamera_types::LeafIndex;
use openmls::prelude::{
    Extension, ExtensionType, Extensions, GroupContext, KeyPackage, LeafNode, Proposal, ProposalOrRefType,
    QueuedProposal, Sender, StagedCommit,
};

use crate::error::Refusal;
use crate::parameters::{RULES_EXTENSION, capabilities, lifetime, required_capabilities};
use crate::provider::SUITE;
use crate::roster::read_credential;

/// A leaf that the commit adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddedLeaf {
    pub(crate) leaf_key: VerifyingKey,
    pub(crate) credential: Credential,
}

/// The committer's new leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathLeaf {
    pub(crate) leaf_key: Vec<u8>,
    pub(crate) credential: Option<Credential>,
}

/// A commit as the rules see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommitFacts {
    pub(crate) committer: LeafIndex,
    pub(crate) adds: Vec<AddedLeaf>,
    pub(crate) removes: Vec<LeafIndex>,
    /// The bytes of the new rules.
    pub(crate) rules: Option<Vec<u8>>,
    pub(crate) path: Option<PathLeaf>,
    /// The committer as named in the authenticated data.
    pub(crate) tag: Vec<u8>,
}

impl CommitFacts {
    /// Reads a staged commit of a member.
    pub(crate) fn read(staged: &StagedCommit, committer: LeafIndex, tag: &[u8]) -> Result<Self, Refusal> {
        let mut facts = Self {
            committer,
            adds: Vec::new(),
            removes: Vec::new(),
            rules: None,
            path: staged.update_path_leaf_node().map(read_path_leaf),
            tag: tag.to_vec(),
        };
        for queued in staged.queued_proposals() {
            facts.read_proposal(queued)?;
        }
        Ok(facts)
    }

    fn read_proposal(&mut self, queued: &QueuedProposal) -> Result<(), Refusal> {
        if queued.proposal_or_ref_type() != ProposalOrRefType::Proposal {
            return Err(Refusal::ProposalByReference);
        }
        if !matches!(queued.sender(), Sender::Member(_)) {
            return Err(Refusal::Sender);
        }
        match queued.proposal() {
            Proposal::Add(add) => self.adds.push(read_added(add.key_package())?),
            Proposal::Remove(remove) => self.removes.push(LeafIndex(remove.removed().u32())),
            Proposal::GroupContextExtensions(change) => {
                self.rules = Some(read_rules_bytes(change.extensions())?);
            }
            _ => return Err(Refusal::ProposalType),
        }
        Ok(())
    }
}

/// The bytes of the rules in a GroupContext that holds exactly the two extensions of a meeting.
pub(crate) fn read_rules_bytes(extensions: &Extensions<GroupContext>) -> Result<Vec<u8>, Refusal> {
    let required = extensions.required_capabilities() == Some(&required_capabilities());
    match extensions.unknown(RULES_EXTENSION) {
        Some(rules) if required && extensions.iter().count() == 2 => Ok(rules.0.clone()),
        _ => Err(Refusal::Rules),
    }
}

/// Reads a key package that is to become a leaf: our suite, capabilities and lifetime, a sound key, a credential
/// that parses, nothing else.
pub(crate) fn read_added(package: &KeyPackage) -> Result<AddedLeaf, Refusal> {
    let leaf = package.leaf_node();
    let ours = package.ciphersuite() == SUITE
        && *package.life_time() == lifetime()
        && *leaf.capabilities() == capabilities()
        && leaf.extensions().iter().next().is_none()
        && package.extensions().iter().next().is_none();
    if !ours {
        return Err(Refusal::AddedLeaf);
    }
    Ok(AddedLeaf {
        leaf_key: VerifyingKey::from_slice(leaf.signature_key().as_slice())
            .map_err(|_| Refusal::AddedLeaf)?,
        credential: read_credential(leaf.credential()).ok_or(Refusal::AddedLeaf)?,
    })
}

fn read_path_leaf(leaf: &LeafNode) -> PathLeaf {
    let plain = *leaf.capabilities() == capabilities() && leaf.extensions().iter().next().is_none();
    PathLeaf {
        leaf_key: leaf.signature_key().as_slice().to_vec(),
        credential: read_credential(leaf.credential()).filter(|_| plain),
    }
}

/// Whether `extension` is one that a Welcome's GroupInfo may carry.
pub(crate) fn is_group_info_extension(extension: &Extension) -> bool {
    matches!(
        extension.extension_type(),
        ExtensionType::RatchetTree | ExtensionType::Unknown(crate::parameters::ROSTER_EXTENSION)
    )
}
