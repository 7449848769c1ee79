//! People whose media does not open are named within a second; strange epochs are told after two (SEC-09).

use core::time::Duration;

use incamera_meeting::frames::{FrameReceiver, FrameSealer};
use incamera_meeting::{MediaReport, Unopened};
use incamera_types::{Context, MemberId, Now};

use crate::room::{Room, START, drain, member, millis, receive, send};

const MIC: Context = Context::Microphone;
const CAM: Context = Context::CameraHigh;

/// Sends a frame of each context every 20 ms for `for_time`, altered by `alter`, and gives what was reported.
fn stream(
    receiver: &mut FrameReceiver,
    sealer: &mut FrameSealer,
    from: Now,
    for_time: Duration,
    mut alter: impl FnMut(Context, &mut Vec<u8>),
) -> Vec<(Duration, MediaReport)> {
    let mut said = vec![];
    let mut after = Duration::ZERO;
    while after < for_time {
        let now = from.plus(after);
        for context in [MIC, CAM] {
            let mut bytes = send(sealer, now, context);
            alter(context, &mut bytes);
            receive(receiver, now, context, &bytes);
        }
        if receiver.next_deadline().is_some_and(|due| due <= now.mono) {
            receiver.handle_timeout(now);
        }
        said.extend(drain(receiver).reports.into_iter().map(|report| (after, report)));
        after += millis(20);
    }
    said
}

fn undecryptable(said: &[(Duration, MediaReport)], who: MemberId) -> Vec<Duration> {
    let named = said
        .iter()
        .filter(|(_, report)| matches!(report, MediaReport::Undecryptable { member, .. } if *member == who));
    named.map(|(after, _)| *after).collect()
}

fn flip(bytes: &mut [u8]) {
    *bytes.last_mut().unwrap() ^= 1;
}

#[test]
fn person_whose_frames_are_altered_is_named_within_a_second() {
    let room = Room::of(2);
    let (mut receiver, mut sealer) = (room.receiver(0), room.sealer(1));
    let said = stream(&mut receiver, &mut sealer, START, millis(3_000), |_, bytes| flip(bytes));
    assert_eq!(said[0], (Duration::ZERO, MediaReport::Forged { member: member(1, 0) }));
    let named = undecryptable(&said, member(1, 0));
    assert!(named[0] < millis(1_000), "{named:?}");
    assert!(named.windows(2).all(|pair| pair[1] - pair[0] >= millis(1_000)), "once a second: {named:?}");
    let media = receiver.members(START.plus(millis(3_000))).next().unwrap();
    assert_eq!(media.counts.authentication_failed, 300);
    assert_eq!(media.undecryptable_since, Some(START.mono));
}

#[test]
fn only_a_key_that_is_lost_here_calls_for_repair() {
    // SEC-15
    let room = Room::of(2);
    let causes = |said: &[(Duration, MediaReport)]| -> Vec<Unopened> {
        let cause = |report: &MediaReport| match report {
            MediaReport::Undecryptable { cause, .. } => Some(*cause),
            _ => None,
        };
        said.iter().filter_map(|(_, report)| cause(report)).collect()
    };
    let (mut receiver, mut sealer) = (room.receiver(0), room.sealer(1));
    let altered = stream(&mut receiver, &mut sealer, START, millis(1_000), |_, bytes| flip(bytes));
    assert_eq!(causes(&altered), [Unopened::Spoilt]);
    // A key id of any other epoch, as an SFU could write it.
    let mut strange = room.next().sealer(1);
    let begin = START.plus(millis(3_000));
    let unknown = stream(&mut receiver, &mut strange, begin, millis(1_000), |_, _| {});
    assert_eq!(causes(&unknown), [Unopened::Spoilt]);
    let begin = START.plus(millis(6_000));
    receiver.lose_keys(member(1, 0));
    let lost = stream(&mut receiver, &mut sealer, begin, millis(1_000), |_, _| {});
    assert_eq!(causes(&lost), [Unopened::KeyLost]);
}

#[test]
fn picture_that_fails_is_noticed_though_the_sound_opens() {
    let room = Room::of(2);
    let (mut receiver, mut sealer) = (room.receiver(0), room.sealer(1));
    let said = stream(&mut receiver, &mut sealer, START, millis(1_500), |context, bytes| {
        if context == CAM {
            flip(bytes);
        }
    });
    assert_eq!(undecryptable(&said, member(1, 0)).len(), 1);
    let opened = said.iter().filter(|(_, report)| matches!(report, MediaReport::Opened { .. }));
    assert_eq!(opened.count(), 1, "sound that opens does not end the picture's trouble");
}

#[test]
fn member_is_reported_as_opened_again_when_all_its_sources_open() {
    let room = Room::of(2);
    let (mut receiver, mut sealer) = (room.receiver(0), room.sealer(1));
    stream(&mut receiver, &mut sealer, START, millis(1_500), |_, bytes| flip(bytes));
    let later = START.plus(millis(1_500));
    let said = stream(&mut receiver, &mut sealer, later, millis(1_000), |_, _| {});
    assert_eq!(said, [(Duration::ZERO, MediaReport::Opened { member: member(1, 0) })]);
}

#[test]
fn single_bad_frames_between_good_ones_name_nobody_as_undecryptable() {
    let room = Room::of(2);
    let (mut receiver, mut sealer) = (room.receiver(0), room.sealer(1));
    let mut count = 0;
    let said = stream(&mut receiver, &mut sealer, START, millis(5_000), |_, bytes| {
        count += 1;
        if count % 3 == 0 {
            flip(bytes);
        }
    });
    assert!(undecryptable(&said, member(1, 0)).is_empty());
}

#[test]
fn change_of_keys_that_takes_400_ms_names_nobody() {
    let room = Room::of(2);
    let next = room.next();
    let mut receiver = room.receiver(0);
    let mut sealer = next.sealer(1);
    let mut said = stream(&mut receiver, &mut sealer, START, millis(400), |_, _| {});
    let now = START.plus(millis(400));
    receiver.install(now, next.keys(0, now.mono)).unwrap();
    said.extend(stream(&mut receiver, &mut sealer, now, millis(3_000), |_, _| {}));
    let unexpected = said.iter().find(|(_, report)| !matches!(report, MediaReport::Opened { .. }));
    assert_eq!(unexpected, None);
}

/// SEC-09
#[test]
fn media_under_an_unknown_epoch_is_told_after_two_seconds() {
    let room = Room::of(2);
    let mut receiver = room.receiver(0);
    let mut sealer = room.next().sealer(1);
    let said = stream(&mut receiver, &mut sealer, START, millis(4_500), |_, _| {});
    let unknown: Vec<_> =
        said.iter().filter(|(_, report)| matches!(report, MediaReport::UnknownEpoch { .. })).collect();
    assert!(unknown[0].0 >= millis(2_000) && unknown[0].0 < millis(2_200), "{unknown:?}");
    assert!(undecryptable(&said, member(1, 0))[0] < millis(1_000), "the person is named too");
}

/// SEC-09
#[test]
fn fork_with_the_same_epoch_number_names_the_people_of_the_other_half() {
    let room = Room::of(3);
    let (here, there) = (room.next(), Room { branch: 1, ..room.next() });
    let mut receiver = here.receiver(0);
    let said = stream(&mut receiver, &mut there.sealer(2), START, millis(1_000), |_, _| {});
    assert!(undecryptable(&said, member(2, 0))[0] < millis(1_000));
}

#[test]
fn authentic_media_that_comes_late_is_counted_and_blames_nobody() {
    let room = Room::of(2);
    let (mut receiver, mut sealer) = (room.receiver(0), room.sealer(1));
    let begin = START.plus(millis(30_000));
    stream(&mut receiver, &mut sealer, begin, millis(100), |_, _| {});
    for step in 0..100 {
        let sent = begin.plus(millis(100 + step * 20));
        let bytes = send(&mut sealer, sent, MIC);
        let now = sent.plus(millis(4_000));
        receive(&mut receiver, now, MIC, &bytes);
        receiver.handle_timeout(now);
        let drained = drain(&mut receiver);
        assert!(drained.frames.is_empty() && drained.reports.is_empty(), "{:?}", drained.reports);
    }
    assert_eq!(receiver.members(begin).next().unwrap().counts.stale, 100);
}
