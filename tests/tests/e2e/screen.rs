//! A shared screen is a stream of its own beside the camera: it comes and goes, and the others are told at once.

use std::path::{Path, PathBuf};
use std::time::Instant;

use incamera_devices::y4m::{Y4mReader, Y4mWriter};
use incamera_devices::{
    FrameRate, PatternSource, SenderMark, VideoFormat, VideoFrame, VideoSize, VideoSource as _, read_code,
    read_frame_number,
};
use incamera_tests::desktop::{Area, Asked, DesktopServices, Easel, Screen, Window};
use incamera_tests::stage::{Cast, PATIENCE, Stage, Watched, folder_of, received_from, seconds_since};
use incamera_types::Mono;
use serde_json::Value;

use crate::window::{host_in, let_in, prompt};

/// Pictures of the file that is shared, at ten a second.
const PICTURES: u64 = 30;

/// The others are told within this time that sharing began or stopped.
const TOLD_WITHIN_S: f64 = 1.0;

/// What the small window above all others is called.
const SMALL: &str = "Your screen is shared";

/// Whoever has shared for this long is put aside by nobody.
const SHARES_FOR_A_WHILE_S: f64 = 5.0;

/// Writes a short film of the test pattern.
pub(crate) fn film(stage: &Stage) -> PathBuf {
    let path = stage.path("screen.y4m");
    let size = VideoSize::new(480, 270).expect("a usual size");
    let format = VideoFormat { size, rate: FrameRate::SCREEN_10 };
    let mut pattern = PatternSource::new(format, SenderMark::new(7));
    let mut writer = Y4mWriter::create(&path, format).expect("a file can be made");
    let mut frame = VideoFrame::black(format);
    for number in 0..PICTURES {
        let now = Mono::from_micros(1).plus(format.rate.time_of(number));
        pattern.poll_frame(now, &mut frame).expect("a pattern never fails");
        writer.write(&frame.picture.view()).expect("a file can be written");
    }
    writer.finish().expect("a file can be completed");
    path
}

/// Whether an announcement has a screen in it.
fn has_screen(event: &Value) -> bool {
    let streams = event["streams"].as_array().map(Vec::as_slice).unwrap_or_default();
    streams.iter().any(|stream| stream["context"] == "screen_high")
}

fn time_of(event: &Value) -> u64 {
    event["t_us"].as_u64().expect("events have a time")
}

/// Waits until what `watcher` has of the screen of `name` fits.
fn wait_for_screen(watcher: &mut Watched, name: &str, fits: impl Fn(&Value) -> bool) -> Value {
    watcher.wait_for("statistics", PATIENCE, |statistics| {
        let rows = statistics["received"].as_array().map(Vec::as_slice).unwrap_or_default();
        rows.iter().any(|row| row["from"] == name && fits(&row["screen"]))
    })
}

/// Size and frame numbers of the pictures in a take.
fn pictures_of(path: &Path) -> ((u32, u32), Vec<u32>) {
    let mut pictures = Y4mReader::open(path).expect("a finished take can be read");
    let size = pictures.format().size;
    let mut picture = size.black();
    let mut numbers = Vec::new();
    while pictures.read_picture(&mut picture).expect("a finished take can be read") {
        numbers.extend(read_frame_number(&picture.view()));
    }
    ((size.width(), size.height()), numbers)
}

#[test]
fn shared_file_is_received_beside_the_camera_and_its_end_is_told_at_once() {
    let stage = Stage::for_meeting();
    let film = film(&stage);
    let film = film.to_str().expect("a temporary path is text");
    let out = stage.path("Ada").join("received");
    let out_text = out.to_str().expect("a temporary path is text");
    let (mut ada, link) = stage.host(&Cast { more: &["--out", out_text], ..Cast::quiet("Ada") });
    let sharing = Cast { more: &["--pattern-size", "320x180", "--screen", film], ..Cast::named("Ben") };
    let mut ben = stage.join(&link, &sharing);

    ben.wait_for("sharing_started", PATIENCE, |_| true);
    ada.wait_for("streams_changed", PATIENCE, has_screen);
    wait_for_screen(&mut ada, "Ben", |screen| screen["frames_opened"].as_u64() > Some(5));
    ben.wait_for("source_ended", PATIENCE, |event| event["source"] == "screen");
    let stopped = ben.wait_for("sharing_stopped", PATIENCE, |_| true);
    let told = ada.wait_for("streams_changed", PATIENCE, |event| !has_screen(event));
    assert!(seconds_since(time_of(&stopped), &told) < TOLD_WITHIN_S);
    wait_for_screen(&mut ada, "Ben", Value::is_null);
    assert_eq!(ben.leave().code, Some(0));
    assert_eq!(ada.leave().code, Some(0));

    let folder = folder_of(&out, "Ben").expect("something came");
    let (size, numbers) = pictures_of(&folder.join("screen.y4m"));
    assert_eq!(size, (480, 270));
    assert!(numbers.is_sorted() && numbers.len() as u64 >= PICTURES * 8 / 10, "{numbers:?}");
    let (size, numbers) = pictures_of(&folder.join("video.y4m"));
    assert_eq!(size, (320, 180));
    assert!(numbers.is_sorted() && numbers.len() > 60, "the camera went on: {numbers:?}");
}

#[test]
fn whoever_shares_goes_on_and_whoever_comes_later_is_told_who_it_is() {
    let stage = Stage::for_meeting();
    let (mut ada, link) = stage.host(&Cast::quiet("Ada"));
    let sharing =
        |name| Cast { more: &["--pattern-size", "320x180", "--screen", "pattern"], ..Cast::quiet(name) };
    let mut ben = stage.join(&link, &sharing("Ben"));
    let began = ben.wait_for("sharing_started", PATIENCE, |_| true);
    let seen = wait_for_screen(&mut ada, "Ben", |screen| screen["frames_opened"].as_u64() > Some(60));
    assert!(seconds_since(time_of(&began), &seen) > SHARES_FOR_A_WHILE_S);

    let mut chloe = stage.join(&link, &sharing("Chloe"));
    let taken = chloe.wait_for("problem", PATIENCE, |problem| problem["code"] == "client.screen.taken");
    assert_eq!(taken["name"], "Ben");
    wait_for_screen(&mut chloe, "Ben", |screen| screen["frames_opened"].as_u64() > Some(20));
    wait_for_screen(&mut ada, "Chloe", Value::is_null);
    assert_eq!(chloe.leave().code, Some(0));
    let ben = ben.leave();
    assert_eq!((ben.code, ben.problems().collect::<Vec<_>>()), (Some(0), vec![]));
    assert!(!ben.events.iter().any(|event| event["event"] == "sharing_stopped"));
    assert_eq!(ada.leave().code, Some(0));
}

/// What `incamera-cli devices` says.
fn listed(stage: &Stage, screen: &Screen) -> String {
    let mut command = stage.program("incamera-cli", "Ada");
    let output = command.arg("devices").env("DISPLAY", screen.display()).output();
    String::from_utf8(output.expect("it can be run").stdout).expect("a list is text")
}

/// Which pictures of the test pattern were seen on the screen of `name`, each once.
fn patterns_of(out: &Path, name: &str) -> Vec<u32> {
    let mut pictures = received_from(out, name, "video");
    pictures.retain(|picture| picture.layer == "screen_high");
    let mut patterns: Vec<u32> = pictures.iter().filter_map(|picture| picture.pattern).collect();
    patterns.dedup();
    patterns
}

#[test]
fn window_is_seen_whatever_covers_it_follows_its_size_and_ends_with_it() {
    let screen = Screen::start();
    let easel = Easel::on(&screen);
    let slides = easel.show("Slides", Area { left: 40, top: 40, width: 480, height: 270 }, 5);
    let _notes = easel.show("Notes", Area { left: 20, top: 20, width: 600, height: 400 }, 3);
    let stage = Stage::for_meeting();
    let environment = [("DISPLAY", screen.display())];
    let listed = listed(&stage, &screen);
    let id = format!("{slides:#x}");
    assert!(listed.lines().any(|line| line.starts_with("screen ") && line.contains("1280x800")), "{listed}");
    let is_slides = |line: &str| line.starts_with("window ") && line.ends_with("480x270  Slides");
    assert!(listed.lines().any(|line| is_slides(line) && line.contains(&id)), "{listed}");

    let out = stage.path("Ada").join("received");
    let out_text = out.to_str().expect("a temporary path is text");
    let (mut ada, link) = stage.host(&Cast { more: &["--out", out_text], ..Cast::quiet("Ada") });
    let choice = format!("x11:{id}");
    let more = ["--screen", choice.as_str()];
    let mut ben = stage.join(&link, &Cast { more: &more, environment: &environment, ..Cast::quiet("Ben") });
    wait_for_screen(&mut ada, "Ben", |seen| seen["frames_opened"].as_u64() > Some(10));
    easel.resize(slides, (640, 360), 9);
    wait_for_screen(&mut ada, "Ben", |seen| seen["width"] == 640 && seen["height"] == 360);
    easel.close(slides);
    ben.wait_for("source_ended", PATIENCE, |event| event["source"] == "screen");
    let stopped = ben.wait_for("sharing_stopped", PATIENCE, |_| true);
    let told = ada.wait_for("streams_changed", PATIENCE, |event| !has_screen(event));
    assert!(seconds_since(time_of(&stopped), &told) < TOLD_WITHIN_S);
    let ben = ben.leave();
    assert_eq!((ben.code, ben.problems().count()), (Some(0), 0));
    assert_eq!(ada.leave().code, Some(0));
    assert_eq!(patterns_of(&out, "Ben"), [5, 9]);
}

#[test]
fn main_screen_is_seen_as_it_is_and_a_screen_that_is_not_there_is_refused() {
    let screen = Screen::start();
    let easel = Easel::on(&screen);
    easel.paint_wall(7);
    let stage = Stage::for_meeting();
    let out = stage.path("Ada").join("received");
    let out_text = out.to_str().expect("a temporary path is text");
    let (mut ada, link) = stage.host(&Cast { more: &["--out", out_text], ..Cast::quiet("Ada") });
    for (name, choice, display) in [("Ben", "x11:0x7fffff", screen.display()), ("Dai", "x11", ":4711")] {
        let environment = [("DISPLAY", display)];
        let cast = Cast { more: &["--screen", choice], environment: &environment, ..Cast::quiet(name) };
        assert_eq!(stage.join(&link, &cast).outcome(PATIENCE).code, Some(16), "{name}");
    }
    let environment = [("DISPLAY", screen.display())];
    let chloe = Cast { more: &["--screen", "x11"], environment: &environment, ..Cast::quiet("Chloe") };
    let chloe = stage.join(&link, &chloe);
    wait_for_screen(&mut ada, "Chloe", |seen| {
        seen["width"] == 1_280 && seen["height"] == 800 && seen["frames_opened"].as_u64() > Some(10)
    });
    assert_eq!(chloe.leave().code, Some(0));
    assert_eq!(ada.leave().code, Some(0));
    assert_eq!(patterns_of(&out, "Chloe"), [7]);
}

/// Whether the small window is on the screen.
fn has_small_window(stage: &Stage, screen: &Screen) -> bool {
    listed(stage, screen).lines().any(|line| line.starts_with("window ") && line.ends_with(SMALL))
}

/// Waits for what becomes true by itself.
fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "it does not come about: {what}");
        std::thread::yield_now();
    }
}

/// Chooses `title` in the app and shares it; the others are told at once.
fn share(window: &Window, title: &str, other: &mut Watched) {
    window.control("button", "Share screen").click();
    window.control("radio", title).click();
    let share = || window.control("button", "Share").click();
    prompt(other, share, "streams_changed", has_screen);
}

#[test]
fn app_shares_the_window_that_was_chosen_until_either_of_its_own_says_stop_or_it_is_closed() {
    let stage = Stage::for_meeting();
    let screen = Screen::start();
    let easel = Easel::on(&screen);
    let slides = easel.show("Slides", Area { left: 40, top: 40, width: 480, height: 270 }, 5);
    let window = Window::open(&screen, &stage.program_path("incamera"), &stage.home("Ada"), &[]);
    let link = host_in(&window, "Ada");
    let out = stage.path("Ben").join("received");
    let out_text = out.to_str().expect("a temporary path is text");
    let mut ben = let_in(&window, &stage, &link, &Cast { more: &["--out", out_text], ..Cast::quiet("Ben") });

    share(&window, "Slides", &mut ben);
    wait_for_screen(&mut ben, "Ada", |seen| seen["frames_opened"].as_u64() > Some(10));
    window.wait_for_text("You are sharing \u{201c}Slides\u{201d}");
    wait_until("the small window", || has_small_window(&stage, &screen));
    let stop = || window.control("button", "Stop sharing").click();
    prompt(&mut ben, stop, "streams_changed", |event| !has_screen(event));
    window.wait_until_gone("You are sharing \u{201c}Slides\u{201d}");
    wait_until("no small window", || !has_small_window(&stage, &screen));

    share(&window, "Slides", &mut ben);
    window.turn_to(SMALL);
    let refusal =
        window.run("return window.__TAURI_INTERNALS__.invoke('screens').then(() => 'allowed', String)");
    assert!(refusal.as_str().is_some_and(|why| why.contains("not allowed")), "{refusal}");
    let stop = || window.control("button", "Stop sharing").click_away();
    prompt(&mut ben, stop, "streams_changed", |event| !has_screen(event));
    wait_until("no small window", || !has_small_window(&stage, &screen));
    window.turn_to("Incamera");

    share(&window, "Slides", &mut ben);
    wait_for_screen(&mut ben, "Ada", |seen| seen["frames_opened"].as_u64() > Some(0));
    let close = || easel.close(slides);
    prompt(&mut ben, close, "streams_changed", |event| !has_screen(event));
    window.wait_for_text("What you shared is no longer there, so nothing is shared any more.");
    wait_until("no small window", || !has_small_window(&stage, &screen));
    assert_eq!(ben.leave().code, Some(0));
    assert_eq!(patterns_of(&out, "Ada"), [5]);
}

#[test]
fn notifications_name_nobody_while_the_screen_is_shared() {
    let (stage, services, screen) = (Stage::for_meeting(), DesktopServices::start(), Screen::start());
    let easel = Easel::on(&screen);
    let _slides = easel.show("Slides", Area { left: 40, top: 40, width: 480, height: 270 }, 5);
    let (program, home) = (stage.program_path("incamera"), stage.home("Ada"));
    let window = Window::open_in(&screen, &program, &home, &[], &services.environment());
    let link = host_in(&window, "Ada");
    let mut ben = let_in(&window, &stage, &link, &Cast::quiet("Ben"));
    share(&window, "Slides", &mut ben);
    screen.look_elsewhere();
    let _chloe = stage.join(&link, &Cast::quiet("Chloe"));
    let title = loop {
        if let Asked::Notify { title, .. } = services.next() {
            break title;
        }
    };
    assert_eq!(title, "Somebody asks to join");
}

/// What a picture of 16:9 that fits into `area` fills of it.
fn fitted(area: Area) -> Area {
    let width = area.width.min(area.height * 16 / 9);
    let height = width * 9 / 16;
    let (left, top) = (area.left + (area.width - width) / 2, area.top + (area.height - height) / 2);
    Area { left, top, width, height }
}

#[test]
fn screen_of_another_is_large_beside_everybody_until_it_ends() {
    let stage = Stage::for_meeting();
    let screen = Screen::start();
    let window = Window::open(&screen, &stage.program_path("incamera"), &stage.home("Ada"), &[]);
    let link = host_in(&window, "Ada");
    let mut ben = let_in(&window, &stage, &link, &Cast::quiet("Ben"));
    let before = window.control("listitem", "Ben").area();
    let more = ["--pattern-size", "640x360", "--screen", "pattern"];
    let chloe = let_in(&window, &stage, &link, &Cast { more: &more, ..Cast::quiet("Chloe") });
    window.wait_for_text("Chloe's screen");
    // It would cover a part of the numbers.
    let _ = window.run("document.querySelector('section > .label').style.visibility = 'hidden'");
    let area = window.control("region", "Chloe's screen").area();
    assert!(area.width > 3 * window.control("listitem", "Ben").area().width);
    let mark = SenderMark::from_name("Chloe");
    wait_until("Chloe's screen", || {
        read_code(&screen.luma(fitted(area)).view()).is_some_and(|code| code.mark == mark)
    });
    assert_eq!(chloe.leave().code, Some(0));
    window.wait_until_gone("Chloe's screen");
    assert_eq!(window.control("listitem", "Ben").area(), before);
    ben.wait_for("left", PATIENCE, |event| event["name"] == "Chloe");
    assert_eq!(ben.leave().code, Some(0));
}
