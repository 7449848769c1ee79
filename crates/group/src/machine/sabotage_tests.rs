//! Control runs: with exactly one safeguard off, the attack that it stops succeeds.

use core::time::Duration;

use openmls::prelude::{CommitBuilder, LeafNodeIndex, LeafNodeParameters};
use tls_codec::Serialize as _;

use incamera_identity::{Credential, DisplayName};
use incamera_types::RoomId;

use super::hostile_tests::{external_commit, forge, phantom_welcome, second_update};
use crate::parameters::credential_with_key;
use crate::provider::LeafSigner;
use crate::testing::Room;
use crate::{GroupInput, Safeguards};

fn room_without(seed: u64, safeguards: Safeguards) -> Room {
    let mut room = Room::of(4, seed);
    room.pass(Duration::from_millis(250));
    for peer in &mut room.peers {
        peer.machine.set_safeguards(safeguards);
    }
    room
}

fn remove_host(
    builder: CommitBuilder<'_, openmls::group::Initial>,
) -> CommitBuilder<'_, openmls::group::Initial> {
    builder.propose_removals([LeafNodeIndex::new(0)])
}

#[test]
fn without_the_filter_an_external_commit_gets_in() {
    let mut room = room_without(60, Safeguards { filter: false, ..Safeguards::default() });
    let host = &room.peers[0].machine;
    let info = host
        .group
        .export_group_info(
            openmls_traits::OpenMlsProvider::crypto(&host.provider),
            &LeafSigner(&host.leaf_key),
            true,
        )
        .unwrap()
        .tls_serialize_detached()
        .unwrap();
    let (blob, _) = external_commit(&info);
    room.log.push(blob);
    room.settle();
    assert_eq!(room.peers[0].machine.roster().len(), 5);
}

#[test]
fn without_authority_a_participant_removes_the_host() {
    let mut room = room_without(61, Safeguards { authority: false, ..Safeguards::default() });
    let blob = forge(&mut room.peers[1].machine, remove_host);
    room.log.push(blob);
    room.deliver();
    assert!(room.peers[0].removed);
}

#[test]
fn without_first_valid_wins_the_group_forks() {
    let mut room = room_without(62, Safeguards { first_valid_wins: false, ..Safeguards::default() });
    let joiner = room.joiner();
    room.admit(0, &joiner, None);
    let update = forge(&mut room.peers[1].machine, |builder| builder.force_self_update(true));
    room.log.push(update);
    room.append(0);
    room.deliver();
    assert_eq!(room.peers[0].machine.epoch(), room.peers[2].machine.epoch());
    assert_ne!(room.peers[0].machine.authenticator(), room.peers[2].machine.authenticator());
}

#[test]
fn without_the_signer_check_a_thief_of_rules_is_believed() {
    let mut room = Room::of(4, 63);
    let joiner = room.joiner().with_safeguards(Safeguards { welcome_signer: false, ..Safeguards::default() });
    let welcome = phantom_welcome(&room, &joiner);
    assert!(joiner.join(room.now, &welcome, &room.expectation()).is_ok());
}

#[test]
fn without_the_rules_chain_a_phantom_room_is_believed() {
    let mut phantom = Room::found(64);
    let joiner = phantom.joiner().with_safeguards(Safeguards { rules_chain: false, ..Safeguards::default() });
    let admission = phantom.admit(0, &joiner, None);
    phantom.settle();
    let mut expectation = Room::found(65).expectation();
    expectation.room = RoomId([1; 16]);
    assert!(joiner.join(phantom.now, &phantom.welcomes[&admission], &expectation).is_ok());
}

#[test]
fn without_confirmation_a_joiner_speaks_at_once() {
    let mut room = Room::found(66);
    let joiner = room.joiner().with_safeguards(Safeguards { confirmation: false, ..Safeguards::default() });
    let admission = room.admit(0, &joiner, None);
    room.settle();
    let mut machine = joiner.join(room.now, &room.welcomes[&admission], &room.expectation()).unwrap();
    assert!(machine.seal_application(b"x").is_ok());
}

#[test]
fn without_erasure_a_removed_members_late_message_is_read() {
    let mut room = room_without(67, Safeguards { past_epoch_erasure: false, ..Safeguards::default() });
    let late = room.peers[2].machine.seal_application(b"late").unwrap();
    let gone = room.peers[2].id();
    room.remove(0, gone);
    room.settle();
    room.log.push(late.blob.to_vec());
    room.settle();
    assert_eq!(room.peers[1].heard.last().unwrap().1, b"late");
}

#[test]
fn without_comparing_bytes_a_false_echo_merges_a_commit_that_nobody_else_has() {
    let mut room = room_without(68, Safeguards { own_echo_bytes: false, ..Safeguards::default() });
    let impostor = forge(&mut room.peers[0].machine, |builder| builder.force_self_update(true));
    let joiner = room.joiner();
    room.admit(0, &joiner, None);
    let seq = room.peers[0].read as u64;
    room.input(0, GroupInput::LogEntry { seq, blob: impostor }).unwrap();
    assert!(room.peers[0].machine.epoch() > room.peers[1].machine.epoch());
}

#[test]
fn without_the_path_check_a_member_renames_itself() {
    let mut room = room_without(69, Safeguards { path_leaf: false, ..Safeguards::default() });
    let key = room.peers[1].machine.own().unwrap().leaf_key;
    let renamed = Credential::anonymous(DisplayName::new("Host").unwrap());
    let parameters =
        LeafNodeParameters::builder().with_credential_with_key(credential_with_key(&renamed, &key)).build();
    let blob = forge(&mut room.peers[1].machine, |builder| builder.leaf_node_parameters(parameters));
    let epoch = room.peers[0].machine.epoch();
    room.log.push(blob);
    room.peers[1].read += 1;
    room.deliver();
    assert_eq!(room.peers[0].machine.epoch(), epoch.next());
}

#[test]
fn without_spacing_a_participant_commits_again_and_again() {
    let mut room = room_without(70, Safeguards { commit_spacing: false, ..Safeguards::default() });
    let blob = second_update(&mut room);
    let epoch = room.peers[0].machine.epoch();
    room.log.push(blob);
    room.peers[1].read += 1;
    room.deliver();
    assert_eq!(room.peers[0].machine.epoch(), epoch.next());
}
