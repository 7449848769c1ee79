//! Cameras of PipeWire: what they show is what the others see, and they are open no longer than they have to be.

use std::path::Path;
use std::time::{Duration, Instant};

use incamera_devices::y4m::Y4mReader;
use incamera_tests::stage::{Cast, PATIENCE, Stage, Watched, folder_of, received_from};
use incamera_tests::studio::{Colour, Sensor, Studio};

/// Pictures that have to come before it is believed that a camera works.
const ENOUGH: u64 = 30;

/// Samples may be off by this much: pictures are compressed.
pub(crate) const CLOSE: u8 = 6;

/// Somebody who shows a camera.
fn filmed<'a>(name: &'a str, video: &'a str, environment: &'a [(&'a str, &'a str)]) -> Cast<'a> {
    Cast { name, audio: "silence", video, more: &["--pattern-size", "320x180"], environment }
}

/// Waits until `watcher` has seen enough of `name`.
fn wait_until_seen(watcher: &mut Watched, name: &str) {
    watcher.wait_for("statistics", PATIENCE, |statistics| {
        let rows = statistics["received"].as_array().map(Vec::as_slice).unwrap_or_default();
        rows.iter().any(|row| row["from"] == name && row["video_frames_opened"].as_u64() > Some(ENOUGH))
    });
}

/// Lets the meeting of `watcher` go on until no camera is open.
fn wait_until_closed(watcher: &mut Watched, studio: &Studio) {
    let until = Instant::now() + PATIENCE;
    while !studio.in_use().is_empty() {
        assert!(Instant::now() < until, "{:?} stays open", studio.in_use());
        watcher.watch_for(Duration::from_millis(100));
    }
}

/// The middle of the last picture that came of `name`.
pub(crate) fn last_colour(out: &Path, name: &str) -> [u8; 3] {
    let path = folder_of(out, name).expect("something came").join("video.y4m");
    let mut pictures = Y4mReader::open(&path).expect("a finished take can be read");
    let mut picture = pictures.format().size.black();
    while pictures.read_picture(&mut picture).expect("a finished take can be read") {}
    picture.planes_mut().map(|plane| plane[plane.len() / 2])
}

#[test]
fn pictures_of_cameras_reach_the_others_in_their_colours_and_closed_ones_have_no_stream() {
    let studio = Studio::open();
    let cameras = [
        ("Planes", Sensor::I420, Colour::Red),
        ("Pairs", Sensor::Nv12, Colour::Green),
        ("Pixels", Sensor::Yuy2, Colour::Blue),
    ];
    let plugged = cameras.map(|(name, sensor, colour)| studio.plug_in(name, sensor, colour));
    let stage = Stage::for_meeting();
    let environment = studio.environment();
    let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    let out = stage.path("Ada").join("received");
    let out_text = out.to_str().expect("a temporary path is text");
    let (mut ada, link) = stage.host(&Cast { more: &["--out", out_text], ..Cast::quiet("Ada") });
    for (name, _, _) in cameras {
        let video = format!("camera:{name}");
        let person = stage.join(&link, &filmed(name, &video, &environment));
        wait_until_seen(&mut ada, name);
        assert_eq!(studio.in_use(), [name]);
        assert_eq!(person.leave().code, Some(0));
        wait_until_closed(&mut ada, &studio);
    }
    drop(plugged);
    assert_eq!(ada.leave().code, Some(0));
    for (name, _, colour) in cameras {
        let (seen, expected) = (last_colour(&out, name), colour.samples());
        let is_close = seen.iter().zip(expected).all(|(seen, expected)| seen.abs_diff(expected) <= CLOSE);
        assert!(is_close, "{name}: {seen:?} instead of {expected:?}");
        let times: Vec<u64> =
            received_from(&out, name, "video").iter().map(|picture| picture.captured_us).collect();
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{name}: {times:?}");
    }
}

#[test]
fn camera_that_is_unplugged_is_named_and_missing_ones_are_refused() {
    let studio = Studio::open();
    let camera = studio.plug_in("Desk", Sensor::I420, Colour::Red);
    let stage = Stage::for_meeting();
    let environment = studio.environment();
    let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    let (mut ada, link) = stage.host(&Cast::quiet("Ada"));
    let missing = stage.join(&link, &filmed("Ben", "camera:Roof", &environment)).outcome(PATIENCE);
    assert_eq!(missing.code, Some(16), "{:?}", missing.problems().collect::<Vec<_>>());
    assert!(missing.problems().any(|code| code == "device.missing"));

    let chloe = stage.join(&link, &filmed("Chloe", "camera", &environment));
    wait_until_seen(&mut ada, "Chloe");
    drop(camera);
    let gone = chloe.outcome(PATIENCE);
    assert_eq!(gone.code, Some(16));
    assert!(gone.problems().any(|code| code == "device.lost"));
    assert_eq!(ada.leave().code, Some(0));
}

#[test]
fn devices_are_listed_by_name() {
    let studio = Studio::open();
    let _desk = studio.plug_in("Desk", Sensor::I420, Colour::Red);
    let stage = Stage::new();
    let mut command = stage.program("incamera-cli", "Ada");
    let output = command.arg("devices").envs(studio.environment()).output().expect("it can be run");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.lines().any(|line| line.starts_with("camera") && line.ends_with("Desk")), "{text}");
}
