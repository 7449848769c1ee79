//! The receiving order of wire.md §4, step by step.

use incamera_meeting::MediaReport;
use incamera_meeting::frames::{FrameReceiver, HOLD_FOR, MAX_HELD_PER_SENDER};
use incamera_types::{Context, FrameBuf, LeafIndex, MediaKind, Mono};

use crate::room::{Room, START, drain, media, member, millis, opens, pass_time, receive, send};

const MIC: Context = Context::Microphone;
const CAM: Context = Context::CameraHigh;

#[test]
fn frame_is_delivered_by_its_key_with_sender_and_times() {
    let room = Room::of(3);
    let mut receiver = room.receiver(0);
    let bytes = send(&mut room.sealer(2), START, CAM);
    receive(&mut receiver, START.plus(millis(40)), CAM, &bytes);
    let drained = drain(&mut receiver);
    assert_eq!(drained.reports, [MediaReport::Opened { member: member(2, 0) }]);
    let [frame] = &drained.frames[..] else { panic!("one frame") };
    assert_eq!((frame.member, frame.epoch), (member(2, 0), room.epoch));
    assert_eq!((frame.capture, frame.arrival), (START.mono, START.mono.plus(millis(40))));
    assert_eq!(frame.frame.payload(), b"an encoded frame");
}

/// SEC-19
#[test]
fn nothing_is_played_before_the_start_or_after_the_stop() {
    let room = Room::of(2);
    let mut sealer = room.sealer(1);
    let mut receiver = FrameReceiver::new();
    receiver.install(START, room.keys(0, START.mono)).unwrap();
    assert!(!opens(&mut receiver, START, MIC, &send(&mut sealer, START, MIC)));
    receiver.start();
    assert!(opens(&mut receiver, START, MIC, &send(&mut sealer, START, MIC)));
    receiver.stop();
    assert!(!opens(&mut receiver, START, MIC, &send(&mut sealer, START, MIC)));
    assert_eq!(receiver.unattributed().stopped, 2);
}

#[test]
fn what_servers_inject_is_counted_and_belongs_to_nobody() {
    let mut receiver = Room::of(2).receiver(0);
    let silence = [0xf8, 0xff, 0xfe];
    let black = [0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x08, 0x00, 0x08, 0x00, 0x00, 0x01];
    for (track, bytes) in [
        (MediaKind::Audio, &silence[..]),
        (MediaKind::Audio, &[]),
        (MediaKind::Video, &black),
        (MediaKind::Video, &[]),
    ] {
        receiver.handle_frame(START, track, FrameBuf::from_slice(bytes));
    }
    assert_eq!(receiver.unattributed().injected, 4);
    assert!(drain(&mut receiver).frames.is_empty());
}

#[test]
fn own_frame_sent_back_to_us_is_not_played() {
    let room = Room::of(2);
    let mut receiver = room.receiver(0);
    let bytes = send(&mut room.sealer(0), START, MIC);
    assert!(!opens(&mut receiver, START, MIC, &bytes));
    let later = send(&mut room.next().sealer(0), START, MIC);
    assert!(!opens(&mut receiver, START, MIC, &later));
    assert_eq!(receiver.unattributed().reflected, 2);
}

/// SEC-10
#[test]
fn stream_against_the_rules_is_dropped_and_reported_once_a_second() {
    let mut room = Room::of(2);
    let mut sealer = room.sealer(1);
    room.people[1].2 = vec![MIC];
    let mut receiver = room.receiver(0);
    let mut reports = vec![];
    for step in 0..20 {
        let now = START.plus(millis(step * 100));
        let bytes = send(&mut sealer, now, CAM);
        receive(&mut receiver, now, CAM, &bytes);
        let drained = drain(&mut receiver);
        assert!(drained.frames.is_empty());
        reports.extend(drained.reports);
    }
    assert_eq!(reports, [MediaReport::NotAllowed { member: member(1, 0) }; 2]);
    let media = receiver.members(START).next().unwrap();
    assert_eq!(media.counts.not_permitted, 20);
}

/// SEC-03
#[test]
fn copies_are_counted_silently() {
    let room = Room::of(2);
    let mut receiver = room.receiver(0);
    let bytes = send(&mut room.sealer(1), START, MIC);
    assert!(opens(&mut receiver, START, MIC, &bytes));
    for _ in 0..9 {
        assert!(!opens(&mut receiver, START, MIC, &bytes));
    }
    assert_eq!(receiver.members(START).next().unwrap().counts.replayed, 9);
    assert!(pass_time(&mut receiver, START, millis(5_000)).is_empty());
}

#[cfg(feature = "danger-sabotage")]
#[test]
fn without_the_replay_window_copies_are_played() {
    let room = Room::of(2);
    let off = incamera_sframe::Safeguards { skip_replay_window: true, ..Default::default() };
    let mut receiver = FrameReceiver::new().with_safeguards(off);
    receiver.install(START, room.keys(0, START.mono)).unwrap();
    receiver.start();
    let bytes = send(&mut room.sealer(1), START, MIC);
    assert!(opens(&mut receiver, START, MIC, &bytes) && opens(&mut receiver, START, MIC, &bytes));
}

/// SEC-08
#[test]
fn member_that_is_held_is_not_played_until_it_is_released() {
    let room = Room::of(2);
    let mut sealer = room.sealer(1);
    let mut receiver = room.receiver(0);
    receiver.hold_member(member(1, 0));
    assert!(!opens(&mut receiver, START, MIC, &send(&mut sealer, START, MIC)));
    receiver.release_member(member(1, 0));
    assert!(opens(&mut receiver, START, MIC, &send(&mut sealer, START, MIC)));
    assert_eq!(receiver.members(START).next().unwrap().counts.held_back, 1);
}

#[test]
fn frames_of_the_next_epoch_wait_for_its_keys_and_keep_their_order() {
    let room = Room::of(2);
    let mut sealer = room.next().sealer(1);
    let mut receiver = room.receiver(0);
    for step in 0..10 {
        let now = START.plus(millis(step * 20));
        let bytes = send(&mut sealer, now, MIC);
        assert!(!opens(&mut receiver, now, MIC, &bytes));
    }
    let now = START.plus(millis(200));
    receiver.install(now, room.next().keys(0, now.mono)).unwrap();
    let drained = drain(&mut receiver);
    let counters: Vec<_> = drained.frames.iter().map(|frame| frame.frame.counter()).collect();
    assert_eq!(counters, (0..10).collect::<Vec<_>>());
    assert_eq!(drained.frames[3].arrival, START.mono.plus(millis(60)));
    assert_eq!(receiver.members(now).next().unwrap().counts.missing_key, 0);
}

/// SEC-15
#[test]
fn no_more_than_32_frames_wait_for_a_sender() {
    let room = Room::of(3);
    let next = room.next();
    let (mut loud, mut quiet) = (next.sealer(1), next.sealer(2));
    let mut receiver = room.receiver(0);
    for _ in 0..100 {
        receive(&mut receiver, START, MIC, &send(&mut loud, START, MIC));
    }
    receive(&mut receiver, START, MIC, &send(&mut quiet, START, MIC));
    drain(&mut receiver);
    receiver.install(START, next.keys(0, START.mono)).unwrap();
    let senders = drain(&mut receiver).senders();
    assert_eq!(senders.len(), usize::from(MAX_HELD_PER_SENDER) + 1);
    assert_eq!(senders.last(), Some(&member(2, 0)), "a loud sender takes nobody's place");
    assert_eq!(receiver.unattributed().hold_overflow, 100 - u64::from(MAX_HELD_PER_SENDER));
}

/// SEC-15
#[test]
fn waiting_frames_are_bounded_in_bytes_over_all_senders() {
    let room = Room::of(40);
    let next = room.next();
    let mut receiver = room.receiver(0);
    for leaf in 1..40 {
        let mut sealer = next.sealer(leaf);
        let mut big = media(START, CAM);
        big.buf = FrameBuf::from_slice(&vec![0; 1 << 20]);
        let sealed = sealer.seal(START, CAM, big).unwrap();
        receive(&mut receiver, START, CAM, sealed.payload());
    }
    assert_eq!(receiver.unattributed().hold_overflow, 39 - 5);
}

#[test]
fn waiting_ends_after_half_a_second() {
    let room = Room::of(2);
    let bytes = send(&mut room.next().sealer(1), START, MIC);
    let mut receiver = room.receiver(0);
    receive(&mut receiver, START, MIC, &bytes);
    let late = START.plus(HOLD_FOR);
    receiver.install(late, room.next().keys(0, late.mono)).unwrap();
    assert!(drain(&mut receiver).frames.is_empty());
    assert_eq!(receiver.members(late).next().unwrap().counts.missing_key, 1);
}

/// SEC-18
#[test]
fn frame_held_back_for_over_three_seconds_is_not_played() {
    let room = Room::of(2);
    let mut sealer = room.sealer(1);
    let mut receiver = room.receiver(0);
    let prompt = START.plus(millis(5_000));
    assert!(opens(&mut receiver, prompt, MIC, &send(&mut sealer, prompt, MIC)));
    let sent = prompt.plus(millis(20));
    let (just, late) = (send(&mut sealer, sent, MIC), send(&mut sealer, sent, MIC));
    assert!(opens(&mut receiver, sent.plus(millis(2_990)), MIC, &just));
    assert!(!opens(&mut receiver, sent.plus(millis(3_010)), MIC, &late));
    assert_eq!(receiver.members(sent).next().unwrap().counts.stale, 1);
}

/// SEC-18
#[test]
fn clocks_of_two_machines_may_differ_by_any_amount_and_drift() {
    let room = Room::of(2);
    let mut sealer = room.sealer(1);
    let mut receiver = room.receiver(0);
    for step in 0..4_000_u64 {
        let now = START.plus(millis(step * 1_000));
        let mut frame = media(now, MIC);
        // Four days apart, and 100 ppm slow.
        frame.capture = Mono::from_micros(345_600_000_000 + step * 999_900);
        let bytes = sealer.seal(now, MIC, frame).unwrap().payload().to_vec();
        assert!(opens(&mut receiver, now.plus(millis(30)), MIC, &bytes), "{step}");
    }
}

/// SEC-18
#[test]
fn sender_whose_machine_slept_is_fresh_again_under_new_keys() {
    let room = Room::of(2);
    let mut sealer = room.sealer(1);
    let mut receiver = room.receiver(0);
    let awake = START.plus(millis(60_000));
    assert!(opens(&mut receiver, awake, MIC, &send(&mut sealer, awake, MIC)));
    // The sender's clock stands still for ten seconds.
    let now = awake.plus(millis(10_000));
    assert!(!opens(&mut receiver, now, MIC, &send(&mut sealer, awake.plus(millis(20)), MIC)));
    let next = room.next();
    sealer.install(&next.keys(1, awake.mono)).unwrap();
    receiver.install(now, next.keys(0, now.mono)).unwrap();
    let soon = now.plus(millis(40));
    assert!(opens(&mut receiver, soon, MIC, &send(&mut sealer, awake.plus(millis(60)), MIC)));
}

// SEC-18
#[test]
fn frame_that_was_held_back_stays_stale_though_its_key_was_learnt_just_now() {
    let room = Room::of(2);
    let mut sealer = room.sealer(1);
    let mut receiver = room.receiver(0);
    let begin = START.plus(millis(60_000));
    assert!(opens(&mut receiver, begin, MIC, &send(&mut sealer, begin, MIC)));
    // The sender goes on under new keys; the receiver, cut off from the log, reads of them eight seconds later.
    let next = room.next();
    sealer.install(&next.keys(1, begin.mono)).unwrap();
    let held_back = send(&mut sealer, begin.plus(millis(100)), MIC);
    let now = begin.plus(millis(8_000));
    let mut keys = next.keys(0, now.mono);
    keys.made_after = begin.mono;
    receiver.install(now, keys).unwrap();
    assert!(!opens(&mut receiver, now, MIC, &held_back));
    assert!(opens(&mut receiver, now, MIC, &send(&mut sealer, now, MIC)));
}

#[test]
fn leaf_that_nobody_holds_is_nobodys_trouble() {
    let room = Room::of(3);
    let mut receiver = room.receiver(0);
    let mut stranger = Room::of(3);
    stranger.people[2].0 = LeafIndex(9);
    let bytes = send(&mut stranger.sealer(9), START, MIC);
    assert!(!opens(&mut receiver, START, MIC, &bytes));
    assert_eq!(receiver.unattributed().no_member, 1);
}
