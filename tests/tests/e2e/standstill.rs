//! Programs that do not run for a while, as on a computer that sleeps: stopped and continued by signals, which moves the
//! clock for them in the same way.

use std::time::Duration;

use incamera_tests::demo::monotonic_us;
use incamera_tests::desktop::{Screen, Window};
use incamera_tests::stage::{Cast, PATIENCE, Stage, Watched, received_from, seconds_since};
use rustix::process::Signal;
use serde_json::Value;

use crate::window::{ask_to_join, assert_numbers_go_up};

/// Longer than media goes on without confirmation (30 s), shorter than it takes to be removed (60 s).
const LONG: Duration = Duration::from_secs(40);

/// Everything is back within this after the program runs again.
const BACK_WITHIN_S: f64 = 5.0;

/// Whoever is away for longer than this was removed, and has a place no more.
const STRICT: [&str; 4] = ["--media-deadline", "15", "--removal-deadline", "20"];

/// Stops a process while the meeting goes on for the others; says when it runs again.
fn stop_for(person: &Watched, others: &mut Watched, time: Duration) -> u64 {
    person.signal(Signal::STOP);
    others.watch_for(time);
    // Read before it runs: what it says at once is said after this.
    let back_us = monotonic_us();
    person.signal(Signal::CONT);
    back_us
}

/// Waits for something that happens in time after `began_us`.
fn soon(person: &mut Watched, kind: &str, began_us: u64, fits: impl Fn(&Value) -> bool) {
    let is_new = |event: &Value| event["t_us"].as_u64() > Some(began_us) && fits(event);
    let event = person.wait_for(kind, PATIENCE, is_new);
    let took = seconds_since(began_us, &event);
    assert!(took < BACK_WITHIN_S, "{kind} after {took} s: {event}");
}

fn was_put_out(person: &Watched) -> bool {
    person.events().iter().any(|event| matches!(event["event"].as_str(), Some("removed" | "stopped")))
}

/// The pictures of `from` that were taken after `back_us` reached `at` in time.
fn assert_seen_again(stage: &Stage, at: &str, from: &str, back_us: u64) {
    let pictures = received_from(&stage.frames(at), from, "video");
    let first = pictures.iter().find(|picture| picture.captured_us > back_us);
    let first = first.unwrap_or_else(|| panic!("{at} did not see {from} again"));
    let took = first.decoded_us.saturating_sub(back_us) as f64 / 1e6;
    assert!(took < BACK_WITHIN_S, "{from} at {at} after {took} s");
}

#[test]
#[ignore = "long: ./dev test --full"]
fn participant_that_did_not_run_for_40_seconds_is_back_by_itself() {
    let stage = Stage::for_meeting();
    let (mut ada, link) = stage.host(&Cast::named("Ada"));
    let mut ben = stage.join(&link, &Cast::named("Ben"));
    ada.wait_for_pictures(1);
    ben.wait_for_pictures(1);
    let back_us = stop_for(&ben, &mut ada, LONG);
    soon(&mut ben, "media_stopped", back_us, |event| event["why"] == "link_lost");
    soon(&mut ben, "media_started", back_us, |_| true);
    soon(&mut ada, "returned", back_us, |_| true);
    ada.watch_for(Duration::from_secs(3));
    assert!(!was_put_out(&ada) && !was_put_out(&ben));
    assert_eq!(ben.leave().code, Some(0));
    assert_eq!(ada.leave().code, Some(0));
    assert_seen_again(&stage, "Ada", "Ben", back_us);
    assert_seen_again(&stage, "Ben", "Ada", back_us);
}

#[test]
#[ignore = "long: ./dev test --full"]
fn meeting_whose_host_did_not_run_for_40_seconds_goes_on() {
    let stage = Stage::for_meeting();
    let (mut ada, link) = stage.host(&Cast::named("Ada"));
    let mut ben = stage.join(&link, &Cast::named("Ben"));
    ada.wait_for_pictures(1);
    ben.wait_for_pictures(1);
    let back_us = stop_for(&ada, &mut ben, LONG);
    for person in [&mut ada, &mut ben] {
        soon(person, "media_started", back_us, |_| true);
    }
    ben.watch_for(Duration::from_secs(3));
    assert!(!was_put_out(&ada) && !was_put_out(&ben));
    assert_eq!(ben.leave().code, Some(0));
    assert_eq!(ada.leave().code, Some(0));
    assert_seen_again(&stage, "Ada", "Ben", back_us);
    assert_seen_again(&stage, "Ben", "Ada", back_us);
}

#[test]
#[ignore = "long: ./dev test --full"]
fn window_that_did_not_run_for_40_seconds_is_back_by_itself() {
    let stage = Stage::for_meeting();
    let screen = Screen::start();
    let (mut ben, link) = stage.host(&Cast::named("Ben"));
    let window = Window::open(&screen, &stage.program_path("incamera"), &stage.home("Ada"), &[]);
    ask_to_join(&window, "Ada", &link);
    let _ = window.control("button", "Leave");
    // With two of them the own picture covers nothing.
    let chloe = stage.join(&link, &Cast::named("Chloe"));
    ben.wait_for_pictures(2);
    let first = assert_numbers_go_up(&screen, &window, &["Ben", "Chloe"], 0);
    window.processes().signal(Signal::STOP);
    ben.watch_for(LONG);
    window.processes().signal(Signal::CONT);
    let back_us = monotonic_us();
    soon(&mut ben, "returned", back_us, |_| true);
    // Until the window draws again, its screen has what it drew before.
    assert_numbers_go_up(&screen, &window, &["Ben", "Chloe"], first + 30 * (LONG.as_secs() as u32 - 5));
    ben.watch_for(Duration::from_secs(3));
    assert!(!was_put_out(&ben));
    window.control("button", "Leave").click();
    window.wait_for_text("You left");
    assert_eq!(chloe.leave().code, Some(0));
    assert_eq!(ben.leave().code, Some(0));
    assert_seen_again(&stage, "Ben", "Ada", back_us);
}

#[test]
#[ignore = "long: ./dev test --full"]
fn window_that_was_away_until_it_was_removed_says_so_and_asks_to_be_let_in_again() {
    let stage = Stage::for_meeting();
    let screen = Screen::start();
    let more = [&STRICT[..], &["--lobby"]].concat();
    let (mut ben, link) = stage.host(&Cast { more: &more, ..Cast::quiet("Ben") });
    let window = Window::open(&screen, &stage.program_path("incamera"), &stage.home("Ada"), &[]);
    ask_to_join(&window, "Ada", &link);
    admit_next(&stage, &mut ben);
    let _ = window.control("button", "Leave");
    ben.wait_for("joined", PATIENCE, |event| event["member"]["name"] == "Ada");
    window.processes().signal(Signal::STOP);
    ben.wait_for("removed", PATIENCE, |event| event["why"] == "silent");
    window.processes().signal(Signal::CONT);
    window.wait_for_text("You lost your place in the meeting, and are asking to be let in again…");
    admit_next(&stage, &mut ben);
    ben.wait_for("joined", PATIENCE, |event| event["member"]["name"] == "Ada");
    window.wait_until_gone("You lost your place in the meeting, and are asking to be let in again…");
    window.control("button", "Leave").click();
    window.wait_for_text("You left");
    assert_eq!(ben.leave().code, Some(0));
}

/// Ben lets in whoever knocks next.
fn admit_next(stage: &Stage, ben: &mut Watched) {
    let knock = ben.wait_for("knocked", PATIENCE, |_| true)["knock"].to_string();
    assert!(stage.ask("Ben", &["admit", &knock]).status.success());
}

#[test]
#[ignore = "long: ./dev test --full"]
fn window_whose_meeting_ended_meanwhile_says_so() {
    let stage = Stage::for_meeting();
    let screen = Screen::start();
    let relay = stage.relay();
    let (ben, link) = stage.host_on(relay.address, &relay.pin, &[], &Cast::named("Ben"));
    let window = Window::open(&screen, &stage.program_path("incamera"), &stage.home("Ada"), &[]);
    ask_to_join(&window, "Ada", &link);
    let _ = window.control("button", "Leave");
    window.processes().signal(Signal::STOP);
    assert_eq!(ben.leave().code, Some(0));
    window.processes().signal(Signal::CONT);
    window.wait_for_text("The meeting is over");
}
