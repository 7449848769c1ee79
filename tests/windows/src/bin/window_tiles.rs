//! A meeting's page with N people in it, whose pictures of 640 × 360 come thirty times a second through the
//! socket that the app uses, at the size of their tiles: what drawing costs, without what receiving and decoding cost
//! (`./dev bench desktop`).

#![expect(clippy::needless_pass_by_value, reason = "Tauri hands over what commands are given")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use incamera_client::Mono;
use incamera_client::devices::{
    DeviceError, FrameRate, PatternSource, SenderMark, VideoFormat, VideoFrame, VideoSize, VideoSource as _,
};
use incamera_screen::{Door, Fit, Pictures, Tile, VideoSink as _, suit_drawing_to_computer};
use incamera_view::Order;
use tauri::{State, WebviewUrl, WebviewWindowBuilder};

/// Pictures that are drawn in advance and shown again and again.
const FILM: u64 = 30;

const PICTURES_A_SECOND: u64 = 30;

fn main() -> Result<(), Box<dyn Error>> {
    suit_drawing_to_computer();
    let count: u8 = std::env::args().nth(1).ok_or("window_tiles N")?.parse()?;
    let pictures = Arc::new(Pictures::default());
    let door = tauri::async_runtime::block_on(Door::open(Arc::clone(&pictures)))?;
    let film = film()?;
    let players = Arc::clone(&pictures);
    std::thread::spawn(move || play(&players, count, &film));
    let page = format!("gallery/index.html?state=meeting-{count}&theme=dark&door={}", door.address());
    tauri::Builder::default()
        .manage(pictures)
        .invoke_handler(tauri::generate_handler![order])
        .setup(move |app| {
            let window = WebviewWindowBuilder::new(app, "main", WebviewUrl::App(page.into()));
            let window = window.initialization_script(include_str!("../watch.js"));
            window.title("Tiles").inner_size(1120.0, 720.0).build()?;
            Ok(())
        })
        .run(tauri::generate_context!())?;
    Ok(())
}

/// The page tells how large its tiles are; nothing else is asked of this window.
#[tauri::command]
fn order(pictures: State<'_, Arc<Pictures>>, order: Order) -> Result<(), String> {
    let Order::Tile { member: Some(member), width, height, .. } = order else { return Ok(()) };
    let number = u128::from_str_radix(&member, 16).map_err(|why| why.to_string())?;
    pictures.set_size(Tile(number.to_be_bytes()), width, height, Fit::Fill);
    Ok(())
}

/// One second of the test picture.
fn film() -> Result<Vec<VideoFrame>, Box<dyn Error>> {
    let size = VideoSize::new(640, 360).ok_or("a size of pictures")?;
    let format = VideoFormat { size, rate: FrameRate::VIDEO_30 };
    let mut source = PatternSource::new(format, SenderMark::from_name("Film"));
    let drawn = (0..FILM).map(|number| {
        let mut frame = VideoFrame::black(format);
        source.poll_frame(Mono::from_micros(1_000_000 * number / FILM), &mut frame)?;
        Ok(frame)
    });
    Ok(drawn.collect::<Result<_, DeviceError>>()?)
}

/// Shows everybody the film, at most as late as this thread wakes.
fn play(pictures: &Pictures, count: u8, film: &[VideoFrame]) {
    let begin = Instant::now();
    for (number, frame) in (0_u64..).zip(film.iter().cycle()) {
        let due = begin + Duration::from_micros(1_000_000 * number / PICTURES_A_SECOND);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        for person in 1..=count {
            pictures.show(member(person), &frame.picture.view());
        }
    }
}

/// The gallery's ids: the person's number in two decimal digits, again and again.
fn member(number: u8) -> Tile {
    Tile([number / 10 * 16 + number % 10; 16])
}
