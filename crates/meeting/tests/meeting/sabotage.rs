//! Control runs: with one safeguard switched off, the attack that it stops succeeds.

use core::time::Duration;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use incamera_meeting::{AlarmCode, Command, Event, Input, LobbyMode, MeetingState, Safeguards};
use incamera_relay_proto::{Blob, Lane, ServerMessage};
use incamera_types::Pii;

use crate::world::{HOST, World, seconds};

fn sabotage(world: &mut World, safeguards: Safeguards) {
    for client in &mut world.clients {
        client.machine.set_safeguards(safeguards);
    }
}

#[test]
fn without_the_nonce_echo_a_join_counts_that_nobody_confirmed() {
    let mut world = World::new(LobbyMode::Open);
    world.tamper = Box::new(|client, message| match message {
        ServerMessage::Entry { .. } if client == 1 => Vec::new(),
        other => vec![other],
    });
    let mut machine = world.knocker("Ada");
    machine.set_safeguards(Safeguards { skip_nonce_echo: true, ..Safeguards::default() });
    let ada = world.add_knocker(machine);
    world.run(seconds(2));
    assert_eq!(world.state(ada), MeetingState::InMeeting);
}

#[test]
fn without_the_card_check_a_forged_card_gets_the_knock() {
    let mut world = World::new(LobbyMode::Wait);
    *world.relay.room.as_mut().unwrap().card.last_mut().unwrap() ^= 1;
    let mut machine = world.knocker("Ada");
    machine.set_safeguards(Safeguards { skip_card_check: true, ..Safeguards::default() });
    world.add_knocker(machine);
    assert_eq!(world.relay.knocks().len(), 1);
}

#[test]
fn without_liveness_a_crashed_member_stays_for_ever() {
    let mut world = World::with(&["Ada", "Ben"]);
    sabotage(&mut world, Safeguards { skip_liveness: true, ..Safeguards::default() });
    world.kill(1);
    world.run(seconds(300));
    assert_eq!(world.names(HOST).len(), 3);
    assert_eq!(world.count(HOST, |event| matches!(event, Event::Lost { .. })), 0);
}

#[test]
fn without_fork_detection_a_forked_log_is_not_seen() {
    let mut world = World::with(&["Ada", "Ben"]);
    sabotage(&mut world, Safeguards { skip_fork_detection: true, ..Safeguards::default() });
    let mut forged = false;
    world.tamper = Box::new(move |client, message| match message {
        ServerMessage::Entry { seq, lane: Lane::Application, .. } if client == 1 && !forged => {
            forged = true;
            let blob = Blob::pad(b"something else").unwrap();
            vec![ServerMessage::Entry { seq, lane: Lane::Application, blob }]
        }
        other => vec![other],
    });
    world.run(seconds(30));
    assert!((0..3).all(|client| !world.alarmed(client, AlarmCode::ForkLog)));
}

#[test]
fn without_the_knock_check_a_replayed_knock_waits_in_the_lobby() {
    let mut world = World::new(LobbyMode::Wait);
    sabotage(&mut world, Safeguards { skip_knock_check: true, ..Safeguards::default() });
    world.knock("Ada");
    let knock = world.relay.knocks().remove(0);
    world.relay.inject_knock(7, knock);
    world.run(seconds(1));
    assert_eq!(world.clients[HOST].machine.knocks().count(), 2);
}

#[test]
fn without_log_order_a_left_out_entry_goes_unnoticed() {
    let mut world = World::with(&["Ada"]);
    sabotage(&mut world, Safeguards { skip_log_order: true, ..Safeguards::default() });
    let mut dropped = false;
    world.tamper = Box::new(move |client, message| match message {
        ServerMessage::Entry { lane: Lane::Application, .. } if client == 1 && !dropped => {
            dropped = true;
            Vec::new()
        }
        other => vec![other],
    });
    world.run(seconds(4));
    assert!(!world.alarmed(1, AlarmCode::LogGap));
}

#[test]
fn without_rotation_a_removed_member_keeps_the_relay() {
    let mut world = World::with(&["Ada", "Ben"]);
    sabotage(&mut world, Safeguards { skip_rotation: true, ..Safeguards::default() });
    world.run(seconds(2));
    let ada = world.member(1);
    world.command(HOST, Command::Remove { member: ada }).unwrap();
    world.run(seconds(3));
    assert!(world.relay.revoked.is_empty());
}

#[test]
fn without_freshness_a_stretched_heartbeat_counts_as_presence() {
    let heard = |safeguards: Safeguards| {
        let mut world = World::with(&["Ada", "Ben"]);
        sabotage(&mut world, safeguards);
        world.run(seconds(20));
        let mut held = Vec::new();
        let mut taken = 0_usize;
        world.tamper = Box::new(move |client, message| match message {
            entry @ ServerMessage::Entry { .. } if client == 1 => {
                held.push(entry);
                taken += 1;
                if taken.is_multiple_of(8) { Vec::new() } else { vec![held.remove(0)] }
            }
            other => vec![other],
        });
        // Chat between the heartbeats: what is held back comes with the next line, a second later.
        for _ in 0..100 {
            world.command(0, Command::SendChat { text: Pii::new("still here".into()) }).unwrap();
            world.run(seconds(1));
        }
        world.count(1, |event| matches!(event, Event::Lost { .. })) == 0
    };
    assert!(!heard(Safeguards::default()));
    assert!(heard(Safeguards { skip_freshness: true, ..Safeguards::default() }));
}

#[test]
fn without_freshness_a_view_counts_as_confirmed_whatever_the_heartbeats_say_that_come() {
    // SEC-08: each entry comes later than the one before, by three fifths of the time between them, for 35 s. Ben comes
    // back meanwhile and is answered at once, so that a heartbeat goes out before Ada's next and covers nothing new.
    let is_shown = |safeguards: Safeguards| {
        let mut world = World::with(&["Ada", "Ben"]);
        sabotage(&mut world, safeguards);
        world.run(seconds(20));
        let begun = world.now.mono;
        let taken: Rc<RefCell<Vec<ServerMessage>>> = Rc::default();
        let taking = Rc::clone(&taken);
        world.tamper = Box::new(move |client, message| match message {
            entry @ ServerMessage::Entry { .. } if client == 1 => {
                taking.borrow_mut().push(entry);
                Vec::new()
            }
            other => vec![other],
        });
        let mut late = VecDeque::new();
        while world.now.mono.since(begun) < seconds(35) {
            let before = world.now.mono.since(begun);
            world.run(Duration::from_millis(50));
            let step = before..world.now.mono.since(begun);
            if step.contains(&seconds(3)) {
                world.disconnect(2);
            }
            if step.contains(&seconds(12)) {
                world.connect(2);
            }
            let now = world.now.mono;
            let due = now.plus(now.since(begun) * 3 / 5);
            late.extend(taken.take().into_iter().map(|entry| (due, entry)));
            while let Some((_, entry)) = late.pop_front_if(|(due, _)| *due <= now) {
                world.feed(1, Input::Relay(entry)).unwrap();
            }
        }
        world.alarmed(1, AlarmCode::ViewUnconfirmed)
    };
    assert!(is_shown(Safeguards::default()));
    assert!(!is_shown(Safeguards { skip_freshness: true, ..Safeguards::default() }));
}
