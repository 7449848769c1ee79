//! What a member with a modified client can do to one other, and how that is repaired and shown.

use core::time::Duration;

use incamera_meeting::{AlarmCode, Command, Event, Input, MeetingState, StopReason};
use incamera_types::MemberId;

use crate::world::{HOST, World, seconds};

/// Lets `author` make a commit that `victim` alone cannot follow, as soon as the spacing of commits allows it.
fn leave_behind(world: &mut World, author: usize, victim: usize) {
    for turn in [Command::Lock, Command::Unlock].into_iter().cycle().take(20) {
        let (now, member) = (world.now, world.member(victim));
        let made = world.clients[author].machine.commit_without(now, member);
        world.feed(author, Input::Tick).unwrap();
        if made {
            return;
        }
        world.command(HOST, turn).unwrap();
        world.run(Duration::from_millis(300));
    }
    panic!("the commit could not be made");
}

fn alarm_about(world: &World, client: usize, code: AlarmCode) -> Option<MemberId> {
    world.clients[client].events.iter().find_map(|(_, event)| match event {
        Event::Alarm { code: raised, member } if *raised == code => *member,
        _ => None,
    })
}

#[test]
fn member_that_one_commit_left_behind_is_added_again_and_the_committer_is_named() {
    let mut world = World::with(&["Ada", "Ben", "Cleo"]);
    world.run(seconds(20));
    let (ada, ben) = (world.member(1), world.member(2));
    world.kill(3);
    world.run(seconds(70));
    leave_behind(&mut world, 1, 2);
    world.run(seconds(1));
    assert_eq!(alarm_about(&world, 2, AlarmCode::KeysLost), Some(ada));
    assert_eq!(alarm_about(&world, HOST, AlarmCode::CommitUnfollowed), Some(ada), "named to the hosts");
    assert_eq!(world.state(2), MeetingState::InMeeting);
    assert_ne!(world.member(2), ben, "by a new leaf");
    world.assert_agreement(&[HOST, 1, 2]);
    assert!([HOST, 1, 2].iter().all(|client| world.clients[*client].media_flows));
    assert_eq!(world.clients[1].media_gaps + world.clients[HOST].media_gaps, 0);
}

/// SEC-08
#[test]
fn founder_that_one_commit_left_behind_ends_the_meeting_and_sees_whose_it_was() {
    let mut world = World::with(&["Ada", "Ben"]);
    world.run(seconds(20));
    let ada = world.member(1);
    leave_behind(&mut world, 1, HOST);
    world.run(seconds(1));
    assert_eq!(alarm_about(&world, HOST, AlarmCode::KeysLost), Some(ada));
    assert_eq!(world.stopped(HOST), Some(StopReason::KeysLost));
    assert!(world.relay.room.is_none(), "nobody is left in a room without a host");
    for client in [HOST, 1, 2] {
        assert!(!world.clients[client].media_flows && world.stopped(client).is_some(), "client {client}");
    }
}
