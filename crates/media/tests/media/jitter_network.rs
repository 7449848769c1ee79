//! The jitter buffer on simulated networks. The payload is the number of the block.

use core::time::Duration;

use incamera_media::jitter::{DelayLimits, Inserted, JitterBuffer, MAX_BUFFERED_BLOCKS, Playout};
use incamera_types::Mono;

use crate::support::{Seeded, ms};

/// First timestamp: any.
const START: u64 = 4_294_000_000;

fn timestamp(block: u64) -> u64 {
    START + block * 960
}

/// What one pull gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Played {
    Block(u64),
    Merged(u64),
    Recovered,
    Concealed,
    Held,
    Idle,
}

fn pull(buffer: &mut JitterBuffer<u64>, now: Mono) -> Played {
    match buffer.pull(now) {
        Playout::Packet { timestamp: at, payload } => {
            assert_eq!(at, timestamp(payload));
            Played::Block(payload)
        }
        Playout::Merge { first, second, .. } => {
            assert_eq!(second, first + 1);
            Played::Merged(first)
        }
        Playout::Lost { timestamp: at, following: Some(next) } => {
            assert_eq!(timestamp(*next), at + 960);
            Played::Recovered
        }
        Playout::Lost { following: None, .. } => Played::Concealed,
        Playout::Hold => Played::Held,
        Playout::Idle => Played::Idle,
    }
}

/// Sends `blocks` blocks and pulls every `pull_us`; `network` gives the delay in ms of a block or drops it.
fn run(
    buffer: &mut JitterBuffer<u64>,
    blocks: u64,
    pull_us: u64,
    mut network: impl FnMut(u64) -> Option<u64>,
) -> Vec<Played> {
    let mut arrivals: Vec<(Mono, u64)> =
        (0..blocks).filter_map(|block| network(block).map(|delay| (ms(block * 20 + delay), block))).collect();
    arrivals.sort_by_key(|(at, block)| (*at, *block));
    let mut arrivals = arrivals.into_iter().peekable();
    let mut played = Vec::new();
    // Pulled until half a second after the last block was sent.
    for step in 0..(blocks * 20_000 + 500_000) / pull_us {
        let now = Mono::from_micros(7_000 + step * pull_us);
        while let Some((at, block)) = arrivals.next_if(|(at, _)| *at <= now) {
            buffer.insert(at, timestamp(block), block);
        }
        played.push(pull(buffer, now));
        assert!(buffer.len() <= MAX_BUFFERED_BLOCKS);
    }
    played
}

fn count(played: &[Played], is: impl Fn(&Played) -> bool) -> usize {
    played.iter().filter(|played| is(played)).count()
}

fn blocks_of(played: &[Played]) -> Vec<u64> {
    played
        .iter()
        .flat_map(|played| match played {
            Played::Block(block) => vec![*block],
            Played::Merged(first) => vec![*first, first + 1],
            _ => Vec::new(),
        })
        .collect()
}

#[test]
fn a_quiet_network_plays_every_block_with_little_delay() {
    let mut buffer = JitterBuffer::new(DelayLimits::default());
    let played = run(&mut buffer, 500, 20_000, |_| Some(30));
    assert!(blocks_of(&played).into_iter().eq(0..500));
    assert_eq!((buffer.statistics().held, buffer.statistics().lost), (0, 5), "only the end is concealed");
    assert_eq!(buffer.target_delay(), Duration::from_millis(20));
    let first = played.iter().position(|played| *played == Played::Block(0)).unwrap();
    assert!(first <= 4, "begins within {} ms", first * 20);
}

#[test]
fn jitter_lengthens_the_delay_until_almost_all_come_in_time() {
    let mut random = Seeded::new(1);
    let mut buffer = JitterBuffer::new(DelayLimits::default());
    let played = run(&mut buffer, 3_000, 20_000, |_| Some(20 + random.below(80)));
    let late = buffer.statistics().late + buffer.statistics().lost;
    assert!(late < 60, "{:?}", buffer.statistics());
    assert!(
        buffer.target_delay() >= Duration::from_millis(80)
            && buffer.target_delay() <= Duration::from_millis(110)
    );
    assert!(blocks_of(&played).is_sorted());
}

#[test]
fn the_delay_shrinks_again_after_a_bad_time() {
    let mut random = Seeded::new(2);
    let mut buffer = JitterBuffer::new(DelayLimits::default());
    let played =
        run(&mut buffer, 3_000, 20_000, |block| Some(if block < 500 { 20 + random.below(200) } else { 20 }));
    assert!(buffer.statistics().merged >= 5, "{:?}", buffer.statistics());
    assert_eq!(buffer.target_delay(), Duration::from_millis(20));
    // In the calm part every block is heard.
    let calm: Vec<u64> = blocks_of(&played).into_iter().filter(|block| *block >= 520).collect();
    assert!(calm.into_iter().eq(520..3_000));
}

#[test]
fn twenty_percent_loss_is_recovered_or_concealed_without_losing_time() {
    let mut random = Seeded::new(3);
    let mut buffer = JitterBuffer::new(DelayLimits::default());
    let played = run(&mut buffer, 2_000, 20_000, |_| (!random.happens(20)).then(|| 20 + random.below(15)));
    let lost = count(&played, |played| matches!(played, Played::Recovered | Played::Concealed));
    assert!((300..500).contains(&lost), "{lost}");
    // Four of five losses have their neighbour behind them.
    let recovered = count(&played, |played| *played == Played::Recovered);
    assert!(recovered * 10 > lost * 6, "{recovered} of {lost}");
    let heard = blocks_of(&played).len() + lost;
    assert!((1_990..=2_005).contains(&heard), "{heard}");
    assert!(buffer.statistics().merged < 10);
}

#[test]
fn clock_drift_of_either_sign_is_taken_up() {
    for pull_us in [19_980, 20_020] {
        let mut random = Seeded::new(5);
        let mut buffer = JitterBuffer::new(DelayLimits::default());
        // 1,000 ppm for 100 s: the clocks part by five blocks.
        let played = run(&mut buffer, 5_000, pull_us, |_| Some(20 + random.below(5)));
        let statistics = buffer.statistics();
        assert!(statistics.lost <= 7 && statistics.late <= 2, "{pull_us}: {statistics:?}");
        assert!(statistics.held < 20 && statistics.merged < 20, "{pull_us}: {statistics:?}");
        assert!(blocks_of(&played).into_iter().eq(0..5_000), "{pull_us}");
        assert!(statistics.held + statistics.merged >= 3, "{pull_us}: {statistics:?}");
    }
}

#[test]
fn duplicates_and_reordering_change_nothing() {
    let mut buffer = JitterBuffer::new(DelayLimits::default());
    for block in [0, 2, 1, 1, 3, 0] {
        buffer.insert(ms(0), timestamp(block), block);
    }
    assert_eq!(buffer.statistics().duplicates, 2);
    let played: Vec<Played> = (0..4).map(|step| pull(&mut buffer, ms(60 + step * 20))).collect();
    assert_eq!(played, [0, 1, 2, 3].map(Played::Block));
    assert_eq!(buffer.insert(ms(200), timestamp(2), 2), Inserted::Late);
}

#[test]
fn a_pause_is_silent_and_the_stream_begins_again_after_it() {
    let mut buffer = JitterBuffer::new(DelayLimits::default());
    let played = run(&mut buffer, 300, 20_000, |block| (!(100..200).contains(&block)).then_some(20));
    assert!(count(&played, |played| *played == Played::Idle) > 90);
    assert!(blocks_of(&played).into_iter().eq((0..100).chain(200..300)));
}

#[test]
fn a_sender_that_restarts_its_clock_is_heard_again() {
    for shift in [-1_000_000_000_i64, 90_000_000, -96_000] {
        let mut buffer = JitterBuffer::new(DelayLimits::default());
        let mut heard_after = 0;
        for step in 0..200_u64 {
            let at = timestamp(step).saturating_add_signed(if step < 100 { 0 } else { shift });
            buffer.insert(ms(step * 20), at, step);
            if let Playout::Packet { payload, .. } = buffer.pull(ms(step * 20 + 5)) {
                heard_after += u64::from(payload >= 100);
            }
        }
        assert_eq!(buffer.statistics().restarts, 1, "{shift}");
        assert!(heard_after >= 70, "{shift}: {heard_after}");
    }
}

#[test]
fn outputs_that_pull_in_bursts_hear_every_block() {
    let mut buffer = JitterBuffer::new(DelayLimits::default());
    let mut heard = Vec::new();
    let mut sent = 0;
    for burst in 1..300_u64 {
        let now = ms(burst * 60);
        while sent * 20 <= burst * 60 {
            buffer.insert(ms(sent * 20), timestamp(sent), sent);
            sent += 1;
        }
        let played: Vec<Played> = (0..3).map(|_| pull(&mut buffer, now)).collect();
        heard.extend(blocks_of(&played));
    }
    assert!(heard.iter().copied().eq(0..heard.len() as u64));
    assert!(heard.len() > 880, "{}", heard.len());
    assert!(buffer.statistics().held < 12, "{:?}", buffer.statistics());
}

/// SEC-15
#[test]
fn hostile_timestamps_are_bounded_and_do_not_panic() {
    let mut random = Seeded::new(9);
    let mut buffer = JitterBuffer::new(DelayLimits::default());
    for step in 0..20_000_u64 {
        let at = match random.below(6) {
            0 => random.next(),
            1 => u64::MAX - random.below(3),
            2 => random.below(3),
            _ => START + random.below(200_000),
        };
        buffer.insert(ms(random.below(step + 1)), at, step);
        if random.happens(30) {
            let _ = buffer.pull(ms(step));
        }
        assert!(buffer.len() <= MAX_BUFFERED_BLOCKS);
        assert!(buffer.target_delay() <= DelayLimits::default().max);
    }
}
