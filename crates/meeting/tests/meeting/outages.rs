//! The relay gone, and back.

use core::time::Duration;

use incamera_meeting::{AlarmCode, Command, Event, Input, LobbyMode, MediaStop, MeetingState, StopReason};
use incamera_relay_proto::ServerMessage;

use crate::relay::{Appends, Fate};
use crate::world::{HOST, Tamper, World, seconds};

#[test]
fn relay_down_for_twenty_seconds_stops_no_media_and_removes_nobody() {
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(33));
    world.relay_down();
    world.run(seconds(20));
    for client in 0..3 {
        let told = |event: &Event| matches!(event, Event::LinkDegraded { .. });
        assert!(world.first(client, told).is_some(), "the countdown is shown");
    }
    world.relay_up();
    world.run(seconds(120));
    for client in 0..3 {
        assert_eq!(world.clients[client].media_gaps, 0, "client {client}");
        assert_eq!(world.names(client).len(), 3);
        assert_eq!(world.count(client, |event| matches!(event, Event::Lost { .. })), 0, "client {client}");
        assert!(world.first(client, |event| matches!(event, Event::LinkRestored)).is_some());
    }
    world.assert_calm();
}

#[test]
fn ticket_is_renewed_on_each_new_connection_for_the_relay_ties_it_to_one() {
    // SEC-05: what nobody shows a right to is revoked after the next removal.
    let mut world = World::with(&["Ada"]);
    world.run(seconds(5));
    let before = world.clients[1].tickets;
    world.disconnect(1);
    world.connect(1);
    world.run(seconds(5));
    assert_eq!(world.clients[1].tickets, before + 1);
    world.assert_calm();
}

#[test]
fn relay_down_for_a_minute_stops_media_with_the_reason_and_all_come_back_soon() {
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(33));
    world.relay_down();
    let down = world.now;
    world.run(seconds(60));
    for client in 0..3 {
        let stopped =
            world.first(client, |event| matches!(event, Event::MediaStopped { why: MediaStop::LinkLost }));
        assert!(stopped.unwrap().mono.since(down.mono) <= seconds(30), "SEC-08: fail closed");
    }
    world.relay_up();
    world.run(seconds(4));
    for client in 0..3 {
        assert!(world.clients[client].media_flows, "client {client}");
        assert_eq!(world.names(client).len(), 3);
    }
    world.run(seconds(120));
    world.assert_agreement(&[0, 1, 2]);
    assert_eq!(world.names(HOST).len(), 3, "nobody is removed for what could not arrive");
}

#[test]
fn member_that_was_cut_off_sends_nothing_before_it_has_read_the_log() {
    // SEC-05: what it has not read yet may be a removal.
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(10));
    world.disconnect(1);
    world.run(seconds(40));
    assert!(!world.clients[1].media_flows);
    world.tamper = without_head_for(1);
    world.connect(1);
    world.run(seconds(8));
    assert_eq!(world.state(1), MeetingState::InMeeting);
    assert!(!world.clients[1].media_flows, "the log of the past confirms nothing");
    world.tamper = Box::new(|_, message| vec![message]);
    world.disconnect(1);
    world.connect(1);
    world.run(seconds(6));
    assert!(world.clients[1].media_flows);
}

#[test]
fn joiner_sends_nothing_before_it_has_read_the_log() {
    // SEC-05: its Welcome may be older than a removal.
    let mut world = World::with(&["Ada"]);
    world.tamper = without_head_for(2);
    let ben = world.join("Ben");
    assert!(!world.clients[ben].media_flows);
}

/// The relay never says to a client that it has read everything.
fn without_head_for(victim: usize) -> Tamper {
    Box::new(move |client, message| match message {
        ServerMessage::CaughtUp { .. } if client == victim => Vec::new(),
        other => vec![other],
    })
}

#[test]
fn relay_that_lost_its_memory_is_given_the_room_again() {
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(10));
    world.relay_down();
    world.relay.forget();
    world.run(seconds(5));
    // Members come back before the host: they wait for it.
    for client in [1, 2, HOST] {
        world.connect(client);
        world.run(seconds(1));
    }
    world.run(seconds(15));
    world.assert_agreement(&[0, 1, 2]);
    assert!(world.clients.iter().all(|client| client.media_flows));
    assert!(world.alarmed(1, AlarmCode::RelayRestarted));
    let cleo = world.clients.len();
    assert_eq!(world.knock("Cleo"), cleo);
    world.run(seconds(2));
    world.assert_agreement(&[0, 1, 2, 3]);
}

#[test]
fn room_that_nobody_makes_again_ends_visibly() {
    let mut world = World::with(&["Ada", "Ben"]);
    world.relay_down();
    world.relay.forget();
    world.kill(HOST);
    world.relay_up();
    world.run(seconds(90));
    assert_eq!(world.stopped(1), Some(StopReason::RoomLost));
    assert_eq!(world.stopped(2), Some(StopReason::RoomLost));
}

#[test]
fn relay_that_never_comes_back_ends_the_meeting_for_everybody_after_ten_minutes() {
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(10));
    world.relay_down();
    let tried_for = |world: &mut World, time: u64| {
        for _ in 0..time / 5 {
            world.run(seconds(5));
            (0..3).for_each(|client| world.feed(client, Input::RelayLost).unwrap());
        }
    };
    tried_for(&mut world, 595);
    assert!((0..3).all(|client| world.stopped(client).is_none()));
    // One of them hears a word of the relay.
    world.connect(1);
    world.disconnect(1);
    tried_for(&mut world, 5);
    assert_eq!(world.stopped(HOST), Some(StopReason::RoomLost));
    assert_eq!(world.stopped(1), None);
    assert_eq!(world.stopped(2), Some(StopReason::RoomLost));
    tried_for(&mut world, 600);
    assert_eq!(world.stopped(1), Some(StopReason::RoomLost));
}

#[test]
fn computer_that_sleeps_through_an_outage_is_back_when_it_wakes() {
    let mut world = World::with(&["Ada"]);
    world.run(seconds(10));
    world.relay_down();
    world.run(seconds(3_600));
    world.feed(1, Input::RelayLost).unwrap();
    assert_eq!(world.stopped(1), None);
    world.relay_up();
    world.run(seconds(15));
    world.assert_agreement(&[HOST, 1]);
    assert!(world.clients[1].media_flows);
}

#[test]
fn knocker_whose_relay_never_comes_back_was_not_answered() {
    let mut world = World::new(LobbyMode::Wait);
    let ada = world.knock("Ada");
    world.relay_down();
    for _ in 0..120 {
        world.run(seconds(5));
        world.feed(ada, Input::RelayLost).unwrap();
    }
    assert_eq!(world.stopped(ada), Some(StopReason::NotAnswered));
}

#[test]
fn cards_are_renewed_while_the_meeting_lasts() {
    let mut world = World::with(&["Ada"]);
    world.run(seconds(3 * 3_600));
    let ben = world.join("Ben");
    assert_eq!(world.state(ben), MeetingState::InMeeting);
    world.assert_calm();
}

#[test]
fn room_of_a_host_alone_stays_open() {
    let mut world = World::with(&[]);
    world.run(seconds(600));
    assert!(world.clients[HOST].media_flows);
    assert_eq!(world.clients[HOST].media_gaps, 0);
    world.assert_calm();
}

/// SEC-09
#[test]
fn member_that_is_added_again_after_the_relay_lost_its_memory_sees_no_fork() {
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(10));
    world.disconnect(2);
    world.run(seconds(90));
    assert_eq!(world.names(HOST).len(), 2, "Ben was away for too long");
    world.relay_down();
    world.relay.forget();
    world.relay_up();
    world.run(seconds(30));
    assert_eq!(world.state(2), MeetingState::InMeeting);
    world.assert_agreement(&[HOST, 1, 2]);
    for client in 0..3 {
        assert!(!world.alarmed(client, AlarmCode::ForkLog), "client {client}");
    }
}

/// SEC-05
#[test]
fn connection_lost_before_the_relay_knew_of_the_new_capability_locks_nobody_out() {
    let mut world = World::with(&["Ada", "Ben", "Cleo"]);
    world.run(seconds(2));
    world.relay.orders = Fate::Lost;
    for client in [1, 2] {
        let member = world.member(client);
        world.command(HOST, Command::Remove { member }).unwrap();
        world.run(seconds(2));
    }
    assert!(world.relay.revoked.is_empty(), "the members know the capability, the relay does not");
    world.relay.orders = Fate::CarriedOut;
    world.relay_down();
    world.run(seconds(5));
    world.relay_up();
    world.run(seconds(10));
    world.assert_agreement(&[HOST, 3]);
    assert!(world.clients[HOST].media_flows && world.clients[3].media_flows);
    assert_eq!(world.relay.revoked.len(), 2);
    let dan = world.join("Dan");
    world.assert_agreement(&[HOST, 3, dan]);
    world.assert_calm();
}

/// SEC-05
#[test]
fn rotation_that_the_relay_refuses_is_shown_and_given_again() {
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(2));
    world.relay.orders = Fate::Refused;
    let ada = world.member(1);
    world.command(HOST, Command::Remove { member: ada }).unwrap();
    world.run(seconds(2));
    assert!(world.alarmed(HOST, AlarmCode::RelayRefused));
    assert!(world.relay.revoked.is_empty());
    world.relay.orders = Fate::CarriedOut;
    world.run(seconds(3));
    assert_eq!(world.relay.revoked.len(), 1);
    world.assert_agreement(&[HOST, 2]);
}

/// SEC-05
#[test]
fn removal_that_was_lost_with_the_connection_is_sent_on_the_next_one_at_once() {
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(2));
    let ada = world.member(1);
    world.relay.appends = Appends::Lost;
    world.command(HOST, Command::Remove { member: ada }).unwrap();
    world.disconnect(HOST);
    world.relay.appends = Appends::Taken;
    world.connect(HOST);
    world.run(Duration::from_millis(100));
    assert_eq!(world.stopped(1), Some(StopReason::Removed));
}

/// SEC-05
#[test]
fn removal_that_a_busy_relay_refused_is_sent_again_when_the_relay_wants_it() {
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(2));
    let ada = world.member(1);
    world.relay.appends = Appends::Busy(200);
    world.command(HOST, Command::Remove { member: ada }).unwrap();
    world.relay.appends = Appends::Taken;
    world.run(Duration::from_millis(100));
    assert_eq!(world.stopped(1), None);
    world.run(Duration::from_millis(200));
    assert_eq!(world.stopped(1), Some(StopReason::Removed));
}

#[test]
fn time_without_a_connection_does_not_count_against_a_room_that_was_missing_before() {
    let mut world = World::with(&["Ada"]);
    world.relay_down();
    world.relay.forget();
    world.connect(1);
    world.run(seconds(2));
    world.disconnect(1);
    world.run(seconds(70));
    world.connect(1);
    world.run(seconds(1));
    assert_eq!(world.stopped(1), None);
    world.connect(HOST);
    world.run(seconds(15));
    world.assert_agreement(&[HOST, 1]);
    assert!(world.clients[1].media_flows);
}
