//! What becomes of knocks: each is settled once, and its answer arrives.

use incamera_meeting::{AlarmCode, Command, Event, Input, KnockNumber, LobbyMode, MeetingState, StopReason};
use incamera_relay_proto::{KnockId, RelayFault, RelayFaultCode, ServerMessage};

use crate::relay::Fate;
use crate::world::{HOST, World, seconds};

const FIRST: KnockNumber = KnockNumber(1);

/// The relay shows the host all knocks again, under the ids that they had.
fn show_knocks_again(world: &mut World, knocks: &[ServerMessage]) {
    let told = |world: &World| world.count(HOST, |event| matches!(event, Event::Knocked { .. }));
    let before = told(world);
    for knocked in knocks {
        world.feed(HOST, Input::Relay(knocked.clone())).unwrap();
    }
    world.run(seconds(3));
    assert_eq!(told(world), before, "SEC-19: a knock is not believed twice");
}

fn first_knock(world: &World) -> KnockId {
    match world.relay.knocked().first() {
        Some(ServerMessage::Knocked { knock, .. }) => *knock,
        _ => panic!("nobody has knocked"),
    }
}

/// SEC-19
#[test]
fn removed_member_does_not_come_back_by_the_knock_that_let_it_in() {
    let mut world = World::with(&["Ada", "Ben"]);
    let knocks = world.relay.knocked();
    let ada = world.member(1);
    world.command(HOST, Command::Remove { member: ada }).unwrap();
    world.command(2, Command::Leave).unwrap();
    world.run(seconds(5));
    assert_eq!(world.names(HOST), ["Host"]);
    show_knocks_again(&mut world, &knocks);
    assert_eq!(world.names(HOST), ["Host"]);
    assert!(world.alarmed(HOST, AlarmCode::KnockStale));
}

/// SEC-19
#[test]
fn knock_at_a_locked_room_lets_nobody_in_when_it_is_unlocked() {
    let mut world = World::new(LobbyMode::Open);
    world.command(HOST, Command::Lock).unwrap();
    world.run(seconds(1));
    let ada = world.knock("Ada");
    assert_eq!(world.stopped(ada), Some(StopReason::Locked));
    let knocks = world.relay.knocked();
    world.command(HOST, Command::Unlock).unwrap();
    world.run(seconds(1));
    show_knocks_again(&mut world, &knocks);
    assert_eq!(world.names(HOST), ["Host"]);
}

/// SEC-19
#[test]
fn host_is_not_asked_again_about_a_knock_that_it_denied() {
    let mut world = World::new(LobbyMode::Wait);
    world.knock("Ada");
    let knocks = world.relay.knocked();
    world.command(HOST, Command::Deny { knock: FIRST }).unwrap();
    show_knocks_again(&mut world, &knocks);
    assert_eq!(world.clients[HOST].machine.knocks().count(), 0);
}

#[test]
fn welcome_that_was_lost_with_the_hosts_connection_is_sent_again() {
    let mut world = World::new(LobbyMode::Wait);
    let ada = world.knock("Ada");
    world.relay.replies = Fate::Lost;
    world.command(HOST, Command::Admit { knock: FIRST }).unwrap();
    world.run(seconds(1));
    world.disconnect(HOST);
    world.relay.replies = Fate::CarriedOut;
    // Longer than heartbeats echo the nonce of somebody who joined.
    world.run(seconds(35));
    assert_eq!(world.state(ada), MeetingState::Knocking);
    world.connect(HOST);
    world.run(seconds(3));
    assert_eq!(world.state(ada), MeetingState::InMeeting);
    world.assert_agreement(&[HOST, ada]);
    world.assert_calm();
}

#[test]
fn denial_that_was_lost_with_the_hosts_connection_is_sent_again() {
    let mut world = World::new(LobbyMode::Wait);
    let ada = world.knock("Ada");
    world.relay.replies = Fate::Lost;
    world.command(HOST, Command::Deny { knock: FIRST }).unwrap();
    world.disconnect(HOST);
    world.relay.replies = Fate::CarriedOut;
    world.connect(HOST);
    world.run(seconds(1));
    assert_eq!(world.stopped(ada), Some(StopReason::Denied));
    assert_eq!(world.count(HOST, |event| matches!(event, Event::Knocked { .. })), 1);
    world.assert_calm();
}

#[test]
fn welcome_that_the_relay_refuses_is_sent_again() {
    let mut world = World::new(LobbyMode::Open);
    world.relay.replies = Fate::Refused;
    let ada = world.knock("Ada");
    world.run(seconds(3));
    assert_eq!(world.state(ada), MeetingState::Knocking);
    world.relay.replies = Fate::CarriedOut;
    world.run(seconds(2));
    assert_eq!(world.state(ada), MeetingState::InMeeting);
    world.assert_calm();
}

#[test]
fn guest_whose_welcome_was_lost_with_the_relay_knocks_with_other_keys() {
    let mut world = World::new(LobbyMode::Open);
    world.relay.replies = Fate::Lost;
    let ada = world.knock("Ada");
    world.run(seconds(1));
    assert_eq!(world.names(HOST), ["Ada", "Host"], "its commit has won");
    world.relay_down();
    world.relay.forget();
    world.relay.replies = Fate::CarriedOut;
    world.relay_up();
    world.run(seconds(3));
    assert_eq!(world.state(ada), MeetingState::InMeeting);
    world.run(seconds(90));
    assert_eq!(world.names(HOST), ["Ada", "Host"], "the leaf that nobody has is gone");
    world.assert_agreement(&[HOST, ada]);
}

#[test]
fn host_sees_no_knock_of_before_the_relay_was_restarted() {
    let mut world = World::new(LobbyMode::Wait);
    let ada = world.knock("Ada");
    world.relay_down();
    world.relay.forget();
    world.relay_up();
    world.run(seconds(3));
    let knocks: Vec<KnockNumber> = world.clients[HOST].machine.knocks().map(|(number, _)| number).collect();
    assert_eq!(knocks, [KnockNumber(2)]);
    world.command(HOST, Command::Admit { knock: KnockNumber(2) }).unwrap();
    world.run(seconds(1));
    assert_eq!(world.state(ada), MeetingState::InMeeting);
}

#[test]
fn admitting_twice_is_admitting_once() {
    let mut world = World::new(LobbyMode::Wait);
    let ada = world.knock("Ada");
    world.hold(HOST);
    world.command(HOST, Command::Admit { knock: FIRST }).unwrap();
    world.command(HOST, Command::Admit { knock: FIRST }).unwrap();
    world.release(HOST);
    world.run(seconds(1));
    assert_eq!(world.state(ada), MeetingState::InMeeting);
    world.assert_agreement(&[HOST, ada]);
    world.assert_calm();
}

#[test]
fn guest_that_is_denied_while_it_is_being_added_is_kept_out() {
    let mut world = World::with(&["Ben"]);
    world.command(HOST, Command::SetLobby { lobby: LobbyMode::Wait }).unwrap();
    world.run(seconds(1));
    let ada = world.knock("Ada");
    let knock = world.clients[HOST].machine.knocks().next().unwrap().0;
    world.hold(HOST);
    world.command(HOST, Command::Admit { knock }).unwrap();
    world.command(HOST, Command::Deny { knock }).unwrap();
    world.release(HOST);
    world.run(seconds(2));
    assert_eq!(world.stopped(ada), Some(StopReason::Denied));
    assert_eq!(world.count(HOST, |event| matches!(event, Event::Admitted { knock: of } if *of == knock)), 0);
    assert_eq!(world.names(HOST), ["Ben", "Host"]);
    world.assert_agreement(&[HOST, 1]);
    world.assert_calm();
}

#[test]
fn guest_that_goes_while_it_is_being_added_is_removed_at_once() {
    let mut world = World::new(LobbyMode::Wait);
    world.knock("Ada");
    let knock = first_knock(&world);
    world.hold(HOST);
    world.command(HOST, Command::Admit { knock: FIRST }).unwrap();
    world.feed(HOST, Input::Relay(ServerMessage::KnockClosed { knock })).unwrap();
    world.release(HOST);
    world.run(seconds(2));
    assert_eq!(world.count(HOST, |event| matches!(event, Event::KnockEnded { knock: FIRST })), 1);
    assert_eq!(world.names(HOST), ["Host"]);
}

#[test]
fn knock_that_expired_at_the_relay_is_made_again() {
    let mut world = World::new(LobbyMode::Wait);
    let ada = world.knock("Ada");
    world.run(seconds(15 * 60));
    world.relay.expire_knocks();
    world.run(seconds(1));
    let knocks: Vec<KnockNumber> = world.clients[HOST].machine.knocks().map(|(number, _)| number).collect();
    assert_eq!(knocks, [KnockNumber(2)]);
    world.run(seconds(14 * 60));
    assert_eq!(world.state(ada), MeetingState::Knocking);
    world.run(seconds(2 * 60));
    assert_eq!(world.stopped(ada), Some(StopReason::NotAnswered), "half an hour in all");
}

#[test]
fn relay_that_does_not_answer_before_another_knock_is_left_for_another_connection() {
    let mut world = World::new(LobbyMode::Wait);
    let ada = world.knock("Ada");
    world.tamper = Box::new(move |client, message| match message {
        ServerMessage::Card { .. } if client == ada => Vec::new(),
        other => vec![other],
    });
    world.relay.expire_knocks();
    world.run(seconds(5));
    world.tamper = Box::new(|_, message| vec![message]);
    world.run(seconds(10));
    assert_eq!(world.clients[HOST].machine.knocks().count(), 1, "it has knocked again");
}

#[test]
fn knocker_at_a_room_without_a_place_for_its_connection_gives_up() {
    let mut world = World::new(LobbyMode::Open);
    world.tamper = Box::new(|client, message| match message {
        ServerMessage::Opened(opened) if client != HOST => {
            let fault = RelayFault::reply(opened.in_reply_to, RelayFaultCode::RoomFull);
            vec![ServerMessage::Error(fault)]
        }
        other => vec![other],
    });
    let ada = world.knock("Ada");
    assert_eq!(world.stopped(ada), None, "somebody may just be leaving");
    world.run(seconds(5));
    assert_eq!(world.stopped(ada), Some(StopReason::Full));
}

#[test]
fn knocker_whose_clock_is_wrong_is_told_so() {
    let mut world = World::new(LobbyMode::Open);
    world.clocks_ahead.insert(1, seconds(10 * 60));
    let ada = world.knock("Ada");
    world.run(seconds(1));
    assert_eq!(world.stopped(ada), Some(StopReason::ClockWrong));
}
