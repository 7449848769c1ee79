//! Chat and stream announcements.

use core::cell::RefCell;
use std::rc::Rc;

use incamera_meeting::{Command, CommandError, Event, Input, MAX_CHAT_BYTES, MeetingState, StreamView};
use incamera_relay_proto::{Lane, ServerMessage};
use incamera_types::{Context, Pii};

use crate::world::{HOST, World, seconds};

fn say(world: &mut World, client: usize, text: &str) {
    world.command(client, Command::SendChat { text: Pii::new(text.into()) }).unwrap();
}

fn lines(world: &World, client: usize) -> Vec<String> {
    world.clients[client].machine.chat().map(|line| line.text.reveal().clone()).collect()
}

#[test]
fn everybody_reads_the_same_lines_in_the_same_order() {
    let mut world = World::with(&["Ada", "Ben"]);
    for round in 0..20 {
        for client in 0..3 {
            say(&mut world, client, &format!("{client} says {round}"));
        }
        world.run(seconds(1));
    }
    assert_eq!(lines(&world, HOST).len(), 60);
    assert_eq!(lines(&world, 1), lines(&world, HOST));
    assert_eq!(lines(&world, 2), lines(&world, HOST));
    world.assert_calm();
}

#[test]
fn line_that_a_commit_overtook_arrives_once() {
    let mut world = World::with(&["Ada", "Ben"]);
    // Ada's line is sealed in an epoch that is over before the line is in the log.
    for round in 0..10 {
        let ben = world.member(2);
        world.disconnect(1);
        say(&mut world, 1, &format!("line {round}"));
        if round == 5 {
            world.command(HOST, Command::Remove { member: ben }).unwrap();
        }
        world.run(seconds(1));
        world.connect(1);
        world.run(seconds(1));
    }
    assert_eq!(lines(&world, HOST), lines(&world, 1));
    assert_eq!(lines(&world, HOST).len(), 10);
}

/// SEC-06
#[test]
fn line_is_shown_once_though_its_author_was_added_again_before_it_knew() {
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(10));
    // The line is in the log, but Ada does not hear of it before its leaf is gone.
    world.hold(1);
    say(&mut world, 1, "once");
    world.run(seconds(1));
    assert_eq!(lines(&world, HOST), ["once"]);
    world.disconnect(1);
    world.run(seconds(100));
    assert_eq!(world.names(HOST).len(), 2);
    world.connect(1);
    world.run(seconds(5));
    assert_eq!(world.names(HOST).len(), 3);
    assert_eq!((lines(&world, HOST), lines(&world, 2)), (vec!["once".into()], vec!["once".into()]));
    assert_eq!(lines(&world, 1), ["once"]);
}

#[test]
fn late_joiner_reads_nothing_that_was_said_before() {
    let mut world = World::with(&["Ada"]);
    say(&mut world, 1, "before");
    world.run(seconds(1));
    let ben = world.join("Ben");
    say(&mut world, 1, "after");
    world.run(seconds(1));
    assert_eq!(lines(&world, ben), ["after"]);
}

/// SEC-12
#[test]
fn chat_text_and_names_are_nowhere_at_the_relay() {
    let mut world = World::with(&["Canary-Name"]);
    say(&mut world, 1, "canary-text");
    world.run(seconds(1));
    let room = world.relay.room.as_ref().unwrap();
    let blobs = room.log.iter().map(|(_, blob)| blob.clone()).chain(world.relay.knocks());
    for blob in blobs {
        assert_eq!(blob.as_bytes().len() % 512, 0);
        for canary in [&b"Canary-Name"[..], b"canary-text"] {
            assert!(!blob.as_bytes().windows(canary.len()).any(|window| window == canary));
        }
    }
}

#[test]
fn empty_and_huge_lines_are_refused() {
    let mut world = World::with(&["Ada"]);
    for text in [String::new(), "x".repeat(MAX_CHAT_BYTES + 1)] {
        let command = Command::SendChat { text: Pii::new(text) };
        assert_eq!(world.command(1, command), Err(CommandError::ChatLength));
    }
}

#[test]
fn announced_streams_reach_members_and_later_joiners() {
    let mut world = World::with(&["Ada"]);
    let streams = vec![StreamView { context: Context::CameraHigh, width: 640, height: 360 }];
    world.command(1, Command::AnnounceStreams { streams: streams.clone() }).unwrap();
    world.run(seconds(1));
    let ben = world.join("Ben");
    let ada = world.member(1);
    for client in [HOST, ben] {
        let announced = world.clients[client].machine.streams_of(ada).unwrap();
        assert_eq!(announced.streams, streams);
        assert!(announced.ticket_identity().is_some());
        let told = |event: &Event| matches!(event, Event::StreamsChanged { member, .. } if *member == ada);
        assert!(world.count(client, told) >= 1);
    }
}

#[test]
fn announcement_that_comes_before_a_joiner_is_confirmed_counts_when_it_is() {
    let mut world = World::with(&["Ada"]);
    let streams = vec![StreamView { context: Context::CameraHigh, width: 640, height: 360 }];
    world.command(1, Command::AnnounceStreams { streams: streams.clone() }).unwrap();
    world.run(seconds(1));
    // The host hears of its own commit after Ada has announced again, and confirms the joiner only then.
    let mut held = None;
    world.tamper = Box::new(move |client, message| {
        if client != HOST {
            return vec![message];
        }
        match (held.take(), message) {
            (Some(earlier), message) => vec![earlier, message],
            (None, message @ ServerMessage::Entry { .. }) => {
                held = Some(message);
                Vec::new()
            }
            (None, message) => vec![message],
        }
    });
    let ben = world.knock("Ben");
    world.run(seconds(5));
    assert_eq!(world.state(ben), MeetingState::InMeeting);
    let ada = world.member(1);
    let told = |event: &Event| matches!(event, Event::StreamsChanged { member, .. } if *member == ada);
    assert_eq!(world.count(ben, told), 1);
    assert_eq!(world.clients[ben].machine.streams_of(ada).unwrap().streams, streams);
}

#[test]
fn what_is_said_before_a_joiner_is_confirmed_is_shown_to_it_then_and_in_order() {
    let mut world = World::with(&["Ada", "Cleo"]);
    world.run(seconds(5));
    // The host hears of its own commit after the others, who speak in the new epoch already.
    let held: Rc<RefCell<Vec<ServerMessage>>> = Rc::default();
    let queue = Rc::clone(&held);
    world.tamper = Box::new(move |client, message| {
        let mut queue = queue.borrow_mut();
        let begins = matches!(message, ServerMessage::Entry { lane: Lane::Commit, .. });
        if client != HOST || (queue.is_empty() && !begins) {
            return vec![message];
        }
        queue.push(message);
        Vec::new()
    });
    let ben = world.knock("Ben");
    say(&mut world, 1, "first");
    say(&mut world, 2, "second");
    let cleo = world.member(2);
    world.command(2, Command::Leave).unwrap();
    world.tamper = Box::new(|_, message| vec![message]);
    for message in held.take() {
        world.feed(HOST, Input::Relay(message)).unwrap();
    }
    world.run(seconds(3));
    assert_eq!(world.state(ben), MeetingState::InMeeting);
    assert_eq!(lines(&world, ben), ["first", "second"]);
    let written_by: Vec<_> =
        world.clients[ben].machine.chat().map(|line| line.name.reveal().clone()).collect();
    assert_eq!(written_by, ["Ada", "Cleo"]);
    let at = |fits: fn(&Event) -> bool| world.clients[ben].events.iter().position(|(_, event)| fits(event));
    let confirmed = at(|event| matches!(event, Event::StateChanged { state: MeetingState::InMeeting }));
    let shown = at(|event| matches!(event, Event::ChatReceived { .. }));
    assert!(confirmed.is_some() && confirmed < shown, "SEC-19: nothing before the room is confirmed");
    assert_eq!(
        world.count(ben, |event| matches!(event, Event::Left { member, .. } if *member == cleo)),
        1,
        "told apart from somebody who was removed"
    );
}
