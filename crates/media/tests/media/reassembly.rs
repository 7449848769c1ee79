//! The reassembler against every kind of disorder.

use core::time::Duration;

use incamera_media::rtp::{
    MAX_SEALED_BYTES, ReassemblerConfig, ReassemblerEvent, RtpPacket, Vp8Packetizer, Vp8Reassembler,
};
use incamera_types::Mono;
use proptest::prelude::*;

use crate::support::{Seeded, ms, packets};

type Packet = RtpPacket<Vec<u8>>;

/// Frames delivered and the number of `Lost` reports.
#[derive(Default)]
struct Outcome {
    frames: Vec<Vec<u8>>,
    losses: u32,
}

fn drain(reassembler: &mut Vp8Reassembler<Vec<u8>>, now: Mono, outcome: &mut Outcome) {
    while let Some(event) = reassembler.poll(now) {
        match event {
            ReassemblerEvent::Frame(frame) => {
                outcome.frames.push(frame.frame.as_slice().to_vec());
                reassembler.recycle(frame.frame);
            }
            ReassemblerEvent::Lost { .. } => outcome.losses += 1,
        }
    }
}

/// Feeds packets at their times (milliseconds), then lets all deadlines pass.
fn run(mut arrivals: Vec<(u64, Packet)>) -> Outcome {
    arrivals.sort_by_key(|(at, _)| *at);
    let mut reassembler = Vp8Reassembler::new(ReassemblerConfig::default());
    let mut outcome = Outcome::default();
    let mut last = 0;
    for (at, packet) in arrivals {
        while let Some(deadline) = reassembler.poll_timeout().filter(|deadline| *deadline <= ms(at)) {
            drain(&mut reassembler, deadline, &mut outcome);
        }
        reassembler.handle_packet(ms(at), packet);
        drain(&mut reassembler, ms(at), &mut outcome);
        last = at;
    }
    drain(&mut reassembler, ms(last + 1_000), &mut outcome);
    outcome
}

fn frame(index: usize, len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + index * 13) as u8).collect()
}

/// What happens to one packet: the fate of each is chosen by proptest.
#[derive(Clone, Debug)]
enum Fate {
    Dropped,
    Delayed(u64),
    Duplicated(u64, u64),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        1 => Just(Fate::Dropped),
        6 => (0..150_u64).prop_map(Fate::Delayed),
        2 => (0..150_u64, 0..600_u64).prop_map(|(a, b)| Fate::Duplicated(a, b)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn exactly_the_frames_without_a_dropped_packet_come_out_once_and_in_order(
        sizes in prop::collection::vec(1..6_000_usize, 1..25),
        fates in prop::collection::vec(fate(), 140),
        first_id in any::<u16>(),
        first_sequence in 0..100_000_u64,
    ) {
        let mut packetizer = Vp8Packetizer::new(first_id);
        let mut sequence = first_sequence;
        let mut arrivals = Vec::new();
        let mut intact = Vec::new();
        let mut any_dropped = false;
        let mut fates = fates.into_iter().cycle();
        for (index, size) in sizes.iter().enumerate() {
            let bytes = frame(index, *size);
            let mut complete = true;
            for packet in packets(&mut packetizer, &mut sequence, index as u32 * 3_000, &bytes) {
                let at = 100 + index as u64 * 33;
                // The first frame comes in order: before it nobody knows where the stream begins.
                let fate = if index == 0 { Fate::Delayed(0) } else { fates.next().unwrap() };
                match fate {
                    Fate::Dropped => { complete = false; any_dropped = true; }
                    Fate::Delayed(by) => arrivals.push((at + by, packet)),
                    Fate::Duplicated(by, again) => {
                        arrivals.push((at + by, packet.clone()));
                        arrivals.push((at + by + again, packet));
                    }
                }
            }
            if complete { intact.push(bytes); }
        }
        // A last frame shows what is missing before it.
        let last = frame(99, 10);
        let after = 100 + sizes.len() as u64 * 33 + 200;
        arrivals.extend(packets(&mut packetizer, &mut sequence, 999_000, &last).into_iter().map(|p| (after, p)));
        intact.push(last);
        let outcome = run(arrivals);
        prop_assert_eq!(outcome.losses > 0, any_dropped);
        prop_assert_eq!(outcome.frames, intact);
    }

    /// SEC-15
    #[test]
    fn arbitrary_packets_neither_panic_nor_stop_the_stream(
        junk in prop::collection::vec(
            (any::<u32>(), any::<u32>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..40), 0..500_u64),
            0..200,
        ),
    ) {
        let mut reassembler = Vp8Reassembler::new(ReassemblerConfig::default());
        let mut outcome = Outcome::default();
        let mut at = 0;
        let mut highest = 0;
        for (sequence, timestamp, marker, payload, later) in junk {
            at += later;
            let sequence = u64::from(sequence);
            highest = highest.max(sequence);
            reassembler.handle_packet(ms(at), RtpPacket { sequence, timestamp, marker, payload });
            drain(&mut reassembler, ms(at), &mut outcome);
        }
        let mut sequence = highest + 100;
        let frame = frame(1, 3_000);
        let good = packets(&mut Vp8Packetizer::new(0), &mut sequence, 1, &frame);
        at += 1_000;
        for packet in good {
            reassembler.handle_packet(ms(at), packet);
        }
        drain(&mut reassembler, ms(at), &mut outcome);
        drain(&mut reassembler, ms(at + 1_000), &mut outcome);
        prop_assert_eq!(outcome.frames.last(), Some(&frame));
    }
}

#[test]
fn a_lost_packet_is_reported_after_the_wait_and_not_before() {
    let mut packetizer = Vp8Packetizer::new(0);
    let mut sequence = 0;
    let mut reassembler = Vp8Reassembler::new(ReassemblerConfig { max_wait: Duration::from_millis(100) });
    let mut outcome = Outcome::default();
    for packet in packets(&mut packetizer, &mut sequence, 0, &frame(0, 100)) {
        reassembler.handle_packet(ms(0), packet);
    }
    packets(&mut packetizer, &mut sequence, 1, &frame(1, 100));
    for packet in packets(&mut packetizer, &mut sequence, 2, &frame(2, 100)) {
        reassembler.handle_packet(ms(50), packet);
    }
    drain(&mut reassembler, ms(149), &mut outcome);
    assert_eq!((outcome.frames.len(), outcome.losses), (1, 0));
    assert_eq!(reassembler.poll_timeout(), Some(ms(150)));
    drain(&mut reassembler, ms(150), &mut outcome);
    assert_eq!((outcome.frames.len(), outcome.losses), (2, 1));
    assert_eq!(reassembler.statistics().missing_packets, 1);
    assert_eq!(reassembler.poll_timeout(), None);
}

// An SFU that filters temporal layers leaves gaps in PictureIDs, none in sequence numbers.
#[test]
fn gaps_in_picture_ids_are_no_loss() {
    let mut sequence = 0;
    let arrivals = (0..20_u32).flat_map(|index| {
        let mut packetizer = Vp8Packetizer::new((index * 3) as u16);
        packets(&mut packetizer, &mut sequence, index, &frame(index as usize, 2_000))
            .into_iter()
            .map(move |packet| (u64::from(index) * 33, packet))
            .collect::<Vec<_>>()
    });
    let outcome = run(arrivals.collect());
    assert_eq!((outcome.frames.len(), outcome.losses), (20, 0));
}

#[test]
fn empty_packets_between_and_within_frames_are_no_loss() {
    let mut packetizer = Vp8Packetizer::new(0);
    let mut sequence = 0;
    let mut arrivals = Vec::new();
    for index in 0..10_u32 {
        let mut sent = packets(&mut packetizer, &mut sequence, index, &frame(index as usize, 2_500));
        let (middle, end) = (sent[1].sequence, sequence + 2);
        for later in &mut sent[1..] {
            later.sequence += 1;
        }
        sequence = end;
        let filler = |sequence| RtpPacket { sequence, timestamp: index, marker: false, payload: Vec::new() };
        sent.extend([filler(middle), filler(end)]);
        arrivals.extend(sent.into_iter().map(|packet| (u64::from(index) * 33, packet)));
    }
    let outcome = run(arrivals);
    assert_eq!((outcome.frames.len(), outcome.losses), (10, 0));
    assert!(outcome.frames.iter().enumerate().all(|(index, got)| *got == frame(index, 2_500)));
}

#[test]
fn a_stream_that_counts_anew_goes_on_after_one_report() {
    let mut packetizer = Vp8Packetizer::new(0);
    let mut arrivals = Vec::new();
    for (start, from) in [(100_000, 0_u64), (500_000, 10), (1_000, 20)] {
        let mut sequence = start;
        for index in from..from + 60 {
            let sent = packets(&mut packetizer, &mut sequence, index as u32, &frame(index as usize, 50));
            arrivals.extend(
                sent.into_iter().map(|packet| ((start == 500_000) as u64 + from * 1_000 + index, packet)),
            );
        }
    }
    let outcome = run(arrivals);
    assert_eq!(outcome.losses, 2);
    // Going back takes 32 packets to be believed.
    assert_eq!(outcome.frames.len(), 60 + 60 + 60 - 31);
}

/// SEC-15: a frame without end is given up before it fills the memory.
#[test]
fn frames_above_the_size_limit_are_given_up() {
    let mut reassembler = Vp8Reassembler::new(ReassemblerConfig::default());
    let mut outcome = Outcome::default();
    let mut payload = vec![0x90, 0x80, 0x80, 0x01];
    payload.resize(2_048, 0xaa);
    for sequence in 0..8_000_u64 {
        payload[0] = if sequence == 0 { 0x90 } else { 0x80 };
        reassembler.handle_packet(
            ms(0),
            RtpPacket { sequence, timestamp: 0, marker: false, payload: payload.clone() },
        );
        drain(&mut reassembler, ms(0), &mut outcome);
    }
    assert_eq!((outcome.frames.len(), outcome.losses), (0, 1));
    const { assert!(8_000 * 2_000 > MAX_SEALED_BYTES) };
}

#[test]
fn frame_buffers_are_used_again() {
    let mut packetizer = Vp8Packetizer::new(0);
    let mut sequence = 0;
    let mut reassembler = Vp8Reassembler::new(ReassemblerConfig::default());
    let mut addresses = Vec::new();
    let mut random = Seeded::new(4);
    for index in 0..20 {
        let len = if index == 0 { 9_000 } else { 1 + random.below(8_000) as usize };
        for packet in packets(&mut packetizer, &mut sequence, index, &frame(0, len)) {
            reassembler.handle_packet(ms(0), packet);
        }
        let Some(ReassemblerEvent::Frame(frame)) = reassembler.poll(ms(0)) else { panic!("frame {index}") };
        addresses.push(frame.frame.as_slice().as_ptr());
        reassembler.recycle(frame.frame);
    }
    addresses.dedup();
    assert_eq!(addresses.len(), 1);
}
