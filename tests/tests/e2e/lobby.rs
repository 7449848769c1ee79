//! Who gets in, and who is put out.

use std::time::Duration;

use incamera_tests::stage::{Cast, PATIENCE, Stage, Watched, longest_loss, received_from, sent};

/// Fewer pictures in a row than this are no gap when somebody is put out.
const NO_GAP: usize = 3;

fn knock_of(host: &mut Watched, name: &str) -> u64 {
    let knocked = host.wait_for("knocked", PATIENCE, |knocked| knocked["name"] == name);
    knocked["knock"].as_u64().expect("a knock has a number")
}

fn is_in(person: &mut Watched) {
    person.wait_for("state_changed", PATIENCE, |event| event["state"] == "in_meeting");
}

#[test]
fn the_lobby_lets_in_whom_the_host_admits_and_nobody_else() {
    let stage = Stage::for_meeting();
    let (mut host, link) = stage.host(&Cast { more: &["--lobby"], ..Cast::quiet("Ada") });

    let mut ben = stage.join(&link, &Cast::quiet("Ben"));
    ben.wait_for("state_changed", PATIENCE, |event| event["state"] == "knocking");
    knock_of(&mut host, "Ben");
    assert!(String::from_utf8_lossy(&stage.ask("Ada", &["show"]).stdout).contains("Ben"));
    assert!(!ben.events().iter().any(|event| event["event"] == "joined"), "nobody is shown to who waits");
    assert!(stage.ask("Ada", &["admit", "Ben"]).status.success());
    is_in(&mut ben);

    let chloe = stage.join(&link, &Cast::quiet("Chloe"));
    let knock = knock_of(&mut host, "Chloe");
    assert!(stage.ask("Ada", &["deny", &knock.to_string()]).status.success());
    let chloe = chloe.outcome(PATIENCE);
    assert_eq!(chloe.code, Some(12), "{chloe:?}");
    assert!(chloe.events.iter().any(|event| event["event"] == "stopped" && event["why"] == "denied"));

    assert_eq!(stage.ask("Ada", &["admit", "Nobody"]).status.code(), Some(2));

    assert!(stage.ask("Ada", &["lock"]).status.success());
    host.wait_for("rules_changed", PATIENCE, |_| true);
    let dai = stage.join(&link, &Cast::quiet("Dai")).outcome(PATIENCE);
    assert_eq!(dai.code, Some(12), "{dai:?}");
    assert!(dai.events.iter().any(|event| event["event"] == "stopped" && event["why"] == "locked"));

    assert_eq!(ben.leave().code, Some(0));
    host.wait_for("left", PATIENCE, |event| event["name"] == "Ben");
    assert_eq!(host.leave().code, Some(0));
}

#[test]
fn a_removed_participant_is_out_and_the_others_go_on_without_a_gap() {
    let stage = Stage::for_meeting();
    let (mut host, link) = stage.host(&Cast::named("Ada"));
    let mut ben = stage.join(&link, &Cast::named("Ben"));
    let mut chloe = stage.join(&link, &Cast::named("Chloe"));
    for person in [&mut host, &mut ben, &mut chloe] {
        person.wait_for_pictures(2);
    }

    assert!(stage.ask("Ada", &["remove", "Chloe"]).status.success());
    let chloe = chloe.outcome(PATIENCE);
    assert_eq!(chloe.code, Some(13), "{chloe:?}");
    let removed = ben.wait_for("removed", PATIENCE, |event| event["name"] == "Chloe");
    assert_eq!(removed["why"], "host");
    let epoch_moved = removed["t_us"].as_u64().expect("events have a time");
    // Long enough that a gap in the middle is told from the end.
    ben.watch_for(Duration::from_secs(3));
    host.watch_for(Duration::from_millis(1));

    assert_eq!(ben.leave().code, Some(0));
    assert_eq!(host.leave().code, Some(0));
    for (at, from) in [("Ada", "Ben"), ("Ben", "Ada")] {
        let pictures = received_from(&stage.frames(at), from, "video");
        assert!(pictures.iter().any(|picture| picture.captured_us > epoch_moved + 2_000_000));
        let lost = longest_loss(&sent(&stage.frames(from), "video"), &pictures);
        assert!(lost < NO_GAP, "{lost} pictures of {from} in a row did not reach {at}");
    }
    let after = received_from(&stage.frames("Chloe"), "Ben", "video");
    let latest = after.iter().map(|picture| picture.captured_us).max().expect("Chloe saw Ben before");
    assert!(latest < epoch_moved + 200_000, "the removed participant decoded what was captured after");
}
