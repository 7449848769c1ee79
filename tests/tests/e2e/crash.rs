//! A participant whose process is killed is missed, and put out when the room's deadline has passed.

use incamera_tests::stage::{Cast, PATIENCE, Stage, seconds_since};
use rustix::process::Signal;

#[test]
#[ignore = "long: ./dev test --full"]
fn a_killed_participant_is_shown_as_lost_and_removed_by_the_rooms_deadline() {
    let stage = Stage::for_meeting();
    let deadlines = ["--media-deadline", "15", "--removal-deadline", "20"];
    let (mut host, link) = stage.host(&Cast { more: &deadlines, ..Cast::quiet("Ada") });
    let mut ben = stage.join(&link, &Cast::quiet("Ben"));
    let mut chloe = stage.join(&link, &Cast::quiet("Chloe"));
    for person in [&mut ben, &mut chloe] {
        person.wait_for("state_changed", PATIENCE, |event| event["state"] == "in_meeting");
    }
    let joined = host.wait_for("joined", PATIENCE, |event| event["member"]["name"] == "Chloe");
    let member = joined["member"]["member"].clone();

    let killed = incamera_tests::demo::monotonic_us();
    chloe.signal(Signal::KILL);
    assert_eq!(chloe.outcome(PATIENCE).code, None);
    for person in [&mut host, &mut ben] {
        let lost = person.wait_for("lost", PATIENCE, |event| event["member"] == member);
        // The last sign of life may have been on its way.
        assert!(seconds_since(killed, &lost) <= 10.2, "{lost}");
        let removed = person.wait_for("removed", PATIENCE, |event| event["member"] == member);
        assert_eq!(removed["why"], "silent");
        assert!((19.0..=25.0).contains(&seconds_since(killed, &removed)), "{removed}");
    }
    assert_eq!(ben.leave().code, Some(0));
    assert_eq!(host.leave().code, Some(0));
}
