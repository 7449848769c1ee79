//! The log: order, lanes, fair turns, catching up.

use std::time::Duration;

use incamera_relay::{CreateRule, Origin, Rate, RelayLimits, Transmit};
use incamera_relay_proto::{Access, Lane, RelayFaultCode, Request, Seq, ServerMessage};

use crate::world::*;

#[test]
fn everybody_reads_the_same_order_and_authors_learn_their_place() {
    let mut world = World::new();
    let (host, _) = world.host();
    let member = world.member();
    world.read(member);
    let first = world.append(host, Lane::Commit, "one");
    let second = world.append(member, Lane::Application, "two");
    let third = world.append(host, Lane::Commit, "three");
    let at_host = world.read(host);
    let at_member = world.read(member);
    assert_eq!(World::entries(&at_host), ["one", "two", "three"]);
    assert_eq!(World::entries(&at_host), World::entries(&at_member));
    for (in_reply_to, seq) in [(first, 1), (third, 3)] {
        assert!(at_host.contains(&ServerMessage::Appended { in_reply_to, seq: Seq(seq) }));
    }
    assert!(at_member.contains(&ServerMessage::Appended { in_reply_to: second, seq: Seq(2) }));
}

#[test]
fn a_client_resumes_from_where_it_was() {
    let mut world = World::new();
    let (host, _) = world.host();
    for n in 1..=5 {
        world.append(host, Lane::Commit, &n.to_string());
    }
    let late = world.connect();
    let said = world.ask(late, World::open_request(Access::Member, member_capability(), 4));
    assert_eq!(World::entries(&said), ["4", "5"]);
    assert_eq!(said.last(), Some(&ServerMessage::CaughtUp { seq: Seq(5) }));
    world.append(host, Lane::Commit, "6");
    assert_eq!(World::entries(&world.read(late)), ["6"]);
    let ahead = world.connect();
    let said = world.ask(ahead, World::open_request(Access::Member, member_capability(), 900));
    assert_eq!(said.last(), Some(&ServerMessage::CaughtUp { seq: Seq(6) }), "no position from elsewhere");
}

#[test]
fn a_reader_that_stalls_costs_nothing_and_is_told_when_it_fell_behind() {
    let limits = RelayLimits { log_entries_per_room: 10, ..RelayLimits::default() };
    let mut world = World::with(limits, CreateRule::Anyone);
    let (host, _) = world.host();
    let stalled = world.member();
    for n in 0..30 {
        world.append(host, Lane::Application, &n.to_string());
        world.read(host);
        world.pass(Duration::from_millis(100));
    }
    let said = world.read(stalled);
    let Some(ServerMessage::Error(fault)) = said.last() else { panic!("{said:?}") };
    assert_eq!((fault.code, fault.detail), (RelayFaultCode::FellBehind, 21));
    assert!(World::entries(&said).is_empty());
    assert!(world.is_closed(stalled));
    let rejoining = world.connect();
    let opened = world.open(rejoining, Access::Member, member_capability());
    assert_eq!((opened.oldest, opened.head), (Seq(21), Seq(30)));
}

#[test]
fn chat_cannot_starve_commits() {
    let mut world = World::new();
    let (host, _) = world.host();
    let flooders: Vec<_> = (0..20).map(|_| world.member()).collect();
    for _ in 0..100 {
        for flooder in &flooders {
            world.append(*flooder, Lane::Application, "noise");
            world.read(*flooder);
        }
    }
    let commit = world.append(host, Lane::Commit, "remove");
    let appended = world.read(host).into_iter().find_map(|message| match message {
        ServerMessage::Appended { in_reply_to, .. } => Some(in_reply_to),
        _ => None,
    });
    assert_eq!(appended, Some(commit), "the commit is ordered at once");
}

#[test]
fn junk_commits_delay_an_honest_one_by_one_turn_at_most() {
    let limits = RelayLimits { room_commits: Rate { per_second: 4, burst: 4 }, ..RelayLimits::default() };
    let mut world = World::with(limits, CreateRule::Anyone);
    let (host, _) = world.host();
    let removed = world.member();
    for _ in 0..12 {
        world.append(removed, Lane::Commit, "junk");
    }
    world.read(removed);
    world.append(removed, Lane::Commit, "junk");
    world.append(host, Lane::Commit, "remove");
    world.pass(Duration::from_millis(250));
    assert!(World::entries(&world.read(host)).contains(&"remove".to_owned()), "one turn later");
}

#[test]
fn newer_commit_of_a_connection_takes_the_place_of_the_one_that_waits() {
    let limits = RelayLimits { room_commits: Rate { per_second: 1, burst: 1 }, ..RelayLimits::default() };
    let mut world = World::with(limits, CreateRule::Anyone);
    let (host, _) = world.host();
    world.append(host, Lane::Commit, "takes the one turn there is");
    world.read(host);
    let replaced = world.append(host, Lane::Commit, "for an epoch that is over");
    world.append(host, Lane::Commit, "for the next one");
    let refused = |message: &ServerMessage| {
        matches!(message, ServerMessage::Error(fault)
            if fault.in_reply_to == Some(replaced) && fault.code == RelayFaultCode::Busy)
    };
    assert!(world.read(host).iter().any(refused));
    world.pass(Duration::from_secs(2));
    assert_eq!(World::entries(&world.read(host)), ["for the next one"]);
}

#[test]
fn commits_of_a_room_keep_to_their_rate_and_none_is_lost() {
    let limits = RelayLimits { room_commits: Rate { per_second: 10, burst: 2 }, ..RelayLimits::default() };
    let mut world = World::with(limits, CreateRule::Anyone);
    let (host, _) = world.host();
    let members: Vec<_> = (0..8).map(|_| world.member()).collect();
    for (n, member) in members.into_iter().enumerate() {
        world.append(member, Lane::Commit, &n.to_string());
    }
    assert_eq!(World::entries(&world.read(host)).len(), 2);
    world.pass(Duration::from_millis(300));
    assert_eq!(World::entries(&world.read(host)).len(), 3);
    world.pass(Duration::from_secs(2));
    assert_eq!(World::entries(&world.read(host)), ["5", "6", "7"]);
}

#[test]
fn equal_inputs_give_equal_outputs() {
    let run = || {
        let mut world = World::new();
        let (host, opened) = world.host();
        let member = world.member();
        for n in 0..50 {
            let who = if n % 3 == 0 { host } else { member };
            world.append(who, if n % 2 == 0 { Lane::Commit } else { Lane::Application }, &n.to_string());
            world.pass(Duration::from_millis(7 * n % 100));
        }
        (opened, world.read(host), world.read(member), world.outputs)
    };
    assert_eq!(run(), run());
}

#[test]
fn a_connection_is_woken_once_until_it_has_read_everything() {
    let mut world = World::new();
    let (host, _) = world.host();
    let member = world.member();
    world.read(member);
    world.outputs.clear();
    for n in 0..5 {
        world.append(host, Lane::Commit, &n.to_string());
    }
    let woken = incamera_relay::RelayOutput::Wake(member);
    assert_eq!(world.outputs.iter().filter(|output| **output == woken).count(), 1);
    while world.relay.poll_message(member) != Transmit::Idle {}
    world.append(host, Lane::Commit, "more");
    assert_eq!(world.outputs.iter().filter(|output| **output == woken).count(), 2);
}

#[test]
fn sec_05_a_member_with_many_connections_delays_a_removal_by_a_turn() {
    for flooding_from in [Origin(66), Origin(1)] {
        let mut world = World::new();
        let (host, _) = world.host();
        world.origin = flooding_from;
        let flooders: Vec<_> = (0..255).map(|_| world.member()).collect();
        for flooder in flooders.iter().chain(&flooders) {
            world.append(*flooder, Lane::Commit, "junk");
        }
        for removal in ["first", "second"] {
            world.read(host);
            world.append(host, Lane::Commit, removal);
            world.pass(Duration::from_secs(1));
            assert!(World::entries(&world.read(host)).contains(&removal.to_owned()), "{flooding_from:?}");
        }
    }
}

#[test]
fn sec_15_appends_that_wait_cost_bounded_memory_and_honest_ones_keep_their_place() {
    let limits = RelayLimits {
        queued_bytes_per_lane: 1 << 20,
        room_commits: Rate { per_second: 1, burst: 1 },
        ..RelayLimits::default()
    };
    let mut world = World::with(limits, CreateRule::Anyone);
    let (host, _) = world.host();
    world.append(host, Lane::Commit, "takes the one turn there is");
    let honest = world.append(host, Lane::Commit, "waits");
    world.origin = Origin(66);
    let large = incamera_relay_proto::Blob::pad(&[0; 200_000]).unwrap();
    let mut refused = 0;
    for _ in 0..50 {
        let flooder = world.member();
        world.send(flooder, Request::Append { lane: Lane::Commit, blob: large.clone() });
        let said = world.read(flooder);
        let is_busy =
            |m: &ServerMessage| matches!(m, ServerMessage::Error(f) if f.code == RelayFaultCode::Busy);
        refused += said.iter().filter(|message| is_busy(message)).count();
    }
    assert!(refused >= 40, "{refused}");
    world.pass(Duration::from_secs(3));
    let appended = |m: &ServerMessage| matches!(m, ServerMessage::Appended { in_reply_to, .. } if *in_reply_to == honest);
    assert!(world.read(host).iter().any(appended));
}

#[test]
fn sec_15_a_room_beyond_its_share_of_a_full_relay_is_refused() {
    let limits = RelayLimits {
        held_bytes: 300_000,
        room_commits: Rate { per_second: 1, burst: 1 },
        ..RelayLimits::default()
    };
    let mut world = World::with(limits, CreateRule::Anyone);
    let (host, _) = world.host();
    world.append(host, Lane::Commit, "takes the one turn there is");
    let large = incamera_relay_proto::Blob::pad(&[0; 200_000]).unwrap();
    let flooder = world.member();
    world.send(flooder, Request::Append { lane: Lane::Commit, blob: large.clone() });
    let more = Request::Append { lane: Lane::Commit, blob: large };
    assert_eq!(world.refusal(host, more), RelayFaultCode::Busy);
}
