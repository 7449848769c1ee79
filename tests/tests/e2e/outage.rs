//! Servers that go away and come back.

use std::time::Duration;

use incamera_tests::demo::monotonic_us;
use incamera_tests::stage::{
    Cast, Doorway, PATIENCE, Stage, Watched, longest_loss, received_from, seconds_since, sent,
};
use rustix::process::Signal;
use serde_json::Value;

/// Fewer pictures in a row than this are no gap.
const NO_GAP: usize = 3;

/// Ada and Ben in a meeting on a relay of its own, which they reach through a doorway.
fn meeting(stage: &Stage, more: &[&str]) -> (incamera_tests::stage::RelayProcess, Doorway, [Watched; 2]) {
    let relay = stage.relay();
    let doorway = Doorway::to(relay.address);
    let (mut host, link) = stage.host_on(doorway.address(), &relay.pin, more, &Cast::named("Ada"));
    let mut ben = stage.join(&link, &Cast::named("Ben"));
    host.wait_for_pictures(1);
    ben.wait_for_pictures(1);
    (relay, doorway, [host, ben])
}

fn nobody_was_put_out(person: &Watched) {
    let bad = |event: &&Value| matches!(event["event"].as_str(), Some("removed" | "stopped" | "ended"));
    assert_eq!(person.events().iter().find(bad), None);
}

#[test]
#[ignore = "long: ./dev test --full"]
fn a_relay_that_is_away_for_20_seconds_is_not_noticed_in_sound_and_picture() {
    let stage = Stage::for_meeting();
    let (_relay, doorway, [mut host, mut ben]) = meeting(&stage, &[]);
    doorway.shut();
    host.watch_for(Duration::from_secs(20));
    doorway.open();
    for person in [&mut host, &mut ben] {
        person.rewind();
        person.wait_for("link_restored", PATIENCE, |_| true);
        assert!(!person.events().iter().any(|event| event["event"] == "media_stopped"));
        nobody_was_put_out(person);
    }
    assert_eq!(ben.leave().code, Some(0));
    assert_eq!(host.leave().code, Some(0));
    for (at, from) in [("Ada", "Ben"), ("Ben", "Ada")] {
        let pictures = received_from(&stage.frames(at), from, "video");
        assert!(pictures.len() > 600, "{} pictures", pictures.len());
        let lost = longest_loss(&sent(&stage.frames(from), "video"), &pictures);
        assert!(lost < NO_GAP, "{lost} pictures of {from} in a row did not reach {at}");
    }
}

#[test]
#[ignore = "long: ./dev test --full"]
fn a_relay_that_is_away_for_a_minute_stops_media_with_the_reason_until_it_is_back() {
    let stage = Stage::for_meeting();
    let deadlines = ["--media-deadline", "30", "--removal-deadline", "120"];
    let (_relay, doorway, [mut host, mut ben]) = meeting(&stage, &deadlines);
    doorway.shut();
    let shut = monotonic_us();
    host.watch_for(Duration::from_secs(60));
    doorway.open();
    let open = monotonic_us();
    for person in [&mut host, &mut ben] {
        person.rewind();
        let degraded = person.wait_for("link_degraded", PATIENCE, |_| true);
        assert!(seconds_since(shut, &degraded) <= 12.0, "{degraded}");
        let stopped = person.wait_for("media_stopped", PATIENCE, |_| true);
        assert_eq!(stopped["why"], "link_lost");
        assert!((25.0..=45.0).contains(&seconds_since(shut, &stopped)), "{stopped}");
        let started = person.wait_for("media_started", PATIENCE, |_| true);
        assert!(seconds_since(open, &started) <= 5.0, "{} s: {started}", seconds_since(open, &started));
        nobody_was_put_out(person);
    }
    ben.watch_for(Duration::from_secs(3));
    assert_eq!(ben.leave().code, Some(0));
    assert_eq!(host.leave().code, Some(0));
    for (at, from) in [("Ada", "Ben"), ("Ben", "Ada")] {
        let pictures = received_from(&stage.frames(at), from, "video");
        let back = pictures.iter().find(|picture| picture.captured_us > open).expect("pictures are back");
        assert!(back.decoded_us < open + 5_000_000, "{at}: {} us", back.decoded_us - open);
        let between = |at: u64| at > shut + 50_000_000 && at < open;
        assert!(!pictures.iter().any(|picture| between(picture.decoded_us)), "{at} saw {from} meanwhile");
    }
}

#[test]
#[ignore = "long: ./dev test --full"]
fn an_sfu_that_stops_is_noticed_by_its_silence_and_media_is_back_when_it_is() {
    let stage = Stage::for_meeting();
    let (relay, _doorway, [mut host, mut ben]) = meeting(&stage, &[]);
    relay.signal(Signal::STOP);
    let stopped = monotonic_us();
    for person in [&mut host, &mut ben] {
        let lost = person.wait_for("sfu_lost", PATIENCE, |_| true);
        assert!(seconds_since(stopped, &lost) <= 2.0, "{} s: {lost}", seconds_since(stopped, &lost));
    }
    relay.signal(Signal::CONT);
    let back = monotonic_us();
    ben.watch_for(Duration::from_secs(6));
    for person in [&host, &ben] {
        nobody_was_put_out(person);
    }
    assert_eq!(ben.leave().code, Some(0));
    assert_eq!(host.leave().code, Some(0));
    for (at, from) in [("Ada", "Ben"), ("Ben", "Ada")] {
        let pictures = received_from(&stage.frames(at), from, "video");
        let first = pictures.iter().find(|picture| picture.captured_us > back).expect("pictures are back");
        assert!(first.decoded_us < back + 5_000_000, "{at}: {} us", first.decoded_us - back);
    }
}

#[test]
#[ignore = "long: ./dev test --full"]
fn a_relay_that_crashes_with_its_sfu_and_comes_back_empty_goes_on_with_the_meeting() {
    let stage = Stage::for_meeting();
    let relay = stage.relay_at("127.0.0.1:0");
    let (address, pin) = (relay.address, relay.pin.clone());
    let (mut ada, link) = stage.host_on(address, &pin, &[], &Cast::named("Ada"));
    let (mut ben, mut cleo) =
        (stage.join(&link, &Cast::named("Ben")), stage.join(&link, &Cast::named("Cleo")));
    for person in [&mut ada, &mut ben, &mut cleo] {
        person.wait_for_pictures(2);
    }
    drop(relay);
    let crashed = monotonic_us();
    for person in [&mut ada, &mut ben, &mut cleo] {
        let lost = person.wait_for("sfu_lost", PATIENCE, |_| true);
        assert!(seconds_since(crashed, &lost) <= 2.0, "{} s: {lost}", seconds_since(crashed, &lost));
    }
    let _relay = stage.relay_at(&address.to_string());
    let back = monotonic_us();
    for person in [&mut ada, &mut ben, &mut cleo] {
        person.wait_for("alarm", PATIENCE, |event| event["code"] == "meeting.relay.restarted");
        nobody_was_put_out(person);
    }
    cleo.watch_for(Duration::from_secs(6));
    let everybody = ["Ada", "Ben", "Cleo"];
    for person in [ada, ben, cleo].into_iter().rev() {
        assert_eq!(person.leave().code, Some(0));
    }
    for at in everybody {
        for from in everybody.into_iter().filter(|from| *from != at) {
            let pictures = received_from(&stage.frames(at), from, "video");
            let first =
                pictures.iter().find(|picture| picture.captured_us > back).expect("pictures are back");
            assert!(first.decoded_us < back + 5_000_000, "{from} at {at}: {} us", first.decoded_us - back);
        }
    }
}
