//! What the desktop around the app is asked for, and what the app makes of what happens to it: sleep, a person who looks
//! elsewhere, a page whose process ends.

use std::time::Instant;

use incamera_tests::desktop::{Area, Asked, DesktopServices, ProcessTree, Screen, Window};
use incamera_tests::stage::{Cast, PATIENCE, Stage, Watched, seconds_since};
use serde_json::Value;

use crate::window::{host_in, let_in, now_us};

/// Name of the process that WebKit runs a page in, of which Linux keeps 15 characters.
const PAGE: &str = "WebKitWebProces";

const SLEPT: &str = "The computer slept, and the meeting on it stopped. Your microphone and picture are off.";

/// So many pictures that differ are no page that is being drawn for the first time.
const MOVES: u32 = 60;

/// The lock that keeps the computer from sleeping by itself, and the one that makes it wait.
fn block() -> (String, String) {
    ("idle:sleep".to_owned(), "block".to_owned())
}

fn delay() -> (String, String) {
    ("sleep".to_owned(), "delay".to_owned())
}

fn hold((what, mode): (String, String)) -> Asked {
    Asked::Hold(what, mode)
}

fn release((what, mode): (String, String)) -> Asked {
    Asked::Release(what, mode)
}

/// Waits until each of `wanted` was asked for, in whatever order.
fn wait_for_all(services: &DesktopServices, wanted: &[Asked]) {
    let mut missing = wanted.to_vec();
    while !missing.is_empty() {
        let asked = services.next();
        missing.retain(|one| *one != asked);
    }
}

/// Waits for a notification, which nothing else comes before.
fn notification(services: &DesktopServices) -> (u32, String, String) {
    loop {
        if let Asked::Notify { id, title, text } = services.next() {
            return (id, title, text);
        }
    }
}

fn is_off(event: &Value) -> bool {
    event["streams"].as_array().is_some_and(Vec::is_empty)
}

#[test]
fn computer_stays_awake_for_a_meeting_and_one_that_sleeps_all_the_same_leaves_nothing_on() {
    let (stage, services, screen) = (Stage::for_meeting(), DesktopServices::start(), Screen::start());
    let (program, home) = (stage.program_path("incamera"), stage.home("Ada"));
    let window = Window::open_in(&screen, &program, &home, &[], &services.environment());
    let link = host_in(&window, "Ada");
    let mut ben = let_in(&window, &stage, &link, &Cast::named("Ben"));
    ben.wait_for_pictures(1);
    let why = "A meeting is held on this computer. It stops for everybody while the computer sleeps.";
    wait_for_all(&services, &[Asked::ScreenOn(why.to_owned()), hold(block()), hold(delay())]);

    screen.look_elsewhere();
    let began = now_us();
    services.fall_asleep();
    let is_new = |event: &Value| event["t_us"].as_u64() > Some(began) && is_off(event);
    let off = ben.wait_for("streams_changed", PATIENCE, is_new);
    assert!(seconds_since(began, &off) < 1.0, "{off}");
    let (title, text) = (
        "The meeting stops while this computer sleeps".to_owned(),
        "It is held on this computer, and goes on when it wakes.".to_owned(),
    );
    wait_for_all(&services, &[Asked::Notify { id: 1, title, text }, release(delay())]);
    services.wake_up();
    wait_for_all(&services, &[hold(delay())]);
    window.wait_for_text(SLEPT);
    window.control("button", "Unmute").click();
    window.control("button", "Show picture").click();
    ben.wait_for("streams_changed", PATIENCE, |event| !is_off(event));
    window.wait_until_gone(SLEPT);

    window.control("button", "End").click();
    window.control("button", "End meeting").click();
    wait_for_all(&services, &[Asked::ScreenFree, release(block()), release(delay())]);
    assert_eq!(ben.outcome(PATIENCE).code, Some(0));
}

#[test]
fn who_knocks_is_told_by_the_desktop_until_the_person_looks_at_the_window() {
    let (stage, services, screen) = (Stage::for_meeting(), DesktopServices::start(), Screen::start());
    let (program, home) = (stage.program_path("incamera"), stage.home("Ada"));
    let window = Window::open_in(&screen, &program, &home, &[], &services.environment());
    let link = host_in(&window, "Ada");
    screen.look_elsewhere();
    let _ben = stage.join(&link, &Cast::quiet("Ben <b>"));
    let (id, title, text) = notification(&services);
    assert_eq!((title.as_str(), text.as_str()), ("Ben <b> asks to join", ""));

    services.click(id);
    let until = Instant::now() + PATIENCE;
    while window.run("return document.hasFocus()") != true {
        assert!(Instant::now() < until, "the window does not come to the front");
    }
    let _chloe = stage.join(&link, &Cast::quiet("Chloe"));
    window.wait_for_text("Chloe asks to join");
    screen.look_elsewhere();
    let _dai = stage.join(&link, &Cast::quiet("Dai"));
    assert_eq!(notification(&services).1, "Dai asks to join");
}

#[test]
fn what_somebody_writes_is_told_as_text_and_only_if_it_is_wanted() {
    let (stage, services, screen) = (Stage::for_meeting(), DesktopServices::start(), Screen::start());
    let (_ben, link) = stage.host(&Cast::quiet("Ben"));
    let (program, home) = (stage.program_path("incamera"), stage.home("Ada"));
    let window = Window::open_in(&screen, &program, &home, &["--join", &link], &services.environment());
    window.control("textbox", "Your name").write("Ada");
    window.control("button", "Microphone").choose("None");
    window.control("button", "Speaker").choose("None");
    window.control("button", "Ask to join").click();
    let _ = window.control("button", "Leave");
    screen.look_elsewhere();
    for (line, shown) in [("<b>Hello</b>\nBen & co", "&lt;b&gt;Hello&lt;/b&gt; Ben &amp; co"), ("Bye", "Bye")]
    {
        assert!(stage.ask("Ben", &["say", line]).status.success());
        let (_, title, text) = notification(&services);
        assert_eq!((title.as_str(), text.as_str()), ("Ben wrote", shown));
    }
}

#[test]
fn page_whose_process_ends_is_back_in_the_meeting_that_went_on() {
    let (stage, screen) = (Stage::for_meeting(), Screen::start());
    let mut command = stage.program("incamera", "Ada");
    command.args(["--host", "--with-guest", "--name", "Ada"]);
    command.env("DISPLAY", screen.display()).env_remove("WAYLAND_DISPLAY");
    // Without the driver, whose session ends with the page.
    let app = Watched::start(command, "the app");
    wait_for_motion(&screen);
    ProcessTree::below(app.pid()).crash(PAGE);
    wait_for_motion(&screen);
}

/// Waits until the screen shows a picture of the guest that moves: a page that is gone, or at home, has none.
fn wait_for_motion(screen: &Screen) {
    let sky = Area { left: 40, top: 80, width: 1_000, height: 300 };
    let until = Instant::now() + PATIENCE;
    let (mut before, mut changes) = (screen.pixels(sky), 0);
    while changes < MOVES {
        assert!(Instant::now() < until, "the picture moved {changes} times");
        let now = screen.pixels(sky);
        changes += u32::from(now != before);
        before = now;
    }
}
