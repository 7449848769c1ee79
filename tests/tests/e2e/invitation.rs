//! Links that are opened from outside of the app, by a browser say: what the window shows, what it does not do by itself, and
//! who could read the link on the way.

use std::fs;
use std::process::{Output, Stdio};

use incamera_tests::desktop::{Screen, Sound, Window};
use incamera_tests::stage::{Cast, PATIENCE, Stage};

/// Starts the app once more, for the person whose window is open.
fn start_again(stage: &Stage, screen: &Screen, arguments: &[&str]) -> Output {
    let mut command = stage.program("incamera", "Ada");
    command.args(arguments).env("DISPLAY", screen.display()).env_remove("WAYLAND_DISPLAY");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("the app can be started")
}

/// What the green room says about the server of `link`.
fn server_of(link: &str) -> String {
    let server = link.strip_prefix("incamera://").and_then(|rest| rest.split_once("/#")).expect("a link").0;
    format!("{server}, recognised by the key in your link")
}

/// The command lines of all processes that have a part of `link` in them that is nobody's business.
fn seen_by_everybody(link: &str) -> Vec<String> {
    let secret = link.split_once('#').expect("a link has a payload").1;
    let entries = fs::read_dir("/proc").expect("this system has /proc").flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .filter(|line| line.contains(secret))
        .collect()
}

#[test]
/// SEC-14: nobody else on the computer can read it.
fn link_from_outside_shows_the_green_room_and_opens_nothing_by_itself() {
    let stage = Stage::for_meeting();
    let (_ben, link) = stage.host(&Cast::quiet("Ben"));
    let (screen, sound) = (Screen::start(), Sound::start());
    let (program, home) = (stage.program_path("incamera"), stage.home("Ada"));
    let window = Window::open_in(&screen, &program, &home, &[&link], &sound.environment());
    window.wait_for_text(&server_of(&link));
    let _ = window.control("button", "Ask to join");
    window.wait_for_text("Your camera and microphone are off");
    assert_eq!(seen_by_everybody(&link), [""; 0]);
    assert!(!sound.is_listened_to(), "a link opened the microphone");
    window.control("button", "Try camera and microphone").click();
    sound.wait_for_listener();
}

#[test]
/// SEC-14: nobody else on the computer can read it.
fn later_start_hands_its_link_to_the_window_that_is_open() {
    let stage = Stage::for_meeting();
    let (mut ben, link) = stage.host(&Cast { more: &["--lobby"], ..Cast::quiet("Ben") });
    let screen = Screen::start();
    let window = Window::open(&screen, &stage.program_path("incamera"), &stage.home("Ada"), &[]);
    let _ = window.control("button", "Start a meeting");

    let later = start_again(&stage, &screen, &[&link]);
    assert!(later.status.success(), "{later:?}");
    window.wait_for_text(&server_of(&link));
    assert_eq!(seen_by_everybody(&link), [""; 0]);
    window.control("textbox", "Your name").write("Ada");
    window.control("button", "Microphone").choose("None");
    window.control("button", "Speaker").choose("None");
    window.control("button", "Ask to join").click();
    ben.wait_for("knocked", PATIENCE, |event| event["name"] == "Ada");
    window.control("button", "Stop waiting").click();
    window.control("button", "Back to the start").click();

    let broken = start_again(&stage, &screen, &["incamera://nowhere/#<b>"]);
    assert!(broken.status.success(), "{broken:?}");
    assert!(String::from_utf8_lossy(&broken.stderr).contains("this link is damaged"), "{broken:?}");
    window.wait_for_text("invite.encoding");
    assert_eq!(window.control("textbox", "Or join with a link").value(), "incamera://nowhere/#<b>");
}

#[test]
fn link_that_is_opened_in_a_meeting_changes_nothing_until_the_person_says_so() {
    let stage = Stage::for_meeting();
    let (_ben, elsewhere) = stage.host(&Cast::quiet("Ben"));
    let screen = Screen::start();
    let window = Window::open(&screen, &stage.program_path("incamera"), &stage.home("Ada"), &[]);
    window.control("button", "Start a meeting").click();
    window.control("textbox", "Your name").write("Ada");
    window.control("button", "Microphone").choose("None");
    window.control("button", "Speaker").choose("None");
    window.control("button", "Start the meeting").click();
    let here = window.control("textbox", "Invitation").value();
    let mut chloe = stage.join(&here, &Cast::quiet("Chloe"));
    window.control("button", "Let in Chloe").click();
    chloe.wait_for("state_changed", PATIENCE, |event| event["state"] == "in_meeting");

    assert!(start_again(&stage, &screen, &["--join", &elsewhere]).status.success());
    window.control("button", "Stay").click();
    window.wait_until_gone("Go to another meeting?");
    let _ = window.control("button", "End");

    assert!(start_again(&stage, &screen, &["--join", &elsewhere]).status.success());
    window.control("button", "End this one and go there").click();
    chloe.wait_for("stopped", PATIENCE, |event| event["why"] == "ended");
    window.wait_for_text(&server_of(&elsewhere));
    let _ = window.control("button", "Ask to join");
}
