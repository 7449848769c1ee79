//! The desktop app: what its controls do, judged by what the others in the meeting receive, and what its window shows,
//! judged by the pixels of the screen.

use std::path::Path;
use std::time::Duration;

use incamera_devices::wav::WavReader;
use incamera_devices::{PatternCode, SenderMark, SystemClock, read_code};
use incamera_tests::desktop::{Area, Screen, Window};
use incamera_tests::stage::{Cast, PATIENCE, Stage, Watched, folder_of, received_from, seconds_since};
use serde_json::Value;

/// What a control does reaches the others within this.
pub(crate) const PROMPT_US: u64 = 1_000_000;

/// How long something stays off, so that it can be told from a gap.
const OFF: Duration = Duration::from_secs(2);

/// Louder than this is not silence.
const AUDIBLE: f32 = 0.003;

pub(crate) fn now_us() -> u64 {
    SystemClock.now().as_micros()
}

/// Opens the app and starts a meeting in it as a person would; gives its link.
pub(crate) fn host_in(window: &Window, name: &str) -> String {
    window.control("button", "Start a meeting").click();
    window.control("textbox", "Your name").write(name);
    // WebKit tells assistive technology of a menu as of a button that opens one.
    window.control("button", "Microphone").choose("Test tone");
    window.control("button", "Speaker").choose("None");
    window.control("button", "Start the meeting").click();
    window.control("textbox", "Invitation").value()
}

/// Asks to join as a person would who has copied a link.
pub(crate) fn ask_to_join(window: &Window, name: &str, link: &str) {
    window.control("textbox", "Or join with a link").write(link);
    window.control("button", "Continue").click();
    window.control("textbox", "Your name").write(name);
    window.control("button", "Microphone").choose("Test tone");
    window.control("button", "Speaker").choose("None");
    window.control("button", "Ask to join").click();
}

/// Somebody joins, is seen at the door, and is let in.
pub(crate) fn let_in(window: &Window, stage: &Stage, link: &str, cast: &Cast<'_>) -> Watched {
    let mut person = stage.join(link, cast);
    person.wait_for("state_changed", PATIENCE, |event| event["state"] == "knocking");
    window.wait_for_text(&format!("{} asks to join", cast.name));
    window.control("button", &format!("Let in {}", cast.name)).click();
    person.wait_for("state_changed", PATIENCE, |event| event["state"] == "in_meeting");
    person
}

/// Clicks, and waits for what `person` is told of it.
pub(crate) fn prompt(person: &mut Watched, act: impl FnOnce(), kind: &str, fits: impl Fn(&Value) -> bool) {
    let began = now_us();
    act();
    let event = person.wait_for(kind, PATIENCE, fits);
    let took = seconds_since(began, &event);
    assert!(took < 1.0, "{kind} took {took} s");
}

/// Presses a control that turns something off, waits, and turns it on again: when it was pressed each time.
fn off_and_on(window: &Window, person: &mut Watched, off: &str, on: &str) -> (u64, u64) {
    let from = now_us();
    window.control("button", off).click();
    person.watch_for(OFF);
    let to = now_us();
    window.control("button", on).click();
    person.watch_for(OFF);
    (from, to)
}

#[test]
fn every_control_of_the_window_is_what_the_others_notice_within_a_second() {
    let stage = Stage::for_meeting();
    let screen = Screen::start();
    let window = Window::open(&screen, &stage.program_path("incamera"), &stage.home("Ada"), &[]);
    let link = host_in(&window, "Ada");
    let out = stage.path("Ben").join("received");
    let out_text = out.to_str().expect("a temporary path is text");
    let ben = Cast {
        more: &["--pattern-size", "320x180", "--video-kbps", "300", "--out", out_text],
        ..Cast::named("Ben")
    };
    let mut ben = let_in(&window, &stage, &link, &ben);
    ben.wait_for_pictures(1);

    let muted = off_and_on(&window, &mut ben, "Mute", "Unmute");
    let unseen = off_and_on(&window, &mut ben, "Stop picture", "Show picture");

    window.control("button", "Chat").click();
    window.control("textbox", "Message to everyone").write("Good morning");
    let send = || window.control("button", "Send").click();
    prompt(&mut ben, send, "chat_received", |event| event["line"]["text"] == "Good morning");

    window.control("button", "People").click();
    let lock = || window.control("button", "Lock the meeting").click();
    prompt(&mut ben, lock, "rules_changed", |event| event["rules"]["lock"] == "locked");
    let unlock = || window.control("button", "Unlock the meeting").click();
    prompt(&mut ben, unlock, "rules_changed", |event| event["rules"]["lock"] == "open");

    let mut chloe = let_in(&window, &stage, &link, &Cast::quiet("Chloe"));
    window.control("button", "Remove Ben").click();
    let remove = || window.control("button", "Remove").click();
    prompt(&mut ben, remove, "stopped", |event| event["why"] == "removed");
    assert_eq!(ben.outcome(PATIENCE).code, Some(13));
    window.wait_until_gone("Ben");

    window.control("button", "End").click();
    let end = || window.control("button", "End meeting").click();
    prompt(&mut chloe, end, "stopped", |event| event["why"] == "ended");
    assert_eq!(chloe.outcome(PATIENCE).code, Some(0));
    window.wait_for_text("The meeting is over");

    assert_silent_between(&out, muted);
    assert_unseen_between(&out, unseen);
}

/// Ben heard Ada before and after, and from a second after the first press until the second nothing.
fn assert_silent_between(out: &Path, (off, on): (u64, u64)) {
    let first = received_from(out, "Ada", "audio").first().expect("Ada was heard").captured_us;
    let path = folder_of(out, "Ada").expect("Ada was heard").join("audio.wav");
    let mut reader = WavReader::open(&path).expect("a WAV file");
    let mut second = vec![0.0; 48_000];
    let mut samples = Vec::new();
    while let count @ 1.. = reader.read_mono(&mut second).expect("its samples") {
        samples.extend_from_slice(&second[..count]);
    }
    let place = |at_us: u64| (at_us.saturating_sub(first) * 48 / 1_000) as usize;
    let loudest = |from: u64, to: u64| {
        let range = samples.iter().skip(place(from)).take(place(to) - place(from));
        range.fold(0.0, |loudest: f32, sample| loudest.max(sample.abs()))
    };
    assert!(loudest(off - PROMPT_US, off) > AUDIBLE, "Ada was not heard before");
    assert!(loudest(off + PROMPT_US, on) < AUDIBLE, "Ada was heard while muted");
    assert!(loudest(on + PROMPT_US, on + 2 * PROMPT_US) > AUDIBLE, "Ada was not heard afterwards");
}

/// Ben received Ada's pictures before and after, and from a second after the first press until the second none.
fn assert_unseen_between(out: &Path, (off, on): (u64, u64)) {
    let pictures = received_from(out, "Ada", "video");
    let count = |from: u64, to: u64| {
        pictures.iter().filter(|picture| (from..to).contains(&picture.captured_us)).count()
    };
    assert!(count(off - PROMPT_US, off) > 0, "Ada was not seen before");
    assert_eq!(count(off + PROMPT_US, on), 0, "Ada was seen with the picture off");
    assert!(count(on + PROMPT_US, on + 2 * PROMPT_US) > 0, "Ada was not seen afterwards");
}

#[test]
fn pixels_of_a_tile_carry_the_frame_number_of_its_sender() {
    let stage = Stage::for_meeting();
    let screen = Screen::start();
    let window = Window::open(&screen, &stage.program_path("incamera"), &stage.home("Ada"), &[]);
    let link = host_in(&window, "Ada");
    let mut ben = let_in(&window, &stage, &link, &Cast::named("Ben"));
    let mut chloe = let_in(&window, &stage, &link, &Cast::named("Chloe"));
    for person in [&mut ben, &mut chloe] {
        person.wait_for_pictures(2);
    }
    assert_numbers_go_up(&screen, &window, &["Ben", "Chloe"], 0);
    assert_eq!(ben.leave().code, Some(0));
    window.wait_until_gone("Ben");
    window.control("button", "End").click();
    window.control("button", "End meeting").click();
    assert_eq!(chloe.outcome(PATIENCE).code, Some(0));
}

/// The pixels of the tiles of `names` carry the numbers that their senders put in, of `from` and later, and go on. Gives the
/// first that was seen of anybody.
pub(crate) fn assert_numbers_go_up(screen: &Screen, window: &Window, names: &[&str], from: u32) -> u32 {
    // Names, and what appears under the pointer, would cover a part of the numbers.
    let _ = window.run(
        "for (const one of document.querySelectorAll('.label, .corner')) one.style.visibility = 'hidden'",
    );
    let first = names.iter().map(|name| {
        let area = window.control("listitem", name).area();
        let before = number_in(screen, area, name, from);
        let after = number_in(screen, area, name, before + 30);
        assert!(after - before < 90, "{name}: the picture jumped from {before} to {after}");
        before
    });
    first.min().unwrap_or(from)
}

/// Waits until the pixels of `area` show a picture of `name` with a number of at least `least`.
fn number_in(screen: &Screen, area: Area, name: &str, least: u32) -> u32 {
    let until = now_us() + PATIENCE.as_micros() as u64;
    loop {
        let shown = read_code(&screen.luma(area).view());
        if let Some(PatternCode { mark, number }) = shown {
            assert_eq!(mark, SenderMark::from_name(name), "this is another person's picture");
            if number >= least {
                return number;
            }
        }
        assert!(now_us() < until, "{area:?} shows {shown:?} and no picture of {name} from {least} on");
    }
}

#[test]
fn who_wants_sound_only_neither_receives_nor_decodes_pictures() {
    let stage = Stage::for_meeting();
    let screen = Screen::start();
    let window = Window::open(&screen, &stage.program_path("incamera"), &stage.home("Ada"), &[]);
    let link = host_in(&window, "Ada");
    let mut ben = let_in(&window, &stage, &link, &Cast::named("Ben"));
    ben.wait_for_pictures(1);
    window.control("button", "View").click();
    // The statistics count what was decoded in the last second.
    window.wait_for_text("Lost packets");
    window.wait_until_gone("none");
    for _ in 0..2 {
        window.control("checkbox", "Sound only").click();
        window.wait_for_text("none");
        window.control("checkbox", "Sound only").click();
        window.wait_until_gone("none");
    }
    window.control("button", "End").click();
    window.control("button", "End meeting").click();
    assert_eq!(ben.outcome(PATIENCE).code, Some(0));
}

#[test]
fn what_was_chosen_is_there_the_next_time() {
    let stage = Stage::for_meeting();
    let screen = Screen::start();
    let home = stage.home("Ada");
    let file = home.join(".config/incamera/settings.json");
    let open = || Window::open(&screen, &stage.program_path("incamera"), &home, &[]);

    let window = open();
    window.control("button", "Settings").click();
    window.control("textbox", "Your name").write("Ada Byron");
    window.control("checkbox", "Begin with the microphone off").click();
    let until = now_us() + PATIENCE.as_micros() as u64;
    while !std::fs::read_to_string(&file).is_ok_and(|text| text.contains("\"start_muted\": true")) {
        assert!(now_us() < until, "{} was not written", file.display());
        std::thread::yield_now();
    }
    drop(window);

    let window = open();
    window.control("button", "Start a meeting").click();
    assert_eq!(window.control("textbox", "Your name").value(), "Ada Byron");
}

#[test]
fn settings_that_cannot_be_read_are_kept_beside_and_told() {
    let stage = Stage::for_meeting();
    let screen = Screen::start();
    let home = stage.home("Ada");
    let folder = home.join(".config/incamera");
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    std::fs::write(folder.join("settings.json"), "{").expect("a file can be written");
    let window = Window::open(&screen, &stage.program_path("incamera"), &home, &[]);
    window.wait_for_text(
        "Your settings file could not be read. It is kept as settings.unusable-1.json; you begin with new settings.",
    );
    let kept = std::fs::read_to_string(folder.join("settings.unusable-1.json"));
    assert_eq!(kept.expect("it is there"), "{");
}
