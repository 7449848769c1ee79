//! Removal, leaving, the end, silence, and the way back.

use core::time::Duration;

use incamera_meeting::{
    AlarmCode, Command, CommandError, Event, LobbyMode, MediaReport, MediaStop, MeetingState, Presence,
    RemovalReason, StopReason, Unopened,
};

use crate::relay::{Appends, Fate};
use crate::world::{HOST, World, seconds};

fn removed(event: &Event, why: RemovalReason) -> bool {
    matches!(event, Event::Removed { why: given, .. } if *given == why)
}

/// SEC-05
#[test]
fn removed_member_is_out_of_the_group_the_relay_and_its_tickets() {
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(2));
    let ada = world.member(1);
    let ticket = world.clients[2].machine.streams_of(ada).unwrap().ticket_identity().unwrap();
    let clicked = world.now;
    world.command(HOST, Command::Remove { member: ada }).unwrap();
    world.run(seconds(3));
    assert_eq!(world.stopped(1), Some(StopReason::Removed));
    for client in [HOST, 2] {
        assert_eq!(world.clients[client].dropped, [ada]);
        let gone = world.first(client, |event| removed(event, RemovalReason::Host)).unwrap();
        assert!(gone.mono.since(clicked.mono) < Duration::from_millis(500));
        let keys = world.clients[client].keys.last().unwrap();
        assert!(keys.members.iter().all(|holder| holder.member != ada));
    }
    assert_eq!(world.relay.revoked, [ticket]);
    world.run(seconds(60));
    world.assert_agreement(&[HOST, 2]);
    assert!(world.clients[2].media_flows, "who stays has followed to the new capability");
    world.assert_calm();
}

#[test]
fn knocker_that_leaves_takes_its_knock_back() {
    let mut world = World::new(LobbyMode::Wait);
    let ada = world.knock("Ada");
    world.run(seconds(1));
    assert!(world.first(HOST, |event| matches!(event, Event::Knocked { .. })).is_some());
    world.command(ada, Command::Leave).unwrap();
    world.run(seconds(1));
    assert_eq!(world.stopped(ada), Some(StopReason::Left));
    assert_eq!(world.relay.withdrawn, [ada], "nobody decides about somebody who is gone");
}

#[test]
fn senders_switch_at_once_after_a_removal_and_a_little_later_after_a_join() {
    let mut world = World::with(&["Ada", "Ben"]);
    let joined = world.clients[1].keys.iter().find(|keys| keys.members.len() == 2).unwrap();
    assert!(joined.switch_at > world.clients[1].keys[0].switch_at);
    let ben = world.member(2);
    world.command(HOST, Command::Remove { member: ben }).unwrap();
    let at = world.now.mono;
    world.run(seconds(1));
    let keys = world.clients[1].keys.iter().find(|keys| keys.switch_at >= at).unwrap();
    assert!(keys.members.len() == 1 && keys.switch_at.since(at) < Duration::from_millis(300));
}

#[test]
fn member_that_leaves_is_gone_at_once_and_told_apart_from_a_removed_one() {
    let mut world = World::with(&["Ada", "Ben"]);
    world.command(1, Command::Leave).unwrap();
    assert_eq!(world.stopped(1), Some(StopReason::Left), "the log shows the goodbye");
    world.run(seconds(2));
    for client in [HOST, 2] {
        assert_eq!(world.count(client, |event| matches!(event, Event::Left { .. })), 1);
        assert_eq!(world.names(client).len(), 2);
    }
    world.assert_calm();
}

#[test]
fn only_host_cannot_leave_others_behind_but_can_end_the_meeting() {
    let mut world = World::with(&["Ada"]);
    assert_eq!(world.command(HOST, Command::Leave), Err(CommandError::LastHost));
    world.command(HOST, Command::End).unwrap();
    world.run(seconds(5));
    assert_eq!(world.stopped(HOST), Some(StopReason::Ended));
    assert_eq!(world.stopped(1), Some(StopReason::Ended));
    assert!(world.relay.room.is_none());
}

/// SEC-08
#[test]
fn crashed_member_is_lost_in_ten_seconds_held_in_thirty_and_removed_in_sixty() {
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(17));
    let ada = world.member(1);
    world.kill(1);
    let killed = world.now;
    world.run(seconds(90));
    for client in [HOST, 2] {
        let after = |fits: &dyn Fn(&Event) -> bool| {
            let at = world.first(client, fits).expect("an event");
            at.mono.since(killed.mono)
        };
        assert!(after(&|event| matches!(event, Event::Lost { member, .. } if *member == ada)) <= seconds(10));
        let held = after(&|event| matches!(event, Event::MediaHeld { member } if *member == ada));
        assert!((seconds(20)..=seconds(30)).contains(&held), "{held:?}");
        let gone = after(&|event| removed(event, RemovalReason::Silent));
        assert!((seconds(50)..=seconds(62)).contains(&gone), "{gone:?}");
        assert!(world.clients[client].media_flows && world.clients[client].media_gaps == 0);
    }
}

#[test]
fn member_of_two_that_crashes_is_lost_and_removed_too() {
    let mut world = World::with(&["Ada"]);
    world.run(seconds(13));
    world.kill(1);
    let killed = world.now;
    world.run(seconds(70));
    let lost = world.first(HOST, |event| matches!(event, Event::Lost { .. })).unwrap();
    assert!(lost.mono.since(killed.mono) <= seconds(10));
    assert_eq!(world.names(HOST), ["Host"]);
}

#[test]
fn member_that_comes_back_in_time_keeps_its_leaf() {
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(10));
    let before = world.member(1);
    world.disconnect(1);
    world.run(seconds(40));
    let view = world.clients[HOST].machine.members().find(|view| view.member == before).unwrap();
    assert_eq!(view.presence, Presence::Held);
    world.connect(1);
    world.run(seconds(5));
    assert_eq!(world.member(1), before);
    assert!(world.clients[HOST].held.is_empty());
    assert!(world.clients[1].media_flows);
    world.assert_agreement(&[0, 1, 2]);
}

#[test]
fn member_that_was_removed_for_its_silence_comes_back_by_itself() {
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(10));
    world.disconnect(1);
    world.run(seconds(100));
    assert_eq!(world.names(HOST), ["Ben", "Host"]);
    world.connect(1);
    world.run(seconds(5));
    let rejoins = Event::MediaStopped { why: MediaStop::Rejoining };
    assert_eq!(world.count(1, |event| *event == rejoins), 1, "it is told why it waits");
    assert_eq!(world.state(1), MeetingState::InMeeting);
    assert_eq!(world.names(HOST), ["Ada", "Ben", "Host"]);
    world.assert_agreement(&[0, 1, 2]);
}

#[test]
fn member_whose_media_does_not_open_is_added_again_within_a_second() {
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(10));
    let before = world.member(1);
    let lost = |member| MediaReport::Undecryptable { member, for_time: seconds(1), cause: Unopened::KeyLost };
    world.report(2, lost(before));
    let reported = world.now;
    world.run(seconds(2));
    let after = world.member(1);
    assert_ne!(before, after);
    assert_eq!(world.names(HOST), ["Ada", "Ben", "Host"], "no second tile");
    let restarted =
        world.clients[1].events.iter().rev().find(|(_, e)| matches!(e, Event::MediaStarted)).unwrap();
    assert!(restarted.0.mono.since(reported.mono) < seconds(1));
    assert!(
        world.first(2, |event| matches!(event, Event::KeyMissing { member } if *member == before)).is_some()
    );
    assert!(world.first(HOST, |event| removed(event, RemovalReason::Rejoined)).is_some());
    world.assert_agreement(&[0, 1, 2]);
    // Asking again and again does not keep it busy.
    for _ in 0..20 {
        world.report(2, lost(after));
        world.run(Duration::from_millis(100));
    }
    assert_eq!(world.member(1), after);
}

#[test]
fn frames_that_the_sfu_alters_name_a_member_but_have_nobody_added_again() {
    // SEC-15: who carries frames must not be able to churn the group.
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(10));
    let (ada, epoch) = (world.member(1), world.clients[HOST].machine.epoch());
    for second in 1..120 {
        world.report(2, MediaReport::Forged { member: ada });
        let cause = Unopened::Spoilt;
        world.report(2, MediaReport::Undecryptable { member: ada, for_time: seconds(second), cause });
        world.run(seconds(1));
    }
    assert!(world.alarmed(2, AlarmCode::MediaForged) && world.alarmed(2, AlarmCode::KeyMissing));
    assert_eq!(world.member(1), ada);
    assert_eq!(world.count(1, |event| matches!(event, Event::MediaStopped { .. })), 0);
    assert!(
        world.clients[HOST].machine.epoch() <= epoch.map(|epoch| epoch.next()),
        "a self-update at the most"
    );
}

#[test]
fn person_may_ask_somebody_to_rejoin_where_we_would_not_ask_by_ourselves() {
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(10));
    let ada = world.member(1);
    let ask = Command::AskToRejoin { member: ada };
    world.command(2, ask.clone()).unwrap();
    world.run(seconds(2));
    assert_eq!(world.member(1), ada, "everything of hers opens");
    world
        .report(2, MediaReport::Undecryptable { member: ada, for_time: seconds(6), cause: Unopened::Spoilt });
    world.run(seconds(2));
    assert_eq!(world.member(1), ada, "nobody asked");
    world.command(2, ask).unwrap();
    world.run(seconds(2));
    assert_ne!(world.member(1), ada);
    assert!(world.alarmed(1, AlarmCode::RepairAsked));
    world.assert_agreement(&[0, 1, 2]);
    let gone = Command::AskToRejoin { member: ada };
    assert_eq!(world.command(2, gone), Err(CommandError::NoSuchMember));
}

#[test]
fn goodbye_that_a_commit_overtakes_is_said_again() {
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(10));
    // The commit is in the log before the goodbye, and the goodbye was sealed before the commit came.
    world.hold(1);
    world.command(HOST, Command::Lock).unwrap();
    world.run(Duration::from_millis(500));
    world.command(1, Command::Leave).unwrap();
    assert!(!world.clients[1].media_flows, "nothing is sent any more");
    assert_eq!(world.command(1, Command::Lock), Err(CommandError::NotInMeeting));
    world.release(1);
    world.run(seconds(1));
    assert_eq!(world.stopped(1), Some(StopReason::Left));
    assert_eq!(world.names(HOST), ["Ben", "Host"]);
    assert_eq!(world.count(HOST, |event| matches!(event, Event::Left { .. })), 1);
}

#[test]
fn member_leaves_within_two_seconds_though_the_relay_answers_nothing_and_at_once_when_asked_again() {
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(1));
    world.hold(1);
    world.hold(2);
    world.command(1, Command::Leave).unwrap();
    world.command(2, Command::Leave).unwrap();
    assert_eq!(world.stopped(1), None);
    world.command(2, Command::Leave).unwrap();
    assert_eq!(world.stopped(2), Some(StopReason::Left));
    world.run(seconds(2));
    assert_eq!(world.stopped(1), Some(StopReason::Left));
}

#[test]
fn namesake_that_is_added_with_a_removal_is_not_taken_for_who_was_removed() {
    // SEC-11: a name proves nothing.
    let mut world = World::new(LobbyMode::Wait);
    let admit = |world: &mut World| {
        let (knock, _) = world.clients[HOST].machine.knocks().next().unwrap();
        world.command(HOST, Command::Admit { knock }).unwrap();
    };
    for name in ["Ada", "Ben"] {
        world.knock(name);
        admit(&mut world);
        world.run(seconds(2));
    }
    let ada = world.member(1);
    world.knock("Ada");
    // The one that goes at once makes the next two wait and share a commit.
    world.command(HOST, Command::SetLobby { lobby: LobbyMode::Open }).unwrap();
    world.command(HOST, Command::Remove { member: ada }).unwrap();
    world.run(seconds(2));
    assert_eq!(world.stopped(1), Some(StopReason::Removed));
    assert_eq!(world.names(2), ["Ada", "Ben", "Host"]);
    for client in [HOST, 2] {
        assert!(world.first(client, |event| removed(event, RemovalReason::Host)).is_some());
        assert!(world.first(client, |event| removed(event, RemovalReason::Rejoined)).is_none());
    }
}

#[test]
fn end_that_was_lost_with_the_connection_or_refused_is_said_again() {
    for trouble in [Appends::Lost, Appends::Busy(200)] {
        let mut world = World::with(&["Ada"]);
        world.run(seconds(2));
        world.relay.appends = trouble;
        world.command(HOST, Command::End).unwrap();
        world.run(Duration::from_millis(100));
        world.relay.appends = Appends::Taken;
        if trouble == Appends::Lost {
            world.disconnect(HOST);
            world.connect(HOST);
        }
        world.run(seconds(1));
        assert_eq!(world.stopped(1), Some(StopReason::Ended));
        assert_eq!(world.stopped(HOST), Some(StopReason::Ended));
        assert!(world.relay.room.is_none());
    }
}

#[test]
fn founder_is_not_told_of_an_end_that_nobody_confirmed() {
    let mut world = World::with(&["Ada"]);
    world.run(seconds(2));
    world.relay.appends = Appends::Lost;
    world.relay.orders = Fate::Lost;
    world.command(HOST, Command::End).unwrap();
    assert!(!world.clients[HOST].media_flows, "nothing is sent any more, whatever the relay does");
    world.run(seconds(15));
    assert_eq!(world.stopped(1), None);
    assert_eq!(world.stopped(HOST), Some(StopReason::EndUnconfirmed));
}
