//! Who may connect, make and open rooms, and how long both live.

use std::time::Duration;

use incamera_relay::{CreateRule, CreateToken, Origin, RelayInput, RelayLimits, RelayOutput};
use incamera_relay_proto::{
    Access, AdminAction, CreateRoom, EndReason, RelayFaultCode, Request, Seq, ServerMessage, TextSecret,
};
use incamera_types::RoomId;

use crate::world::*;

#[test]
fn nothing_is_answered_before_hello_and_other_versions_are_named() {
    let mut world = World::new();
    let early = world.connect_raw();
    assert_eq!(world.refusal(early, Request::FetchCard), RelayFaultCode::OutOfTurn);
    let newer = world.connect_raw();
    assert_eq!(world.refusal(newer, Request::Hello { version: 2 }), RelayFaultCode::Version);
    assert!(world.is_closed(newer));
    let twice = world.connect();
    assert_eq!(world.refusal(twice, Request::Hello { version: 1 }), RelayFaultCode::OutOfTurn);
}

#[test]
fn a_connection_that_opens_nothing_is_closed() {
    let mut world = World::new();
    let idle = world.connect();
    world.pass(Duration::from_secs(14));
    assert!(!world.is_closed(idle));
    world.pass(Duration::from_secs(2));
    assert!(world.is_closed(idle));
}

#[test]
fn a_room_opens_only_with_its_capabilities() {
    let mut world = World::new();
    world.host();
    let stranger = world.connect();
    let attempts = [
        (Access::Member, knock_capability()),
        (Access::Knock, member_capability()),
        (Access::Knock, capability(77)),
    ];
    for (access, secret) in attempts {
        let request = World::open_request(access, secret, 1);
        assert_eq!(world.refusal(stranger, request), RelayFaultCode::Denied);
    }
    let elsewhere = Request::Open {
        room: RoomId([8; 16]),
        access: Access::Member,
        capability: member_capability(),
        from: Seq(1),
    };
    assert_eq!(world.refusal(stranger, elsewhere), RelayFaultCode::NoRoom);
    assert_eq!(world.refusal(stranger, Request::FetchCard), RelayFaultCode::OutOfTurn);
}

#[test]
fn guessing_capabilities_ends_the_connection() {
    let mut world = World::new();
    world.host();
    let guesser = world.connect();
    for n in 0..5 {
        assert!(!world.is_closed(guesser), "{n}");
        world.send(guesser, World::open_request(Access::Member, capability(100 + n), 1));
    }
    assert!(world.is_closed(guesser));
}

#[test]
fn knockers_neither_read_nor_append_nor_get_tickets() {
    let mut world = World::new();
    let (host, _) = world.host();
    let knocker = world.knocker();
    world.append(host, incamera_relay_proto::Lane::Commit, "secret");
    assert!(World::entries(&world.read(knocker)).is_empty());
    let append = Request::Append { lane: incamera_relay_proto::Lane::Application, blob: blob("x") };
    assert_eq!(world.refusal(knocker, append), RelayFaultCode::NotAllowed);
    let ticket = Request::RequestTicket { renew: None };
    assert_eq!(world.refusal(knocker, ticket), RelayFaultCode::NotAllowed);
    let reply = Request::Reply {
        knock: incamera_relay_proto::KnockId([1; 16]),
        standing: incamera_relay_proto::Standing::Final,
        blob: blob("x"),
    };
    assert_eq!(world.refusal(knocker, reply), RelayFaultCode::NotAllowed);
}

#[test]
fn a_room_is_made_once_and_only_with_a_card_of_its_own() {
    let mut world = World::new();
    let (host, _) = world.host();
    let again = Request::CreateRoom(world.create_request());
    assert_eq!(world.refusal(host, again), RelayFaultCode::RoomExists);
    let create = CreateRoom { room: RoomId([8; 16]), ..world.create_request() };
    assert_eq!(world.refusal(host, Request::CreateRoom(create.clone())), RelayFaultCode::BadCard);
    let garbage = CreateRoom { card: vec![1, 2, 3], ..create };
    assert_eq!(world.refusal(host, Request::CreateRoom(garbage)), RelayFaultCode::BadCard);
}

#[test]
fn rooms_are_made_by_token_holders_up_to_their_quota() {
    let digest = ring::digest::digest(&ring::digest::SHA256, b"let me");
    let token = CreateToken { sha256: digest.as_ref().try_into().unwrap(), rooms: 1 };
    let mut world = World::with(RelayLimits::default(), CreateRule::Tokens(vec![token]));
    let host = world.connect();
    let create = world.create_request();
    for wrong in [None, Some(TextSecret::new("let mee".into()))] {
        let request = Request::CreateRoom(CreateRoom { create_token: wrong, ..create.clone() });
        assert_eq!(world.refusal(host, request), RelayFaultCode::CreateDenied);
    }
    let create = CreateRoom { create_token: Some(TextSecret::new("let me".into())), ..create };
    assert!(matches!(world.ask(host, Request::CreateRoom(create.clone()))[0], ServerMessage::Opened(_)));
    let second = CreateRoom { room: RoomId([8; 16]), ..create };
    assert_eq!(world.refusal(host, Request::CreateRoom(second)), RelayFaultCode::RoomsFull);
}

#[test]
fn rooms_connections_members_and_knockers_are_limited() {
    let limits = RelayLimits {
        connections: 4,
        rooms: 1,
        members_per_room: 2,
        knockers_per_room: 1,
        ..RelayLimits::default()
    };
    let mut world = World::with(limits, CreateRule::Anyone);
    world.host();
    let second = world.member();
    let third = world.connect();
    let create = CreateRoom { room: RoomId([8; 16]), ..world.create_request() };
    assert_eq!(world.refusal(third, Request::CreateRoom(create)), RelayFaultCode::RoomsFull);
    let member = World::open_request(Access::Member, member_capability(), 1);
    assert_eq!(world.refusal(third, member), RelayFaultCode::RoomFull);
    let again = World::open_request(Access::Member, member_capability(), 1);
    assert!(matches!(world.ask(second, again)[0], ServerMessage::Opened(_)), "its own place is not counted");
    world.open(third, Access::Knock, knock_capability());
    let fourth = world.connect();
    let knock = World::open_request(Access::Knock, knock_capability(), 1);
    assert_eq!(world.refusal(fourth, knock), RelayFaultCode::RoomFull);
    let fifth = world.connect_raw();
    assert!(world.is_closed(fifth));
}

#[test]
fn rooms_of_one_address_are_limited() {
    let limits = RelayLimits { rooms_per_address: 0, ..RelayLimits::default() };
    let mut world = World::with(limits, CreateRule::Anyone);
    let host = world.connect();
    let request = Request::CreateRoom(world.create_request());
    assert_eq!(world.refusal(host, request), RelayFaultCode::RoomsFull);
    assert_eq!(world.relay.stats().rooms, 0);
}

#[test]
fn an_empty_room_expires_and_leaves_nothing() {
    let mut world = World::new();
    let (host, _) = world.host();
    world.append(host, incamera_relay_proto::Lane::Commit, "x");
    world.disconnect(host);
    world.pass(Duration::from_secs(599));
    let member = world.member();
    world.pass(Duration::from_secs(3_600));
    assert_eq!(world.relay.stats().rooms, 1, "somebody is there");
    world.disconnect(member);
    world.pass(Duration::from_secs(601));
    assert_eq!(world.relay.stats().rooms, 0);
    assert!(world.outputs.iter().any(|output| matches!(output, RelayOutput::EndSfuRoom(_))));
    let late = world.connect();
    let open = World::open_request(Access::Member, member_capability(), 1);
    assert_eq!(world.refusal(late, open), RelayFaultCode::NoRoom);
}

#[test]
fn a_room_ends_at_its_longest_life_even_when_used() {
    let limits = RelayLimits { room_seconds: 100, ..RelayLimits::default() };
    let mut world = World::with(limits, CreateRule::Anyone);
    let (host, _) = world.host();
    world.pass(Duration::from_secs(101));
    assert_eq!(world.read(host), [ServerMessage::RoomEnded(EndReason::Expired)]);
}

#[test]
fn an_ended_room_is_gone_and_its_id_begins_a_new_incarnation() {
    let mut world = World::new();
    let (host, opened) = world.host();
    let member = world.member();
    world.append(host, incamera_relay_proto::Lane::Commit, "x");
    let order = world.order(opened.incarnation, 1, AdminAction::EndRoom);
    let said = world.ask(host, Request::Administer(order));
    assert!(said.contains(&ServerMessage::RoomEnded(EndReason::Ordered)));
    assert!(world.read(member).contains(&ServerMessage::RoomEnded(EndReason::Ordered)));
    assert_eq!(world.relay.stats().rooms, 0);
    let (_, again) = world.host();
    assert_ne!(again.incarnation, opened.incarnation);
    assert_eq!(again.head, Seq(0));
}

#[test]
fn a_stopping_relay_tells_everybody_and_closes() {
    let mut world = World::new();
    let (host, _) = world.host();
    let idle = world.connect();
    world.input(RelayInput::Stop);
    assert_eq!(world.read(host)[0], ServerMessage::RoomEnded(EndReason::RelayStopped));
    assert!(world.is_closed(host) && world.is_closed(idle));
}

#[test]
fn garbled_bytes_end_the_connection_and_only_it() {
    let mut world = World::new();
    let (host, _) = world.host();
    let member = world.member();
    world.input(RelayInput::Garbled { connection: member });
    assert!(world.is_closed(member));
    assert!(!world.is_closed(host));
    let unknown = incamera_relay::ConnectionId(99);
    world.input(RelayInput::Garbled { connection: unknown });
    world.input(RelayInput::Connected { connection: unknown, origin: Origin(5) });
    assert!(!world.is_closed(unknown));
}

#[test]
fn whoever_asks_and_never_reads_is_cut_off() {
    let mut world = World::new();
    let (host, _) = world.host();
    for _ in 0..300 {
        world.send(host, Request::FetchCard);
    }
    assert_eq!(world.read(host).len(), 1, "one error is left");
    assert!(world.is_closed(host));
}

#[test]
fn whoever_sends_too_fast_is_read_more_slowly() {
    let mut world = World::new();
    let (host, _) = world.host();
    assert!(world.relay.read_again_at(host) <= world.now.mono);
    for _ in 0..250 {
        world.send(host, Request::FetchCard);
        world.read(host);
    }
    let wait = world.relay.read_again_at(host).since(world.now.mono);
    assert!(wait >= Duration::from_millis(900), "{wait:?}");
    world.pass(wait);
    assert!(world.relay.read_again_at(host) <= world.now.mono);
}
