//! Knocks and the mailboxes for their replies.

use std::time::Duration;

use incamera_relay::{ConnectionId, CreateRule, Origin, Rate, RelayInput, RelayLimits};
use incamera_relay_proto::{
    Access, AdminAction, KnockId, RelayFaultCode, Request, ResumeSecret, Rotation, ServerMessage, Standing,
};

use crate::world::*;

fn resume(n: u8) -> ResumeSecret {
    ResumeSecret::new([n; 16])
}

fn knock_as(world: &mut World, knocker: ConnectionId, n: u8) -> KnockId {
    match world.ask(knocker, Request::Knock { blob: blob("knock"), resume: resume(n) }).as_slice() {
        [ServerMessage::KnockTaken { knock, .. }] => *knock,
        other => panic!("{other:?}"),
    }
}

fn reply(world: &mut World, member: ConnectionId, knock: KnockId, standing: Standing, what: &str) {
    world.send(member, Request::Reply { knock, standing, blob: blob(what) });
}

fn replies(messages: &[ServerMessage]) -> Vec<(u16, String)> {
    let reply = |message: &ServerMessage| match message {
        ServerMessage::Replied { number, blob, .. } => Some((*number, text(blob))),
        _ => None,
    };
    messages.iter().filter_map(reply).collect()
}

#[test]
fn members_see_knocks_and_their_replies_reach_the_knocker() {
    let mut world = World::new();
    let (host, _) = world.host();
    let knocker = world.knocker();
    let knock = knock_as(&mut world, knocker, 1);
    assert_eq!(world.read(host), [ServerMessage::Knocked { knock, blob: blob("knock") }]);
    let later = world.connect();
    let said = world.ask(later, World::open_request(Access::Member, member_capability(), 1));
    assert!(said.contains(&ServerMessage::Knocked { knock, blob: blob("knock") }));
    reply(&mut world, host, knock, Standing::Open, "wait");
    reply(&mut world, host, knock, Standing::Final, "welcome");
    assert_eq!(replies(&world.read(knocker)), [(1, "wait".into()), (2, "welcome".into())]);
    assert_eq!(world.read(later), [ServerMessage::KnockClosed { knock }]);
    let too_late = Request::Reply { knock, standing: Standing::Final, blob: blob("no") };
    assert_eq!(world.refusal(later, too_late), RelayFaultCode::NoKnock);
}

#[test]
fn other_knockers_see_neither_knocks_nor_replies() {
    let mut world = World::new();
    let (host, _) = world.host();
    let knocker = world.knocker();
    let other = world.knocker();
    let knock = knock_as(&mut world, knocker, 1);
    reply(&mut world, host, knock, Standing::Final, "welcome");
    assert!(world.read(other).is_empty());
    let steal = Request::ResumeKnock { resume: resume(2), replies_seen: 0 };
    assert_eq!(world.refusal(other, steal), RelayFaultCode::NoKnock);
}

#[test]
fn a_knocker_resumes_after_a_reconnect_and_misses_no_reply() {
    let mut world = World::new();
    let (host, _) = world.host();
    let knocker = world.knocker();
    let knock = knock_as(&mut world, knocker, 1);
    reply(&mut world, host, knock, Standing::Open, "wait");
    assert_eq!(replies(&world.read(knocker)).len(), 1);
    world.disconnect(knocker);
    world.read(host);
    reply(&mut world, host, knock, Standing::Final, "welcome");
    world.pass(Duration::from_secs(30));
    let again = world.knocker();
    let said = world.ask(again, Request::ResumeKnock { resume: resume(1), replies_seen: 1 });
    assert!(matches!(said[0], ServerMessage::KnockTaken { knock: same, .. } if same == knock));
    assert_eq!(replies(&said), [(2, "welcome".into())]);
}

#[test]
fn a_knock_whose_knocker_stays_away_closes() {
    let mut world = World::new();
    let (host, _) = world.host();
    let knocker = world.knocker();
    let knock = knock_as(&mut world, knocker, 1);
    world.read(host);
    world.disconnect(knocker);
    world.pass(Duration::from_secs(59));
    assert!(world.read(host).is_empty());
    world.pass(Duration::from_secs(2));
    assert_eq!(world.read(host), [ServerMessage::KnockClosed { knock }]);
    let again = world.knocker();
    let resume = Request::ResumeKnock { resume: resume(1), replies_seen: 0 };
    assert_eq!(world.refusal(again, resume), RelayFaultCode::NoKnock);
}

#[test]
fn an_old_knock_expires_and_its_knocker_is_told() {
    let mut world = World::new();
    let (host, _) = world.host();
    let knocker = world.knocker();
    knock_as(&mut world, knocker, 1);
    world.read(host);
    world.pass(Duration::from_secs(901));
    let said = world.read(knocker);
    assert!(
        matches!(said.as_slice(), [ServerMessage::Error(fault)] if fault.code == RelayFaultCode::NoKnock)
    );
    assert!(matches!(world.read(host)[0], ServerMessage::KnockClosed { .. }));
    knock_as(&mut world, knocker, 2);
}

#[test]
fn a_withdrawn_knock_that_a_member_has_not_read_leaves_no_trace() {
    let mut world = World::new();
    let (host, _) = world.host();
    let knocker = world.knocker();
    for n in 0..100 {
        knock_as(&mut world, knocker, n);
        assert!(world.ask(knocker, Request::WithdrawKnock).is_empty());
    }
    assert!(world.read(host).is_empty());
    assert_eq!(world.refusal(knocker, Request::WithdrawKnock), RelayFaultCode::NoKnock);
}

#[test]
fn knocks_and_replies_are_limited() {
    let limits = RelayLimits { knocks_per_room: 2, reply_bytes_per_room: 2_048, ..RelayLimits::default() };
    let mut world = World::with(limits, CreateRule::Anyone);
    let (host, _) = world.host();
    let knockers: Vec<_> = (0..3).map(|_| world.knocker()).collect();
    let knock = knock_as(&mut world, knockers[0], 1);
    let twice = Request::Knock { blob: blob("again"), resume: resume(9) };
    assert_eq!(world.refusal(knockers[0], twice), RelayFaultCode::AlreadyKnocked);
    let second = knock_as(&mut world, knockers[1], 2);
    let full = Request::Knock { blob: blob("third"), resume: resume(3) };
    assert_eq!(world.refusal(knockers[2], full), RelayFaultCode::LobbyFull);
    for _ in 0..3 {
        reply(&mut world, host, knock, Standing::Open, "wait");
    }
    world.read(host);
    let fourth = Request::Reply { knock, standing: Standing::Open, blob: blob("wait") };
    assert_eq!(world.refusal(host, fourth), RelayFaultCode::Busy, "the last place is for the final reply");
    reply(&mut world, host, knock, Standing::Final, "no");
    assert_eq!(replies(&world.read(knockers[0])).len(), 4);
    let over = Request::Reply { knock: second, standing: Standing::Final, blob: blob("no") };
    assert_eq!(world.refusal(host, over), RelayFaultCode::Busy, "the room's mailboxes are full");
    world.send(knockers[0], Request::WithdrawKnock);
    reply(&mut world, host, second, Standing::Final, "no");
    assert_eq!(replies(&world.read(knockers[1])).len(), 1, "and free again when a mailbox goes");
}

#[test]
fn an_admitted_knocker_becomes_a_member_on_the_same_connection() {
    let mut world = World::new();
    let (host, _) = world.host();
    let knocker = world.knocker();
    let knock = knock_as(&mut world, knocker, 1);
    reply(&mut world, host, knock, Standing::Final, "welcome");
    world.read(knocker);
    world.open(knocker, Access::Member, member_capability());
    world.append(knocker, incamera_relay_proto::Lane::Application, "hello");
    assert_eq!(World::entries(&world.read(host)), ["hello"]);
}

#[test]
fn a_replaced_link_lets_nobody_knock_any_more() {
    let mut world = World::new();
    let (host, opened) = world.host();
    let before = world.knocker();
    let rotation = Rotation { knock: Some(hash(&capability(50))), ..world.rotation(&capability(3)) };
    let order = world.order(opened.incarnation, 1, AdminAction::Rotate(rotation));
    world.ask(host, Request::Administer(order));
    let knock = Request::Knock { blob: blob("knock"), resume: resume(1) };
    assert_eq!(world.refusal(before, knock), RelayFaultCode::Denied);
    let late = world.connect();
    let open = World::open_request(Access::Knock, knock_capability(), 1);
    assert_eq!(world.refusal(late, open), RelayFaultCode::Denied);
    world.open(late, Access::Knock, capability(50));
    knock_as(&mut world, late, 2);
}

#[test]
fn sec_15_one_address_closes_the_lobby_to_nobody_else() {
    let limits = RelayLimits { knocks_per_address: 2, knockers_per_address: 3, ..RelayLimits::default() };
    let mut world = World::with(limits, CreateRule::Anyone);
    world.host();
    world.origin = Origin(66);
    let knockers: Vec<_> = (0..3).map(|_| world.knocker()).collect();
    let crowd = world.connect();
    let open = World::open_request(Access::Knock, knock_capability(), 1);
    assert_eq!(world.refusal(crowd, open), RelayFaultCode::RoomFull);
    knock_as(&mut world, knockers[0], 1);
    knock_as(&mut world, knockers[1], 2);
    let third = Request::Knock { blob: blob("third"), resume: resume(3) };
    assert_eq!(world.refusal(knockers[2], third), RelayFaultCode::LobbyFull);
    world.origin = Origin(2);
    let other = world.knocker();
    knock_as(&mut world, other, 4);
}

#[test]
fn sec_15_knocking_and_withdrawing_again_and_again_is_slowed_down() {
    let limits = RelayLimits { address_knocks: Rate { per_second: 1, burst: 3 }, ..RelayLimits::default() };
    let mut world = World::with(limits, CreateRule::Anyone);
    let (host, _) = world.host();
    let flooder = world.knocker();
    for n in 0..3 {
        knock_as(&mut world, flooder, n);
        world.ask(flooder, Request::WithdrawKnock);
    }
    let more = Request::Knock { blob: blob("knock"), resume: resume(9) };
    assert_eq!(world.refusal(flooder, more), RelayFaultCode::TooFast);
    world.origin = Origin(2);
    let other = world.knocker();
    let knock = knock_as(&mut world, other, 10);
    assert_eq!(world.read(host), [ServerMessage::Knocked { knock, blob: blob("knock") }]);
    world.pass(Duration::from_secs(1));
    knock_as(&mut world, flooder, 11);
}

#[test]
fn a_denied_knocker_that_stays_keeps_its_place_for_a_minute_only() {
    let limits = RelayLimits { knocks_per_room: 1, ..RelayLimits::default() };
    let mut world = World::with(limits, CreateRule::Anyone);
    let (host, _) = world.host();
    let (denied, next) = (world.knocker(), world.knocker());
    let knock = knock_as(&mut world, denied, 1);
    reply(&mut world, host, knock, Standing::Final, "no");
    world.pass(Duration::from_secs(59));
    let full = Request::Knock { blob: blob("knock"), resume: resume(2) };
    assert_eq!(world.refusal(next, full), RelayFaultCode::LobbyFull);
    assert_eq!(replies(&world.read(denied)), [(1, "no".into())]);
    world.pass(Duration::from_secs(2));
    let late = world.knocker();
    knock_as(&mut world, late, 3);
}

#[test]
fn a_knocker_that_was_answered_may_knock_anew_on_its_connection() {
    let mut world = World::new();
    let (host, _) = world.host();
    let knocker = world.knocker();
    let stale = knock_as(&mut world, knocker, 1);
    reply(&mut world, host, stale, Standing::Final, "stale");
    world.read(knocker);
    let again = knock_as(&mut world, knocker, 2);
    reply(&mut world, host, again, Standing::Final, "welcome");
    assert_eq!(replies(&world.read(knocker)), [(1, "welcome".into())]);
}

#[test]
fn whoever_may_knock_and_does_not_is_sent_away() {
    let mut world = World::new();
    world.host();
    let silent = world.knocker();
    let waiting = world.knocker();
    knock_as(&mut world, waiting, 1);
    world.pass(Duration::from_secs(61));
    assert!(world.is_closed(silent));
    assert!(!world.is_closed(waiting));
    world.ask(waiting, Request::WithdrawKnock);
    world.pass(Duration::from_secs(61));
    assert!(world.is_closed(waiting));
}

#[test]
fn pings_are_paid_for_like_messages() {
    let mut world = World::new();
    let connection = world.connect();
    assert!(world.relay.read_again_at(connection) <= world.now.mono);
    for _ in 0..300 {
        world.input(RelayInput::Pinged { connection, wire_bytes: 125 });
    }
    assert!(world.relay.read_again_at(connection) > world.now.mono);
}
