//! Debian's Janus in a network namespace of its own: Janus never uses loopback for media.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Where Debian keeps Janus' modules.
const MODULES: &str = "/usr/lib/x86_64-linux-gnu/janus";
/// UDP ports for media: two connections for each of sixteen people.
pub(super) const MEDIA_PORTS: RangeInclusive<u16> = 20_000..=20_031;
/// A room that is there from the start, for servers that make none.
pub(super) const ROOM: u32 = 1_234;
/// Port of the WebSocket.
const SIGNALLING_PORT: u16 = 18_188;
/// Janus needs 50 to 100 ms on an idle machine.
const START_LIMIT: Duration = Duration::from_secs(10);
/// How long one look at its port may take.
const LOOK: Duration = Duration::from_millis(100);

/// A running Janus. It and its namespace are gone when this is dropped.
pub struct JanusServer {
    process: Child,
    namespace: Namespace,
    folder: TempDir,
    version: String,
}

impl JanusServer {
    /// Starts it.
    ///
    /// # Errors
    /// In words, what is missing: root, Janus, or what it said.
    pub fn start() -> Result<Self, String> {
        let version = version()?;
        let namespace = Namespace::create()?;
        let folder = tempfile::tempdir().map_err(|why| format!("no temporary folder: {why}"))?;
        configure(folder.path(), &namespace).map_err(|why| format!("Janus' configuration: {why}"))?;
        let process = run(&namespace, folder.path())?;
        let server = Self { process, namespace, folder, version };
        server.wait_for(SIGNALLING_PORT)?;
        Ok(server)
    }

    /// Ends it as a crash would.
    pub(super) fn crash(&mut self) {
        // Failing means that it is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Starts it again, as it was; returns when its port accepts.
    pub(super) fn start_again(&mut self) -> Result<(), String> {
        self.process = run(&self.namespace, self.folder.path())?;
        self.wait_for(SIGNALLING_PORT)
    }

    /// What Janus says its version is.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Address of its WebSocket.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}:{SIGNALLING_PORT}", self.namespace.theirs)
    }

    /// Our address on the way to it.
    pub(super) fn ours(&self) -> IpAddr {
        self.namespace.ours.into()
    }

    /// Its own address.
    pub(super) fn theirs(&self) -> IpAddr {
        self.namespace.theirs.into()
    }

    /// A program that runs beside it, in its namespace.
    pub(super) fn command(&self, program: &str) -> Command {
        self.namespace.command(program)
    }

    /// Waits until something in its namespace listens on a TCP port.
    pub(super) fn wait_for(&self, port: u16) -> Result<(), String> {
        let began = Instant::now();
        let address = (self.theirs(), port).into();
        while began.elapsed() < START_LIMIT {
            if TcpStream::connect_timeout(&address, LOOK).is_ok() {
                return Ok(());
            }
            std::thread::park_timeout(LOOK);
        }
        Err(format!("nothing listens on port {port} of the server's namespace"))
    }
}

impl Drop for JanusServer {
    fn drop(&mut self) {
        self.crash();
    }
}

fn run(namespace: &Namespace, folder: &Path) -> Result<Child, String> {
    let mut janus = namespace.command("janus");
    janus.args(["--log-stdout", "-F"]).arg(folder);
    janus.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    janus.spawn().map_err(|why| format!("Janus cannot be started: {why}"))
}

/// A network namespace and the pair of interfaces that leads into it; both are gone when this is dropped.
struct Namespace {
    name: String,
    far: String,
    ours: Ipv4Addr,
    theirs: Ipv4Addr,
}

impl Namespace {
    fn create() -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("a network namespace needs root: run this as root".to_owned());
        }
        let number = std::process::id();
        let [_, _, high, low] = number.to_be_bytes();
        let address = |host| Ipv4Addr::new(10, 100 + high % 100, low, host);
        let space = Self {
            name: format!("incamera-{number}"),
            far: format!("icb{number}"),
            ours: address(1),
            theirs: address(2),
        };
        ip(&["netns", "add", &space.name])?;
        // From here on dropping `space` cleans up; the near interface goes with the far one.
        let (near, ours, theirs) =
            (format!("ica{number}"), format!("{}/24", space.ours), format!("{}/24", space.theirs));
        ip(&["link", "add", &near, "type", "veth", "peer", "name", &space.far, "netns", &space.name])?;
        ip(&["addr", "add", &ours, "dev", &near])?;
        ip(&["link", "set", &near, "up"])?;
        ip(&["-n", &space.name, "addr", "add", &theirs, "dev", &space.far])?;
        ip(&["-n", &space.name, "link", "set", &space.far, "up"])?;
        ip(&["-n", &space.name, "link", "set", "lo", "up"])?;
        Ok(space)
    }
}

impl Namespace {
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Nothing is left to be told; the next run has another name.
        let _ = ip(&["netns", "del", &self.name]);
    }
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).output();
    let output = output.map_err(|why| format!("ip (package iproute2) cannot be run: {why}"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    let failed = || format!("ip {}: {}", arguments.join(" "), complaint.trim());
    output.status.success().then_some(()).ok_or_else(failed)
}

fn version() -> Result<String, String> {
    let output = Command::new("janus").arg("--version").output();
    let output = output.map_err(|why| format!("Janus (package janus) cannot be run: {why}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().find(|line| line.contains("version"));
    line.map(|line| line.trim().to_owned()).ok_or_else(|| "Janus does not tell its version".to_owned())
}

fn configure(folder: &Path, namespace: &Namespace) -> std::io::Result<()> {
    let (first, last) = (MEDIA_PORTS.start(), MEDIA_PORTS.end());
    let main = format!(
        "general: {{ configs_folder = \"{}\"\n plugins_folder = \"{MODULES}/plugins\"\n \
         transports_folder = \"{MODULES}/transports\"\n events_folder = \"{MODULES}/events\"\n \
         loggers_folder = \"{MODULES}/loggers\" }}\nmedia: {{ rtp_port_range = \"{first}-{last}\" }}\n\
         nat: {{ ice_enforce_list = \"{}\"\n full_trickle = false\n ice_lite = false }}\n\
         plugins: {{ disable = \"libjanus_audiobridge.so,libjanus_duktape.so,libjanus_echotest.so,\
         libjanus_lua.so,libjanus_nosip.so,libjanus_recordplay.so,libjanus_sip.so,libjanus_streaming.so,\
         libjanus_textroom.so,libjanus_videocall.so,libjanus_voicemail.so\" }}\n\
         transports: {{ disable = \"libjanus_http.so,libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_pfunix.so,\
         libjanus_rabbitmq.so,libjanus_rabbitmqevh.so\" }}\nevents: {{ broadcast = false }}\n",
        folder.display(),
        namespace.far,
    );
    fs::write(folder.join("janus.jcfg"), main)?;
    let sockets = format!(
        "general: {{ json = \"compact\"\n ws = true\n ws_port = {SIGNALLING_PORT}\n ws_ip = \"{}\"\n \
         wss = false }}\nadmin: {{ admin_ws = false }}\n",
        namespace.theirs,
    );
    fs::write(folder.join("janus.transport.websockets.jcfg"), sockets)?;
    let room = format!(
        "room-{ROOM}: {{ publishers = 16\n bitrate = 8000000\n fir_freq = 0\n audiocodec = \"opus\"\n \
         videocodec = \"vp8\"\n record = false }}\n"
    );
    fs::write(folder.join("janus.plugin.videoroom.jcfg"), room)
}
