//! What a malicious SFU can do to a sealed frame, and what a sender cannot do at all.

use crate::support::{EPOCH, INSTALLED, LEAF, base_key, frame, key_frame, keyring, kid, open, seal, sender};
use incamera_sframe::{
    EpochKeyring, FormatError, FrameKind, FrameNumber, MAX_FRAME_BYTES, OpenError, Padding, SealError,
    UnopenedFrame,
};
use incamera_types::{Context, FrameBuf, FrameSuite, Kid, LeafIndex, MediaKind, Mono};

const CASES: [(Context, FrameKind); 3] = [
    (Context::Microphone, FrameKind::Opus),
    (Context::CameraHigh, FrameKind::Vp8Delta),
    (Context::MicrophoneAttestation, FrameKind::Attestation),
];

fn cases() -> impl Iterator<Item = (FrameSuite, Context, FrameKind)> {
    let kinds = CASES.into_iter().chain([(Context::ScreenLow, key_frame())]);
    kinds.flat_map(|(context, kind)| FrameSuite::ALL.map(|suite| (suite, context, kind)))
}

#[test]
fn frame_arrives_as_it_was_sent() {
    for (suite, context, kind) in cases() {
        let mut sender = sender(suite, context);
        let mut keyring = keyring(suite);
        for counter in 0..3 {
            let sealed = seal(&mut sender, kind, b"the frame");
            assert_eq!((sealed.context(), sealed.kind(), sealed.counter()), (context, kind, counter));
            let opened = open(&mut keyring, context, sealed.payload()).unwrap();
            assert_eq!(opened.payload(), b"the frame");
            assert_eq!((opened.kind(), opened.counter(), opened.leaf()), (kind, counter, LEAF));
            assert_eq!(opened.capture_near(INSTALLED), Mono::from_micros(1_234_567));
            assert_eq!(opened.is_first_of_key(), counter == 0);
        }
    }
}

/// SEC-01
#[test]
fn no_byte_run_of_the_frame_is_visible() {
    for (suite, context, kind) in cases() {
        let content: Vec<u8> = (0..=255).collect();
        let sealed = seal(&mut sender(suite, context), kind, &content);
        for run in content.windows(4) {
            assert!(!sealed.payload().windows(4).any(|window| window == run));
        }
    }
}

/// SEC-02
#[test]
fn every_flipped_bit_is_refused() {
    for (suite, context, kind) in cases() {
        let mut sender = sender(suite, context);
        let mut keyring = keyring(suite);
        open(&mut keyring, context, seal(&mut sender, kind, b"first").payload()).unwrap();
        let sealed = seal(&mut sender, kind, b"a frame of some bytes");
        for bit in 0..sealed.payload().len() * 8 {
            let mut bytes = sealed.payload().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&mut keyring, context, &bytes).is_err(), "{context:?} bit {bit}");
        }
        // None of the forgeries moved the window or hurt the key.
        assert!(open(&mut keyring, context, sealed.payload()).is_ok());
    }
}

/// SEC-02
#[test]
fn every_truncation_and_extension_is_refused() {
    for (suite, context, kind) in cases() {
        let sealed = seal(&mut sender(suite, context), kind, b"a frame of some bytes");
        let mut keyring = keyring(suite);
        let bytes = sealed.payload();
        for len in 0..bytes.len() {
            assert!(open(&mut keyring, context, &bytes[..len]).is_err(), "first {len}");
            assert!(open(&mut keyring, context, &bytes[bytes.len() - len..]).is_err(), "last {len}");
        }
        assert!(open(&mut keyring, context, &[bytes, &[0]].concat()).is_err());
        assert!(open(&mut keyring, context, &[&[0], bytes].concat()).is_err());
    }
}

/// SEC-15
#[test]
fn arbitrary_bytes_never_parse_into_more_than_they_are() {
    use proptest::prelude::*;
    proptest!(|(bytes in prop::collection::vec(any::<u8>(), 0..64), video: bool)| {
        let track = if video { MediaKind::Video } else { MediaKind::Audio };
        if let Ok(frame) = UnopenedFrame::parse(track, FrameBuf::from_slice(&bytes)) {
            prop_assert_eq!(frame.len(), bytes.len());
            prop_assert_eq!(frame.kid().context().kind(), track);
            prop_assert!(keyring(FrameSuite::default()).open(frame, INSTALLED).is_err());
        }
    });
}

#[test]
fn frame_on_a_track_of_the_other_kind_is_refused() {
    let sealed = seal(&mut sender(FrameSuite::default(), Context::Microphone), FrameKind::Opus, b"sound");
    let parsed = UnopenedFrame::parse(MediaKind::Video, FrameBuf::from_slice(sealed.payload()));
    assert!(parsed.is_err());
    // The same with the prefix that video needs.
    let bytes = [&[0x11], sealed.payload()].concat();
    let parsed = UnopenedFrame::parse(MediaKind::Video, FrameBuf::from_slice(&bytes));
    assert_eq!(parsed.err(), Some(FormatError::WrongTrack));
}

#[test]
fn camera_frame_does_not_open_as_screen() {
    let suite = FrameSuite::default();
    let sealed = seal(&mut sender(suite, Context::CameraHigh), FrameKind::Vp8Delta, b"face");
    let mut bytes = sealed.payload().to_vec();
    let high_byte = bytes.iter().position(|byte| *byte == Context::CameraHigh.number()).unwrap();
    bytes[high_byte] = Context::ScreenHigh.number();
    let refused = open(&mut keyring(suite), Context::ScreenHigh, &bytes);
    assert_eq!(refused.err(), Some(OpenError::AuthenticationFailed));
}

mod replay {
    use core::time::Duration;

    use incamera_sframe::ReplayError;

    use super::*;

    /// SEC-03
    #[test]
    fn frame_opens_once() {
        for (suite, context, kind) in cases() {
            let sealed = seal(&mut sender(suite, context), kind, b"once");
            let mut keyring = keyring(suite);
            assert!(open(&mut keyring, context, sealed.payload()).is_ok());
            for _ in 0..2 {
                let again = open(&mut keyring, context, sealed.payload());
                assert_eq!(again.err(), Some(OpenError::Replay(ReplayError::Replayed)));
            }
        }
    }

    /// SEC-03
    #[test]
    fn reordered_frames_open_once_each() {
        let suite = FrameSuite::default();
        let mut sender = sender(suite, Context::Microphone);
        let mut keyring = keyring(suite);
        let frames: Vec<_> = (0..100).map(|_| seal(&mut sender, FrameKind::Opus, b"x")).collect();
        for frame in frames.iter().rev() {
            assert!(open(&mut keyring, Context::Microphone, frame.payload()).is_ok());
        }
        for frame in &frames {
            assert!(open(&mut keyring, Context::Microphone, frame.payload()).is_err());
        }
    }

    #[test]
    fn counter_beyond_what_the_age_of_the_key_explains_is_refused() {
        let suite = FrameSuite::Aes128GcmSha256;
        let mut sender = sender(suite, Context::Microphone);
        let mut sealed = seal(&mut sender, FrameKind::Opus, b"x");
        while sealed.counter() < 7_200 {
            sealed = seal(&mut sender, FrameKind::Opus, b"x");
        }
        let mut keyring = keyring(suite);
        let parse =
            || UnopenedFrame::parse(MediaKind::Audio, FrameBuf::from_slice(sealed.payload())).unwrap();
        let far = keyring.open(parse(), INSTALLED);
        assert_eq!(far.err(), Some(OpenError::Replay(ReplayError::TooFarAhead)));
        assert!(keyring.open(parse(), INSTALLED.plus(Duration::from_secs(1))).is_ok());
    }
}

/// SEC-17
#[test]
fn base_key_gives_each_sender_once_and_for_one_leaf() {
    let mut base = base_key(FrameSuite::default());
    assert!(base.take_sender(kid(Context::Microphone)).is_ok());
    assert_eq!(base.take_sender(kid(Context::Microphone)).err(), Some(SealError::SenderTaken));
    assert!(base.take_sender(kid(Context::CameraHigh)).is_ok());
    let other_leaf = Kid::new(Context::CameraLow, LeafIndex(6), EPOCH).unwrap();
    assert_eq!(base.take_sender(other_leaf).err(), Some(SealError::SenderTaken));
}

/// SEC-17
#[test]
fn refused_frames_spend_a_counter_or_none_but_never_the_same_twice() {
    let mut sender = sender(FrameSuite::default(), Context::Microphone);
    let mut counters = vec![];
    for round in 0..20 {
        let mut broken = frame(FrameKind::Opus, b"x");
        match round % 4 {
            1 => broken.buf.clear(),
            2 => drop(broken.buf.grow_front(30)),
            3 => broken.padding = Padding::To(MAX_FRAME_BYTES + 1),
            _ => {}
        }
        if let Ok(sealed) = sender.seal(broken, FrameNumber::default()) {
            counters.push(sealed.counter());
        }
    }
    assert_eq!(counters.len(), 5);
    assert!(counters.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn frame_of_another_kind_than_its_context_is_not_sealed() {
    let mut microphone = sender(FrameSuite::default(), Context::Microphone);
    for kind in [FrameKind::Vp8Delta, key_frame(), FrameKind::Attestation] {
        let refused = microphone.seal(frame(kind, b"x"), FrameNumber::default());
        assert_eq!(refused.err(), Some(SealError::WrongKind));
    }
    assert_eq!(microphone.frames_sealed(), 0);
}

#[test]
fn oversized_frame_is_not_sealed() {
    let mut microphone = sender(FrameSuite::default(), Context::Microphone);
    let huge = frame(FrameKind::Opus, &vec![0; MAX_FRAME_BYTES + 1]);
    assert_eq!(microphone.seal(huge, FrameNumber::default()).err(), Some(SealError::TooLarge));
}

#[test]
fn padded_frames_of_different_length_look_alike() {
    let mut microphone = sender(FrameSuite::default(), Context::Microphone);
    let mut keyring = keyring(FrameSuite::default());
    let sizes = [1, 40, 200].map(|len| {
        let content = vec![3; len];
        let padded =
            incamera_sframe::MediaFrame { padding: Padding::To(200), ..frame(FrameKind::Opus, &content) };
        let sealed = microphone.seal(padded, FrameNumber::default()).unwrap();
        let opened = open(&mut keyring, Context::Microphone, sealed.payload()).unwrap();
        assert_eq!(opened.payload(), content);
        sealed.payload().len()
    });
    assert_eq!(sizes[0], sizes[1]);
    assert_eq!(sizes[1], sizes[2]);
}

#[test]
fn gap_is_counted_under_one_key_and_over_a_change_of_keys() {
    let suite = FrameSuite::default();
    let mut old = sender(suite, Context::CameraHigh);
    let mut ring = keyring(suite);
    let mut position = |number, skip: u32| {
        for _ in 0..skip {
            seal(&mut old, FrameKind::Vp8Delta, b"lost");
        }
        let sealed = old.seal(frame(FrameKind::Vp8Delta, b"x"), FrameNumber::of(number)).unwrap();
        open(&mut ring, Context::CameraHigh, sealed.payload()).unwrap().position()
    };
    let (first, second) = (position(60, 0), position(63, 2));
    assert_eq!(second.missing_since(first), Some(2));
    assert_eq!(first.missing_since(second), None);
    assert_eq!(first.missing_since(first), None);

    let new_kid = Kid::new(Context::CameraHigh, LEAF, EPOCH.next()).unwrap();
    let mut new = base_key(suite).take_sender(new_kid).unwrap();
    let mut new_ring = EpochKeyring::new(base_key(suite), EPOCH.next(), 8, INSTALLED);
    let sealed = new.seal(frame(FrameKind::Vp8Delta, b"x"), FrameNumber::of(65)).unwrap();
    let third = open(&mut new_ring, Context::CameraHigh, sealed.payload()).unwrap().position();
    assert_eq!(third.missing_since(second), Some(1));
}

mod keyring_life {
    use super::*;

    fn opens(
        keyring: &mut EpochKeyring,
        sender: &mut incamera_sframe::FrameSender,
        context: Context,
    ) -> bool {
        let kind = if context == Context::Microphone { FrameKind::Opus } else { FrameKind::Vp8Delta };
        let sealed = seal(sender, kind, b"x");
        open(keyring, context, sealed.payload()).is_ok()
    }

    fn pair(context: Context) -> (EpochKeyring, incamera_sframe::FrameSender) {
        (keyring(FrameSuite::default()), sender(FrameSuite::default(), context))
    }

    #[test]
    fn frame_of_another_epoch_or_unknown_leaf_has_no_key() {
        let suite = FrameSuite::default();
        let (_, mut sender) = pair(Context::Microphone);
        let sealed = seal(&mut sender, FrameKind::Opus, b"x");
        let mut later = EpochKeyring::new(base_key(suite), EPOCH.next(), 8, INSTALLED);
        let mut smaller = EpochKeyring::new(base_key(suite), EPOCH, LEAF.0, INSTALLED);
        for keyring in [&mut later, &mut smaller] {
            let refused = open(keyring, Context::Microphone, sealed.payload());
            assert_eq!(refused.err(), Some(OpenError::MissingKey));
        }
    }

    #[test]
    fn erased_base_key_leaves_keys_in_use_and_derives_no_more() {
        let (mut keyring, mut microphone) = pair(Context::Microphone);
        assert!(opens(&mut keyring, &mut microphone, Context::Microphone));
        keyring.retire_base_key();
        assert!(opens(&mut keyring, &mut microphone, Context::Microphone));
        let mut camera = sender(FrameSuite::default(), Context::CameraHigh);
        assert!(!opens(&mut keyring, &mut camera, Context::CameraHigh));
    }

    /// SEC-05
    #[test]
    fn retired_leaf_stays_retired_while_the_base_key_lives() {
        let (mut keyring, mut microphone) = pair(Context::Microphone);
        assert!(opens(&mut keyring, &mut microphone, Context::Microphone));
        keyring.retire_leaf(LEAF);
        assert!(!opens(&mut keyring, &mut microphone, Context::Microphone));
    }
}

// What control runs switch off.
#[cfg(feature = "danger-sabotage")]
mod without {
    use incamera_sframe::Safeguards;

    use super::*;

    #[test]
    fn the_replay_window_a_frame_opens_twice() {
        let suite = FrameSuite::default();
        let sealed = seal(&mut sender(suite, Context::Microphone), FrameKind::Opus, b"twice");
        let off = Safeguards { skip_replay_window: true, ..Safeguards::default() };
        let mut keyring = keyring(suite).with_safeguards(off);
        for _ in 0..2 {
            assert!(open(&mut keyring, Context::Microphone, sealed.payload()).is_ok());
        }
    }

    #[test]
    fn authentication_an_altered_frame_opens() {
        for (suite, context, kind) in cases() {
            let sealed = seal(&mut sender(suite, context), kind, b"genuine");
            let mut altered = sealed.payload().to_vec();
            *altered.last_mut().unwrap() ^= 1;
            let off = Safeguards { skip_authentication: true, ..Safeguards::default() };
            let mut without = keyring(suite).with_safeguards(off);
            assert_eq!(open(&mut without, context, &altered).unwrap().payload(), b"genuine");
            assert!(open(&mut keyring(suite), context, &altered).is_err());
        }
    }
}
