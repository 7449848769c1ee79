//! The public part of a commit, read from the bytes that its author signed: for a commit that openmls refuses
//! because its secret part does not open here, and of which it tells nothing else.

use incamera_types::LeafIndex;
use openmls::prelude::{
    Capabilities, ContentType, Credential as MlsCredential, Extension, Extensions, GroupContext,
    KeyPackageIn, ProposalIn, ProposalOrRefIn, ProtocolVersion, Sender, WireFormat,
};
use tls_codec::{DeserializeBytes, VLBytes};

use super::{CommitFacts, PathLeaf, read_added, read_rules_bytes};
use crate::error::Refusal;
use crate::parameters::capabilities;
use crate::provider::RingCrypto;
use crate::roster::read_credential;

/// Where the leaf of a path comes from (RFC 9420 §7.2).
const COMMIT_SOURCE: u8 = 3;

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<T: DeserializeBytes>(&mut self) -> Result<T, Refusal> {
        let (value, rest) = T::tls_deserialize_bytes(self.0).map_err(|_| Refusal::Malformed)?;
        self.0 = rest;
        Ok(value)
    }
}

impl CommitFacts {
    /// Reads a FramedContentTBS (RFC 9420 §6.1) in its length prefix, whose signature verified.
    pub(crate) fn read_signed(signed: &[u8], crypto: &RingCrypto) -> Result<Self, Refusal> {
        let content: VLBytes = Reader(signed).take()?;
        let mut content = Reader(content.as_slice());
        let _: ProtocolVersion = content.take()?;
        let _: WireFormat = content.take()?;
        let _group_id: VLBytes = content.take()?;
        let _epoch: u64 = content.take()?;
        let Sender::Member(committer) = content.take()? else { return Err(Refusal::Sender) };
        let tag: VLBytes = content.take()?;
        if content.take::<ContentType>()? != ContentType::Commit {
            return Err(Refusal::Protocol);
        }
        let mut facts = Self {
            committer: LeafIndex(committer.u32()),
            adds: Vec::new(),
            removes: Vec::new(),
            rules: None,
            path: None,
            tag: tag.as_slice().to_vec(),
        };
        for proposal in content.take::<Vec<ProposalOrRefIn>>()? {
            facts.read_signed_proposal(proposal, crypto)?;
        }
        // The path follows if there is one; its ciphertexts are what nobody else can judge.
        facts.path = (content.take::<u8>()? == 1).then(|| read_leaf(&mut content)).transpose()?;
        Ok(facts)
    }

    fn read_signed_proposal(
        &mut self,
        proposal: ProposalOrRefIn,
        crypto: &RingCrypto,
    ) -> Result<(), Refusal> {
        let ProposalOrRefIn::Proposal(proposal) = proposal else { return Err(Refusal::ProposalByReference) };
        match *proposal {
            ProposalIn::Add(add) => {
                let package: KeyPackageIn = reread(&*add)?;
                let package = package.validate(crypto, ProtocolVersion::Mls10);
                self.adds.push(read_added(&package.map_err(|_| Refusal::AddedLeaf)?)?);
            }
            ProposalIn::Remove(remove) => self.removes.push(LeafIndex(remove.removed().u32())),
            ProposalIn::GroupContextExtensions(change) => {
                let extensions: Extensions<GroupContext> = reread(&*change)?;
                self.rules = Some(read_rules_bytes(&extensions)?);
            }
            _ => return Err(Refusal::ProposalType),
        }
        Ok(())
    }
}

/// What a proposal consists of alone, from its own bytes.
fn reread<T: DeserializeBytes>(proposal: &impl tls_codec::Serialize) -> Result<T, Refusal> {
    let bytes = proposal.tls_serialize_detached().map_err(|_| Refusal::Malformed)?;
    T::tls_deserialize_exact_bytes(&bytes).map_err(|_| Refusal::Malformed)
}

/// The committer's new leaf (RFC 9420 §7.2), up to its signature, which openmls verified.
fn read_leaf(path: &mut Reader<'_>) -> Result<PathLeaf, Refusal> {
    let _encryption_key: VLBytes = path.take()?;
    let leaf_key: VLBytes = path.take()?;
    let credential: MlsCredential = path.take()?;
    let can: Capabilities = path.take()?;
    if path.take::<u8>()? != COMMIT_SOURCE {
        return Err(Refusal::Protocol);
    }
    let _parent_hash: VLBytes = path.take()?;
    let extensions: Vec<Extension> = path.take()?;
    let plain = can == capabilities() && extensions.is_empty();
    Ok(PathLeaf {
        leaf_key: leaf_key.as_slice().to_vec(),
        credential: read_credential(&credential).filter(|_| plain),
    })
}
