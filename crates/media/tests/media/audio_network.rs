//! Voice → Opus → bad network → jitter buffer → decoder.

use incamera_media::audio::{BLOCK_SAMPLES, BlockSamples, SILENCE};
use incamera_media::jitter::{AudioReceiver, BlockOrigin, DelayLimits};
use incamera_media::mix::level_dbov;
use incamera_media::opus::{BitrateMode, Decoder, Encoder, EncoderConfig, OpusError, Signal};
use incamera_types::FrameBuf;

use crate::support::{Seeded, aligned_correlation, ms, voice};

fn encoder(config: EncoderConfig) -> Encoder {
    Encoder::new(&config).unwrap()
}

fn encode(encoder: &mut Encoder, block: &BlockSamples) -> FrameBuf {
    let mut out = FrameBuf::default();
    encoder.encode(block, &mut out).unwrap();
    out
}

/// Sends `blocks` blocks of voice; gives what was sent and what a recording by media time holds, and counts origins.
fn call(
    config: EncoderConfig,
    blocks: u64,
    mut network: impl FnMut() -> Option<u64>,
) -> (Vec<i16>, Vec<i16>, impl Fn(BlockOrigin) -> usize) {
    let mut encoder = encoder(config);
    let mut receiver = AudioReceiver::new(DelayLimits::default()).unwrap();
    let mut sent = Vec::new();
    let mut arrivals = Vec::new();
    for index in 0..blocks {
        let block = voice(index);
        sent.extend(block);
        let packet = encode(&mut encoder, &block);
        if let Some(delay) = network() {
            arrivals.push((index * 20 + delay, index, packet));
        }
    }
    arrivals.sort_by_key(|(at, index, _)| (*at, *index));
    let mut arrivals = arrivals.into_iter().peekable();
    let mut recorded = vec![0; sent.len()];
    let mut origins = Vec::new();
    for step in 0..blocks + 20 {
        let now = step * 20 + 3;
        while let Some((at, index, packet)) = arrivals.next_if(|(at, _, _)| *at <= now) {
            receiver.handle_packet(ms(at), 50_000 + index * 960, packet);
        }
        let mut block = SILENCE;
        let mut tap = |timestamp: u64, block: &BlockSamples| {
            let at = (timestamp - 50_000) as usize;
            if let Some(place) = recorded.get_mut(at..at + BLOCK_SAMPLES) {
                place.copy_from_slice(block);
            }
        };
        origins.push(receiver.pull(ms(now), &mut block, &mut tap).unwrap().origin);
    }
    let count = move |wanted: BlockOrigin| origins.iter().filter(|origin| **origin == wanted).count();
    (sent, recorded, count)
}

const VOICE: EncoderConfig = EncoderConfig {
    bitrate_kbps: 40,
    mode: BitrateMode::Variable,
    signal: Signal::Voice,
    expected_loss_percent: 20,
};

#[test]
fn a_recording_arrives_whole_on_a_quiet_network() {
    let (sent, recorded, count) = call(EncoderConfig { signal: Signal::Music, ..VOICE }, 250, || Some(15));
    assert_eq!(count(BlockOrigin::Packet), 250);
    let correlation = aligned_correlation(&sent, &recorded, 600);
    assert!(correlation > 0.97, "{correlation}");
}

#[test]
fn voice_stays_intelligible_at_twenty_percent_loss() {
    let mut random = Seeded::new(11);
    let (sent, recorded, count) = call(VOICE, 500, || (!random.happens(20)).then(|| 15 + random.below(20)));
    assert!(count(BlockOrigin::ForwardCorrection) > 40, "{}", count(BlockOrigin::ForwardCorrection));
    let correlation = aligned_correlation(&sent, &recorded, 600);
    assert!(correlation > 0.75, "{correlation}");
}

#[test]
fn a_sine_survives_with_a_good_signal_to_noise_ratio() {
    let mut encoder =
        encoder(EncoderConfig { bitrate_kbps: 64, signal: Signal::Music, ..EncoderConfig::default() });
    let mut decoder = Decoder::new().unwrap();
    let lookahead = encoder.lookahead_samples().unwrap() as usize;
    let sample = |i: usize| 8_000.0 * (i as f64 * 440.0 / 48_000.0 * core::f64::consts::TAU).sin();
    let (mut source, mut out) = (Vec::new(), Vec::new());
    for index in 0..100 {
        let block: BlockSamples = core::array::from_fn(|i| sample(index * BLOCK_SAMPLES + i) as i16);
        source.extend(block);
        let packet = encode(&mut encoder, &block);
        let mut decoded = SILENCE;
        decoder.decode(packet.as_slice(), &mut decoded).unwrap();
        out.extend(decoded);
    }
    let pairs = source.iter().zip(&out[lookahead..]).skip(9_600);
    let (mut signal, mut noise) = (0.0, 0.0);
    for (a, b) in pairs {
        signal += f64::from(*a).powi(2);
        noise += (f64::from(*a) - f64::from(*b)).powi(2);
    }
    let snr = 10.0 * (signal / noise).log10();
    assert!(snr > 20.0, "{snr} dB");
}

#[test]
fn concealment_goes_on_and_then_falls() {
    let mut encoder = encoder(EncoderConfig::default());
    let mut decoder = Decoder::new().unwrap();
    let mut block = SILENCE;
    for index in 0..50 {
        let packet = encode(&mut encoder, &voice(index));
        decoder.decode(packet.as_slice(), &mut block).unwrap();
    }
    let before = level_dbov(&block);
    decoder.conceal(&mut block).unwrap();
    assert!(level_dbov(&block) > before - 12, "{} after {before}", level_dbov(&block));
    for _ in 0..25 {
        decoder.conceal(&mut block).unwrap();
    }
    assert!(level_dbov(&block) < before - 5, "{}", level_dbov(&block));
}

#[test]
fn forward_correction_is_nearer_to_the_lost_block_than_concealment() {
    let mut encoder = encoder(VOICE);
    let packets: Vec<FrameBuf> = (0..60).map(|index| encode(&mut encoder, &voice(index))).collect();
    let lost = 50;
    let run = |recover: &dyn Fn(&mut Decoder, &mut BlockSamples)| {
        let mut decoder = Decoder::new().unwrap();
        let mut block = SILENCE;
        for packet in &packets[..lost] {
            decoder.decode(packet.as_slice(), &mut block).unwrap();
        }
        recover(&mut decoder, &mut block);
        block
    };
    let truth = run(&|decoder, block| {
        decoder.decode(packets[lost].as_slice(), block).unwrap();
    });
    let corrected = run(&|decoder, block| {
        decoder.decode_previous(packets[lost + 1].as_slice(), block).unwrap();
    });
    let concealed = run(&|decoder, block| {
        decoder.conceal(block).unwrap();
    });
    let distance = |block: &BlockSamples| -> f64 {
        block.iter().zip(&truth).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
    };
    assert!(distance(&corrected) < distance(&concealed), "{} {}", distance(&corrected), distance(&concealed));
}

// Strict metadata mode: neither sizes nor pauses tell what is said.
#[test]
fn constant_bitrate_packets_have_one_size_whatever_is_said() {
    let mut encoder = encoder(EncoderConfig { mode: BitrateMode::Constant, ..EncoderConfig::default() });
    let sizes: Vec<usize> = (0..100)
        .map(|index| encode(&mut encoder, &if index % 20 < 10 { voice(index) } else { SILENCE }).len())
        .collect();
    assert!(sizes.iter().all(|size| *size == 100), "{sizes:?}");
}

#[test]
fn silence_is_sent_and_decodes_to_silence() {
    let mut encoder = encoder(EncoderConfig::default());
    let mut decoder = Decoder::new().unwrap();
    let mut block = SILENCE;
    for _ in 0..100 {
        let packet = encode(&mut encoder, &SILENCE);
        assert!(!packet.is_empty());
        decoder.decode(packet.as_slice(), &mut block).unwrap();
        assert!(level_dbov(&block) < -80);
    }
}

#[test]
fn packets_of_another_duration_are_malformed() {
    let mut decoder = Decoder::new().unwrap();
    let mut block = SILENCE;
    // RFC 6716 §3.1: configuration 3 is SILK with 60 ms, 16 CELT with 2.5 ms.
    for first in [3 << 3, 16 << 3] {
        assert_eq!(decoder.decode(&[first, 1, 2, 3], &mut block), Err(OpusError::Malformed));
    }
    assert_eq!(decoder.decode(&[], &mut block), Err(OpusError::Malformed));
}

#[test]
fn a_stream_that_stops_fades_out_without_a_click() {
    let mut encoder = encoder(VOICE);
    let mut receiver = AudioReceiver::new(DelayLimits::default()).unwrap();
    let (mut last, mut largest_step, mut silent) = (0_i32, 0, 0);
    for step in 0..100_u64 {
        if step < 50 {
            receiver.handle_packet(ms(step * 20), step * 960, encode(&mut encoder, &voice(step)));
        }
        let mut block = SILENCE;
        let played = receiver.pull(ms(step * 20 + 5), &mut block, &mut |_, _| {}).unwrap();
        if step > 50 {
            largest_step = block.iter().fold(largest_step, |largest, sample| {
                let jump = (i32::from(*sample) - last).abs();
                last = i32::from(*sample);
                largest.max(jump)
            });
        }
        last = i32::from(block[BLOCK_SAMPLES - 1]);
        silent += u32::from(played.origin == BlockOrigin::Silence && step > 50);
    }
    assert!(silent > 35, "{silent}");
    assert!(largest_step < 1_500, "{largest_step}");
}

#[test]
fn a_recording_by_media_time_is_whole_although_playing_caught_up() {
    let mut random = Seeded::new(12);
    let mut sent = 0;
    let config = EncoderConfig { signal: Signal::Music, ..VOICE };
    let (source, recorded, count) = call(config, 900, || {
        sent += 1;
        Some(if sent < 60 { 20 + random.below(160) } else { 20 })
    });
    assert!(count(BlockOrigin::Merged) > 2, "{}", count(BlockOrigin::Merged));
    // From the second second on nothing is missing.
    let correlation = aligned_correlation(&source[96_000..], &recorded[96_000..], 600);
    assert!(correlation > 0.97, "{correlation}");
}
