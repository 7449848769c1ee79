//! The sending side: switching epochs, and never one counter twice.

use std::collections::BTreeSet;

use incamera_meeting::frames::{FrameSealError, FrameSealer, InstallError};
use incamera_sframe::UnopenedFrame;
use incamera_types::{Context, Epoch, FrameBuf, LeafIndex, MediaKind};

use crate::room::{Room, START, STREAMS, media, member, millis, send};

const MIC: Context = Context::Microphone;

/// Key id and counter of a sealed audio frame.
fn nonce(bytes: &[u8]) -> (u64, u32) {
    let frame = UnopenedFrame::parse(MediaKind::Audio, FrameBuf::from_slice(bytes)).unwrap();
    (frame.kid().value(), frame.counter())
}

#[test]
fn nothing_is_sealed_before_the_start_or_without_keys() {
    let mut sealer = FrameSealer::new();
    assert_eq!(sealer.seal(START, MIC, media(START, MIC)).err(), Some(FrameSealError::Stopped));
    sealer.start();
    assert_eq!(sealer.seal(START, MIC, media(START, MIC)).err(), Some(FrameSealError::NoKeys));
}

/// SEC-08
#[test]
fn stopped_sealer_seals_nothing_and_goes_on_with_its_counter() {
    let mut sealer = Room::of(2).sealer(0);
    let before = nonce(&send(&mut sealer, START, MIC));
    sealer.stop();
    assert_eq!(sealer.seal(START, MIC, media(START, MIC)).err(), Some(FrameSealError::Stopped));
    sealer.start();
    let after = nonce(&send(&mut sealer, START, MIC));
    assert_eq!((after.0, after.1), (before.0, before.1 + 1));
}

/// SEC-10
#[test]
fn stream_that_the_rules_do_not_allow_us_is_not_sealed() {
    let mut sealer = Room::of(2).sealer(0);
    let refused = sealer.seal(START, Context::ScreenHigh, media(START, Context::ScreenHigh));
    assert_eq!(refused.err(), Some(FrameSealError::NotPermitted));
}

#[test]
fn sender_switches_at_the_time_that_the_keys_say() {
    let room = Room::of(2);
    let mut sealer = room.sealer(0);
    sealer.install(&room.next().keys(0, START.mono.plus(millis(200)))).unwrap();
    for (after, epoch) in [(0, 1), (199, 1), (200, 2), (300, 2)] {
        let now = START.plus(millis(after));
        assert_eq!(sealer.epoch(now), Some(Epoch(epoch)));
        assert_eq!(nonce(&send(&mut sealer, now, MIC)).0 & 0x3f, epoch);
    }
}

/// SEC-17
#[test]
fn same_epoch_installed_twice_does_not_restart_a_counter() {
    let room = Room::of(2);
    let mut sealer = room.sealer(0);
    let mut nonces = BTreeSet::new();
    for round in 0..5 {
        assert!(nonces.insert(nonce(&send(&mut sealer, START, MIC))), "{round}");
        sealer.install(&room.keys(0, START.mono)).unwrap();
        // Known from the staged commit, and once more at the merge.
        sealer.install(&room.next().keys(0, START.mono.plus(millis(50)))).unwrap();
        sealer.install(&room.next().keys(0, START.mono.plus(millis(50)))).unwrap();
    }
    for _ in 0..5 {
        let now = START.plus(millis(60));
        assert!(nonces.insert(nonce(&send(&mut sealer, now, MIC))));
        sealer.install(&room.next().keys(0, now.mono)).unwrap();
    }
    assert_eq!(sealer.install(&room.keys(0, START.mono)), Err(InstallError::StaleEpoch));
}

/// SEC-17
#[test]
fn replaced_keys_never_seal_again() {
    let room = Room::of(2);
    let fork = Room { branch: 1, ..room.clone() };
    let mut sealer = room.sealer(0);
    send(&mut sealer, START, MIC);
    sealer.install(&fork.keys(0, START.mono)).unwrap();
    send(&mut sealer, START, MIC);
    assert_eq!(sealer.install(&room.keys(0, START.mono)), Err(InstallError::SpentKeys));
    assert_eq!(sealer.seal(START, MIC, media(START, MIC)).err(), Some(FrameSealError::NoKeys));
    let later = Room { epoch: Epoch(2), ..room };
    sealer.install(&later.keys(0, START.mono)).unwrap();
    assert_eq!(nonce(&send(&mut sealer, START, MIC)).1, 0);
}

// SEC-05
#[test]
fn after_keys_that_cannot_be_taken_over_nothing_is_sealed_with_the_old_ones() {
    let room = Room::of(2);
    let mut sealer = room.sealer(0);
    send(&mut sealer, START, MIC);
    let mut short = room.next().keys(0, START.mono);
    short.base_key.truncate(8);
    assert_eq!(sealer.install(&short), Err(InstallError::BaseKeyLength));
    let mut outside = room.next().keys(0, START.mono);
    outside.own_leaf = LeafIndex(1_024);
    assert_eq!(sealer.install(&outside), Err(InstallError::LeafOutOfRange));
    sealer.start();
    assert_eq!(sealer.seal(START, MIC, media(START, MIC)).err(), Some(FrameSealError::NoKeys));
    sealer.install(&room.keys(0, START.mono)).unwrap();
    assert_eq!(sealer.seal(START, MIC, media(START, MIC)).err(), Some(FrameSealError::NoKeys));
    sealer.install(&room.next().keys(0, START.mono)).unwrap();
    send(&mut sealer, START, MIC);
}

#[test]
fn frame_number_goes_on_over_a_change_of_keys() {
    let room = Room::of(2);
    let mut sealer = room.sealer(0);
    let mut receiver = room.receiver(1);
    let mut positions = vec![];
    for epoch in 0..3 {
        let bytes = [send(&mut sealer, START, MIC), send(&mut sealer, START, MIC)];
        for bytes in bytes {
            crate::room::receive(&mut receiver, START, MIC, &bytes);
            positions.extend(crate::room::drain(&mut receiver).frames.iter().map(|f| f.frame.position()));
        }
        let next = Room { epoch: Epoch(epoch + 2), ..room.clone() };
        sealer.install(&next.keys(0, START.mono)).unwrap();
        receiver.install(START, next.keys(1, START.mono)).unwrap();
    }
    assert_eq!(positions.len(), 6);
    assert!(positions.windows(2).all(|pair| pair[1].missing_since(pair[0]) == Some(0)));
}

#[test]
fn every_permitted_stream_has_its_own_counter() {
    let mut sealer = Room::of(2).sealer(0);
    for context in STREAMS {
        assert_eq!(sealer.seal(START, context, media(START, context)).unwrap().counter(), 0);
    }
}

#[test]
fn sec_05_an_addition_after_a_removal_does_not_put_the_switch_off() {
    let room = Room::of(3);
    let removed = room.without(2);
    let added = removed.with(2, member(2, 1));
    let mut sealer = room.sealer(0);
    sealer.install(&removed.keys(0, START.mono)).unwrap();
    sealer.install(&added.keys(0, START.mono.plus(millis(200)))).unwrap();
    assert_eq!(sealer.epoch(START), Some(added.epoch));
}
