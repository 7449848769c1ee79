//! Small groups over one virtual log.

use core::time::Duration;
use std::collections::BTreeSet;

use super::committer_tag;
use super::hostile_tests::{forge, forge_tagged};
use crate::parameters::UPDATE_PERIOD;
use crate::plan::{AuthorLeaf, Cause, Plan};
use crate::testing::Room;
use crate::{
    ApplicationOutcome, CommitTurn, EpochChange, GroupError, GroupInput, JoinRefusal, Lobby, Lock,
    MemberGrant, Powers, Refusal, Rights, Role, RuleEdit,
};
use incamera_types::{Context, Epoch};
use openmls::prelude::LeafNodeIndex;
use openmls_traits::OpenMlsProvider as _;
use openmls_traits::storage::StorageProvider as _;

#[test]
fn ten_members_agree_on_keys_roster_and_room_code() {
    let room = Room::of(10, 1);
    room.assert_agreement();
    assert_eq!(room.peers[0].machine.epoch(), Epoch(2), "one at once, then all who wait");
}

#[test]
fn first_knock_in_an_idle_room_is_committed_at_once_and_the_rest_every_250_ms() {
    let mut room = Room::found(2);
    let (first, second, third) = (room.joiner(), room.joiner(), room.joiner());
    room.admit(0, &first, None);
    assert_eq!(room.peers[0].outbox.len(), 1);
    room.settle();
    room.pass(Duration::from_millis(10));
    room.admit(0, &second, None);
    room.admit(0, &third, None);
    room.pass(Duration::from_millis(230));
    assert!(room.peers[0].outbox.is_empty(), "not before 250 ms have passed");
    room.pass(Duration::from_millis(10));
    assert_eq!(room.peers[0].outbox.len(), 1);
    room.settle();
    assert_eq!(room.peers[0].machine.roster().len(), 4);
}

#[test]
fn a_welcome_leaves_only_after_its_commit_won() {
    let mut room = Room::of(2, 3);
    let joiner = room.joiner();
    let admission = room.admit(0, &joiner, None);
    assert_eq!(room.peers[0].outbox.len(), 1);
    assert!(!room.welcomes.contains_key(&admission));
    room.settle();
    assert!(room.welcomes.contains_key(&admission));
}

#[test]
fn a_withdrawn_admission_is_not_committed_and_undone_where_its_commit_was_on_its_way() {
    let mut room = Room::of(2, 31);
    let (ada, ben, cleo) = (room.joiner(), room.joiner(), room.joiner());
    let on_its_way = room.admit(0, &ada, None);
    let planned = room.admit(0, &ben, None);
    let wanted = room.admit(0, &cleo, None);
    for admission in [on_its_way, planned] {
        room.input(0, GroupInput::WithdrawAdmission(admission)).unwrap();
    }
    room.settle();
    assert!(room.peers[1].machine.roster().has_key(&ada.leaf_key()), "the log may have had it already");
    room.pass(Duration::from_millis(250));
    room.settle();
    assert!(room.welcomes.contains_key(&wanted));
    assert!(!room.welcomes.contains_key(&on_its_way) && !room.welcomes.contains_key(&planned));
    let members = room.peers[1].machine.roster();
    assert!(!members.has_key(&ada.leaf_key()) && !members.has_key(&ben.leaf_key()));
    room.assert_agreement_without_joiners(1);
}

#[test]
fn an_admission_that_was_withdrawn_from_a_commit_that_lost_takes_nobody_away() {
    let mut room = Room::of(3, 32);
    make_cohost(&mut room, 1);
    let ada = room.joiner();
    let withdrawn = room.admit(0, &ada, None);
    let admitted = room.admit(1, &ada, None);
    room.input(0, GroupInput::WithdrawAdmission(withdrawn)).unwrap();
    room.append(1);
    room.append(0);
    room.deliver();
    room.pass(Duration::from_millis(250));
    room.settle();
    assert!(room.welcomes.contains_key(&admitted) && !room.welcomes.contains_key(&withdrawn));
    assert!(room.peers[2].machine.roster().has_key(&ada.leaf_key()));
    room.assert_agreement_without_joiners(1);
}

#[test]
fn one_hundred_people_join_at_once_in_two_commits() {
    let mut room = Room::of(2, 4);
    let entries = room.log.len();
    let seals = room.peers[0].machine.hpke_seals();
    room.join_many(100);
    room.settle();
    assert_eq!(room.peers[0].machine.hpke_seals() - seals, 100, "one for each Welcome, none for a path");
    assert_eq!(room.log.len() - entries, 2, "the first at once, the others together");
    room.assert_agreement();
    assert_eq!(room.peers[0].machine.roster().len(), 102);
}

fn make_cohost(room: &mut Room, peer: usize) {
    let key = room.peers[peer].machine.own().unwrap().leaf_key;
    let grant = MemberGrant { role: Role::Host, rights: Rights::ALL };
    room.input(0, GroupInput::EditRules(vec![RuleEdit::Grant(key, grant)])).unwrap();
    room.pass(Duration::from_millis(250));
    room.settle();
    room.pass(Duration::from_millis(250));
}

#[test]
fn of_two_racing_commits_the_first_in_the_log_wins_and_the_other_is_made_again() {
    let mut room = Room::of(3, 5);
    make_cohost(&mut room, 1);
    let (ada, bob) = (room.joiner(), room.joiner());
    let lost = room.admit(0, &ada, None);
    let won = room.admit(1, &bob, None);
    let epoch = room.peers[0].machine.epoch();
    room.append(1);
    room.append(0);
    room.deliver();
    assert_eq!(room.peers[2].machine.epoch(), epoch.next());
    assert!(room.welcomes.contains_key(&won) && !room.welcomes.contains_key(&lost));
    assert_eq!(room.peers[2].skipped.last().unwrap().1, Refusal::OtherEpoch);
    room.assert_agreement_without_joiners(1);
    room.pass(Duration::from_millis(250));
    room.settle();
    assert!(room.welcomes.contains_key(&lost), "the loser commits again in the next epoch");
}

#[test]
fn sec_05_removed_member_learns_it_and_can_read_nothing_sent_after() {
    let mut room = Room::of(4, 6);
    room.pass(Duration::from_millis(250));
    let gone = room.peers[2].id();
    room.remove(0, gone);
    room.settle();
    assert!(room.peers[2].removed);
    room.assert_agreement();
    let keys = room.peers[1].keys.last().unwrap();
    assert_eq!(keys.change, EpochChange::Restricted);
    assert!(keys.members.iter().all(|member| member.member != gone));
    let sealed = room.peers[0].machine.seal_application(b"after").unwrap();
    let before = room.peers[2].heard.len();
    room.log.push(sealed.blob.to_vec());
    room.settle();
    assert_eq!(room.peers[2].heard.len(), before);
    assert_eq!(room.peers[1].heard.last().unwrap().1, b"after");
}

#[test]
fn sec_05_nine_members_that_commit_in_turn_do_not_keep_a_removal_from_being_committed() {
    let mut room = Room::of(11, 24);
    room.pass(Duration::from_millis(250));
    room.remove(0, room.peers[10].id());
    for turn in 0..40 {
        let (now, churner) = (room.now, 1 + turn % 9);
        assert!(room.peers[churner].machine.renew_leaf(now));
        room.drain(churner);
        assert_eq!(room.peers[0].outbox.len(), 1, "made anew in each epoch that it did not win");
        room.append(churner);
        room.append(0);
        room.deliver();
        room.pass(Duration::from_millis(125));
    }
    room.settle();
    assert!(room.peers[10].removed);
    room.assert_agreement();
}

#[test]
fn sec_05_a_removed_members_late_message_is_not_read() {
    let mut room = Room::of(3, 7);
    room.pass(Duration::from_millis(250));
    let late = room.peers[2].machine.seal_application(b"late").unwrap();
    room.remove(0, room.peers[2].id());
    room.settle();
    room.log.push(late.blob.to_vec());
    room.settle();
    assert!(room.peers[1].heard.is_empty());
    assert_eq!(room.peers[1].skipped.last().unwrap().1, Refusal::OtherEpoch);
}

#[test]
fn a_message_overtaken_by_a_commit_is_reported_missed_and_delivered_when_repeated() {
    let mut room = Room::of(3, 8);
    room.pass(Duration::from_millis(250));
    let overtaken = room.peers[1].machine.seal_application(b"hello").unwrap();
    let joiner = room.joiner();
    room.admit(0, &joiner, None);
    room.append(0);
    room.log.push(overtaken.blob.to_vec());
    room.deliver();
    assert_eq!(room.peers[1].settled, [ApplicationOutcome::Missed]);
    assert!(room.peers[0].heard.is_empty());
    let again = room.peers[1].machine.seal_application(b"hello").unwrap();
    room.log.push(again.blob.to_vec());
    room.deliver();
    assert!(matches!(room.peers[1].settled[1], ApplicationOutcome::Delivered { .. }));
    assert_eq!(room.peers[0].heard, [(room.peers[1].id(), b"hello".to_vec())]);
    assert_eq!(room.peers[2].heard.len(), 1);
}

#[test]
fn the_same_person_comes_back_by_a_new_leaf_that_replaces_the_old_one_in_one_commit() {
    let mut room = Room::of(4, 9);
    room.pass(Duration::from_millis(250));
    let old = room.peers[2].id();
    let joiner = room.joiner();
    let admission = room.admit(0, &joiner, Some(old));
    room.settle();
    let welcome = room.welcomes[&admission].clone();
    let mut machine = joiner.join(room.now, &welcome, &room.expectation()).unwrap();
    machine.confirm(room.now).unwrap();
    room.enter(machine);
    assert!(room.peers[2].removed);
    room.assert_agreement();
    let new = room.peers[4].machine.own().unwrap();
    assert_eq!(new.leaf.0, 2, "the leaf index is used again");
    assert_ne!(new.id, old, "the member id is not");
}

#[test]
/// SEC-07.
fn leaf_updates_are_paced_heal_the_tree_and_leave_the_room_code_alone() {
    let mut room = Room::of(3, 10);
    let code = room.peers[0].machine.room_code();
    let epoch = room.peers[0].machine.epoch();
    for _ in 0..20 {
        room.pass(Duration::from_millis(500));
        room.settle();
    }
    room.assert_agreement();
    let updates = room.peers[0].machine.epoch().0 - epoch.0;
    assert_eq!(updates, 3, "each member once, one every two seconds");
    assert_eq!(room.peers[0].machine.room_code(), code);
    for _ in 0..20 {
        room.pass(Duration::from_secs(20));
        room.settle();
    }
    assert_eq!(room.peers[0].machine.epoch().0 - epoch.0, updates, "not again before ten minutes");
    room.pass(Duration::from_secs(300));
    room.settle();
    assert!(room.peers[0].machine.epoch().0 - epoch.0 > updates);
}

#[test]
fn sec_07_updates_of_others_put_off_an_own_one_by_a_period_at_the_most() {
    let mut room = Room::of(3, 26);
    let (others, start) = (room.peers[1].id(), room.now.mono);
    let host = &mut room.peers[0].machine;
    let (roster, own) = (host.roster.clone(), host.own().unwrap().clone());
    let due = |plan: &Plan| plan.due(&roster, &own).unwrap();
    let first = due(&host.plan);
    for second in 0..1_000 {
        let now = start.plus(Duration::from_secs(second));
        host.plan.note_commit(now, &roster, &own, (others, AuthorLeaf::Renewed));
    }
    assert_eq!(due(&host.plan), first.plus(UPDATE_PERIOD));
}

#[test]
fn the_lowest_online_leaf_that_may_commits_first_and_the_next_after_a_second() {
    let mut room = Room::of(3, 11);
    make_cohost(&mut room, 1);
    let online: BTreeSet<_> = room.peers.iter().map(|peer| peer.id()).collect();
    for peer in 0..3 {
        room.input(peer, GroupInput::SetOnline(online.clone())).unwrap();
    }
    let member = room.peers[2].id();
    for peer in 0..2 {
        room.input(peer, GroupInput::Remove { member, turn: CommitTurn::Shared }).unwrap();
    }
    assert_eq!((room.peers[0].outbox.len(), room.peers[1].outbox.len()), (1, 0));
    room.peers[0].outbox.clear();
    room.pass(Duration::from_millis(999));
    assert!(room.peers[1].outbox.is_empty());
    room.pass(Duration::from_millis(1));
    assert_eq!(room.peers[1].outbox.len(), 1);
}

#[test]
fn a_commit_that_the_log_does_not_show_is_sent_again_byte_for_byte() {
    let mut room = Room::of(2, 12);
    room.pass(Duration::from_millis(250));
    let joiner = room.joiner();
    room.admit(0, &joiner, None);
    room.pass(Duration::from_secs(3));
    let [first, second] = &room.peers[0].outbox[..] else { panic!("sent twice") };
    assert_eq!(first, second);
    room.settle();
    assert_eq!(room.peers[1].machine.roster().len(), 3);
    assert_eq!(room.peers[1].skipped.last().unwrap().1, Refusal::OtherEpoch, "the copy changes nothing");
}

#[test]
fn a_commit_that_may_be_lost_is_sent_again_when_asked_and_then_after_three_seconds() {
    let mut room = Room::of(2, 25);
    room.pass(Duration::from_millis(250));
    let joiner = room.joiner();
    room.admit(0, &joiner, None);
    room.pass(Duration::from_secs(10));
    let sent = room.peers[0].outbox.len();
    room.input(0, GroupInput::SendAgain).unwrap();
    assert_eq!(room.peers[0].outbox.len(), sent + 1);
    room.pass(Duration::from_secs(3));
    assert_eq!(room.peers[0].outbox.len(), sent + 2, "not later and later as before");
    room.settle();
    room.input(0, GroupInput::SendAgain).unwrap();
    assert!(room.peers[0].outbox.is_empty(), "nothing is on its way");
}

#[test]
fn sec_10_rules_change_by_the_host_and_rights_reach_the_keys() {
    let mut room = Room::of(3, 13);
    room.pass(Duration::from_millis(250));
    let key = room.peers[1].machine.own().unwrap().leaf_key;
    let mute = MemberGrant { role: Role::Participant, rights: Rights::SHOW };
    let edits = vec![RuleEdit::Grant(key, mute), RuleEdit::SetLobby(Lobby::On)];
    room.input(0, GroupInput::EditRules(edits)).unwrap();
    room.settle();
    room.assert_agreement();
    let keys = room.peers[2].keys.last().unwrap();
    assert_eq!(keys.change, EpochChange::Restricted, "a right was lost");
    let muted = keys.members.iter().find(|member| member.member == room.peers[1].id()).unwrap();
    assert!(!muted.contexts.contains(Context::Microphone));
    assert!(muted.contexts.contains(Context::CameraHighAttestation));
    assert_eq!(room.peers[2].machine.rules().rules().lobby, Lobby::On);
    assert_eq!(room.peers[2].machine.rules().rules().version, 2);
}

#[test]
fn sec_10_participants_are_refused_before_they_commit() {
    let mut room = Room::of(3, 14);
    let joiner = room.joiner();
    let admit = GroupInput::Admit {
        admission: crate::AdmissionId(1),
        key_package: joiner.key_package().to_vec(),
        replaces: None,
        turn: CommitTurn::Own,
    };
    assert_eq!(room.input(1, admit), Err(GroupError::NotAllowed));
    let member = room.peers[2].id();
    let remove = GroupInput::Remove { member, turn: CommitTurn::Own };
    assert_eq!(room.input(1, remove), Err(GroupError::NotAllowed));
    let edit = GroupInput::EditRules(vec![RuleEdit::SetLock(Lock::Locked)]);
    assert_eq!(room.input(1, edit), Err(GroupError::NotAllowed));
}

#[test]
fn a_locked_room_lets_in_only_who_replaces_a_member() {
    let mut room = Room::of(3, 15);
    room.pass(Duration::from_millis(250));
    room.input(0, GroupInput::EditRules(vec![RuleEdit::SetLock(Lock::Locked)])).unwrap();
    let stranger = room.joiner();
    let waiting = room.admit(0, &stranger, None);
    room.settle();
    assert_eq!(room.peers[0].failed, [(waiting, Refusal::Locked)]);
    room.pass(Duration::from_millis(250));
    let returning = room.joiner();
    let admission = room.admit(0, &returning, Some(room.peers[2].id()));
    room.settle();
    assert!(room.welcomes.contains_key(&admission));
}

#[test]
fn a_cohost_with_a_delegation_changes_rules_without_the_room_key() {
    let mut room = Room::of(3, 16);
    let key = room.peers[1].machine.own().unwrap().leaf_key;
    let grant = MemberGrant { role: Role::Host, rights: Rights::ALL };
    let delegation =
        crate::Delegation::issue(crate::testing::ROOM, &room.room_key, key, Powers::RULES.with(Powers::CARD));
    let edits = vec![RuleEdit::Grant(key, grant), RuleEdit::Delegate(Box::new(delegation))];
    room.pass(Duration::from_millis(250));
    room.input(0, GroupInput::EditRules(edits)).unwrap();
    room.settle();
    room.pass(Duration::from_millis(250));
    room.input(1, GroupInput::EditRules(vec![RuleEdit::SetLobby(Lobby::On)])).unwrap();
    room.settle();
    room.assert_agreement();
    assert_eq!(room.peers[2].machine.rules().rules().lobby, Lobby::On);
}

#[test]
fn sec_19_an_unconfirmed_joiner_is_silent_and_has_no_keys() {
    let mut room = Room::of(2, 17);
    room.pass(Duration::from_millis(250));
    let joiner = room.joiner();
    let admission = room.admit(0, &joiner, None);
    room.settle();
    let welcome = room.welcomes[&admission].clone();
    let machine = joiner.join(room.now, &welcome, &room.expectation()).unwrap();
    let at = room.enter(machine);
    assert!(room.peers[at].machine.is_joining() && room.peers[at].keys.is_empty());
    assert_eq!(room.peers[at].machine.seal_application(b"x"), Err(GroupError::StillJoining));
    room.pass(Duration::from_secs(3_600));
    assert!(room.peers[at].outbox.is_empty());
    room.settle();
    let now = room.now;
    room.peers[at].machine.confirm(now).unwrap();
    room.drain(at);
    assert_eq!(room.peers[at].keys.len(), 1);
    room.assert_agreement();
}

#[test]
fn sec_19_a_welcome_for_another_room_key_or_room_is_refused_and_does_not_use_up_the_key_package() {
    let mut room = Room::of(2, 18);
    room.pass(Duration::from_millis(250));
    let joiner = room.joiner();
    let mut phantom = Room::found(99);
    let false_admission = phantom.admit(0, &joiner, None);
    phantom.settle();
    let refused =
        joiner.join(room.now, &phantom.welcomes[&false_admission], &room.expectation()).err().unwrap();
    assert_eq!(refused, GroupError::Unbelievable(JoinRefusal::Rules));
    let mut elsewhere = phantom.expectation();
    elsewhere.room = incamera_types::RoomId([1; 16]);
    let refused = joiner.join(room.now, &phantom.welcomes[&false_admission], &elsewhere).err().unwrap();
    assert_eq!(refused, GroupError::Unbelievable(JoinRefusal::OtherRoom));
    let admission = room.admit(0, &joiner, None);
    room.settle();
    assert!(joiner.join(room.now, &room.welcomes[&admission], &room.expectation()).is_ok());
}

#[test]
fn damaged_welcomes_and_foreign_welcomes_are_refused() {
    let mut room = Room::of(2, 19);
    room.pass(Duration::from_millis(250));
    let (joiner, other) = (room.joiner(), room.joiner());
    let admission = room.admit(0, &joiner, None);
    room.settle();
    let welcome = room.welcomes[&admission].to_vec();
    assert_eq!(other.join(room.now, &welcome, &room.expectation()).err(), Some(GroupError::Welcome));
    for at in [0, 5, welcome.len() / 2, welcome.len() - 1] {
        let mut damaged = welcome.clone();
        damaged[at] ^= 1;
        assert!(joiner.join(room.now, &damaged, &room.expectation()).is_err(), "{at}");
        assert!(joiner.join(room.now, &welcome[..at], &room.expectation()).is_err(), "{at}");
    }
    assert!(joiner.join(room.now, &welcome, &room.expectation()).is_ok());
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let run = || {
        let mut room = Room::of(40, 20);
        room.pass(Duration::from_millis(250));
        // One: openmls lists several removals of one commit in the order of a hash map.
        room.remove(0, room.peers[3].id());
        room.settle();
        for _ in 0..8 {
            room.pass(Duration::from_secs(1));
            room.settle();
        }
        (room.log.clone(), room.welcomes.values().map(|welcome| welcome.to_vec()).collect::<Vec<_>>())
    };
    assert_eq!(run(), run());
}

#[test]
fn entries_read_twice_and_junk_change_nothing() {
    let mut room = Room::of(2, 21);
    let epoch = room.peers[1].machine.epoch();
    let last = room.peers[1].machine.last_seq;
    room.log.push(b"junk".to_vec());
    room.log.push(vec![0; incamera_types::MAX_COMMIT_BYTES + 1]);
    room.settle();
    assert_eq!(room.peers[1].machine.epoch(), epoch);
    assert_ne!(room.peers[1].machine.last_seq, last);
    let blob = room.log[0].clone();
    room.input(1, GroupInput::LogEntry { seq: 0, blob }).unwrap();
    let reasons: Vec<_> = room.peers[1].skipped.iter().map(|(_, reason)| *reason).collect();
    assert_eq!(reasons, [Refusal::Malformed, Refusal::Malformed, Refusal::Replayed]);
}

/// Takes its private keys from a peer: to it, every path looks as a malicious committer can make it look.
fn lose_keys(room: &Room, peer: usize) {
    let victim = &room.peers[peer].machine;
    let (group_id, epoch) = (victim.group.group_id().clone(), victim.group.epoch());
    let leaf = victim.own_leaf().0;
    victim.provider.storage().delete_encryption_epoch_key_pairs(&group_id, &epoch, leaf).unwrap();
}

#[test]
fn who_cannot_open_a_commit_that_is_not_valid_stays_in_the_group_like_all_others() {
    let mut room = Room::of(4, 23);
    room.pass(Duration::from_millis(250));
    lose_keys(&room, 2);
    let eve = room.peers[1].id();
    let removal =
        forge(&mut room.peers[1].machine, |builder| builder.propose_removals([LeafNodeIndex::new(3)]));
    let host = committer_tag(&room.peers[1].machine.tag_key, room.peers[0].id());
    let in_the_hosts_name =
        forge_tagged(&mut room.peers[1].machine, host, |builder| builder.force_self_update(true));
    for (blob, reason) in [(removal, Refusal::MayNotRemove), (in_the_hosts_name, Refusal::CommitterTag)] {
        let seq = room.peers[2].read as u64;
        room.log.push(blob.clone());
        room.peers[1].read += 1;
        room.deliver();
        for peer in [0, 2, 3] {
            assert_eq!(room.peers[peer].skipped.last(), Some(&(seq, reason)));
        }
    }
    assert_eq!(room.peers[2].accused, [Some(eve), Some(eve)], "whoever signed it, whatever it claims");
    assert_eq!(room.peers[2].must_rejoin, None);
    room.assert_agreement();
}

#[test]
fn who_cannot_open_a_valid_commit_must_rejoin_and_names_the_committer() {
    let mut room = Room::of(4, 22);
    room.pass(Duration::from_millis(250));
    lose_keys(&room, 2);
    let (joiner, gone) = (room.joiner(), room.peers[3].id());
    let plan = &mut room.peers[0].machine.plan;
    plan.edits.push(RuleEdit::SetLobby(Lobby::On));
    plan.removals.insert(gone, Cause { since: room.now.mono, turn: CommitTurn::Own });
    room.admit(0, &joiner, None);
    room.settle();
    assert_eq!(room.peers[2].must_rejoin, Some(room.peers[0].id()));
    assert!(room.peers[2].machine.is_gone());
    assert_eq!(room.peers[1].machine.roster().len(), 4, "the others go on");
    let tick = room.input(2, GroupInput::Tick);
    assert_eq!(tick, Err(GroupError::NotMember));
}

#[test]
fn machines_can_be_sent_between_threads() {
    fn assert_send<T: Send>() {}
    assert_send::<crate::GroupMachine>();
    assert_send::<crate::Joiner>();
}
