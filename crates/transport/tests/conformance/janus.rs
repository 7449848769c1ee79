//! Against Debian's Janus, in a network namespace of its own: Janus never uses loopback for media.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use incamera_relay_proto::{JanusRoom, ResumeSecret, SfuKind, TextSecret, Ticket, TicketIdentity};
use incamera_transport::{Cleartext, OwnStream, SfuSettings};
use incamera_types::Context;
use tokio::net::TcpStream;
use tokio::time::{Instant, interval};

use crate::party::{Party, Seen, exchange, plan, run_all, share_a_screen, want};

const PLUGINS: &str = "/usr/lib/x86_64-linux-gnu/janus";

/// A Janus with its namespace; both go when dropped.
struct JanusServer {
    process: Child,
    namespace: String,
    folder: PathBuf,
    ours: IpAddr,
    theirs: IpAddr,
}

/// Runs a command; what it says on failure.
fn run(command: &str) -> Result<(), String> {
    let mut words = command.split_whitespace();
    let output =
        Command::new(words.next().unwrap_or_default()).args(words).output().map_err(|e| e.to_string())?;
    let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    output.status.success().then_some(()).ok_or(format!("{command}: {complaint}"))
}

/// What this machine lacks for Janus in a namespace. Where nothing is missing, Janus has to start.
fn missing() -> Option<&'static str> {
    if run("which janus").is_err() {
        return Some("Janus is not installed");
    }
    let user = Command::new("id").arg("-u").output().unwrap();
    (user.stdout.trim_ascii() != b"0").then_some("a network namespace needs root")
}

impl JanusServer {
    /// Starts Janus, or says what went wrong.
    async fn start() -> Result<Self, String> {
        let number = std::process::id();
        let (namespace, net) =
            (format!("itj{number}"), format!("10.{}.{}", 100 + number % 100, number / 100 % 250));
        let (ours, theirs) = (format!("{net}.1"), format!("{net}.2"));
        let (near, far) = (format!("ita{number}"), format!("itb{number}"));
        run(&format!("ip netns add {namespace}"))?;
        for step in [
            format!("ip link add {near} type veth peer name {far} netns {namespace}"),
            format!("ip addr add {ours}/24 dev {near}"),
            format!("ip link set {near} up"),
            format!("ip -n {namespace} addr add {theirs}/24 dev {far}"),
            format!("ip -n {namespace} link set {far} up"),
            format!("ip -n {namespace} link set lo up"),
        ] {
            if let Err(why) = run(&step) {
                drop(run(&format!("ip netns del {namespace}")));
                return Err(why);
            }
        }
        let folder = std::env::temp_dir().join(format!("incamera-janus-{number}"));
        configure(&folder, &theirs, &far).map_err(|error| error.to_string())?;
        let process = Command::new("ip")
            .args(["netns", "exec", &namespace, "janus", "--log-stdout", "-F"])
            .arg(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let server = Self {
            process,
            namespace,
            folder,
            ours: ours.parse().map_err(|_| "address")?,
            theirs: theirs.parse().map_err(|_| "address")?,
        };
        server.wait_until_ready().await?;
        Ok(server)
    }

    async fn wait_until_ready(&self) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut tries = interval(Duration::from_millis(25));
        while Instant::now() < deadline {
            tries.tick().await;
            if TcpStream::connect((self.theirs, 18_188)).await.is_ok() {
                return Ok(());
            }
        }
        Err("janus did not become ready".to_owned())
    }

    fn join(&self, who: u8) -> Party {
        let ticket = Ticket {
            identity: TicketIdentity([who; 16]),
            sfu: SfuKind::Janus,
            publish_url: format!("ws://{}:18188/", self.theirs),
            subscribe_url: String::new(),
            bearer: TextSecret::default(),
            janus: Some(JanusRoom { number: 4_711, pin: TextSecret::new("open sesame".to_owned()) }),
            ice_servers: Vec::new(),
            valid_until_unix_ms: u64::MAX,
            renewal: ResumeSecret::new([0; 16]),
        };
        let settings = SfuSettings {
            bind: Some(self.ours),
            cleartext: Cleartext::PrivateNetworks,
            // A busy machine is no loss.
            silence_limit: Duration::from_secs(20),
            ..SfuSettings::default()
        };
        Party::join(u32::from(who), ticket, settings)
    }
}

impl Drop for JanusServer {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
        drop(run(&format!("ip netns del {}", self.namespace)));
        drop(fs::remove_dir_all(&self.folder));
    }
}

fn configure(folder: &Path, address: &str, interface: &str) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let main = format!(
        "general: {{ configs_folder = \"{}\"\n plugins_folder = \"{PLUGINS}/plugins\"\n \
         transports_folder = \"{PLUGINS}/transports\"\n events_folder = \"{PLUGINS}/events\"\n \
         loggers_folder = \"{PLUGINS}/loggers\" }}\nmedia: {{ rtp_port_range = \"20000-20400\" }}\n\
         nat: {{ ice_enforce_list = \"{interface}\"\n full_trickle = false\n ice_lite = false }}\n\
         plugins: {{ disable = \"libjanus_audiobridge.so,libjanus_duktape.so,libjanus_echotest.so,\
         libjanus_lua.so,libjanus_nosip.so,libjanus_recordplay.so,libjanus_sip.so,libjanus_streaming.so,\
         libjanus_textroom.so,libjanus_videocall.so,libjanus_voicemail.so\" }}\n\
         transports: {{ disable = \"libjanus_http.so,libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_pfunix.so,\
         libjanus_rabbitmq.so,libjanus_rabbitmqevh.so\" }}\nevents: {{ broadcast = false }}\n",
        folder.display()
    );
    fs::write(folder.join("janus.jcfg"), main)?;
    let sockets = format!(
        "general: {{ json = \"compact\"\n ws = true\n ws_port = 18188\n ws_ip = \"{address}\"\n wss = false }}\n\
         admin: {{ admin_ws = false }}\n"
    );
    fs::write(folder.join("janus.transport.websockets.jcfg"), sockets)?;
    fs::write(folder.join("janus.plugin.videoroom.jcfg"), "general: { }\n")
}

/// One test, since a namespace and a server are shared: two people, three layers and a switch, a screen, a third who
/// comes late and goes, and a fourth after that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealed_frames_pass_through_a_video_room_with_layers_and_late_joiners() {
    if let Some(why) = missing() {
        println!("not run: {why}");
        return;
    }
    let server = JanusServer::start().await.unwrap();
    let (mut ada, mut ben) = (server.join(1), server.join(2));
    exchange(&mut ada, &mut ben, 3).await;
    let stream = ben.stream();
    assert!(ada.seen.available.contains(&stream) && ada.seen.hints.contains(&stream));

    ada.sfu.subscribe(&[want(&stream, 2)]).await.unwrap();
    let low = |seen: &[&Seen]| seen[0].count(2, Context::CameraLow) > 20;
    assert!(run_all(&mut [&mut ada, &mut ben], low).await, "the small layer did not come");

    share_a_screen(&mut ben, &mut ada).await;
    ada.sfu.subscribe(&[want(&stream, 0)]).await.unwrap();

    let mut eve = server.join(3);
    eve.sfu.publish(OwnStream::Person, plan(1)).await.unwrap();
    let both = [want(&stream, 0), want(&eve.stream(), 0)];
    ada.sfu.subscribe(&both).await.unwrap();
    let came = |seen: &[&Seen]| seen[0].camera(3) > 20 && seen[0].count(3, Context::Microphone) > 20;
    assert!(run_all(&mut [&mut ada, &mut ben, &mut eve], came).await, "nothing of the third came");

    // Janus offers by itself when somebody leaves, unless it is told not to; then nobody who comes is received.
    eve.sfu.close().await;
    let gone = eve.stream();
    let left = |seen: &[&Seen]| !seen[0].available.contains(&gone);
    assert!(run_all(&mut [&mut ada, &mut ben], left).await, "nobody was told that the third left");
    let mut dai = server.join(4);
    dai.sfu.publish(OwnStream::Person, plan(1)).await.unwrap();
    let both = [want(&stream, 0), want(&dai.stream(), 0)];
    ada.sfu.subscribe(&both).await.unwrap();
    let came = |seen: &[&Seen]| seen[0].camera(4) > 20 && seen[0].count(4, Context::Microphone) > 20;
    assert!(run_all(&mut [&mut ada, &mut ben, &mut dai], came).await, "nothing of the fourth came");
    assert_eq!((ada.seen.refused, ada.seen.losses.len()), (0, 0));
    for party in [&ada, &ben, &dai] {
        party.sfu.close().await;
    }
}
