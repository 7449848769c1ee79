//! What the machine does to many packets, on virtual time.

use core::time::Duration;

use incamera_impair::{
    BitRate, Burst, Dice, Direction, ImpairmentMachine, LinkCounters, LinkSettings, Output, Probability,
};
use incamera_types::Mono;

const PACKETS: u32 = 100_000;
const SPACING: Duration = Duration::from_millis(2);

/// Number and arrival of every packet, in the order of arrival.
type Arrived = Vec<(u32, Mono)>;

fn percent(percent: f64) -> Probability {
    Probability::percent(percent).unwrap()
}

fn drain(machine: &mut ImpairmentMachine, until: Mono, arrived: &mut Arrived) {
    let mut now = Mono::default();
    loop {
        match machine.poll_output(now) {
            Output::Send(direction, packet) => {
                assert_eq!(direction, Direction::ToServer);
                arrived.push((u32::from_be_bytes(packet[..4].try_into().unwrap()), now));
            }
            Output::WaitUntil(arrival) if arrival <= until => now = arrival,
            Output::WaitUntil(_) | Output::Idle => return,
        }
    }
}

fn run_seeded(settings: LinkSettings, bytes: usize, seed: u64) -> (Arrived, LinkCounters) {
    let mut machine = ImpairmentMachine::new(settings, LinkSettings::default(), &Dice::new(seed));
    let mut arrived = Vec::new();
    for number in 0..PACKETS {
        let now = sent(number);
        drain(&mut machine, now, &mut arrived);
        let mut packet = number.to_be_bytes().to_vec();
        packet.resize(bytes, 0);
        machine.handle_packet(now, Direction::ToServer, &packet);
    }
    drain(&mut machine, sent(PACKETS).plus(Duration::from_secs(60)), &mut arrived);
    (arrived, machine.counters(Direction::ToServer))
}

fn run(settings: LinkSettings) -> (Arrived, LinkCounters) {
    run_seeded(settings, 100, 7)
}

fn sent(number: u32) -> Mono {
    Mono::from_micros(0).plus(SPACING * number)
}

#[track_caller]
fn assert_share(count: u64, percent: core::ops::Range<f64>) {
    let share = count as f64 * 100.0 / f64::from(PACKETS);
    assert!(percent.contains(&share), "{share} % is not in {percent:?}");
}

#[test]
fn perfect_link_passes_everything_at_once_and_in_order() {
    let (arrived, counters) = run(LinkSettings::default());
    assert_eq!(arrived.len(), PACKETS as usize);
    assert!(
        arrived
            .iter()
            .enumerate()
            .all(|(index, &(number, at))| { number as usize == index && at == sent(number) })
    );
    assert_eq!((counters.received, counters.passed), (u64::from(PACKETS), u64::from(PACKETS)));
    assert_eq!(counters.passed_bytes, u64::from(PACKETS) * 100);
}

#[test]
fn single_losses_have_their_share_and_are_independent() {
    let (arrived, counters) = run(LinkSettings { loss: percent(5.0), ..LinkSettings::default() });
    assert_share(counters.lost, 4.7..5.3);
    assert_eq!(arrived.len() as u64, counters.received - counters.lost);
    // Of independent losses, 5 % directly follow another one.
    let pairs = arrived.windows(2).filter(|pair| pair[1].0 - pair[0].0 > 2).count();
    assert_share(pairs as u64, 0.18..0.30);
}

#[test]
fn burst_losses_come_in_runs_of_the_expected_length() {
    let burst = Burst { enter: percent(1.0), leave: percent(25.0) };
    let (arrived, counters) = run(LinkSettings { burst: Some(burst), ..LinkSettings::default() });
    // Share of the bad state: enter / (enter + leave); mean run: 1 / leave.
    assert_share(counters.lost_in_burst, 3.4..4.3);
    let gaps: Vec<u32> =
        arrived.windows(2).map(|pair| pair[1].0 - pair[0].0 - 1).filter(|&gap| gap > 0).collect();
    let mean = f64::from(gaps.iter().sum::<u32>()) / gaps.len() as f64;
    assert!((3.7..4.3).contains(&mean), "mean burst of {mean}");
}

#[test]
fn jitter_stays_in_its_range_and_keeps_the_order() {
    let settings = LinkSettings {
        delay: Duration::from_millis(10),
        jitter: Duration::from_millis(5),
        ..LinkSettings::default()
    };
    let (arrived, _) = run(settings);
    assert!(arrived.is_sorted_by_key(|&(number, _)| number));
    let travel: Vec<f64> =
        arrived.iter().map(|&(number, at)| at.since(sent(number)).as_secs_f64() * 1e3).collect();
    assert!(travel.iter().all(|ms| (10.0..=15.0).contains(ms)));
    let mean = travel.iter().sum::<f64>() / travel.len() as f64;
    assert!((12.3..13.7).contains(&mean), "mean of {mean} ms");
}

#[test]
fn reordered_packets_are_overtaken_and_others_are_not() {
    let settings = LinkSettings {
        reorder: percent(2.0),
        reorder_by: Duration::from_millis(7),
        ..LinkSettings::default()
    };
    let (arrived, counters) = run(settings);
    assert_share(counters.reordered, 1.8..2.2);
    let late = arrived.iter().filter(|&&(number, at)| at > sent(number)).count();
    assert_eq!(late as u64, counters.reordered);
    let overtaken = arrived.windows(2).filter(|pair| pair[1].0 < pair[0].0).count();
    assert_share(overtaken as u64, 1.7..2.2);
}

#[test]
fn duplicates_follow_their_originals() {
    let (arrived, counters) = run(LinkSettings { duplicate: percent(3.0), ..LinkSettings::default() });
    assert_share(counters.duplicated, 2.8..3.2);
    let twins = arrived.windows(2).filter(|pair| pair[0].0 == pair[1].0).count();
    assert_eq!(twins as u64, counters.duplicated);
}

#[test]
fn bottleneck_passes_its_rate_and_drops_the_excess() {
    // 1,000 bytes every 2 ms are 4 Mbit/s, twice the limit.
    let settings = LinkSettings {
        rate: BitRate::from_bits_per_second(2_000_000),
        queue: Duration::from_millis(100),
        ..LinkSettings::default()
    };
    let (arrived, counters) = run_seeded(settings, 1_000, 7);
    assert_share(counters.passed, 49.5..50.5);
    assert_share(counters.overflowed, 49.5..50.5);
    let longest = arrived.iter().map(|&(number, at)| at.since(sent(number))).max().unwrap();
    assert!(longest <= Duration::from_millis(104), "waited {longest:?}");
    assert!(arrived.windows(2).all(|pair| pair[1].1.since(pair[0].1) >= Duration::from_millis(4)));
}

#[test]
fn same_seed_repeats_everything_and_another_does_not() {
    let settings = LinkSettings {
        loss: percent(5.0),
        jitter: Duration::from_millis(9),
        reorder: percent(1.0),
        duplicate: percent(1.0),
        ..LinkSettings::default()
    };
    assert_eq!(run_seeded(settings, 100, 1), run_seeded(settings, 100, 1));
    assert_ne!(run_seeded(settings, 100, 1), run_seeded(settings, 100, 2));
}

#[test]
fn changing_one_setting_leaves_the_other_decisions_alone() {
    let lossy = LinkSettings { loss: percent(5.0), ..LinkSettings::default() };
    let slow = LinkSettings { delay: Duration::from_millis(50), jitter: Duration::from_millis(3), ..lossy };
    let numbers = |settings| run(settings).0.into_iter().map(|(number, _)| number).collect::<Vec<_>>();
    assert_eq!(numbers(lossy), numbers(slow));
}

#[test]
fn settings_change_between_packets() {
    let mut machine = ImpairmentMachine::new(LinkSettings::default(), LinkSettings::default(), &Dice::new(3));
    let now = Mono::from_micros(5);
    let deaf = LinkSettings { loss: Probability::ALWAYS, ..LinkSettings::default() };
    machine.handle_packet(now, Direction::ToClient, b"a");
    machine.change(Direction::ToClient, deaf);
    machine.handle_packet(now, Direction::ToClient, b"b");
    machine.handle_packet(now, Direction::ToServer, b"c");
    assert_eq!(machine.poll_output(now), Output::Send(Direction::ToClient, b"a".to_vec()));
    assert_eq!(machine.poll_output(now), Output::Send(Direction::ToServer, b"c".to_vec()));
    assert_eq!(machine.poll_output(now), Output::Idle);
    assert_eq!(machine.counters(Direction::ToClient).lost, 1);
    assert_eq!(machine.counters(Direction::ToServer).lost, 0);
}
