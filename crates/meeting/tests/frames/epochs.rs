//! How keys live and die (wire.md §5, "Epoch change").

use incamera_meeting::frames::{InstallError, OLD_KEYS_LIVE_FOR};
use incamera_types::Context;

use crate::room::{Room, START, drain, member, millis, opens, receive, send};

const MIC: Context = Context::Microphone;
const CAM: Context = Context::CameraHigh;

/// SEC-05
#[test]
fn removed_member_cannot_be_heard_in_any_epoch_from_that_moment() {
    let room = Room::of(3);
    let mut removed = room.sealer(2);
    let mut receiver = room.receiver(0);
    assert!(opens(&mut receiver, START, MIC, &send(&mut removed, START, MIC)));
    receiver.install(START, room.without(2).keys(0, START.mono)).unwrap();
    assert!(!opens(&mut receiver, START, MIC, &send(&mut removed, START, MIC)));
    assert!(receiver.members(START).all(|media| media.member != member(2, 0)));
}

/// SEC-05
#[test]
fn dropped_member_loses_its_keys_before_the_next_epoch_comes() {
    let room = Room::of(3);
    let (mut dropped, mut other) = (room.sealer(2), room.sealer(1));
    let mut receiver = room.receiver(0);
    receiver.drop_member(member(2, 0));
    assert!(!opens(&mut receiver, START, MIC, &send(&mut dropped, START, MIC)));
    assert!(opens(&mut receiver, START, MIC, &send(&mut other, START, MIC)));
    // The epoch after that is one without somebody: old keys die early.
    let next = room.without(2);
    receiver.install(START, next.keys(0, START.mono)).unwrap();
    let old = send(&mut other, START, MIC);
    other.install(&next.keys(1, START.mono)).unwrap();
    assert!(opens(&mut receiver, START, MIC, &send(&mut other, START, MIC)));
    assert!(!opens(&mut receiver, START, MIC, &old));
}

/// SEC-05
#[test]
fn after_a_removal_an_old_key_dies_at_its_senders_first_new_frame() {
    let room = Room::of(3);
    let next = room.without(2);
    let mut sealer = room.sealer(1);
    let mut receiver = room.receiver(0);
    for context in [MIC, CAM] {
        assert!(opens(&mut receiver, START, context, &send(&mut sealer, START, context)));
    }
    receiver.install(START, next.keys(0, START.mono)).unwrap();
    let old = [MIC, MIC, CAM].map(|context| send(&mut sealer, START, context));
    assert!(opens(&mut receiver, START, MIC, &old[0]), "not yet superseded");

    sealer.install(&next.keys(1, START.mono)).unwrap();
    assert!(opens(&mut receiver, START, MIC, &send(&mut sealer, START, MIC)));
    assert!(!opens(&mut receiver, START, MIC, &old[1]));
    assert!(opens(&mut receiver, START, CAM, &old[2]), "another stream's key");
}

/// SEC-05
#[test]
fn after_a_removal_old_keys_are_gone_within_half_a_second() {
    let room = Room::of(3);
    let mut sealer = room.sealer(1);
    let mut receiver = room.receiver(0);
    assert!(opens(&mut receiver, START, MIC, &send(&mut sealer, START, MIC)));
    receiver.install(START, room.without(2).keys(0, START.mono)).unwrap();
    let just = START.plus(OLD_KEYS_LIVE_FOR);
    let before = START.plus(millis(499));
    assert!(opens(&mut receiver, before, MIC, &send(&mut sealer, before, MIC)));
    assert!(!opens(&mut receiver, just, MIC, &send(&mut sealer, just, MIC)));
}

/// SEC-05
#[test]
fn after_a_removal_no_further_old_key_is_derived() {
    let room = Room::of(3);
    let mut silent_so_far = room.sealer(1);
    let mut receiver = room.receiver(0);
    receiver.install(START, room.without(2).keys(0, START.mono)).unwrap();
    assert!(!opens(&mut receiver, START, MIC, &send(&mut silent_so_far, START, MIC)));
}

/// SEC-10
#[test]
fn lost_right_counts_for_frames_of_the_old_epoch_too() {
    let room = Room::of(2);
    let mut restricted = room.next();
    restricted.people[1].2 = vec![MIC];
    let mut sealer = room.sealer(1);
    let mut receiver = room.receiver(0);
    assert!(opens(&mut receiver, START, CAM, &send(&mut sealer, START, CAM)));
    assert!(opens(&mut receiver, START, MIC, &send(&mut sealer, START, MIC)));
    receiver.install(START, restricted.keys(0, START.mono)).unwrap();
    assert!(!opens(&mut receiver, START, CAM, &send(&mut sealer, START, CAM)));
    assert!(opens(&mut receiver, START, MIC, &send(&mut sealer, START, MIC)));
}

#[test]
fn after_an_addition_late_frames_of_the_old_epoch_still_open() {
    let room = Room::of(2);
    let next = room.with(2, member(2, 0));
    let mut sealer = room.sealer(1);
    let mut receiver = room.receiver(0);
    let switch = START.mono.plus(millis(200));
    receiver.install(START, next.keys(0, switch)).unwrap();
    let overtaken = send(&mut sealer, START, CAM);
    let unheard_before = send(&mut sealer, START, MIC);
    sealer.install(&next.keys(1, START.mono)).unwrap();
    let now = START.plus(millis(100));
    assert!(opens(&mut receiver, now, CAM, &send(&mut sealer, now, CAM)));
    assert!(opens(&mut receiver, now, CAM, &overtaken));
    assert!(opens(&mut receiver, now, MIC, &unheard_before));
}

#[test]
fn after_an_addition_old_keys_die_half_a_second_after_the_switch() {
    let room = Room::of(2);
    let mut sealer = room.sealer(1);
    let mut receiver = room.receiver(0);
    let switch = START.mono.plus(millis(200));
    receiver.install(START, room.with(2, member(2, 0)).keys(0, switch)).unwrap();
    for (after, expected) in [(699, true), (700, false)] {
        let now = START.plus(millis(after));
        assert_eq!(opens(&mut receiver, now, MIC, &send(&mut sealer, now, MIC)), expected, "{after}");
    }
}

/// SEC-06
#[test]
fn joiner_opens_nothing_that_was_sent_before_it_joined() {
    let room = Room::of(2);
    let earlier = send(&mut room.sealer(1), START, MIC);
    let joined = room.with(2, member(2, 0));
    let mut receiver = joined.receiver(2);
    assert!(!opens(&mut receiver, START, MIC, &earlier));
    assert!(opens(&mut receiver, START, MIC, &send(&mut joined.sealer(1), START, MIC)));
}

#[test]
fn leaf_taken_over_in_one_commit_is_another_member() {
    let room = Room::of(3);
    let mut before = room.sealer(2);
    let mut receiver = room.receiver(0);
    assert!(opens(&mut receiver, START, MIC, &send(&mut before, START, MIC)));
    let mut next = room.without(2).with(2, member(2, 1));
    next.epoch = room.epoch.next();
    receiver.install(START, next.keys(0, START.mono)).unwrap();
    let old = send(&mut before, START, MIC);
    receive(&mut receiver, START, MIC, &old);
    receive(&mut receiver, START, MIC, &send(&mut next.sealer(2), START, MIC));
    assert_eq!(drain(&mut receiver).senders(), [member(2, 1)]);
}

/// SEC-03
#[test]
fn same_keys_installed_again_keep_the_replay_windows() {
    let room = Room::of(2);
    let bytes = send(&mut room.sealer(1), START, MIC);
    let mut receiver = room.receiver(0);
    assert!(opens(&mut receiver, START, MIC, &bytes));
    receiver.install(START, room.keys(0, START.mono)).unwrap();
    assert!(!opens(&mut receiver, START, MIC, &bytes));
}

#[test]
fn other_keys_of_the_same_epoch_take_over() {
    let room = Room::of(2);
    let won = Room { branch: 1, ..room.clone() };
    let mut receiver = room.receiver(0);
    receiver.install(START, won.keys(0, START.mono)).unwrap();
    assert!(!opens(&mut receiver, START, MIC, &send(&mut room.sealer(1), START, MIC)));
    assert!(opens(&mut receiver, START, MIC, &send(&mut won.sealer(1), START, MIC)));
}

#[test]
fn earlier_epoch_and_broken_keys_are_refused() {
    let room = Room::of(2);
    let mut receiver = room.next().receiver(0);
    assert_eq!(receiver.install(START, room.keys(0, START.mono)), Err(InstallError::StaleEpoch));
    let mut short = room.next().next().keys(0, START.mono);
    short.base_key.truncate(4);
    assert_eq!(receiver.install(START, short), Err(InstallError::BaseKeyLength));
    assert!(opens(&mut receiver, START, MIC, &send(&mut room.next().sealer(1), START, MIC)));
}

#[test]
fn media_flows_though_the_group_changes_as_fast_as_a_relay_lets_it() {
    let mut room = Room::of(2);
    let (mut sealer, mut receiver) = (room.sealer(1), room.receiver(0));
    let mut frames = Vec::new();
    let mut now = START;
    for step in 1..=1_000 {
        now = START.plus(millis(25 * step));
        if step % 5 == 0 {
            room = room.next();
            let switch_at = now.mono.plus(millis(200));
            sealer.install(&room.keys(1, switch_at)).unwrap();
            receiver.install(now, room.keys(0, switch_at)).unwrap();
        }
        receiver.handle_timeout(now);
        frames.push(send(&mut sealer, now, MIC));
        assert!(opens(&mut receiver, now, MIC, frames.last().unwrap()), "{step}");
    }
    // 64 epochs before, the key ids were the same and the keys were not.
    let before = &frames[frames.len() - 1 - 64 * 5];
    assert!(!opens(&mut receiver, now, MIC, before));
    assert!(opens(&mut receiver, now, MIC, &send(&mut sealer, now, MIC)));
}

#[test]
fn epoch_64_later_has_the_same_bits_and_other_keys() {
    let mut room = Room::of(2);
    let mut receiver = room.receiver(0);
    let old = send(&mut room.sealer(1), START, MIC);
    let mut now = START;
    for _ in 0..64 {
        room = room.next();
        now = now.plus(millis(1_000));
        receiver.install(now, room.keys(0, now.mono)).unwrap();
    }
    assert!(!opens(&mut receiver, now, MIC, &old));
    assert!(opens(&mut receiver, now, MIC, &send(&mut room.sealer(1), now, MIC)));
}
