//! A meeting of several hours.

use incamera_meeting::{Command, LobbyMode};
use incamera_types::Pii;

use crate::world::{Client, HOST, World, seconds};

/// Bytes by which a machine may differ that holds the same things in other allocations.
const SLACK: i64 = 8 * 1_024;

/// Holds a lively meeting and gives the bytes that its host and its oldest guest hold at the end.
fn weight_after(hours: u64) -> [i64; 2] {
    let mut world = World::new(LobbyMode::Open);
    world.join("Ada");
    let mut guest = world.join("Guest");
    for minute in 0..hours * 60 {
        for line in 0..10 {
            let text = Pii::new(format!("line {line} of minute {minute}"));
            world.command(HOST, Command::SendChat { text }).unwrap();
            world.run(seconds(4));
        }
        match minute % 10 {
            0 => world.command(HOST, Command::Lock).unwrap(),
            1 => world.command(HOST, Command::Unlock).unwrap(),
            3 => {
                let member = world.member(guest);
                world.command(HOST, Command::Remove { member }).unwrap();
            }
            5 => guest = world.join("Guest"),
            7 => {
                world.relay_down();
                world.run(seconds(5));
                world.relay_up();
            }
            _ => {}
        }
        world.run(seconds(20));
    }
    world.assert_agreement(&[HOST, 1, guest]);
    let mut clients = world.clients.into_iter();
    [clients.next(), clients.next()].map(|client| {
        let Client { machine, .. } = client.unwrap();
        -allocation_counter::measure(|| drop(machine)).bytes_current
    })
}

/// SEC-14: nothing of earlier epochs stays.
#[test]
fn meeting_of_three_hours_holds_no_more_than_one_of_an_hour() {
    let (short, long) = (weight_after(1), weight_after(3));
    for (short, long) in short.into_iter().zip(long) {
        assert!(short > 0 && long <= short + SLACK, "{short} bytes after one hour, {long} after three");
    }
}
