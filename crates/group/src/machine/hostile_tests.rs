//! Members with modified clients: every kind of message that must be refused, really produced.

use core::time::Duration;
use std::sync::Arc;

use incamera_identity::{Credential, DisplayName, SigningKey};
use openmls::prelude::*;
use tls_codec::Serialize as _;

use super::forge::PhantomRules;
use super::{GroupMachine, committer_tag};
use crate::parameters::{capabilities, context_extensions, credential_with_key, lifetime};
use crate::provider::{LeafSigner, Provider, SUITE};
use crate::testing::{Room, SeededEntropy};
use crate::{MemberGrant, Refusal, Rights, Role};

/// Builds a commit of `machine` past all its own checks and gives its bytes; the machine forgets it.
pub(super) fn forge(
    machine: &mut GroupMachine,
    build: impl FnOnce(CommitBuilder<'_, Initial>) -> CommitBuilder<'_, Initial>,
) -> Vec<u8> {
    let tag = committer_tag(&machine.tag_key, machine.own().unwrap().id);
    forge_tagged(machine, tag, build)
}

pub(super) fn forge_tagged(
    machine: &mut GroupMachine,
    tag: Vec<u8>,
    build: impl FnOnce(CommitBuilder<'_, Initial>) -> CommitBuilder<'_, Initial>,
) -> Vec<u8> {
    machine.forge_commit(tag, build).unwrap()
}

/// Puts `blob` into the log and expects that everybody but its author stays in the epoch for this reason.
fn expect_refusal(room: &mut Room, author: usize, blob: Vec<u8>, reason: Refusal) {
    let epoch = room.peers[0].machine.epoch();
    room.log.push(blob);
    for at in (0..room.peers.len()).filter(|at| *at != author) {
        let (seq, blob) = (room.peers[at].read as u64, room.log.last().unwrap().clone());
        assert_eq!(seq as usize, room.log.len() - 1);
        room.input(at, crate::GroupInput::LogEntry { seq, blob }).unwrap();
        room.peers[at].read += 1;
        assert_eq!(room.peers[at].skipped.last().map(|(_, reason)| *reason), Some(reason));
        assert_eq!(room.peers[at].machine.epoch(), epoch);
    }
    if let Some(author) = room.peers.get_mut(author) {
        author.read += 1;
    }
}

fn package(room: &mut Room) -> KeyPackage {
    let joiner = room.joiner();
    crate::join::read_key_package(room.peers[0].machine.provider.crypto(), joiner.key_package()).unwrap().0
}

fn member_room(seed: u64) -> Room {
    let mut room = Room::of(4, seed);
    room.pass(Duration::from_millis(250));
    room
}

#[test]
fn sec_10_a_participant_can_neither_add_nor_remove() {
    let mut room = member_room(40);
    let package = package(&mut room);
    let blob = forge(&mut room.peers[1].machine, |builder| builder.propose_adds([package]));
    expect_refusal(&mut room, 1, blob, Refusal::MayNotAdmit);
    let blob = forge(&mut room.peers[1].machine, |builder| builder.propose_removals([LeafNodeIndex::new(2)]));
    expect_refusal(&mut room, 1, blob, Refusal::MayNotRemove);
    let blob = forge(&mut room.peers[1].machine, |builder| builder.propose_removals([LeafNodeIndex::new(0)]));
    expect_refusal(&mut room, 1, blob, Refusal::MayNotRemove);
}

#[test]
fn sec_10_forged_replayed_and_foreign_rules_are_refused() {
    let mut room = member_room(41);
    let current = room.peers[1].machine.rules.clone();
    let own = room.peers[1].machine.own().unwrap().leaf_key;
    let mut grab = current.rules().clone();
    grab.version += 1;
    grab.grants.insert(crate::LeafKeyHash::of(&own), MemberGrant { role: Role::Host, rights: Rights::ALL });
    let forger = SigningKey::from_seed(&[9; 32]).unwrap();
    let forged = grab.sign(&forger, &[]).unwrap();
    let same_version = current;
    let mut elsewhere = grab.clone();
    elsewhere.group = [7; 16];
    let elsewhere = elsewhere.sign(&room.room_key, &[]).unwrap();
    let mut last = room.peers[1].machine.rules.rules().clone();
    last.version = u32::MAX;
    let last = last.sign(&room.room_key, &[]).unwrap();
    for rules in [forged, same_version, elsewhere, last] {
        let blob = forge(&mut room.peers[1].machine, |builder| {
            builder.propose_group_context_extensions(context_extensions(&rules).unwrap()).unwrap()
        });
        expect_refusal(&mut room, 1, blob, Refusal::Rules);
    }
}

#[test]
fn sec_10_a_context_without_rules_or_with_more_is_refused() {
    let mut room = member_room(42);
    let required = Extension::RequiredCapabilities(crate::parameters::required_capabilities());
    let bare = Extensions::from_vec(vec![required.clone()]).unwrap();
    let blob =
        forge(&mut room.peers[0].machine, |builder| builder.propose_group_context_extensions(bare).unwrap());
    expect_refusal(&mut room, 0, blob, Refusal::Rules);
    let rules = room.peers[0].machine.rules.to_bytes().to_vec();
    let more = Extensions::from_vec(vec![
        required,
        Extension::Unknown(crate::parameters::RULES_EXTENSION, UnknownExtension(rules)),
        Extension::ExternalSenders(vec![]),
    ])
    .unwrap();
    let blob =
        forge(&mut room.peers[0].machine, |builder| builder.propose_group_context_extensions(more).unwrap());
    expect_refusal(&mut room, 0, blob, Refusal::Rules);
}

/// Lets participant 1 refresh its leaf for real, and gives a second update that it forges in the next epoch.
pub(super) fn second_update(room: &mut Room) -> Vec<u8> {
    let epoch = room.peers[1].machine.epoch();
    while !room.peers[1].machine.roster.authored_recently(room.peers[1].id()) {
        room.pass(Duration::from_millis(500));
        room.settle();
    }
    assert!(room.peers[1].machine.epoch() > epoch);
    forge(&mut room.peers[1].machine, |builder| builder.force_self_update(true))
}

#[test]
fn sec_05_a_member_that_committed_recently_cannot_commit_again() {
    let mut room = member_room(43);
    let blob = second_update(&mut room);
    expect_refusal(&mut room, 1, blob, Refusal::TooSoon);
}

#[test]
fn a_commit_may_not_name_another_committer() {
    let mut room = member_room(44);
    let host = room.peers[0].id();
    let tag = committer_tag(&room.peers[1].machine.tag_key, host);
    let blob = forge_tagged(&mut room.peers[1].machine, tag, |builder| builder.force_self_update(true));
    expect_refusal(&mut room, 1, blob, Refusal::CommitterTag);
}

#[test]
fn sec_11_a_leaf_update_cannot_rename_its_author() {
    let mut room = member_room(45);
    let key = room.peers[1].machine.own().unwrap().leaf_key;
    let renamed = Credential::anonymous(DisplayName::new("Host").unwrap());
    let parameters =
        LeafNodeParameters::builder().with_credential_with_key(credential_with_key(&renamed, &key)).build();
    let blob = forge(&mut room.peers[1].machine, |builder| builder.leaf_node_parameters(parameters));
    expect_refusal(&mut room, 1, blob, Refusal::PathLeaf);
}

#[test]
fn leaves_with_other_lifetimes_or_unreadable_credentials_are_not_added() {
    let mut room = member_room(46);
    let make = |seed: u64, lifetime: Lifetime, identity: Vec<u8>| {
        let provider = Provider::new(Box::new(SeededEntropy::new(seed)));
        let key = SigningKey::generate(&mut SeededEntropy::new(seed + 1));
        let credential = CredentialWithKey {
            credential: BasicCredential::new(identity).into(),
            signature_key: key.verifying_key().as_bytes().to_vec().into(),
        };
        KeyPackage::builder()
            .key_package_lifetime(lifetime)
            .leaf_node_capabilities(capabilities())
            .build(SUITE, &provider, &LeafSigner(&key), credential)
            .unwrap()
            .into_key_package()
    };
    let name = Credential::anonymous(DisplayName::new("Eve").unwrap()).to_bytes();
    for package in
        [make(900, Lifetime::new(3_600), name), make(910, lifetime(), b"not a credential".to_vec())]
    {
        let blob = forge(&mut room.peers[0].machine, |builder| builder.propose_adds([package]));
        expect_refusal(&mut room, 0, blob, Refusal::AddedLeaf);
    }
}

#[test]
fn standalone_proposals_and_commits_that_refer_to_them_are_refused() {
    let mut room = member_room(47);
    // A proposal of its own, then a commit that refers to it.
    let machine = &mut room.peers[0].machine;
    let signer = Arc::clone(&machine.leaf_key);
    let (proposal, _) = machine
        .group
        .propose_remove_member(&machine.provider, &LeafSigner(&signer), LeafNodeIndex::new(3))
        .unwrap();
    let blob = forge(machine, |builder| builder.consume_proposal_store(true));
    machine.group.clear_pending_proposals(machine.provider.storage()).unwrap();
    expect_refusal(&mut room, 0, proposal.tls_serialize_detached().unwrap(), Refusal::StandaloneProposal);
    expect_refusal(&mut room, 0, blob, Refusal::Protocol);
    // An Update proposal by reference cannot even be stored, since standalone proposals are dropped.
    let machine = &mut room.peers[1].machine;
    let signer = Arc::clone(&machine.leaf_key);
    let (update, _) = machine
        .group
        .propose_self_update(&machine.provider, &LeafSigner(&signer), LeafNodeParameters::default())
        .unwrap();
    machine.group.clear_pending_proposals(machine.provider.storage()).unwrap();
    expect_refusal(&mut room, 1, update.tls_serialize_detached().unwrap(), Refusal::StandaloneProposal);
}

#[test]
fn a_commit_with_a_pre_shared_key_is_refused() {
    let mut room = member_room(53);
    let machine = &mut room.peers[0].machine;
    let wallet = openmls_rust_crypto::OpenMlsRustCrypto::default();
    let id = openmls::schedule::PreSharedKeyId::external(b"id".to_vec(), vec![1; 32]);
    id.store(&wallet, b"secret").unwrap();
    let proposal = Proposal::PreSharedKey(Box::new(PreSharedKeyProposal::new(id)));
    machine.group.set_aad(committer_tag(&machine.tag_key, machine.own().unwrap().id));
    let builder = machine.group.commit_builder().add_proposal(proposal);
    let builder = builder.load_psks(OpenMlsProvider::storage(&wallet)).unwrap();
    let bundle = builder
        .build(machine.provider.rand(), machine.provider.crypto(), &LeafSigner(&machine.leaf_key), |_| true)
        .unwrap()
        .stage_commit(&machine.provider)
        .unwrap();
    let blob = bundle.into_commit().tls_serialize_detached().unwrap();
    machine.group.clear_pending_commit(machine.provider.storage()).unwrap();
    expect_refusal(&mut room, 0, blob, Refusal::Protocol);
}

#[test]
fn external_commits_and_external_proposals_are_refused() {
    let mut room = member_room(48);
    let host = &room.peers[0].machine;
    let group_info = host
        .group
        .export_group_info(host.provider.crypto(), &LeafSigner(&host.leaf_key), true)
        .unwrap()
        .tls_serialize_detached()
        .unwrap();
    let (blob, _) = external_commit(&group_info);
    expect_refusal(&mut room, 9, blob, Refusal::WireFormat);
    let package = package(&mut room);
    let key = SigningKey::generate(&mut SeededEntropy::new(801));
    let join = JoinProposal::new::<crate::provider::RamStorage>(
        package,
        room.peers[0].machine.group.group_id().clone(),
        room.peers[0].machine.group.epoch(),
        &LeafSigner(&key),
    );
    expect_refusal(&mut room, 9, join.unwrap().tls_serialize_detached().unwrap(), Refusal::WireFormat);
}

pub(super) fn external_commit(group_info: &[u8]) -> (Vec<u8>, MlsGroup) {
    let provider = Provider::new(Box::new(SeededEntropy::new(700)));
    let key = SigningKey::generate(&mut SeededEntropy::new(701));
    let credential = Credential::anonymous(DisplayName::new("Mallory").unwrap());
    let message = MlsMessageIn::tls_deserialize_exact_bytes(group_info).unwrap();
    let MlsMessageBodyIn::GroupInfo(info) = message.extract() else { panic!("a group info") };
    let parameters = LeafNodeParameters::builder().with_capabilities(capabilities()).build();
    let (group, bundle) = ExternalCommitBuilder::new()
        .with_config(crate::parameters::group_config(crate::safeguards::Safeguards::default()))
        .build_group(&provider, info, credential_with_key(&credential, &key.verifying_key()))
        .unwrap()
        .leaf_node_parameters(parameters)
        .load_psks(provider.storage())
        .unwrap()
        .build(provider.rand(), provider.crypto(), &LeafSigner(&key), |_| true)
        .unwrap()
        .finalize(&provider)
        .unwrap();
    (bundle.into_commit().tls_serialize_detached().unwrap(), group)
}

/// A participant makes a group of its own around the genuine rules and welcomes a knocker into it.
pub(super) fn phantom_welcome(room: &Room, joiner: &crate::Joiner) -> Vec<u8> {
    let entropy = Box::new(SeededEntropy::new(600));
    let machine = &room.peers[1].machine;
    machine.phantom_welcome(joiner.key_package(), PhantomRules::Copied, entropy).unwrap()
}

#[test]
fn sec_19_a_copied_rules_object_does_not_make_its_thief_a_host() {
    let mut room = member_room(51);
    let joiner = room.joiner();
    let welcome = phantom_welcome(&room, &joiner);
    assert_eq!(
        joiner.join(room.now, &welcome, &room.expectation()).err(),
        Some(crate::GroupError::Unbelievable(crate::JoinRefusal::WelcomeSigner))
    );
}

#[test]
fn sec_19_rules_that_somebody_invented_do_not_chain_to_the_link() {
    let mut room = member_room(54);
    let joiner = room.joiner();
    let entropy = Box::new(SeededEntropy::new(610));
    let machine = &room.peers[1].machine;
    let welcome = machine.phantom_welcome(joiner.key_package(), PhantomRules::Invented, entropy).unwrap();
    assert_eq!(
        joiner.join(room.now, &welcome, &room.expectation()).err(),
        Some(crate::GroupError::Unbelievable(crate::JoinRefusal::Rules))
    );
}

#[test]
fn a_claim_to_be_our_own_commit_counts_only_byte_for_byte() {
    let mut room = member_room(52);
    // What the log holds claims to come from the host, but is not what the host has outstanding.
    let impostor = forge(&mut room.peers[0].machine, |builder| builder.force_self_update(true));
    let joiner = room.joiner();
    room.admit(0, &joiner, None);
    let epoch = room.peers[0].machine.epoch();
    let seq = room.peers[0].read as u64;
    room.input(0, crate::GroupInput::LogEntry { seq, blob: impostor }).unwrap();
    assert_eq!(room.peers[0].machine.epoch(), epoch);
    assert_eq!(room.peers[0].skipped.last(), Some(&(seq, Refusal::NotOurs)));
}
