//! Cameras without hardware: PipeWire and its session manager of our own, with nodes that show one colour each.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The longest that a program of the studio may take to begin.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where PipeWire listens.
const SOCKET: &str = "pipewire-0";

/// Size of every camera's picture.
const SIZE: (u32, u32) = (320, 180);

/// A running studio; ends when dropped.
pub struct Studio {
    folder: tempfile::TempDir,
    /// Ended from the last to the first.
    servers: Vec<Child>,
}

/// A camera that is plugged in; dropping it unplugs it.
pub struct VirtualCamera(Child);

/// How the samples of a camera's pictures lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensor {
    /// Three planes.
    I420,
    /// Two planes, one of them interleaved.
    Nv12,
    /// Interleaved pixels.
    Yuy2,
}

impl Sensor {
    const fn format(self) -> &'static str {
        match self {
            Self::I420 => "I420",
            Self::Nv12 => "NV12",
            Self::Yuy2 => "YUY2",
        }
    }
}

/// What a camera sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Red.
    Red,
    /// Green.
    Green,
    /// Blue.
    Blue,
}

impl Colour {
    const fn name(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Green => "green",
            Self::Blue => "blue",
        }
    }

    /// Luma and chroma (ITU-R BT.601, limited range).
    #[must_use]
    pub const fn samples(self) -> [u8; 3] {
        match self {
            Self::Red => [81, 90, 240],
            Self::Green => [145, 54, 34],
            Self::Blue => [41, 240, 110],
        }
    }
}

impl Studio {
    /// Starts PipeWire with a session manager, and the bus that this one wants.
    ///
    /// # Panics
    /// When one of them does not come up.
    #[must_use]
    pub fn open() -> Self {
        let mut studio = Self {
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
            servers: Vec::new(),
        };
        let bus = format!("--address={}", studio.bus());
        studio.serve("dbus-daemon", &["--session", "--nofork", "--nopidfile", &bus]);
        studio.wait_for("bus");
        studio.start_again();
        studio
    }

    /// Ends PipeWire and its session manager as a crash would.
    ///
    /// # Panics
    /// When PipeWire is gone already.
    pub fn crash(&mut self) {
        self.servers.drain(1..).rev().for_each(|mut server| end(&mut server));
        std::fs::remove_file(self.folder.path().join(SOCKET)).expect("a crash leaves the socket");
    }

    /// Starts both again after a crash.
    ///
    /// # Panics
    /// When one does not come up.
    pub fn start_again(&mut self) {
        self.serve("pipewire", &[]);
        self.wait_for(SOCKET);
        self.serve("wireplumber", &[]);
    }

    /// Environment of programs that see these cameras.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 2] {
        let folder = self.folder.path().to_string_lossy().into_owned();
        [("PIPEWIRE_RUNTIME_DIR", folder), ("DBUS_SESSION_BUS_ADDRESS", self.bus())]
    }

    /// Plugs in a camera; returns when PipeWire has it.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn plug_in(&self, name: &str, sensor: Sensor, colour: Colour) -> VirtualCamera {
        let (width, height) = SIZE;
        let pictures =
            format!("video/x-raw,format={},width={width},height={height},framerate=30/1", sensor.format());
        let properties = format!(
            "stream-properties=props,media.class=Video/Source,media.role=Camera,node.name={name},node.description={name}"
        );
        let mut command = self.command("gst-launch-1.0");
        command.args([
            "-q",
            "videotestsrc",
            "is-live=true",
            &format!("pattern={}", colour.name()),
            "!",
            &pictures,
        ]);
        command.args(["!", "pipewiresink", "mode=provide", &properties]);
        let camera = VirtualCamera(command.spawn().expect("gstreamer1.0-tools is installed"));
        let until = Instant::now() + PATIENCE;
        while !self.cameras().any(|(_, there)| there == name) {
            assert!(Instant::now() < until, "the camera {name} does not come up");
        }
        camera
    }

    /// Number and name of every camera.
    fn cameras(&self) -> impl Iterator<Item = (u64, String)> {
        self.graph().into_iter().filter_map(|object| {
            let properties = &object["info"]["props"];
            let name =
                properties["node.name"].as_str().filter(|_| properties["media.class"] == "Video/Source");
            Some((object["id"].as_u64()?, name?.to_owned()))
        })
    }

    /// The cameras whose pictures go somewhere now.
    ///
    /// # Panics
    /// When PipeWire does not answer.
    #[must_use]
    pub fn in_use(&self) -> Vec<String> {
        let graph = self.graph();
        let sources: Vec<u64> =
            graph.iter().filter_map(|object| object["info"]["output-node-id"].as_u64()).collect();
        self.cameras().filter(|(number, _)| sources.contains(number)).map(|(_, name)| name).collect()
    }

    /// Everything that PipeWire knows.
    fn graph(&self) -> Vec<Value> {
        let output = self.command("pw-dump").output().expect("the package pipewire-bin is installed");
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    fn bus(&self) -> String {
        format!("unix:path={}", self.folder.path().join("bus").display())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.envs(self.environment());
        command.env("HOME", self.folder.path()).env("XDG_RUNTIME_DIR", self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command
    }

    fn serve(&mut self, program: &str, arguments: &[&str]) {
        let server = self.command(program).args(arguments).stdout(Stdio::null()).spawn();
        self.servers.push(server.unwrap_or_else(|why| panic!("{program} cannot be started: {why}")));
    }

    fn wait_for(&self, socket: &str) {
        let path: PathBuf = self.folder.path().join(socket);
        let until = Instant::now() + PATIENCE;
        while !path.exists() {
            assert!(Instant::now() < until, "{socket} does not come up");
            std::thread::yield_now();
        }
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        self.servers.iter_mut().rev().for_each(end);
    }
}

impl Drop for VirtualCamera {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

fn end(program: &mut Child) {
    // Failing means that it is gone already.
    let _ = program.kill();
    let _ = program.wait();
}
