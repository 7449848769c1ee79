//! SEC-15: bytes of a modified client reach the decoders authenticated and mean.

use incamera_media::audio::SILENCE;
use incamera_media::jitter::{AudioReceiver, DelayLimits};
use incamera_media::opus;
use incamera_media::picture::PictureError;
use incamera_media::vp8::{
    DecodeError, Decoder, Encoder, EncoderConfig, FrameHeader, KeyFrame, Quality, TemporalLayers,
};
use incamera_types::FrameBuf;

use crate::support::{Seeded, moving_picture, ms, voice};

fn real_frames(count: u32) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(EncoderConfig {
        width: 160,
        height: 90,
        frames_per_second: 30,
        bitrate_kbps: 200,
        quality: Quality::File,
        temporal_layers: TemporalLayers::One,
    })
    .unwrap();
    let mut buf = FrameBuf::default();
    (0..count)
        .map(|index| {
            let picture = moving_picture(160, 90, index);
            encoder.encode(&picture.view(), ms(u64::from(index) * 33), KeyFrame::WhenDue, &mut buf).unwrap();
            buf.as_slice().to_vec()
        })
        .collect()
}

#[test]
fn damaged_vp8_frames_give_errors_or_pictures_and_the_next_key_frame_repairs() {
    let frames = real_frames(12);
    let mut random = Seeded::new(21);
    for _ in 0..150 {
        let mut decoder = Decoder::new().unwrap();
        for frame in &frames {
            let mut frame = frame.clone();
            match random.below(4) {
                0 => frame.truncate(random.below(frame.len() as u64 + 1) as usize),
                1 => {
                    for _ in 0..=random.below(8) {
                        let at = random.below(frame.len() as u64) as usize;
                        frame[at] ^= 1 << random.below(8);
                    }
                }
                2 => {
                    let tail = random.below(frame.len() as u64) as usize;
                    let junk = random.bytes(frame.len() - tail);
                    frame[tail..].copy_from_slice(&junk);
                }
                _ => {}
            }
            if let Ok(Some(picture)) = decoder.decode(&frame) {
                assert!(picture.width() <= 4_096 && picture.height() <= 4_096);
            }
        }
        assert!(decoder.decode(&frames[0]).unwrap().is_some());
    }
}

#[test]
fn random_bytes_into_the_vp8_decoder_do_no_harm() {
    let mut random = Seeded::new(22);
    let mut decoder = Decoder::new().unwrap();
    for _ in 0..20_000 {
        let len = random.below(64) as usize;
        let mut frame = random.bytes(len);
        let _ = FrameHeader::parse(&frame);
        if frame.len() > 10 && random.happens(50) {
            frame[0] &= 0xfe;
            frame[3..10].copy_from_slice(&[0x9d, 0x01, 0x2a, 64, 0, 48, 0]);
        }
        let _ = decoder.decode(&frame);
    }
}

#[test]
fn pictures_above_the_limit_are_refused_before_they_are_allocated() {
    let mut decoder = Decoder::new().unwrap();
    for (width, height) in [(16_383_u16, 16_383_u16), (4_097, 16), (16, 4_097), (0, 16), (16, 0)] {
        let mut frame = real_frames(1).remove(0);
        frame[6..8].copy_from_slice(&width.to_le_bytes());
        frame[8..10].copy_from_slice(&height.to_le_bytes());
        let wanted = PictureError::Size { width: width.into(), height: height.into() };
        assert_eq!(decoder.decode(&frame).err(), Some(DecodeError::Picture(wanted)));
        assert!(decoder.is_awaiting_key_frame());
    }
}

#[test]
fn random_and_damaged_packets_into_the_opus_decoder_do_no_harm() {
    let mut random = Seeded::new(23);
    let mut encoder = opus::Encoder::new(&opus::EncoderConfig::default()).unwrap();
    let mut decoder = opus::Decoder::new().unwrap();
    let mut packet = FrameBuf::default();
    let mut block = SILENCE;
    for index in 0..3_000 {
        if index % 2 == 0 {
            let len = random.below(200) as usize;
            let _ = decoder.decode(&random.bytes(len), &mut block);
            let _ = decoder.decode_previous(&random.bytes(len), &mut block);
            continue;
        }
        encoder.encode(&voice(index % 50), &mut packet).unwrap();
        let at = random.below(packet.len() as u64) as usize;
        packet.as_mut_slice()[at] ^= 1 << random.below(8);
        packet.truncate(random.below(packet.len() as u64 + 1) as usize);
        let _ = decoder.decode(packet.as_slice(), &mut block);
    }
    encoder.encode(&voice(0), &mut packet).unwrap();
    decoder.decode(packet.as_slice(), &mut block).unwrap();
}

#[test]
fn junk_in_an_audio_stream_is_concealed_and_counted() {
    let mut random = Seeded::new(24);
    let mut encoder = opus::Encoder::new(&opus::EncoderConfig::default()).unwrap();
    let mut receiver = AudioReceiver::new(DelayLimits::default()).unwrap();
    let mut block = SILENCE;
    for index in 0..200_u64 {
        let mut packet = FrameBuf::default();
        if index % 10 == 0 {
            // Configuration 3: 60 ms.
            packet.extend(&[0x18]);
            packet.extend(&random.bytes(40));
        } else {
            encoder.encode(&voice(index), &mut packet).unwrap();
        }
        receiver.handle_packet(ms(index * 20), index * 960, packet);
        receiver.pull(ms(index * 20 + 5), &mut block, &mut |_, _| {}).unwrap();
    }
    assert!(receiver.malformed_packets() >= 19, "{}", receiver.malformed_packets());
}
