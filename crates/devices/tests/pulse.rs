//! Microphone and speaker on a real PulseAudio server without hardware.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use core::time::Duration;

use incamera_devices::wav::{WavReader, WavWriter};
use incamera_devices::{
    AudioBlock, AudioCaptured, AudioHost, AudioSource, DeviceChoice, DeviceError, DeviceId, Direction,
    DriverHandle, Microphone, Speaker, capture_audio, play_audio, tone_share,
};
use tempfile::TempDir;

const TONE_HZ: f64 = 1_230.0;
const PATIENCE: Duration = Duration::from_secs(20);

/// The audio system is found through the environment of the process: one test at a time.
static ENVIRONMENT: Mutex<()> = Mutex::new(());

/// A PulseAudio server with a null sink `speaker` and a microphone `mic` that hears the null sink `micsink`.
struct PulseServer {
    process: Child,
    folder: TempDir,
    _environment: MutexGuard<'static, ()>,
}

impl PulseServer {
    fn start() -> Self {
        let environment = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("native");
        point_environment_at(folder.path(), &socket);
        let modules = [
            format!("module-native-protocol-unix auth-anonymous=1 socket={}", socket.display()),
            "module-null-sink sink_name=speaker rate=48000".to_owned(),
            "module-null-sink sink_name=micsink rate=48000".to_owned(),
            "module-remap-source master=micsink.monitor source_name=mic".to_owned(),
        ];
        let process = Command::new("pulseaudio")
            .args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--log-level=error"])
            .args(modules.iter().flat_map(|module| ["-L", module]))
            .stdout(Stdio::null())
            .spawn()
            .expect("the package pulseaudio is installed");
        let server = Self { process, folder, _environment: environment };
        let started = Instant::now();
        while !(control(&["set-default-sink", "speaker"]) && control(&["set-default-source", "mic"])) {
            assert!(started.elapsed() < PATIENCE, "the server does not answer");
        }
        server
    }

    /// Plays a tone of `seconds` into what the microphone hears.
    fn play_into_microphone(&self, seconds: u32) -> Child {
        let file = self.folder.path().join("tone.wav");
        let mut writer = WavWriter::create(&file).unwrap();
        writer.write(&(0..48_000 * seconds).map(tone).collect::<Vec<_>>()).unwrap();
        writer.finish().unwrap();
        Command::new("paplay").args(["-d", "micsink"]).arg(&file).spawn().unwrap()
    }
}

impl Drop for PulseServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn point_environment_at(folder: &Path, socket: &Path) {
    let server = format!("unix:{}", socket.display());
    let values = [("XDG_RUNTIME_DIR", folder.as_os_str()), ("HOME", folder.as_os_str())];
    for (name, value) in values.into_iter().chain([("PULSE_SERVER", server.as_ref())]) {
        // SAFETY: the tests of this file hold the lock when they get here, and the threads of earlier ones that
        // look at the environment have ended.
        #[allow(unsafe_code)]
        unsafe {
            std::env::set_var(name, value);
        }
    }
}

fn control(arguments: &[&str]) -> bool {
    let mut command = Command::new("pactl");
    let status = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.expect("the package pulseaudio-utils is installed").success()
}

/// Sample number `index` of the tone.
fn tone(index: u32) -> i16 {
    let angle = core::f64::consts::TAU * TONE_HZ * f64::from(index) / 48_000.0;
    (angle.sin() * 12_000.0) as i16
}

type Recorded = Result<AudioBlock, Option<DeviceError>>;

/// Share of the tone in the two seconds that have most of it: a single missing fragment turns the phase and costs far
/// more than a hundredth. The sound server of a busy machine may lose one itself, but not in every two seconds.
fn best_share(samples: &[i16]) -> f64 {
    let windows = samples.windows(96_000).step_by(4_800);
    windows.map(|window| tone_share(window, TONE_HZ)).fold(0.0, f64::max)
}

/// What a source delivers, over a channel; `Err(None)` is its end.
fn record(source: impl AudioSource + 'static) -> (DriverHandle, Receiver<Recorded>) {
    let (sender, receiver) = channel();
    let driver = capture_audio(source, move |captured| {
        let _ = sender.send(match captured {
            AudioCaptured::Block(block) => Ok(block.clone()),
            AudioCaptured::Ended => Err(None),
            AudioCaptured::Failed(error) => Err(Some(error)),
        });
    });
    (driver.unwrap(), receiver)
}

#[test]
fn microphone_hears_what_is_played_without_gaps() {
    let server = PulseServer::start();
    let host = AudioHost::open().unwrap();
    assert_eq!(host.system(), "PulseAudio");
    let microphone = Microphone::open(&host, &DeviceChoice::SystemDefault).unwrap();
    let (driver, blocks) = record(microphone);
    let mut player = server.play_into_microphone(6);

    // Skips the silence before the tone, then takes five seconds.
    let mut heard = Vec::new();
    let mut stamps = Vec::new();
    while heard.len() < 240_000 {
        let block = blocks.recv_timeout(PATIENCE).unwrap().unwrap();
        if !heard.is_empty() || tone_share(&block.samples, TONE_HZ) > 0.95 {
            heard.extend_from_slice(&block.samples);
            stamps.push(block.captured);
        }
    }
    drop(driver);
    player.kill().unwrap();
    player.wait().unwrap();
    let share = best_share(&heard);
    assert!(share > 0.99, "best share of the tone over two seconds: {share}");
    let elapsed = stamps[stamps.len() - 1].since(stamps[0]).as_secs_f64();
    let expected = (stamps.len() - 1) as f64 * 0.02;
    // The sound server of a busy machine delivers late; a block that is missing or doubled adds up over 250 of them.
    assert!((elapsed - expected).abs() < 0.2, "stamps cover {elapsed} s instead of {expected} s");
}

#[test]
fn speaker_is_heard_without_gaps() {
    let server = PulseServer::start();
    let take = server.folder.path().join("take.wav");
    let mut recorder = Command::new("parecord")
        .args(["-d", "speaker.monitor", "--file-format=wav", "--rate=48000", "--channels=1"])
        .arg(&take)
        .spawn()
        .unwrap();
    let host = AudioHost::open().unwrap();
    let speaker = DeviceChoice::Device(DeviceId::new("pulseaudio:speaker".to_owned()));
    let speaker = Speaker::open(&host, &speaker).unwrap();
    let mut index = 0_u32;
    let (done, played) = channel();
    let mix = move |_, samples: &mut [i16; 960]| {
        for sample in samples {
            *sample = tone(index);
            index += 1;
        }
        if index == 48_000 * 4 {
            let _ = done.send(());
        }
    };
    let driver = play_audio(speaker, mix, |error| panic!("{error}")).unwrap();
    played.recv_timeout(PATIENCE).unwrap();
    drop(driver);
    // The recorder completes its file when it is asked to end.
    Command::new("kill").args(["-TERM", &recorder.id().to_string()]).status().unwrap();
    recorder.wait().unwrap();

    let mut mono = vec![0.0; 48_000 * 8];
    let count = WavReader::open(&take).unwrap().read_mono(&mut mono).unwrap();
    let samples: Vec<i16> = mono[..count].iter().map(|sample| (sample * 32_767.0) as i16).collect();
    let best = best_share(&samples);
    assert!(best > 0.99, "best share of the tone over two seconds of {count} samples: {best}");
}

#[test]
fn vanished_microphone_is_an_error_event() {
    let _server = PulseServer::start();
    let host = AudioHost::open().unwrap();
    let (_driver, blocks) = record(Microphone::open(&host, &DeviceChoice::SystemDefault).unwrap());
    assert!(blocks.recv_timeout(PATIENCE).unwrap().is_ok());
    // The server moves recordings to any source that is left: only when none is, the microphone is gone.
    assert!(control(&["unload-module", "module-remap-source"]));
    assert!(control(&["unload-module", "module-null-sink"]));
    let started = Instant::now();
    let ending = loop {
        if let Err(ending) = blocks.recv_timeout(PATIENCE).expect("an error follows") {
            break ending;
        }
        assert!(started.elapsed() < PATIENCE, "sound goes on without a source");
    };
    assert_eq!(ending, Some(DeviceError::Lost));
}

#[test]
fn audio_system_that_dies_ends_the_speaker_with_an_error_event() {
    let mut server = PulseServer::start();
    let host = AudioHost::open().unwrap();
    let (failed, failure) = channel();
    let speaker = Speaker::open(&host, &DeviceChoice::SystemDefault).unwrap();
    let _driver = play_audio(speaker, |_, _| {}, move |error| failed.send(error).unwrap()).unwrap();
    server.process.kill().unwrap();
    assert_eq!(failure.recv_timeout(PATIENCE), Ok(DeviceError::Lost));
}

#[test]
fn devices_are_listed_and_unknown_ones_are_missing() {
    let _server = PulseServer::start();
    let host = AudioHost::open().unwrap();
    let devices = host.devices().unwrap();
    let has = |id: &str, direction| {
        devices.iter().any(|device| device.id.as_str() == id && device.direction == direction)
    };
    assert!(has("pulseaudio:mic", Direction::Input));
    assert!(has("pulseaudio:speaker", Direction::Output));
    for id in ["pulseaudio:none", "nonsense", ""] {
        let choice = DeviceChoice::Device(DeviceId::new(id.to_owned()));
        assert_eq!(Microphone::open(&host, &choice).unwrap_err(), DeviceError::Missing, "{id}");
    }
}
