//! Orders of the admin key: who is out, and that nothing can be replayed (SEC-05).

use std::time::Duration;

use incamera_relay_proto::{
    Access, AdminAction, Incarnation, Lane, RelayFaultCode, Request, Rotation, Seq, ServerMessage, Signature,
};

use crate::world::*;

#[test]
fn a_removed_member_reads_and_appends_nothing_after_the_rotation() {
    let mut world = World::new();
    let (host, opened) = world.host();
    let removed = world.member();
    world.append(host, Lane::Commit, "remove");
    let order = world.order(opened.incarnation, 1, AdminAction::Rotate(world.rotation(&capability(3))));
    let said = world.ask(host, Request::Administer(order));
    assert!(said.contains(&ServerMessage::Rotated { last: Seq(1) }));
    world.open(host, Access::Member, capability(3));
    world.append(host, Lane::Application, "among us");
    let said = world.read(removed);
    assert_eq!(World::entries(&said), ["remove"], "it may learn that it was removed");
    assert!(said.contains(&ServerMessage::Rotated { last: Seq(1) }));
    let append = Request::Append { lane: Lane::Commit, blob: blob("back") };
    assert_eq!(world.refusal(removed, append), RelayFaultCode::Denied);
    let ticket = Request::RequestTicket { renew: None };
    assert_eq!(world.refusal(removed, ticket), RelayFaultCode::Denied);
    world.pass(Duration::from_secs(61));
    assert!(world.is_closed(removed));
    assert!(!world.is_closed(host));
    let again = world.connect();
    let opened = world.open(again, Access::Member, member_capability());
    assert_eq!(opened.read_only_until, Some(Seq(1)));
    world.append(host, Lane::Application, "still among us");
    assert!(World::entries(&world.read(again)).is_empty());
}

#[test]
fn a_member_that_was_away_finds_its_way_to_the_new_capability() {
    let mut world = World::new();
    let (host, opened) = world.host();
    let mut current = member_capability();
    for n in 1..=3_u8 {
        world.append(host, Lane::Commit, &format!("remove {n}"));
        current = capability(20 + n);
        let order = world.order(opened.incarnation, n.into(), AdminAction::Rotate(world.rotation(&current)));
        world.ask(host, Request::Administer(order));
        world.open(host, Access::Member, current.clone());
        world.append(host, Lane::Application, "chat");
    }
    let away = world.connect();
    let said = world.ask(away, World::open_request(Access::Member, member_capability(), 1));
    assert_eq!(World::entries(&said), ["remove 1"]);
    let said = world.ask(away, World::open_request(Access::Member, capability(21), 2));
    assert_eq!(World::entries(&said), ["chat", "remove 2"]);
    let said = world.ask(away, World::open_request(Access::Member, current, 4));
    assert_eq!(World::entries(&said), ["chat", "remove 3", "chat"]);
    world.pass(Duration::from_secs(120));
    assert!(!world.is_closed(away), "with the current capability it may stay");
}

#[test]
fn an_append_that_waited_when_the_capability_changed_is_refused_not_lost() {
    let mut world = World::new();
    let (host, opened) = world.host();
    let member = world.member();
    world.read(member);
    let refs: Vec<_> = (0..20).map(|_| world.append(member, Lane::Commit, "queued")).collect();
    let order = world.order(opened.incarnation, 1, AdminAction::Rotate(world.rotation(&capability(3))));
    world.ask(host, Request::Administer(order));
    let said = world.read(member);
    for client_ref in refs {
        let answered = said.iter().any(|message| match message {
            ServerMessage::Appended { in_reply_to, .. } => *in_reply_to == client_ref,
            ServerMessage::Error(fault) => fault.in_reply_to == Some(client_ref),
            _ => false,
        });
        assert!(answered, "{client_ref:?}");
    }
}

#[test]
fn orders_cannot_be_replayed_forged_or_moved() {
    let mut world = World::new();
    let (host, opened) = world.host();
    let rotate = |world: &World, n| AdminAction::Rotate(world.rotation(&capability(n)));
    let first = world.order(opened.incarnation, 1, rotate(&world, 3));
    let skipped = world.order(opened.incarnation, 3, rotate(&world, 4));
    let elsewhere = world.order(Incarnation(opened.incarnation.0 ^ 1), 1, rotate(&world, 5));
    let mut forged = first.clone();
    forged.order.action = rotate(&world, 6);
    let mut unsigned = first.clone();
    unsigned.signature = Signature([0; 64]);
    for bad in [&forged, &unsigned] {
        assert_eq!(world.refusal(host, Request::Administer(bad.clone())), RelayFaultCode::BadSignature);
    }
    for stale in [&skipped, &elsewhere] {
        assert_eq!(world.refusal(host, Request::Administer(stale.clone())), RelayFaultCode::StaleOrder);
    }
    let said = world.ask(host, Request::Administer(first.clone()));
    assert!(said.iter().any(|message| matches!(message, ServerMessage::OrderDone { counter: 1, .. })));
    world.open(host, Access::Member, capability(3));
    let said = world.ask(host, Request::Administer(first));
    let Some(ServerMessage::Error(fault)) = said.last() else { panic!("{said:?}") };
    assert_eq!((fault.code, fault.detail), (RelayFaultCode::StaleOrder, 1));
    assert!(!world.is_closed(host));
}

#[test]
fn a_plain_member_cannot_rotate() {
    let mut world = World::new();
    let (_, opened) = world.host();
    let member = world.member();
    world.admin = key_pair(66);
    let order = world.order(opened.incarnation, 1, AdminAction::EndRoom);
    assert_eq!(world.refusal(member, Request::Administer(order)), RelayFaultCode::BadSignature);
    assert_eq!(world.relay.stats().rooms, 1);
}

#[test]
fn a_removed_host_loses_the_admin_key() {
    let mut world = World::new();
    let (host, opened) = world.host();
    let new_key = key_pair(10);
    let rotation = Rotation { admin_key: Some(public(&new_key)), ..world.rotation(&capability(3)) };
    let order = world.order(opened.incarnation, 1, AdminAction::Rotate(rotation));
    world.ask(host, Request::Administer(order));
    let old = world.order(opened.incarnation, 2, AdminAction::EndRoom);
    assert_eq!(world.refusal(host, Request::Administer(old)), RelayFaultCode::BadSignature);
    world.admin = new_key;
    let card = world.card(2).encode().unwrap();
    let put = world.order(opened.incarnation, 2, AdminAction::PutCard(card));
    let said = world.ask(host, Request::Administer(put));
    assert!(matches!(said.last(), Some(ServerMessage::OrderDone { counter: 2, .. })), "{said:?}");
}

#[test]
fn cards_only_go_forward() {
    let mut world = World::new();
    let (host, opened) = world.host();
    let card = world.card(5).encode().unwrap();
    let put = world.order(opened.incarnation, 1, AdminAction::PutCard(card.clone()));
    world.ask(host, Request::Administer(put));
    let old = world.card(4).encode().unwrap();
    let put = world.order(opened.incarnation, 2, AdminAction::PutCard(old));
    assert_eq!(world.refusal(host, Request::Administer(put)), RelayFaultCode::BadCard);
    let next = world.card(6).encode().unwrap();
    world.pass(Duration::from_secs(3_601));
    let put = world.order(opened.incarnation, 2, AdminAction::PutCard(next));
    assert_eq!(world.refusal(host, Request::Administer(put)), RelayFaultCode::BadCard, "out of date");
    let knocker = world.knocker();
    let said = world.ask(knocker, Request::FetchCard);
    assert!(matches!(said.as_slice(), [ServerMessage::Card { card: kept, .. }] if *kept == card));
}
