//! What the desktop app costs and how promptly it shows things, on a screen of its own: `./dev bench desktop [--json]
//! [--minutes N]`.
//!
//! * **First paint**: from the start of the process until the screen shows anything of the page, and of an empty window
//!   of Tauri; the two take turns. Then until the home has its text.
//! * **Tiles**: the meeting's page with 1, 4, 9 and 16 people whose pictures of 640 × 360 come thirty times a second
//!   through the app's own socket (`tests/windows`). The page's script is watched from outside.
//! * **Lobby**: the app waits to be let into a meeting of somebody else.
//! * **Memory**, with `--minutes`: a meeting of two, looked at every minute.

#![allow(clippy::print_stdout, reason = "a program that reports to its caller")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Parser as _;
use incamera_tests::desktop::{Area, ProcessTree, Screen, Window};
use incamera_tests::stage::{Cast, PATIENCE, Stage};
use serde::Serialize;

/// Starts of each contestant.
const STARTS: usize = 7;

/// People in the page, one after the other.
const TILES: [u8; 4] = [1, 4, 9, 16];

/// How long drawing is watched, after it has settled.
const SETTLING: Duration = Duration::from_secs(3);
const WATCHED: Duration = Duration::from_secs(10);

/// How often mute is pressed.
const PRESSES: usize = 40;

/// The middle of the window, where an empty one is empty and the home has its text.
const MIDDLE: Area = Area { left: 160, top: 120, width: 800, height: 480 };

#[derive(clap::Parser)]
struct Arguments {
    /// Folder of the programs to measure: a release build
    #[arg(long, value_name = "FOLDER")]
    programs: PathBuf,
    /// Ends with one line of JSON
    #[arg(long)]
    json: bool,
    /// Watches the memory of a meeting of two for so many minutes too
    #[arg(long, value_name = "N", default_value_t = 0)]
    minutes: u32,
}

#[derive(Serialize)]
struct Report {
    first_paint_ms: f64,
    empty_first_paint_ms: f64,
    /// Until the home has its text.
    first_text_ms: f64,
    tiles: Vec<Tiles>,
    /// Share of one core.
    lobby_cpu: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    memory_mb: Vec<f64>,
}

/// Medians unless the name says otherwise; `cpu` is a share of one core, of the app and its web processes.
#[derive(Clone, Serialize)]
struct Tiles {
    n: u8,
    transport_fps: f64,
    drawn_fps: f64,
    script_p95_ms: f64,
    mute_shown_p95_ms: f64,
    cpu: f64,
}

fn main() {
    let arguments = Arguments::parse();
    let stage = Stage::for_programs(&arguments.programs);
    let screen = Screen::start();
    let [first_paint_ms, empty_first_paint_ms, first_text_ms] = first_paints(&stage, &screen);
    println!(
        "first paint {first_paint_ms:.0} ms, of an empty window {empty_first_paint_ms:.0} ms; text {first_text_ms:.0} ms"
    );
    let tiles = TILES.map(|count| {
        let measured = draw(&stage, &screen, count);
        println!(
            "{count:>2} tiles: {:.1} pictures/s arrive, {:.1} drawn, script {:.1} ms, mute shown after {:.0} ms, {:.0} % of a core",
            measured.transport_fps,
            measured.drawn_fps,
            measured.script_p95_ms,
            measured.mute_shown_p95_ms,
            100.0 * measured.cpu
        );
        measured
    });
    let lobby_cpu = wait_in_lobby(&stage, &screen);
    println!("lobby: {:.1} % of a core", 100.0 * lobby_cpu);
    let memory_mb = stay(&stage, &screen, arguments.minutes);
    let tiles = tiles.to_vec();
    let report = Report { first_paint_ms, empty_first_paint_ms, first_text_ms, tiles, lobby_cpu, memory_mb };
    if arguments.json {
        println!("{}", serde_json::to_string(&report).unwrap_or_default());
    }
}

/// Of the app, of an empty window, and of the app's text, in milliseconds.
fn first_paints(stage: &Stage, screen: &Screen) -> [f64; 3] {
    let mut times: [Vec<f64>; 3] = Default::default();
    // The first of each fills the caches of the disk.
    for round in 0..=STARTS {
        let home = stage.home(&format!("first-{round}"));
        let [painted, text] = paint(screen, &stage.program_path("incamera"), &home, [is_painted, has_text]);
        let [empty] = paint(screen, &stage.program_path("window_empty"), &home, [is_painted]);
        for (times, time) in times.iter_mut().zip([painted, empty, text]) {
            if round > 0 {
                times.push(time);
            }
        }
    }
    times.map(median)
}

/// Starts `program` and waits until the middle of the screen is as wanted, one after the other; ends it.
fn paint<const N: usize>(
    screen: &Screen,
    program: &Path,
    home: &Path,
    wanted: [fn(&[u8]) -> bool; N],
) -> [f64; N] {
    let began = Instant::now();
    let mut started = Command::new(program)
        .env("DISPLAY", screen.display())
        .env("HOME", home)
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("XDG_RUNTIME_DIR")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program can be started");
    let times = wanted.map(|is_there| {
        while !is_there(&screen.pixels(MIDDLE)) {
            assert!(began.elapsed() < PATIENCE, "{} shows nothing", program.display());
            std::thread::sleep(Duration::from_millis(1));
        }
        began.elapsed().as_secs_f64() * 1_000.0
    });
    started.kill().expect("it runs");
    let _ = started.wait();
    while is_painted(&screen.pixels(MIDDLE)) {
        assert!(began.elapsed() < 2 * PATIENCE, "{} does not go away", program.display());
        std::thread::sleep(Duration::from_millis(1));
    }
    times
}

/// The screen is black where no window is. A toolkit shows white before the page is there.
fn is_painted(pixels: &[u8]) -> bool {
    let [blue, green, red, _] = pixels[..4] else { return false };
    ![[0, 0, 0], [255, 255, 255]].contains(&[blue, green, red])
}

/// Text stands out from what is behind it in many pixels.
fn has_text(pixels: &[u8]) -> bool {
    let pixels = pixels.as_chunks::<4>().0;
    is_painted(&pixels[0]) && pixels.iter().filter(|pixel| **pixel != pixels[0]).count() > 1_000
}

/// `tests/windows/src/watch.js` notes anew.
const AGAIN: &str = "Object.assign(window.seen, { came: 0, drawn: 0, scripts: [] });";

/// Presses mute at the given times of the clock, to the millisecond if the script is not busy.
fn presses(times: &[u64]) -> String {
    format!(
        "const find = () => [...document.querySelectorAll('button')].find((one) => \
             /^(Mute|Unmute)/.test(one.getAttribute('aria-label') ?? one.innerText.trim()));
         for (const at of {times:?}) setTimeout(() => find().click(), at - Date.now());"
    )
}

fn draw(stage: &Stage, screen: &Screen, count: u8) -> Tiles {
    let program = stage.program_path("window_tiles");
    let window = Window::open(screen, &program, &stage.home("tiles"), &[&count.to_string()]);
    let mute = window.control("button", "Mute").area();
    std::thread::sleep(SETTLING);
    let _ = window.run(AGAIN);
    let (began, cpu) = (Instant::now(), window.processes().cpu());
    std::thread::sleep(WATCHED);
    let seen = window.run("return window.seen");
    let took = began.elapsed().as_secs_f64();
    let cpu = (window.processes().cpu() - cpu).as_secs_f64() / took;
    let a_second = |what: &str| seen[what].as_f64().expect("a number") / took / f64::from(count);
    let scripts = seen["scripts"].as_array().expect("a list").iter().filter_map(serde_json::Value::as_f64);
    Tiles {
        n: count,
        transport_fps: a_second("came"),
        drawn_fps: a_second("drawn"),
        script_p95_ms: p95(scripts.collect()),
        mute_shown_p95_ms: p95(press_mute(&window, screen, mute)),
        cpu,
    }
}

/// From when mute is due to be pressed until other pixels are where the control is, in milliseconds.
fn press_mute(window: &Window, screen: &Screen, control: Area) -> Vec<f64> {
    let first = unix_ms() + 1_000;
    // Uneven, so that presses meet every phase of drawing.
    let times: Vec<u64> = (0..PRESSES as u64).map(|index| first + index * 403 + index * index % 17).collect();
    let _ = window.run(&presses(&times));
    let shown = times.iter().map(|due| {
        let mut before = screen.pixels(control);
        while unix_ms() < *due {
            before = screen.pixels(control);
        }
        let limit = due + 350;
        while screen.pixels(control) == before && unix_ms() < limit {
            std::thread::yield_now();
        }
        (unix_ms() - due) as f64
    });
    shown.collect()
}

/// Share of a core while the app waits to be let in, with its own devices off.
fn wait_in_lobby(stage: &Stage, screen: &Screen) -> f64 {
    let (host, link) = stage.host(&Cast { more: &["--lobby"], ..Cast::quiet("Ada") });
    let program = stage.program_path("incamera");
    let arguments = ["--join", &link, "--name", "Ben", "--no-camera", "--muted"];
    let window = Window::open(screen, &program, &stage.home("Ben"), &arguments);
    window.control("button", "Ask to join").click();
    let _ = window.control("button", "Stop waiting");
    std::thread::sleep(SETTLING);
    let share = share_of_a_core(window.processes());
    drop(window);
    drop(host);
    share
}

fn share_of_a_core(processes: ProcessTree) -> f64 {
    let (began, cpu) = (Instant::now(), processes.cpu());
    std::thread::sleep(WATCHED);
    (processes.cpu() - cpu).as_secs_f64() / began.elapsed().as_secs_f64()
}

/// Memory in megabytes after every minute of a meeting with one guest.
fn stay(stage: &Stage, screen: &Screen, minutes: u32) -> Vec<f64> {
    if minutes == 0 {
        return Vec::new();
    }
    let program = stage.program_path("incamera");
    let window = Window::open(screen, &program, &stage.home("Chloe"), &["--host", "--with-guest"]);
    let _ = window.control("button", "People");
    let each = (1..=minutes).map(|minute| {
        std::thread::sleep(Duration::from_secs(60));
        let memory = window.processes().memory() as f64 / 1e6;
        println!("minute {minute}: {memory:.0} MB");
        memory
    });
    each.collect()
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn median(values: Vec<f64>) -> f64 {
    quantile(values, 0.5)
}

fn p95(values: Vec<f64>) -> f64 {
    quantile(values, 0.95)
}

fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1) as f64;
    values.get((last * share).round() as usize).copied().unwrap_or(f64::NAN)
}
