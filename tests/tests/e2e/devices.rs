//! Devices that are exchanged in the middle of a meeting: what the others hear and see of it.

use std::path::Path;
use std::time::Duration;

use incamera_devices::wav::WavReader;
use incamera_devices::{SystemClock, tone_share};
use incamera_tests::desktop::{Screen, Sound, Volume, Window};
use incamera_tests::stage::{Cast, Stage, folder_of, received_from};
use incamera_tests::studio::{Colour, Sensor, Studio};

use crate::camera::{CLOSE, last_colour};

const LEFT_HZ: f64 = 620.0;
const RIGHT_HZ: f64 = 1_330.0;

/// Sound is judged in parts of this many samples: 100 ms.
const PART: usize = 4_800;
const PART_US: u64 = 100_000;

/// What a control does reaches the others within this, and no silence is longer.
const PROMPT_US: u64 = 1_000_000;

const DEVICES: &str = "Microphone, speaker and camera";
const INSTEAD: &str = "Your microphone was unplugged. The one of the system is used until it is back.";
const SPEAKER_INSTEAD: &str = "Your speaker was unplugged. The one of the system is used until it is back.";
const NO_CAMERA: &str = "Your camera does not work. Plug it in again or choose another one.";
const NO_PICTURES: &str =
    "The camera system of this computer does not answer. You are seen again as soon as it does.";
const NO_SOUND: &str =
    "The sound system of this computer does not answer. You are heard again as soon as it does.";

/// Long enough to be heard on the other side beyond doubt.
const A_WHILE: Duration = Duration::from_secs(3);

/// What was heard in a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tone {
    Left,
    Right,
    Neither,
}

/// Parts that follow each other and sound the same.
#[derive(Clone, Copy, Debug)]
struct Run {
    tone: Tone,
    /// When it was spoken.
    begins_us: u64,
    parts: usize,
}

/// Everything that was heard of `name`.
fn heard(out: &Path, name: &str) -> Vec<Run> {
    let mut begins_us = received_from(out, name, "audio").first().expect("something came").captured_us;
    let path = folder_of(out, name).expect("something came").join("audio.wav");
    let mut reader = WavReader::open(&path).expect("a WAV file");
    let mut samples = vec![0.0; PART];
    let mut runs: Vec<Run> = Vec::new();
    while reader.read_mono(&mut samples).expect("its samples") == PART {
        let part: Vec<i16> = samples.iter().map(|sample| (sample * 32_767.0) as i16).collect();
        let tone = match (tone_share(&part, LEFT_HZ) > 0.5, tone_share(&part, RIGHT_HZ) > 0.5) {
            (true, false) => Tone::Left,
            (false, true) => Tone::Right,
            _ => Tone::Neither,
        };
        match runs.last_mut() {
            Some(run) if run.tone == tone => run.parts += 1,
            _ => runs.push(Run { tone, begins_us, parts: 1 }),
        }
        begins_us += PART_US;
    }
    runs
}

fn now_us() -> u64 {
    SystemClock.now().as_micros()
}

#[test]
fn microphone_is_exchanged_unplugged_and_used_again_without_a_second_of_silence() {
    let server = Sound::start();
    let mut right = server.plug_in("RightMic", RIGHT_HZ);
    let _left = server.plug_in("LeftMic", LEFT_HZ);
    let stage = Stage::for_meeting();
    let screen = Screen::start();
    let environment = server.environment();
    let window = Window::open_in(
        &screen,
        &stage.program_path("incamera"),
        &stage.home("Ada"),
        &["--host"],
        &environment,
    );
    let link = window.control("textbox", "Invitation").value();
    let out = stage.path("Ben").join("received");
    let out_text = out.to_str().expect("a temporary path is text");
    let mut ben = stage.join(&link, &Cast { more: &["--out", out_text], ..Cast::quiet("Ben") });
    ben.wait_for_pictures(1);
    ben.watch_for(A_WHILE);

    window.control("button", DEVICES).click();
    let chosen_us = now_us();
    window.control("button", "Microphone").choose("RightMic");
    ben.watch_for(A_WHILE);
    right.unplug();
    window.wait_for_text(INSTEAD);
    ben.watch_for(A_WHILE);
    right.plug();
    window.wait_until_gone(INSTEAD);
    ben.watch_for(A_WHILE);
    let ben = ben.leave();
    assert_eq!(ben.code, Some(0));

    let runs = heard(&out, "Ada");
    let first = runs.iter().position(|run| run.tone != Tone::Neither).expect("Ada was heard");
    let (silent, tones): (Vec<Run>, Vec<Run>) =
        runs[first..].iter().partition(|run| run.tone == Tone::Neither);
    // A block that got lost is no other microphone.
    let mut order: Vec<Tone> = tones.iter().map(|run| run.tone).collect();
    order.dedup();
    assert_eq!(order, [Tone::Left, Tone::Right, Tone::Left, Tone::Right], "{runs:?}");
    let right = tones.iter().find(|run| run.tone == Tone::Right).expect("it is one of the order");
    assert!(right.begins_us < chosen_us + PROMPT_US, "chosen at {chosen_us}: {runs:?}");
    assert!(silent.iter().all(|run| run.parts as u64 * PART_US < PROMPT_US), "{runs:?}");

    let counters: Vec<u64> = received_from(&out, "Ada", "audio").iter().map(|frame| frame.counter).collect();
    let restarts = counters.windows(2).filter(|pair| pair[0] > pair[1] + 50).count();
    let epochs = ben.events.iter().filter(|event| event["event"] == "epoch_changed").count();
    assert!(restarts <= epochs, "the stream began anew {restarts} times in {epochs} epochs");
}

#[test]
fn speaker_is_exchanged_unplugged_and_used_again_without_a_second_of_silence() {
    let server = Sound::start();
    let mut head = server.plug_in_speaker("Head");
    let stage = Stage::for_meeting();
    let screen = Screen::start();
    let (program, home) = (stage.program_path("incamera"), stage.home("Ada"));
    let window = Window::open_in(&screen, &program, &home, &["--host"], &server.environment());
    let link = window.control("textbox", "Invitation").value();
    let mut ben = stage.join(&link, &Cast { more: &[], ..Cast::named("Ben") });
    ben.wait_for_pictures(1);
    let table = server.ear();
    let _ = table.wait_for(Volume::Loud);

    let ear = head.ear();
    window.control("button", DEVICES).click();
    let chosen_us = now_us();
    window.control("button", "Speaker").choose("Head");
    assert!(ear.wait_for(Volume::Loud) < chosen_us + PROMPT_US, "heard late where it was chosen");
    let _ = table.wait_for(Volume::Silent);
    let unplugged_us = now_us();
    head.unplug();
    assert!(table.wait_for(Volume::Loud) < unplugged_us + PROMPT_US, "heard late on the other speaker");
    window.wait_for_text(SPEAKER_INSTEAD);

    // It was opened by the system's own means first, and then by ours.
    table.forget();
    let _ = table.wait_for(Volume::Loud);
    head.plug();
    let heard_us = head.ear().wait_for(Volume::Loud);
    let left_us = table.wait_for(Volume::Silent);
    assert!(heard_us < left_us + PROMPT_US, "silent there from {left_us}, heard here from {heard_us}");
    window.wait_until_gone(SPEAKER_INSTEAD);
    assert_eq!(ben.leave().code, Some(0));
}

#[test]
fn sound_server_that_crashes_is_told_and_sound_is_back_when_it_is() {
    let mut server = Sound::start();
    let left = server.plug_in("LeftMic", LEFT_HZ);
    let stage = Stage::for_meeting();
    let screen = Screen::start();
    let (program, home) = (stage.program_path("incamera"), stage.home("Ada"));
    let environment = server.environment();
    let window = Window::open_in(&screen, &program, &home, &["--host"], &environment);
    let link = window.control("textbox", "Invitation").value();
    let out = stage.path("Ben").join("received");
    let out_text = out.to_str().expect("a temporary path is text");
    let mut ben = stage.join(&link, &Cast { more: &["--out", out_text], ..Cast::named("Ben") });
    ben.wait_for_pictures(1);
    window.control("button", DEVICES).click();
    window.control("button", "Microphone").choose("LeftMic");
    window.control("button", "Done").click();
    ben.watch_for(A_WHILE);

    drop(left);
    server.crash();
    window.wait_for_text(NO_SOUND);
    ben.watch_for(A_WHILE);
    server.start_again();
    let _left = server.plug_in("LeftMic", LEFT_HZ);
    let back_us = now_us();
    window.wait_until_gone(NO_SOUND);
    window.wait_until_gone(INSTEAD);
    let _ = server.ear().wait_for(Volume::Loud);
    ben.watch_for(A_WHILE);
    let ben = ben.leave();
    assert_eq!(ben.code, Some(0));

    let runs = heard(&out, "Ada");
    let again = runs.iter().find(|run| run.tone == Tone::Left && run.begins_us + PART_US > back_us);
    let again = again.unwrap_or_else(|| panic!("Ada was not heard after {back_us}: {runs:?}"));
    // The device is tried again every second.
    assert!(again.begins_us < back_us + 2 * PROMPT_US, "back at {back_us}: {runs:?}");
    let left = ben.events.iter().any(|event| event["event"] == "lost" || event["event"] == "removed");
    assert!(!left, "the meeting itself suffered");
}

#[test]
fn who_comes_in_muted_was_never_heard_before_and_is_told_when_speaking() {
    let server = Sound::start();
    let _left = server.plug_in("LeftMic", LEFT_HZ);
    let stage = Stage::for_meeting();
    let screen = Screen::start();
    let window = Window::open_in(
        &screen,
        &stage.program_path("incamera"),
        &stage.home("Ada"),
        &["--host", "--muted"],
        &server.environment(),
    );
    let link = window.control("textbox", "Invitation").value();
    let out = stage.path("Ben").join("received");
    let out_text = out.to_str().expect("a temporary path is text");
    let mut ben = stage.join(&link, &Cast { more: &["--out", out_text], ..Cast::quiet("Ben") });
    ben.wait_for_pictures(1);
    window.wait_for_text("You are muted. Hold Space to talk.");
    ben.watch_for(A_WHILE);
    let unmuted_us = now_us();
    window.control("button", "Unmute").click();
    ben.watch_for(A_WHILE);
    assert_eq!(ben.leave().code, Some(0));

    let runs = heard(&out, "Ada");
    let first = runs.iter().find(|run| run.tone != Tone::Neither).expect("Ada was heard");
    assert!(first.begins_us + PART_US >= unmuted_us, "heard before {unmuted_us}: {runs:?}");
    assert!(first.begins_us < unmuted_us + PROMPT_US, "unmuted at {unmuted_us}: {runs:?}");
}

#[test]
fn test_sound_is_played_in_the_green_room_and_ends() {
    let server = Sound::start();
    let stage = Stage::for_meeting();
    let screen = Screen::start();
    let (program, home) = (stage.program_path("incamera"), stage.home("Ada"));
    let window = Window::open_in(&screen, &program, &home, &[], &server.environment());
    window.control("button", "Start a meeting").click();
    window.control("button", "Play a test sound").click();
    server.wait_until_played();
    let _ = window.control("button", "Play a test sound");
}

#[test]
fn camera_of_the_app_is_shown_exchanged_and_closed_while_it_is_off() {
    let studio = Studio::open();
    let _desk = studio.plug_in("Desk", Sensor::Yuy2, Colour::Red);
    let roof = studio.plug_in("Roof", Sensor::I420, Colour::Blue);
    let stage = Stage::for_meeting();
    let screen = Screen::start();
    let out = stage.path("Ben").join("received");
    let out_text = out.to_str().expect("a temporary path is text");
    let (mut ben, link) = stage.host(&Cast { more: &["--out", out_text], ..Cast::quiet("Ben") });
    let (program, home) = (stage.program_path("incamera"), stage.home("Ada"));
    let window = Window::open_in(&screen, &program, &home, &[&link], &studio.environment());
    window.control("textbox", "Your name").write("Ada");
    window.control("button", "Camera").choose("Desk");
    assert!(studio.in_use().is_empty(), "a link opens no camera");
    window.control("button", "Ask to join").click();
    ben.wait_for_pictures(1);
    assert_eq!(studio.in_use(), ["Desk"]);

    window.control("button", DEVICES).click();
    let chosen_us = now_us();
    window.control("button", "Camera").choose("Roof");
    ben.watch_for(A_WHILE);
    assert_eq!(studio.in_use(), ["Roof"], "one camera after the other");
    window.control("button", "Done").click();

    let off_us = now_us();
    window.control("button", "Stop picture").click();
    ben.watch_for(A_WHILE);
    assert!(studio.in_use().is_empty(), "a camera that is off is closed");
    // A camera of GStreamer gives pictures to the first who opens it, and to nobody after that.
    drop(roof);
    let _roof = studio.plug_in("Roof", Sensor::I420, Colour::Blue);
    let on_us = now_us();
    window.control("button", "Show picture").click();
    ben.watch_for(A_WHILE);
    assert_eq!(studio.in_use(), ["Roof"], "a camera that is on again is open");
    assert_eq!(ben.leave().code, Some(0));

    let captured: Vec<u64> =
        received_from(&out, "Ada", "video").iter().map(|picture| picture.captured_us).collect();
    let seen = |from: u64, to: u64| captured.iter().filter(|at| (from..to).contains(*at)).count();
    assert!(seen(chosen_us + PROMPT_US / 2, chosen_us + 2 * PROMPT_US) > 0, "the other camera is not seen");
    assert_eq!(seen(off_us + PROMPT_US, on_us), 0, "Ada was seen with the picture off");
    assert!(seen(on_us, on_us + PROMPT_US) > 0, "Ada was not seen again within a second");
    let colour = last_colour(&out, "Ada");
    let is_close = colour.iter().zip(Colour::Blue.samples()).all(|(seen, sent)| seen.abs_diff(sent) <= CLOSE);
    assert!(is_close, "{colour:?} is not the colour of the other camera");
}

#[test]
fn camera_that_is_unplugged_or_whose_system_crashes_is_told_and_seen_again_when_it_is_back() {
    let mut studio = Studio::open();
    let desk = studio.plug_in("Desk", Sensor::Yuy2, Colour::Red);
    let stage = Stage::for_meeting();
    let screen = Screen::start();
    let out = stage.path("Ben").join("received");
    let out_text = out.to_str().expect("a temporary path is text");
    let (mut ben, link) = stage.host(&Cast { more: &["--out", out_text], ..Cast::quiet("Ben") });
    let (program, home) = (stage.program_path("incamera"), stage.home("Ada"));
    let window = Window::open_in(&screen, &program, &home, &[&link], &studio.environment());
    window.control("textbox", "Your name").write("Ada");
    window.control("button", "Camera").choose("Desk");
    window.control("button", "Ask to join").click();
    ben.wait_for_pictures(1);

    drop(desk);
    window.wait_for_text(NO_CAMERA);
    let desk = studio.plug_in("Desk", Sensor::Yuy2, Colour::Green);
    window.wait_until_gone(NO_CAMERA);
    let plugged_us = now_us();
    ben.watch_for(A_WHILE);

    drop(desk);
    studio.crash();
    window.wait_for_text(NO_PICTURES);
    studio.start_again();
    let _desk = studio.plug_in("Desk", Sensor::Yuy2, Colour::Blue);
    window.wait_until_gone(NO_PICTURES);
    window.wait_until_gone(NO_CAMERA);
    let back_us = now_us();
    ben.watch_for(A_WHILE);
    assert_eq!(ben.leave().code, Some(0));

    let pictures = received_from(&out, "Ada", "video");
    let is_seen = |from: u64| {
        pictures.iter().any(|picture| (from..from + 2 * PROMPT_US).contains(&picture.captured_us))
    };
    assert!(is_seen(plugged_us), "Ada was not seen again after the plug");
    assert!(is_seen(back_us), "Ada was not seen again after the crash");
}
