//! Batches of which a part is refused.

use core::time::Duration;

use incamera_identity::{Credential, DisplayName, SigningKey};
use incamera_types::Mono;
use openmls::prelude::{KeyPackage, MlsMessageOut};
use tls_codec::{Serialize as _, VLByteSlice};

use crate::machine::hpke_keys;
use crate::message::{AdmissionId, CommitTurn, GroupInput, RuleEdit};
use crate::parameters::{capabilities, credential_with_key, lifetime};
use crate::plan::{Admission, Cause};
use crate::provider::{LeafSigner, Provider, SUITE};
use crate::rules::{Lobby, MAX_DELEGATIONS, MAX_REMOVAL, Powers};
use crate::testing::{ROOM, Room, SeededEntropy};
use crate::{Delegation, GroupError, Refusal};

fn key_package(leaf_key: &SigningKey) -> KeyPackage {
    let credential = Credential::anonymous(DisplayName::new("Eve").unwrap());
    KeyPackage::builder()
        .key_package_lifetime(lifetime())
        .leaf_node_capabilities(capabilities())
        .build(
            SUITE,
            &Provider::new(Box::new(SeededEntropy::new(900))),
            &LeafSigner(leaf_key),
            credential_with_key(&credential, &leaf_key.verifying_key()),
        )
        .unwrap()
        .into_key_package()
}

/// Puts an admission into the host's plan that openmls refuses: its leaf key is a member's.
fn plan_poison(room: &mut Room, id: AdmissionId) {
    let key_package = key_package(&room.peers[1].machine.leaf_key);
    let leaf_key = SigningKey::generate(&mut SeededEntropy::new(id.0)).verifying_key();
    let cause = Cause { since: Mono::from_micros(0), turn: CommitTurn::Own };
    let poison = Admission { id, key_package, leaf_key, replaces: None, cause };
    room.peers[0].machine.plan.admissions.push(poison);
}

fn commit_all(room: &mut Room) {
    for _ in 0..8 {
        room.pass(Duration::from_millis(250));
        room.settle();
    }
}

#[test]
fn sec_05_an_admission_that_cannot_be_committed_holds_up_nothing_else() {
    let mut room = Room::of(4, 80);
    let honest: Vec<_> = (0..3).map(|_| room.joiner()).collect();
    let first = room.admit(0, &honest[0], None);
    room.settle();
    plan_poison(&mut room, AdmissionId(7_000));
    let others = [room.admit(0, &honest[1], None), room.admit(0, &honest[2], None)];
    let gone = room.peers[2].id();
    room.remove(0, gone);
    room.input(0, GroupInput::EditRules(vec![RuleEdit::SetLobby(Lobby::On)])).unwrap();
    room.pass(Duration::from_millis(250));
    room.settle();
    assert!(room.peers[2].removed, "the removal does not wait for any admission");
    assert_eq!(room.peers[1].machine.rules().rules().lobby, Lobby::On);
    commit_all(&mut room);
    assert_eq!(room.peers[0].failed, [(AdmissionId(7_000), Refusal::Protocol)]);
    for admission in [first, others[0], others[1]] {
        assert!(room.welcomes.contains_key(&admission));
    }
    room.assert_agreement_without_joiners(3);
}

#[test]
fn edits_that_cannot_be_signed_are_reported_and_hold_up_no_removal() {
    let mut room = Room::of(4, 81);
    let edits = &mut room.peers[0].machine.plan.edits;
    edits.push(RuleEdit::SetDeadlines { media_stop: MAX_REMOVAL, removal: MAX_REMOVAL });
    edits.push(RuleEdit::SetDeadlines {
        media_stop: Duration::from_secs(20),
        removal: Duration::from_secs(40),
    });
    edits.push(RuleEdit::SetLobby(Lobby::On));
    edits.push(RuleEdit::SetDeadlines { media_stop: MAX_REMOVAL, removal: MAX_REMOVAL });
    let gone = room.peers[2].id();
    room.remove(0, gone);
    commit_all(&mut room);
    assert!(room.peers[2].removed);
    assert_eq!(room.peers[0].rules_failed, [Refusal::Rules]);
    let rules = room.peers[1].machine.rules().rules();
    assert_eq!((rules.removal, rules.lobby), (Duration::from_secs(40), Lobby::On));
    room.assert_agreement();
}

#[test]
fn a_removal_that_cannot_be_committed_is_reported() {
    let mut room = Room::of(3, 82);
    let host = room.peers[0].id();
    let cause = Cause { since: Mono::from_micros(0), turn: CommitTurn::Own };
    // Nobody can remove itself by a commit.
    room.peers[0].machine.plan.removals.insert(host, cause);
    let gone = room.peers[2].id();
    room.remove(0, gone);
    commit_all(&mut room);
    assert!(room.peers[2].removed);
    assert_eq!(room.peers[0].removals_failed, [(host, Refusal::Protocol)]);
}

#[test]
fn edits_that_are_too_many_together_are_refused_when_they_are_asked_for() {
    let mut room = Room::of(2, 83);
    let delegation = |seed: u64| {
        let key = SigningKey::generate(&mut SeededEntropy::new(seed)).verifying_key();
        RuleEdit::Delegate(Box::new(Delegation::issue(ROOM, &room.room_key, key, Powers::RULES)))
    };
    let edits: Vec<_> = (0..=MAX_DELEGATIONS as u64).map(delegation).collect();
    let (last, fitting) = edits.split_last().unwrap();
    room.input(0, GroupInput::EditRules(fitting.to_vec())).unwrap();
    let refused = room.input(0, GroupInput::EditRules(vec![last.clone()]));
    assert!(matches!(refused, Err(GroupError::Rules(_))), "{refused:?}");
}

fn signed(key: &SigningKey, label: &str, content: &[u8]) -> Vec<u8> {
    let label = format!("MLS 1.0 {label}");
    let parts = [label.as_bytes(), content].map(|part| VLByteSlice(part).tls_serialize_detached().unwrap());
    VLByteSlice(&key.sign(&parts.concat()).0).tls_serialize_detached().unwrap()
}

/// A key package with somebody else's HPKE key, for which nobody asks a proof of possession.
fn with_encryption_key(leaf_key: &SigningKey, encryption_key: &[u8]) -> Vec<u8> {
    const HEAD: usize = 4 + 33;
    const SIGNATURE: usize = 66;
    let package = key_package(leaf_key).tls_serialize_detached().unwrap();
    let mut leaf = package[HEAD..package.len() - 2 * SIGNATURE - 1].to_vec();
    leaf[1..33].copy_from_slice(encryption_key);
    leaf.extend(signed(leaf_key, "LeafNodeTBS", &leaf));
    let mut package = [&package[..HEAD], &leaf, &[0]].concat();
    package.extend(signed(leaf_key, "KeyPackageTBS", &package));
    [&[0, 1, 0, 5][..], &package].concat()
}

#[test]
fn a_key_package_with_the_hpke_key_of_a_member_is_not_admitted() {
    let mut room = Room::of(3, 84);
    let eve = SigningKey::generate(&mut SeededEntropy::new(901));
    let own = MlsMessageOut::from(key_package(&eve)).tls_serialize_detached().unwrap();
    let [_, own_key] = hpke_keys(&key_package(&eve));
    assert_eq!(with_encryption_key(&eve, &own_key), own, "the forger makes well-formed key packages");
    let members_key = room.peers[0].machine.group.members().nth(1).unwrap().encryption_key;
    let admit = |id: u64, key_package: Vec<u8>| GroupInput::Admit {
        admission: AdmissionId(id),
        key_package,
        replaces: None,
        turn: CommitTurn::Own,
    };
    let copied = with_encryption_key(&eve, &members_key);
    assert_eq!(room.input(0, admit(1, copied)), Err(GroupError::KeyPackage));
    let other = SigningKey::generate(&mut SeededEntropy::new(902));
    room.input(0, admit(2, own)).unwrap();
    let copied = with_encryption_key(&other, &own_key);
    assert_eq!(room.input(0, admit(3, copied)), Err(GroupError::KeyPackage));
}
