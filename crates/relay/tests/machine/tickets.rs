//! Tickets to the SFU.

use std::time::Duration;

use incamera_relay::{ConnectionId, CreateRule, RelayInput, RelayLimits, RelayOutput};
use incamera_relay_proto::{
    Access, AdminAction, RelayFaultCode, Request, ResumeSecret, Rotation, ServerMessage, Ticket,
};

use crate::world::*;

fn ticket(world: &mut World, member: ConnectionId) -> Ticket {
    world.send(member, Request::RequestTicket { renew: None });
    world.grant_all();
    match world.read(member).pop() {
        Some(ServerMessage::Ticket { ticket, .. }) => *ticket,
        other => panic!("{other:?}"),
    }
}

#[test]
fn tickets_have_random_identities_and_one_sfu_room() {
    let mut world = World::new();
    let (host, _) = world.host();
    let member = world.member();
    let (first, second) = (ticket(&mut world, host), ticket(&mut world, member));
    assert_ne!(first.identity, second.identity);
    assert_eq!(first.janus, second.janus);
    assert_eq!(first.valid_until_unix_ms, START_UNIX_MS + 600_000);
    assert!(first.janus.unwrap().number < 1 << 53);
}

#[test]
fn only_its_holder_renews_a_ticket() {
    let mut world = World::new();
    let (host, _) = world.host();
    let member = world.member();
    let own = ticket(&mut world, host);
    let forged = Request::RequestTicket { renew: Some((own.identity, ResumeSecret::new([0; 16]))) };
    assert_eq!(world.refusal(member, forged), RelayFaultCode::NoTicket);
    world.disconnect(host);
    world.pass(Duration::from_secs(300));
    let again = world.member();
    world.send(again, Request::RequestTicket { renew: Some((own.identity, own.renewal.clone())) });
    world.grant_all();
    let Some(ServerMessage::Ticket { ticket: renewed, .. }) = world.read(again).pop() else { panic!() };
    assert_eq!(renewed.identity, own.identity);
    assert!(renewed.valid_until_unix_ms > own.valid_until_unix_ms);
    world.pass(Duration::from_secs(601));
    let late = Request::RequestTicket { renew: Some((own.identity, own.renewal.clone())) };
    assert_eq!(world.refusal(again, late), RelayFaultCode::NoTicket);
}

#[test]
fn a_rotation_revokes_tickets_at_the_sfu() {
    let mut world = World::new();
    let (host, opened) = world.host();
    let removed = world.member();
    let theirs = ticket(&mut world, removed);
    let rotation = Rotation { revoked_tickets: vec![theirs.identity], ..world.rotation(&capability(3)) };
    let order = world.order(opened.incarnation, 1, AdminAction::Rotate(rotation));
    world.ask(host, Request::Administer(order));
    let revoked = world
        .outputs
        .iter()
        .any(|output| matches!(output, RelayOutput::Revoke { identity, .. } if *identity == theirs.identity));
    assert!(revoked);
    world.open(host, Access::Member, capability(3));
    let renew = Request::RequestTicket { renew: Some((theirs.identity, theirs.renewal.clone())) };
    assert_eq!(world.refusal(host, renew), RelayFaultCode::NoTicket);
}

#[test]
fn a_ticket_that_was_under_way_does_not_reach_a_removed_member() {
    let mut world = World::new();
    let (host, opened) = world.host();
    let removed = world.member();
    world.send(removed, Request::RequestTicket { renew: None });
    let order = world.order(opened.incarnation, 1, AdminAction::Rotate(world.rotation(&capability(3))));
    world.ask(host, Request::Administer(order));
    world.grant_all();
    let said = world.read(removed);
    assert!(!said.iter().any(|message| matches!(message, ServerMessage::Ticket { .. })), "{said:?}");
}

#[test]
fn an_sfu_that_does_not_answer_is_named_and_can_be_asked_again() {
    let mut world = World::new();
    let (host, _) = world.host();
    world.send(host, Request::RequestTicket { renew: None });
    assert_eq!(
        world.refusal(host, Request::RequestTicket { renew: None }),
        RelayFaultCode::Busy,
        "one question at a time"
    );
    let Some(RelayOutput::Grant(grant)) =
        world.outputs.iter().find(|output| matches!(output, RelayOutput::Grant(_)))
    else {
        panic!()
    };
    let grant = grant.grant;
    world.input(RelayInput::Granted { grant, access: None });
    let said = world.read(host);
    assert!(matches!(said.as_slice(), [ServerMessage::Error(f)] if f.code == RelayFaultCode::SfuUnavailable));
    world.outputs.clear();
    ticket(&mut world, host);
}

#[test]
fn tickets_are_limited_per_connection_and_per_room() {
    let limits = RelayLimits { tickets_per_connection: 2, tickets_per_room: 3, ..RelayLimits::default() };
    let mut world = World::with(limits, CreateRule::Anyone);
    let (host, _) = world.host();
    let member = world.member();
    for _ in 0..2 {
        ticket(&mut world, host);
    }
    let more = Request::RequestTicket { renew: None };
    assert_eq!(world.refusal(host, more.clone()), RelayFaultCode::NoTicket);
    ticket(&mut world, member);
    assert_eq!(world.refusal(member, more), RelayFaultCode::NoTicket);
    world.pass(Duration::from_secs(601));
    ticket(&mut world, member);
}

fn is_revoked(world: &World, ticket: &Ticket) -> bool {
    let revokes = |output: &RelayOutput| matches!(output, RelayOutput::Revoke { identity, .. } if *identity == ticket.identity);
    world.outputs.iter().any(revokes)
}

#[test]
fn sec_05_tickets_of_whoever_does_not_show_the_new_capability_are_revoked() {
    let mut world = World::new();
    let (host, opened) = world.host();
    let (removed, gone) = (world.member(), world.member());
    let own = ticket(&mut world, host);
    // A modified client announces none of its tickets; the order cannot name them.
    let hidden: Vec<_> = (0..8).map(|_| ticket(&mut world, removed)).collect();
    let left_behind = ticket(&mut world, gone);
    world.disconnect(gone);
    let order = world.order(opened.incarnation, 1, AdminAction::Rotate(world.rotation(&capability(3))));
    world.ask(host, Request::Administer(order));
    world.open(host, Access::Member, capability(3));
    world.pass(Duration::from_secs(30));
    let again = world.order(opened.incarnation, 2, AdminAction::Rotate(world.rotation(&capability(4))));
    world.ask(host, Request::Administer(again));
    world.open(host, Access::Member, capability(4));
    world.pass(Duration::from_secs(31));
    assert!(hidden.iter().all(|hidden| is_revoked(&world, hidden)), "another rotation gives no more time");
    assert!(is_revoked(&world, &left_behind));
    world.pass(Duration::from_secs(60));
    assert!(!is_revoked(&world, &own));
}

#[test]
fn a_member_that_reconnected_keeps_its_ticket_by_renewing_it() {
    let mut world = World::new();
    let (host, opened) = world.host();
    let member = world.member();
    let theirs = ticket(&mut world, member);
    world.disconnect(member);
    let order = world.order(opened.incarnation, 1, AdminAction::Rotate(world.rotation(&capability(3))));
    world.ask(host, Request::Administer(order));
    let back = world.connect();
    world.open(back, Access::Member, capability(3));
    world.send(back, Request::RequestTicket { renew: Some((theirs.identity, theirs.renewal.clone())) });
    world.grant_all();
    world.pass(Duration::from_secs(120));
    assert!(!is_revoked(&world, &theirs));
}

#[test]
fn sec_05_a_ticket_that_nobody_renews_ends_at_the_sfu() {
    let mut world = World::new();
    let (host, _) = world.host();
    let own = ticket(&mut world, host);
    world.pass(Duration::from_secs(599));
    assert!(!is_revoked(&world, &own));
    world.pass(Duration::from_secs(2));
    assert!(is_revoked(&world, &own), "its sessions would outlive every right to them");
}
