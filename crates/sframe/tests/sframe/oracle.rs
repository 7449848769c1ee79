//! The published `sframe` crate opens what we seal, and we open what it seals.

use crate::support::{base_key, frame, key_frame, keyring, kid, open, seal, secret};
use incamera_sframe::{FrameKind, Padding};
use incamera_types::{Context, FrameSuite};
use sframe::CipherSuite;
use sframe::frame::{EncryptedFrame, MediaFrame, MonotonicCounter};
use sframe::key::{DecryptionKey, EncryptionKey};

/// Context, kind of frame, length of the clear prefix, and version, media kind and codec as in `docs/wire.md`.
fn cases() -> [(Context, FrameKind, usize, [u8; 3]); 4] {
    [
        (Context::Microphone, FrameKind::Opus, 0, [1, 1, 1]),
        (Context::CameraLow, FrameKind::Vp8Delta, 1, [1, 2, 2]),
        (Context::ScreenHigh, key_frame(), 10, [1, 2, 2]),
        (Context::CameraHighAttestation, FrameKind::Attestation, 1, [1, 2, 0]),
    ]
}

fn cipher_suite(suite: FrameSuite) -> CipherSuite {
    match suite {
        FrameSuite::Aes128GcmSha256 => CipherSuite::AesGcm128Sha256,
        FrameSuite::Aes256GcmSha512 => CipherSuite::AesGcm256Sha512,
    }
}

#[test]
fn published_crate_opens_our_frames() {
    for suite in FrameSuite::ALL {
        for (context, kind, prefix_len, fixed) in cases() {
            let mut sender = base_key(suite).take_sender(kid(context)).unwrap();
            let key =
                DecryptionKey::derive_from(cipher_suite(suite), kid(context).value(), secret(suite)).unwrap();
            for round in 0..300_u32 {
                let content = vec![7; 1 + usize::try_from(round).unwrap()];
                let sealed = seal(&mut sender, kind, &content);
                let (prefix, rest) = sealed.payload().split_at(prefix_len);
                let meta_data = [&fixed[..], prefix].concat();
                let theirs = EncryptedFrame::try_with_meta_data(rest, meta_data).unwrap();
                let plaintext = theirs.decrypt(&key).unwrap();
                // Capture time 1,234,567 µs, then frame number 9 and no padding.
                let expected = [&content[..], &1_234_567_u32.to_be_bytes(), &[9 << 2]].concat();
                assert_eq!(plaintext.payload(), expected);
                assert_eq!(plaintext.counter(), u64::from(round));
            }
        }
    }
}

#[test]
fn we_open_frames_of_the_published_crate() {
    for suite in FrameSuite::ALL {
        for (context, kind, prefix_len, fixed) in cases() {
            let ours = seal(&mut base_key(suite).take_sender(kid(context)).unwrap(), kind, b"x");
            let prefix = &ours.payload()[..prefix_len];
            let meta_data = [&fixed[..], prefix].concat();
            let key =
                EncryptionKey::derive_from(cipher_suite(suite), kid(context).value(), secret(suite)).unwrap();
            let mut counter = MonotonicCounter::default();
            let mut keyring = keyring(suite);
            for round in 0..300_u32 {
                let content = vec![9; 1 + usize::try_from(round).unwrap()];
                let plaintext = [&content[..], &42_u32.to_be_bytes(), &[3 << 2]].concat();
                let theirs = MediaFrame::try_with_meta_data(&mut counter, &plaintext, &meta_data).unwrap();
                let encrypted = theirs.encrypt(&key).unwrap();
                let sealed = [prefix, encrypted.sframe_cipher_text()].concat();
                let opened = open(&mut keyring, context, &sealed).unwrap();
                assert_eq!(opened.payload(), content);
                assert_eq!((opened.counter(), opened.number().value(), opened.kind()), (round, 3, kind));
            }
        }
    }
}

#[test]
fn padding_is_inside_what_the_published_crate_sees_as_plaintext() {
    let suite = FrameSuite::default();
    let mut sender = base_key(suite).take_sender(kid(Context::Microphone)).unwrap();
    let padded = incamera_sframe::MediaFrame { padding: Padding::To(8), ..frame(FrameKind::Opus, b"abc") };
    let sealed = sender.seal(padded, incamera_sframe::FrameNumber::of(0)).unwrap();
    let key =
        DecryptionKey::derive_from(cipher_suite(suite), kid(Context::Microphone).value(), secret(suite))
            .unwrap();
    let theirs = EncryptedFrame::try_with_meta_data(sealed.payload(), [1, 1, 1]).unwrap();
    let plaintext = theirs.decrypt(&key).unwrap();
    let expected = [&b"abc\0\0\0\0\0"[..], &3_u32.to_be_bytes(), &1_234_567_u32.to_be_bytes(), &[1]].concat();
    assert_eq!(plaintext.payload(), expected);
}
