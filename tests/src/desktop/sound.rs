//! Microphones and speakers that nobody sees: a PulseAudio server without hardware, which says who listens and what is
//! played.

use std::f64::consts::TAU;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use incamera_devices::SystemClock;
use incamera_devices::wav::WavWriter;

/// The server and everything that uses it are processes of this computer; it may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// Samples per second.
const RATE_HZ: u32 = 48_000;

/// How long each tone goes on: longer than any test.
const TONE_SECONDS: u32 = 150;

/// A running server with one microphone and one speaker; ends when dropped.
pub struct Sound {
    server: Child,
    folder: tempfile::TempDir,
}

/// What is played on a speaker is looked at in parts of this many bytes: 100 ms of 16 bits.
const PART: usize = 2 * 4_800;

/// Samples of this size are no silence.
const AUDIBLE: u16 = 100;

/// A speaker, whose plug can be pulled.
pub struct VirtualSpeaker<'a> {
    sound: &'a Sound,
    name: &'static str,
    module: String,
}

/// Somebody who hears what a speaker plays.
pub struct Ear {
    recorder: Child,
    parts: Receiver<Heard>,
}

/// A tenth of a second at a speaker.
struct Heard {
    /// When it had been played, on the machine's monotonic clock.
    at_us: u64,
    volume: Volume,
}

/// Whether something is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Volume {
    /// Something is.
    Loud,
    /// Nothing is.
    Silent,
}

/// A microphone that hears a tone. Its plug can be pulled.
pub struct VirtualMicrophone<'a> {
    sound: &'a Sound,
    name: &'static str,
    player: Child,
    module: String,
}

impl Sound {
    /// Starts the server.
    ///
    /// # Panics
    /// Without PulseAudio there is no sound.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        // Anybody may connect, but has to show something of the length of a cookie.
        std::fs::write(folder.path().join("cookie"), [0; 256]).expect("a file can be written");
        let sound = Self { server: serve(folder.path()), folder };
        sound.wait_until_there();
        sound
    }

    /// Ends the server as a crash would.
    ///
    /// # Panics
    /// When it is gone already.
    pub fn crash(&mut self) {
        self.server.kill().expect("the server runs");
        self.server.wait().expect("it is our child");
    }

    /// Starts it again after a crash, at the same place.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self) {
        self.server = serve(self.folder.path());
        self.wait_until_there();
    }

    fn wait_until_there(&self) {
        self.wait_until(|sound| sound.control(&["info"]).is_some());
    }

    /// The environment of programs that are to use it.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 2] {
        let server = format!("unix:{}", self.folder.path().join("native").display());
        [("PULSE_SERVER", server), ("PULSE_COOKIE", self.folder.path().join("cookie").display().to_string())]
    }

    /// Whether a program has the microphone open.
    ///
    /// # Panics
    /// When the server does not answer.
    #[must_use]
    pub fn is_listened_to(&self) -> bool {
        let listeners = self.control(&["list", "short", "source-outputs"]).expect("the server answers");
        !listeners.trim().is_empty()
    }

    /// Waits until a program has the microphone open.
    ///
    /// # Panics
    /// When none opens it.
    pub fn wait_for_listener(&self) {
        self.wait_until(Self::is_listened_to);
    }

    /// Waits until a program plays something, and until it does no more.
    ///
    /// # Panics
    /// When none plays, or one does not stop.
    pub fn wait_until_played(&self) {
        let is_played = |sound: &Self| {
            let players = sound.control(&["list", "short", "sink-inputs"]).expect("the server answers");
            !players.trim().is_empty()
        };
        self.wait_until(is_played);
        self.wait_until(|sound| !is_played(sound));
    }

    /// Plugs in a speaker called `name`, which the system does not prefer.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn plug_in_speaker(&self, name: &'static str) -> VirtualSpeaker<'_> {
        VirtualSpeaker { sound: self, name, module: self.sink(name) }
    }

    fn sink(&self, name: &str) -> String {
        let shown = format!("sink_properties=device.description={name}");
        // Unlike a real speaker it would sleep for two seconds before its first sound otherwise.
        self.load(&["module-null-sink", &format!("sink_name={name}"), "rate=48000", "norewinds=1", &shown])
    }

    /// Listens to what is played on the speaker of the system.
    ///
    /// # Panics
    /// When it cannot be recorded.
    #[must_use]
    pub fn ear(&self) -> Ear {
        self.ear_at("speaker")
    }

    fn ear_at(&self, name: &str) -> Ear {
        let mut command = Command::new("parec");
        command.args(["--raw", "--latency-msec=20", "--format=s16le", "--rate=48000", "--channels=1"]);
        command.args(["-d", &format!("{name}.monitor")]).envs(self.environment());
        let mut recorder =
            command.stdout(Stdio::piped()).spawn().expect("parec (package pulseaudio-utils) can be run");
        let mut sound = recorder.stdout.take().expect("standard output is a pipe");
        let (heard, parts) = channel();
        std::thread::spawn(move || {
            let mut part = [0; PART];
            while sound.read_exact(&mut part).is_ok() {
                let mut samples = part.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
                let is_loud = samples.any(|sample| sample.unsigned_abs() > AUDIBLE);
                let volume = if is_loud { Volume::Loud } else { Volume::Silent };
                if heard.send(Heard { at_us: SystemClock.now().as_micros(), volume }).is_err() {
                    break;
                }
            }
        });
        Ear { recorder, parts }
    }

    /// Plugs in a microphone called `name` that hears a tone of `hz`, and makes it the one that the system prefers.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn plug_in(&self, name: &'static str, hz: f64) -> VirtualMicrophone<'_> {
        let sink = format!("sink_name={name}-air");
        self.load(&["module-null-sink", &sink, "rate=48000"]);
        let file = self.folder.path().join(format!("{name}.wav"));
        let tone = |index: u32| ((TAU * hz * f64::from(index) / f64::from(RATE_HZ)).sin() * 8_000.0) as i16;
        let tone: Vec<i16> = (0..RATE_HZ * TONE_SECONDS).map(tone).collect();
        let mut writer = WavWriter::create(&file).expect("a file can be made");
        writer.write(&tone).and_then(|()| writer.finish()).expect("a file can be written");
        let mut player = Command::new("paplay");
        // With more latency the air would move in blocks of two seconds.
        player.args(["--latency-msec=20", "-d", &format!("{name}-air")]).arg(&file).envs(self.environment());
        let player = player.spawn().expect("paplay (package pulseaudio-utils) can be run");
        let microphone = VirtualMicrophone { sound: self, name, player, module: self.source(name) };
        self.control(&["set-default-source", name]).expect("the source is there");
        microphone
    }

    /// A source that gives what is played into the sink of `name`.
    fn source(&self, name: &str) -> String {
        let (master, source) = (format!("master={name}-air.monitor"), format!("source_name={name}"));
        let shown = format!("source_properties=device.description={name}");
        self.load(&["module-remap-source", &master, &source, &shown])
    }

    /// Loads a module; gives its number.
    fn load(&self, module: &[&str]) -> String {
        let loaded = self.control(&[&["load-module"], module].concat());
        loaded.expect("the server takes the module").trim().to_owned()
    }

    fn wait_until(&self, holds: impl Fn(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < until, "this does not happen at the sound server");
        }
    }

    fn control(&self, arguments: &[&str]) -> Option<String> {
        let mut command = Command::new("pactl");
        let output = command.args(arguments).envs(self.environment()).output();
        let output = output.expect("pactl (package pulseaudio-utils) can be run");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Starts a server whose files are in `folder`.
fn serve(folder: &Path) -> Child {
    let socket = folder.join("native");
    let socket = format!("module-native-protocol-unix auth-anonymous=1 socket={}", socket.display());
    let modules =
        [&socket, "module-null-sink sink_name=speaker", "module-null-source source_name=microphone"];
    Command::new("pulseaudio")
        .args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--log-level=error"])
        .args(modules.iter().flat_map(|module| ["-L", module]))
        .env("HOME", folder)
        .env("XDG_RUNTIME_DIR", folder)
        .stdout(Stdio::null())
        .spawn()
        .expect("pulseaudio (package pulseaudio) can be started")
}

impl Drop for Sound {
    fn drop(&mut self) {
        // Failing means that it is gone already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl VirtualMicrophone<'_> {
    /// Pulls its plug.
    ///
    /// # Panics
    /// When it is not plugged in.
    pub fn unplug(&self) {
        self.sound.control(&["unload-module", &self.module]).expect("the source goes");
    }

    /// Plugs it in again.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn plug(&mut self) {
        self.module = self.sound.source(self.name);
    }
}

impl VirtualSpeaker<'_> {
    /// Pulls its plug.
    ///
    /// # Panics
    /// When it is not plugged in.
    pub fn unplug(&self) {
        self.sound.control(&["unload-module", &self.module]).expect("the sink goes");
    }

    /// Plugs it in again.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn plug(&mut self) {
        self.module = self.sound.sink(self.name);
    }

    /// Listens to what it plays, until its plug is pulled.
    ///
    /// # Panics
    /// When it cannot be recorded.
    #[must_use]
    pub fn ear(&self) -> Ear {
        self.sound.ear_at(self.name)
    }
}

impl Ear {
    /// Begins to listen anew.
    pub fn forget(&self) {
        self.parts.try_iter().for_each(drop);
    }

    /// Waits until this is heard; gives when.
    ///
    /// # Panics
    /// When that does not happen.
    #[must_use]
    pub fn wait_for(&self, volume: Volume) -> u64 {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let part = self.parts.recv_timeout(left).expect("the speaker plays, or falls silent");
            if part.volume == volume {
                return part.at_us;
            }
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        // Failing means that it is gone already.
        let _ = self.recorder.kill();
        let _ = self.recorder.wait();
    }
}

impl Drop for VirtualMicrophone<'_> {
    fn drop(&mut self) {
        let _ = self.player.kill();
        let _ = self.player.wait();
    }
}
