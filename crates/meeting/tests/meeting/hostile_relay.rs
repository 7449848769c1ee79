//! What a hostile relay can try, and how it is refused or shown.

use core::cell::RefCell;
use core::time::Duration;
use std::rc::Rc;

use incamera_meeting::{AlarmCode, Command, Event, Input, LobbyMode, MeetingState, StopReason};
use incamera_relay_proto::{Blob, Lane, Opened, RelayFault, RelayFaultCode, Seq, ServerMessage};
use incamera_types::Pii;

use crate::world::{HOST, Tamper, World, seconds};

/// Changes entries of the application lane on their way to one client.
fn tamper_entries(victim: usize, mut change: impl FnMut(Blob) -> Vec<Blob> + 'static) -> Tamper {
    Box::new(move |client, message| match message {
        ServerMessage::Entry { seq, lane: Lane::Application, blob } if client == victim => change(blob)
            .into_iter()
            .map(|blob| ServerMessage::Entry { seq, lane: Lane::Application, blob })
            .collect(),
        other => vec![other],
    })
}

/// Delivers nothing of the log to one client any more.
fn withhold_from(victim: usize) -> Tamper {
    Box::new(move |client, message| match message {
        ServerMessage::Entry { .. } if client == victim => Vec::new(),
        other => vec![other],
    })
}

/// SEC-09: one member is shown another entry than the rest.
#[test]
fn forked_log_is_shown_within_ten_seconds() {
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(20));
    let mut forged = false;
    world.tamper = tamper_entries(1, move |blob| {
        let first = !core::mem::replace(&mut forged, true);
        vec![if first { Blob::pad(b"something else").unwrap() } else { blob }]
    });
    let forked = world.now;
    world.run(seconds(10));
    for client in 0..3 {
        let seen =
            world.first(client, |event| matches!(event, Event::Alarm { code: AlarmCode::ForkLog, .. }));
        assert!(seen.is_some_and(|at| at.mono.since(forked.mono) <= seconds(10)), "client {client}");
    }
    assert_eq!(world.names(HOST).len(), 3, "nobody is evicted for it");
}

#[test]
fn forked_log_is_shown_though_commits_follow_at_once() {
    // SEC-09: a new epoch does not wipe out that one member was shown another entry.
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(20));
    let mut forged = false;
    world.tamper = tamper_entries(1, move |blob| {
        let first = !core::mem::replace(&mut forged, true);
        vec![if first { Blob::pad(b"something else").unwrap() } else { blob }]
    });
    world.command(2, Command::SendChat { text: Pii::new("not for Ada".into()) }).unwrap();
    let forked = world.now;
    for command in [Command::Lock, Command::Unlock, Command::Lock] {
        world.command(HOST, command).unwrap();
        world.run(Duration::from_millis(500));
    }
    world.run(seconds(10));
    for client in 0..3 {
        let seen =
            world.first(client, |event| matches!(event, Event::Alarm { code: AlarmCode::ForkLog, .. }));
        assert!(seen.is_some_and(|at| at.mono.since(forked.mono) <= seconds(10)), "client {client}");
    }
}

/// SEC-09: heads that could be compared are forgotten behind entries that nobody can read.
#[test]
fn fork_that_is_buried_under_junk_is_shown_within_twenty_seconds() {
    let mut world = World::with(&["Ada"]);
    world.run(seconds(20));
    world.relay.junk = 5_000;
    let mut forged = false;
    world.tamper = tamper_entries(1, move |blob| {
        let first = !core::mem::replace(&mut forged, true);
        vec![if first { Blob::pad(b"something else").unwrap() } else { blob }]
    });
    world.run(seconds(20));
    for client in [HOST, 1] {
        assert!(world.alarmed(client, AlarmCode::ForkUncompared), "client {client}");
    }
}

#[test]
fn member_that_is_alone_sees_that_its_own_entry_was_replaced() {
    // SEC-09: the relay said where our entry is, and shows something else there.
    let mut world = World::with(&["Ada"]);
    world.run(seconds(1));
    world.kill(HOST);
    let mut forged = false;
    world.tamper = tamper_entries(1, move |blob| {
        let first = !core::mem::replace(&mut forged, true);
        vec![if first { Blob::pad(b"something else").unwrap() } else { blob }]
    });
    world.run(seconds(6));
    assert!(world.alarmed(1, AlarmCode::ForkLog));
}

#[test]
fn repeated_entries_are_ignored_and_shown() {
    let mut world = World::with(&["Ada"]);
    world.tamper = tamper_entries(1, |blob| vec![blob.clone(), blob]);
    world.run(seconds(30));
    assert!(world.alarmed(1, AlarmCode::LogReplay));
    world.assert_agreement(&[0, 1]);
    assert!(world.clients[1].media_flows);
}

#[test]
fn left_out_entries_are_asked_for_again() {
    let mut world = World::with(&["Ada"]);
    let drop_next = Rc::new(RefCell::new(1));
    let counter = Rc::clone(&drop_next);
    world.tamper = tamper_entries(1, move |blob| {
        let mut left = counter.borrow_mut();
        if *left > 0 {
            *left -= 1;
            return Vec::new();
        }
        vec![blob]
    });
    world.run(seconds(30));
    assert!(world.alarmed(1, AlarmCode::LogGap));
    assert!(world.clients[1].media_flows && world.clients[1].media_gaps == 0);
    world.assert_agreement(&[0, 1]);
}

/// SEC-08
#[test]
fn withheld_log_is_shown_within_ten_seconds_and_stops_media_by_the_deadline() {
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(21));
    world.tamper = withhold_from(1);
    let withheld = world.now;
    world.run(seconds(40));
    let shown = world.first(1, |event| matches!(event, Event::LinkDegraded { .. })).unwrap();
    assert!(shown.mono.since(withheld.mono) <= seconds(10));
    assert!(world.alarmed(1, AlarmCode::ViewUnconfirmed));
    let stopped = world.first(1, |event| matches!(event, Event::MediaStopped { .. })).unwrap();
    assert!(stopped.mono.since(withheld.mono) <= seconds(30));
    assert!(!world.clients[1].media_flows);
    assert!(world.clients[HOST].media_flows && world.clients[2].media_flows);
}

/// SEC-08: every entry for Ada is delivered, but each a little later than the one before.
#[test]
fn relay_that_stretches_time_does_not_keep_a_view_confirmed() {
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(20));
    let queue: Rc<RefCell<Vec<ServerMessage>>> = Rc::default();
    let held = Rc::clone(&queue);
    let mut taken = 0_usize;
    world.tamper = Box::new(move |client, message| match message {
        entry @ ServerMessage::Entry { .. } if client == 1 => {
            let mut held = held.borrow_mut();
            held.push(entry);
            taken += 1;
            // Two of three that come are passed on: the delay grows without a gap.
            if taken.is_multiple_of(3) { Vec::new() } else { vec![held.remove(0)] }
        }
        other => vec![other],
    });
    world.run(seconds(60));
    assert!(world.first(1, |event| matches!(event, Event::LinkDegraded { .. })).is_some());
    assert!(!queue.borrow().is_empty());
}

#[test]
fn relay_that_delays_by_less_than_each_deadline_stops_media_at_the_deadline_of_what_was_proved() {
    // SEC-05, SEC-08: answers of two seconds come six seconds late, then nothing does.
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(20));
    let late: Rc<RefCell<Vec<ServerMessage>>> = Rc::default();
    let queue = Rc::clone(&late);
    world.tamper = Box::new(move |client, message| match message {
        entry @ ServerMessage::Entry { .. } if client == 1 => {
            queue.borrow_mut().push(entry);
            Vec::new()
        }
        other => vec![other],
    });
    world.run(seconds(2));
    let made = world.now;
    world.tamper = withhold_from(1);
    world.run(seconds(6));
    for entry in late.take() {
        world.feed(1, Input::Relay(entry)).unwrap();
    }
    world.run(seconds(60));
    let shown = world.first(1, |event| matches!(event, Event::LinkDegraded { .. })).unwrap();
    assert!(shown.mono.since(made.mono) <= seconds(15), "ten seconds after our next heartbeat");
    let stopped = world.first(1, |event| matches!(event, Event::MediaStopped { .. })).unwrap();
    assert!(stopped.mono.since(made.mono) <= seconds(30));
}

#[test]
fn forged_entries_of_a_later_epoch_make_nobody_give_up_its_keys() {
    // SEC-09: the epoch stands in the clear header, which whoever may append can forge.
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(10));
    let members = [0, 1, 2].map(|client| world.member(client));
    let mut left = 3 * 4;
    world.tamper = Box::new(move |_, message| match message {
        ServerMessage::Entry { seq, lane: Lane::Application, blob } if left > 0 => {
            left -= 1;
            let mut entry = blob.unpad().unwrap().to_vec();
            entry[21..29].fill(0xff);
            vec![ServerMessage::Entry { seq, lane: Lane::Application, blob: Blob::pad(&entry).unwrap() }]
        }
        other => vec![other],
    });
    world.run(seconds(20));
    assert!((0..3).all(|client| world.alarmed(client, AlarmCode::CommitWithheld)));
    assert_eq!([0, 1, 2].map(|client| world.member(client)), members);
    assert!(world.clients.iter().all(|client| client.media_flows && client.media_gaps == 0));
    world.assert_agreement(&[0, 1, 2]);
}

#[test]
fn founder_without_its_place_in_the_log_asks_again_and_gives_the_room_up_after_a_minute() {
    let mut world = World::with(&["Ada"]);
    world.run(seconds(10));
    world.disconnect(HOST);
    world.tamper = without_the_founders_place();
    world.connect(HOST);
    world.run(seconds(15));
    assert!(world.alarmed(HOST, AlarmCode::LogGap) && world.stopped(HOST).is_none());
    world.tamper = Box::new(|_, message| vec![message]);
    world.run(seconds(8));
    world.assert_agreement(&[HOST, 1]);
    assert!(world.clients[HOST].media_flows && world.clients[1].media_flows, "a lie ends no meeting");

    world.disconnect(HOST);
    world.tamper = without_the_founders_place();
    world.connect(HOST);
    world.run(seconds(45));
    assert!(!world.clients[HOST].media_flows, "SEC-08: fail closed");
    world.run(seconds(20));
    assert_eq!(world.stopped(HOST), Some(StopReason::RoomLost));
}

/// The relay says that it has not kept what the founder has not read.
fn without_the_founders_place() -> Tamper {
    Box::new(|client, message| match message {
        ServerMessage::Opened(opened) if client == HOST => {
            vec![ServerMessage::Opened(Opened { oldest: Seq(opened.oldest.0 + 100_000), ..opened })]
        }
        other => vec![other],
    })
}

#[test]
fn founder_that_the_relay_denies_asks_again_and_never_knocks() {
    let mut world = World::with(&["Ada"]);
    world.run(seconds(10));
    let (host, ada) = (world.member(HOST), world.member(1));
    world.disconnect(HOST);
    let mut denials = 3;
    world.tamper = Box::new(move |client, message| match message {
        ServerMessage::Opened(opened) if client == HOST && denials > 0 => {
            denials -= 1;
            let code = RelayFaultCode::Denied;
            vec![ServerMessage::Error(RelayFault { in_reply_to: Some(opened.in_reply_to), code, detail: 0 })]
        }
        other => vec![other],
    });
    world.connect(HOST);
    world.run(seconds(20));
    assert_eq!((world.member(HOST), world.member(1)), (host, ada));
    assert!(world.clients[HOST].media_flows);
    world.assert_agreement(&[0, 1]);
}

#[test]
fn relay_that_never_says_that_the_log_is_read_is_left_for_another_connection() {
    // SEC-08: without own heartbeats nothing confirms the view.
    let mut world = World::with(&["Ada"]);
    world.run(seconds(20));
    world.disconnect(1);
    world.tamper = Box::new(|client, message| match message {
        ServerMessage::CaughtUp { .. } if client == 1 => Vec::new(),
        ServerMessage::Entry { .. } if client == 1 => Vec::new(),
        other => vec![other],
    });
    world.connect(1);
    world.run(seconds(40));
    assert!(!world.clients[1].media_flows);
    world.tamper = Box::new(|_, message| vec![message]);
    world.run(seconds(15));
    assert!(world.clients[1].media_flows, "it tries again by itself");
}

/// Tells one client once that the log begins after what it has read.
fn forget_the_place_of(victim: usize) -> Tamper {
    let mut told = false;
    Box::new(move |client, message| match message {
        ServerMessage::Opened(opened) if client == victim && !core::mem::replace(&mut told, true) => {
            vec![ServerMessage::Opened(Opened { oldest: Seq(opened.oldest.0 + 100_000), ..opened })]
        }
        other => vec![other],
    })
}

#[test]
fn media_stops_at_once_though_the_next_rejoin_has_to_wait() {
    // SEC-05
    let mut world = World::with(&["Ada"]);
    world.run(seconds(20));
    let reopen = |world: &mut World| {
        world.tamper = forget_the_place_of(1);
        world.disconnect(1);
        world.connect(1);
    };
    reopen(&mut world);
    world.run(seconds(3));
    assert!(world.clients[1].media_flows, "added again");
    reopen(&mut world);
    assert!(!world.clients[1].media_flows);
    world.run(seconds(3));
    assert!(!world.clients[1].media_flows, "the keys of before are not used while it waits");
    world.run(seconds(12));
    assert!(world.clients[1].media_flows);
    world.assert_agreement(&[0, 1]);
}

/// SEC-09: the relay keeps two people from the rest.
#[test]
fn silent_half_of_the_room_is_named() {
    let mut world = World::with(&["Ada", "Ben", "Cleo"]);
    world.run(seconds(20));
    for client in [2, 3] {
        world.disconnect(client);
    }
    world.run(seconds(15));
    for client in [HOST, 1] {
        assert!(world.alarmed(client, AlarmCode::PartitionSuspected), "client {client}");
        assert_eq!(world.count(client, |event| matches!(event, Event::Lost { .. })), 2);
    }
}

/// SEC-19
#[test]
fn card_of_another_room_is_refused() {
    let mut world = World::new(LobbyMode::Open);
    let other = World::new(LobbyMode::Wait);
    let mut card = other.relay.room.unwrap().card;
    // Same keys of the same seed: make it another signature.
    *card.last_mut().unwrap() ^= 1;
    world.relay.room.as_mut().unwrap().card = card;
    let ada = world.knock("Ada");
    world.run(seconds(1));
    assert_eq!(world.stopped(ada), Some(StopReason::CardRefused));
    assert!(world.alarmed(ada, AlarmCode::CardRefused));
    assert!(world.relay.knocks().is_empty(), "nothing of the knock left the machine");
}

#[test]
fn expired_card_is_refused() {
    let mut world = World::new(LobbyMode::Open);
    let card = world.relay.room.as_ref().unwrap().card.clone();
    world.run(seconds(2 * 3_600));
    world.relay.room.as_mut().unwrap().card = card;
    let ada = world.knock("Ada");
    assert_eq!(world.stopped(ada), Some(StopReason::CardRefused));
    assert!(world.alarmed(ada, AlarmCode::CardExpired));
}

#[test]
fn card_that_went_back_in_time_is_refused() {
    let mut world = World::new(LobbyMode::Wait);
    let old = world.relay.room.as_ref().unwrap().card.clone();
    world.run(seconds(31 * 60));
    let ada = world.knock("Ada");
    // The knock went stale while no host was there, so the card is looked at again.
    world.disconnect(HOST);
    world.run(seconds(400));
    world.relay.room.as_mut().unwrap().card = old;
    world.connect(HOST);
    world.run(seconds(2));
    let stale = world.alarmed(HOST, AlarmCode::KnockStale);
    assert!(!stale || world.alarmed(ada, AlarmCode::CardOld) || world.alarmed(ada, AlarmCode::CardExpired));
}

/// SEC-19: everything after the Welcome is withheld.
#[test]
fn joiner_that_nobody_confirms_stays_silent_and_gives_up() {
    let mut world = World::new(LobbyMode::Open);
    world.tamper = withhold_from(1);
    let ada = world.knock("Ada");
    world.run(seconds(20));
    assert_eq!(world.state(ada), MeetingState::Joining);
    assert!(world.clients[ada].keys.is_empty() && !world.clients[ada].media_flows);
    assert!(world.alarmed(ada, AlarmCode::JoinUnconfirmed));
    world.run(seconds(20));
    assert_eq!(world.stopped(ada), Some(StopReason::NotConfirmed));
}

/// SEC-19
#[test]
fn replies_after_a_welcome_that_was_believed_change_nothing() {
    let mut world = World::new(LobbyMode::Open);
    world.tamper = Box::new(|_, message| match message {
        ServerMessage::Replied { number, standing, blob } => {
            let junk = Blob::pad(b"not a reply").unwrap();
            [blob.clone(), blob, junk]
                .into_iter()
                .zip(number..)
                .map(|(blob, number)| ServerMessage::Replied { number, standing, blob })
                .collect()
        }
        other => vec![other],
    });
    let ada = world.join("Ada");
    world.assert_agreement(&[HOST, ada]);
    world.assert_calm();
}

#[test]
fn replayed_and_made_up_knocks_change_nothing() {
    let mut world = World::new(LobbyMode::Wait);
    world.knock("Ada");
    let knock = world.relay.knocks().remove(0);
    for number in 0..500 {
        world.relay.inject_knock(number, knock.clone());
        world.relay.inject_knock(1_000 + number, Blob::pad(&number.to_be_bytes()).unwrap());
    }
    world.run(seconds(1));
    assert_eq!(world.clients[HOST].machine.knocks().count(), 1);
    assert!(world.alarmed(HOST, AlarmCode::KnockStale));
    assert!(world.alarmed(HOST, AlarmCode::KnockRefused));
    let alarms = world.count(HOST, |event| matches!(event, Event::Alarm { .. }));
    assert!(alarms <= 2, "a flood of knocks is not a flood of alarms");
}

#[test]
fn answers_to_nothing_are_shown_and_ignored() {
    let mut world = World::with(&["Ada"]);
    let strange = world.relay.room.as_ref().map(|room| room.card.clone()).unwrap();
    world
        .feed(
            1,
            Input::Relay(ServerMessage::Card {
                in_reply_to: incamera_relay_proto::ClientRef(9_999),
                card: strange,
            }),
        )
        .unwrap();
    assert!(world.alarmed(1, AlarmCode::RelayMalformed));
    world.run(seconds(30));
    world.assert_agreement(&[0, 1]);
}

#[test]
fn link_with_a_wrong_secret_is_refused() {
    let mut world = World::new(LobbyMode::Open);
    world.invite.secret = incamera_types::LinkSecret::new([0; 16]);
    let eve = world.knock("Eve");
    world.run(seconds(1));
    assert_eq!(world.stopped(eve), Some(StopReason::LinkRefused));
}
