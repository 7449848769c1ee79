//! Getting in, with and without a lobby.

use core::time::Duration;

use incamera_meeting::{
    AlarmCode, Command, CommandError, Event, KnockNumber, LobbyMode, MeetingState, StopReason,
};

use crate::world::{HOST, World, seconds};

const FIRST: KnockNumber = KnockNumber(1);

#[test]
fn knocker_waits_in_the_lobby_until_the_host_admits_it() {
    let mut world = World::new(LobbyMode::Wait);
    let ada = world.knock("Ada");
    world.run(seconds(60));
    assert_eq!(world.state(ada), MeetingState::Knocking);
    assert!(world.clients[ada].keys.is_empty(), "SEC-19: no keys before the join is confirmed");
    world.command(HOST, Command::Admit { knock: FIRST }).unwrap();
    let admitted = world.now;
    world.run(seconds(1));
    assert_eq!(world.state(ada), MeetingState::InMeeting);
    let joined = world.first(ada, |event| matches!(event, Event::MediaStarted)).unwrap();
    assert!(joined.mono.since(admitted.mono) < Duration::from_millis(100));
    world.assert_agreement(&[HOST, ada]);
    assert_eq!(world.names(ada), ["Ada", "Host"]);
    world.assert_calm();
}

#[test]
fn link_is_enough_without_a_lobby() {
    let world = World::with(&["Ada", "Ben"]);
    world.assert_agreement(&[0, 1, 2]);
    assert!(world.clients.iter().all(|client| client.media_flows && client.tickets == 1));
    world.assert_calm();
}

/// SEC-16
#[test]
fn everybody_is_told_of_every_member_once() {
    let world = World::with(&["Ada", "Ben", "Cleo"]);
    for client in 0..4 {
        assert_eq!(world.count(client, |event| matches!(event, Event::Joined { .. })), 4, "client {client}");
    }
}

#[test]
fn denied_knocker_is_told_so_and_never_gets_in() {
    let mut world = World::new(LobbyMode::Wait);
    let ada = world.knock("Ada");
    world.command(HOST, Command::Deny { knock: FIRST }).unwrap();
    world.run(seconds(1));
    assert_eq!(world.stopped(ada), Some(StopReason::Denied));
    assert_eq!(world.command(HOST, Command::Admit { knock: FIRST }), Err(CommandError::NoSuchKnock));
}

#[test]
fn locked_room_admits_nobody_until_it_is_unlocked() {
    let mut world = World::new(LobbyMode::Open);
    world.command(HOST, Command::Lock).unwrap();
    world.run(seconds(1));
    let ada = world.knock("Ada");
    world.run(seconds(2));
    assert_eq!(world.stopped(ada), Some(StopReason::Locked));
    world.command(HOST, Command::Unlock).unwrap();
    world.run(seconds(1));
    world.join("Ben");
}

/// SEC-10
#[test]
fn participant_cannot_admit_remove_or_change_rules() {
    let mut world = World::with(&["Ada"]);
    let host = world.member(HOST);
    for command in [
        Command::Admit { knock: FIRST },
        Command::Remove { member: host },
        Command::Lock,
        Command::SetLobby { lobby: LobbyMode::Wait },
        Command::End,
    ] {
        assert_eq!(world.command(1, command.clone()), Err(CommandError::NotAllowed), "{command:?}");
    }
}

/// SEC-06
#[test]
fn late_joiner_gets_only_keys_of_epochs_it_is_in() {
    let mut world = World::with(&["Ada"]);
    world.run(seconds(600));
    let before = world.clients[HOST].machine.epoch().unwrap();
    let ben = world.join("Ben");
    assert!(world.clients[ben].keys.iter().all(|keys| keys.epoch > before));
    assert!(world.clients[HOST].key_frames > 0, "a joiner needs a key frame");
}

#[test]
fn key_frame_for_a_joiner_comes_under_keys_that_it_has() {
    let mut world = World::with(&["Ada"]);
    world.run(seconds(10));
    let before = world.clients[HOST].key_frames;
    world.knock("Ben");
    world.run(Duration::from_millis(50));
    let switch_at = world.clients[HOST].keys.last().unwrap().switch_at;
    assert!(switch_at > world.now.mono, "senders wait until most receivers have the new keys");
    assert_eq!(world.clients[HOST].key_frames, before);
    world.run(switch_at.since(world.now.mono) + Duration::from_millis(10));
    assert_eq!(world.clients[HOST].key_frames, before + 1);
}

#[test]
fn two_who_come_at_once_share_one_commit() {
    let mut world = World::new(LobbyMode::Open);
    let before = world.clients[HOST].machine.epoch().unwrap();
    let knockers: Vec<_> = ["Ada", "Ben", "Cleo", "Dan"].iter().map(|name| world.knock(name)).collect();
    world.run(seconds(1));
    assert!(knockers.iter().all(|client| world.state(*client) == MeetingState::InMeeting));
    assert!(world.clients[HOST].machine.epoch().unwrap().0 - before.0 <= 4);
    world.assert_agreement(&[0, 1, 2, 3, 4]);
}

#[test]
fn knock_survives_a_lost_connection() {
    let mut world = World::new(LobbyMode::Wait);
    let ada = world.knock("Ada");
    world.disconnect(ada);
    world.run(seconds(5));
    world.command(HOST, Command::Admit { knock: FIRST }).unwrap();
    world.run(seconds(1));
    world.connect(ada);
    world.run(seconds(2));
    assert_eq!(world.state(ada), MeetingState::InMeeting);
}

#[test]
fn knock_that_waited_for_an_absent_host_is_made_again() {
    let mut world = World::new(LobbyMode::Wait);
    world.disconnect(HOST);
    let ada = world.knock("Ada");
    world.run(seconds(400));
    world.connect(HOST);
    world.run(seconds(1));
    assert!(world.alarmed(HOST, AlarmCode::KnockStale));
    let knock = world.clients[HOST].machine.knocks().next().map(|(number, _)| number).unwrap();
    world.command(HOST, Command::Admit { knock }).unwrap();
    world.run(seconds(1));
    assert_eq!(world.state(ada), MeetingState::InMeeting);
}

#[test]
fn unanswered_knock_ends_with_a_reason() {
    let mut world = World::new(LobbyMode::Wait);
    let ada = world.knock("Ada");
    world.run(seconds(31 * 60));
    assert_eq!(world.stopped(ada), Some(StopReason::NotAnswered));
}
