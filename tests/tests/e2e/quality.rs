//! What is received of files that were sent is as good as the codecs allow.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use incamera_devices::wav::WavReader;
use incamera_devices::y4m::Y4mReader;
use incamera_media::picture::Picture;
use incamera_media::vp8::{Decoder, Encoder, EncoderConfig, KeyFrame, Quality, TemporalLayers};
use incamera_tests::measure::{compare_sound, psnr};
use incamera_tests::stage::{Cast, PATIENCE, Stage, folder_of, received_from, sent};
use incamera_types::{FrameBuf, Mono};

/// Bit rate of the picture.
const KBPS: &str = "800";

/// Pictures in a second of the file.
const RATE: u64 = 30;

/// Rate control has settled from this picture on.
const SETTLED: usize = 90;

/// Frames still on their way when the sender leaves are not asked for.
const IN_FLIGHT_US: u64 = 500_000;

/// A recording and a film of ten seconds: prepared material where there is some, else made here.
struct Material {
    sound: PathBuf,
    film: PathBuf,
}

impl Material {
    fn prepare(stage: &Stage) -> Self {
        let made = Self { sound: stage.path("speech.wav"), film: stage.path("film.y4m") };
        let cache = std::env::var_os("INCAMERA_CACHE").map(PathBuf::from).or_else(|| {
            let home = std::env::var_os("HOME")?;
            Some(Path::new(&home).join(".cache/incamera"))
        });
        let material =
            cache.map(|cache| cache.join("material")).filter(|path| path.join("complete").exists());
        let spoken = stage.path("spoken.wav");
        let (speech, film): (PathBuf, Vec<String>) = match material {
            Some(folder) => {
                // Some are shorter than ten seconds: again from the start.
                let film = ["-stream_loop", "-1", "-i"].map(str::to_owned).into_iter();
                (folder.join("speech-1.wav"), film.chain([text(&folder.join("video-1.y4m"))]).collect())
            }
            None => {
                speak(&spoken);
                let generated = "mandelbrot=size=640x360:rate=30:end_scale=0.02";
                (spoken, ["-f", "lavfi", "-i", generated].map(str::to_owned).to_vec())
            }
        };
        let ten_seconds = ["-t".to_owned(), "10".to_owned()];
        let film = film.into_iter().chain(ten_seconds.clone());
        let pixels = ["-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe"].map(str::to_owned);
        convert(film.chain(pixels).chain([text(&made.film)]));
        let sound = ["-i".to_owned(), text(&speech)].into_iter().chain(ten_seconds);
        let samples = ["-ac", "1", "-ar", "48000", "-c:a", "pcm_s16le"].map(str::to_owned);
        convert(sound.chain(samples).chain([text(&made.sound)]));
        made
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path in ASCII").to_owned()
}

fn speak(to: &Path) {
    let text = "The meeting is called to order. We will hear the first witness, then the second one. \
        Nobody outside of this room can listen to what is said, and everybody inside knows who is here.";
    let spoken = Command::new("espeak-ng").args(["-v", "en-us", "-w"]).arg(to).arg(text).status();
    assert!(spoken.is_ok_and(|status| status.success()), "espeak-ng is needed");
}

fn convert(arguments: impl IntoIterator<Item = String>) {
    let quiet = ["-nostdin", "-loglevel", "error", "-y"];
    let converted = Command::new("ffmpeg").args(quiet).args(arguments).status();
    assert!(converted.is_ok_and(|status| status.success()), "ffmpeg is needed");
}

#[test]
#[ignore = "long: ./dev test --full"]
fn files_arrive_as_good_as_the_codecs_allow() {
    let stage = Stage::for_meeting();
    let material = Material::prepare(&stage);
    let out = |name: &str| text(&stage.path(name).join("takes"));
    let (ada_out, ben_out, chloe_out) = (out("Ada"), out("Ben"), out("Chloe"));
    let (mut host, link) = stage.host(&Cast { more: &["--out", &ada_out], ..Cast::quiet("Ada") });
    let mut ben = stage.join(&link, &Cast { more: &["--out", &ben_out], ..Cast::quiet("Ben") });
    ben.wait_for("sfu_connected", PATIENCE, |event| event["direction"] == "play");
    let (sound, film) = (text(&material.sound), text(&material.film));
    let more = ["--video-kbps", KBPS, "--out", &chloe_out];
    let sender = Cast { name: "Chloe", audio: &sound, video: &film, more: &more, environment: &[] };
    let mut chloe = stage.join(&link, &sender);
    chloe.wait_for("source_ended", PATIENCE, |event| event["source"] == "video");
    let over = incamera_tests::demo::monotonic_us();
    host.wait_for_pictures(1);
    ben.wait_for_pictures(1);
    for person in [chloe, ben, host] {
        let outcome = person.leave();
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
    }
    let source = pictures(&material.film);
    let offline = encoded_offline(&source);
    let sent = sent(Path::new(&chloe_out), "video");
    assert!(100 * sent.len() >= 98 * source.len(), "{} of {} pictures were sent", sent.len(), source.len());
    for out in [&ada_out, &ben_out] {
        let take = folder_of(Path::new(out), "Chloe").expect("something came of Chloe");
        assert_sound(&material.sound, &take.join("audio.wav"));
        let received = received_from(Path::new(out), "Chloe", "video");
        let first = received.first().expect("pictures came").captured_us;
        let asked = |at: u64| at >= first && at + IN_FLIGHT_US <= over;
        let asked_for = sent.iter().filter(|frame| asked(frame.captured_us)).count();
        let came = received.iter().filter(|frame| asked(frame.captured_us)).count();
        assert!(came as f64 >= 0.98 * asked_for as f64, "{came} of {asked_for} pictures came");
        let begin = sent.first().expect("pictures were sent").captured_us;
        let indices = received.iter().map(|frame| source_index(frame.captured_us - begin));
        assert_pictures(&source, &offline, &take.join("video.y4m"), &indices.collect::<Vec<_>>());
    }
}

/// The picture of the file that was captured so long after the first.
fn source_index(since_first_us: u64) -> usize {
    usize::try_from((since_first_us * RATE + 500_000) / 1_000_000).expect("a short file")
}

fn assert_sound(sent: &Path, received: &Path) {
    let likeness = compare_sound(&samples(sent), &samples(received)).expect("both have sound");
    assert!(likeness.correlation >= 0.9, "{likeness:?}");
    assert!(likeness.share_of_windows(0.9) >= 0.95, "{likeness:?}");
}

fn samples(path: &Path) -> Vec<f32> {
    let mut reader = WavReader::open(path).expect("a WAV file");
    let (mut all, mut block) = (Vec::new(), [0.0; 4_800]);
    loop {
        match reader.read_mono(&mut block).expect("the file is whole") {
            0 => return all,
            read => all.extend_from_slice(&block[..read]),
        }
    }
}

fn pictures(path: &Path) -> Vec<Picture> {
    let mut reader = Y4mReader::open(path).expect("a Y4M file");
    let mut all = Vec::new();
    loop {
        let mut picture = reader.format().size.black();
        if !reader.read_picture(&mut picture).expect("the file is whole") {
            return all;
        }
        all.push(picture);
    }
}

/// How good each picture is, in decibels of luma, when the same encoder works without a meeting.
fn encoded_offline(source: &[Picture]) -> HashMap<usize, f64> {
    let mut encoder = Encoder::new(EncoderConfig {
        width: source[0].width(),
        height: source[0].height(),
        frames_per_second: 30,
        bitrate_kbps: KBPS.parse().expect("a number"),
        quality: Quality::File,
        temporal_layers: TemporalLayers::One,
    })
    .expect("an encoder");
    let mut decoder = Decoder::new().expect("a decoder");
    let mut frame = FrameBuf::with_capacity(200_000);
    let quality = source.iter().enumerate().filter_map(|(index, picture)| {
        let captured = Mono::from_micros(index as u64 * 1_000_000 / RATE);
        encoder.encode(&picture.view(), captured, KeyFrame::WhenDue, &mut frame).expect("it encodes")?;
        let decoded = decoder.decode(frame.as_slice()).expect("it decodes")?;
        Some((index, psnr(&picture.view(), &decoded)?.luma_db))
    });
    quality.collect()
}

fn assert_pictures(source: &[Picture], offline: &HashMap<usize, f64>, take: &Path, indices: &[usize]) {
    let received = pictures(take);
    assert_eq!(received.len(), indices.len(), "the log and the file have a line for each picture");
    let unsent = unsent_at_first(source, &received, indices);
    let (mut online_db, mut offline_db, mut count) = (0.0, 0.0, 0.0);
    for (picture, index) in received.iter().zip(indices.iter().map(|index| index + unsent)) {
        let Some(original) = source.get(index).filter(|_| index >= SETTLED) else { continue };
        online_db += psnr(&original.view(), &picture.view()).expect("pictures of one size").luma_db;
        offline_db += offline[&index];
        count += 1.0;
    }
    assert!(count > 100.0, "only {count} pictures");
    let (online_db, offline_db) = (online_db / count, offline_db / count);
    assert!(online_db >= offline_db - 1.0, "{online_db:.2} dB, offline {offline_db:.2} dB");
}

/// How many pictures of the file went by before the first that was sent: none, unless the machine was busy. The
/// picture in the middle tells.
fn unsent_at_first(source: &[Picture], received: &[Picture], indices: &[usize]) -> usize {
    let middle = received.len() / 2;
    let likeness = |unsent: usize| {
        let original = source.get(indices[middle] + unsent)?;
        Some((unsent, psnr(&original.view(), &received[middle].view())?.luma_db))
    };
    let best = (0..SETTLED).filter_map(likeness).max_by(|one, other| one.1.total_cmp(&other.1));
    best.expect("the picture in the middle was sent").0
}
