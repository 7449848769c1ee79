//! Media through a TURN server alone, so that the SFU does not learn the address of who sends it.

use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use incamera_tests::stage::{Cast, PATIENCE, RelayProcess, Stage};

/// What coturn and the relay share.
const SECRET: &str = "north of the border";

/// coturn on loopback; ends when dropped.
struct TurnServer {
    process: Child,
    port: u16,
}

impl TurnServer {
    fn start() -> Self {
        let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = free.local_addr().expect("it has an address").port();
        drop(free);
        let process = Command::new("turnserver")
            .args(["-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--allow-loopback-peers"])
            .args(["--no-cli", "--no-tls", "--no-dtls", "--no-tcp", "--realm=incamera", "--log-file=stdout"])
            .args(["--use-auth-secret".to_owned(), format!("--static-auth-secret={SECRET}")])
            .arg(format!("--listening-port={port}"))
            .arg("--pidfile=/dev/null")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("turnserver (package coturn) can be started");
        Self { process, port }
    }
}

impl Drop for TurnServer {
    fn drop(&mut self) {
        // Failing means that it is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A relay whose tickets carry credentials of this TURN server, made with `secret`.
fn relay(stage: &Stage, turn: &TurnServer, secret: &str) -> RelayProcess {
    let config = stage.path("turn.toml");
    let text = format!(
        "listen = [\"127.0.0.1:0\"]\ncreate = \"anyone\"\n\
         [ice.turn]\nurls = [\"turn:127.0.0.1:{}\"]\nsecret = \"{secret}\"\n",
        turn.port
    );
    std::fs::write(&config, text).expect("a file can be written");
    let mut command = stage.program("incamera-relay", "relay");
    command.arg("--config").arg(config);
    RelayProcess::start(command, None)
}

fn hidden(name: &str) -> Cast<'_> {
    Cast { more: &["--pattern-size", "320x180", "--video-kbps", "300", "--turn-only"], ..Cast::named(name) }
}

#[test]
#[ignore = "long: ./dev test --full"]
fn media_that_goes_through_turn_alone_stops_when_the_turn_server_does() {
    let stage = Stage::for_meeting();
    let turn = TurnServer::start();
    let relay = relay(&stage, &turn, SECRET);
    let (mut host, link) = stage.host_on(relay.address, &relay.pin, &[], &Cast::named("Ada"));
    let mut ben = stage.join(&link, &hidden("Ben"));
    host.wait_for_pictures(1);
    ben.wait_for_pictures(1);
    drop(turn);
    ben.wait_for("sfu_lost", PATIENCE, |_| true);
    host.rewind();
    assert!(host.look_for("sfu_lost", Duration::from_secs(3), |_| true).is_none(), "Ada needs no TURN");
    assert_eq!(ben.leave().code, Some(0));
    assert_eq!(host.leave().code, Some(0));
}

#[test]
#[ignore = "long: ./dev test --full"]
fn without_valid_credentials_nothing_goes_another_way() {
    let stage = Stage::for_meeting();
    let turn = TurnServer::start();
    let relay = relay(&stage, &turn, "south of the border");
    let (host, link) = stage.host_on(relay.address, &relay.pin, &[], &Cast::named("Ada"));
    let mut ben = stage.join(&link, &hidden("Ben"));
    ben.wait_for("problem", PATIENCE, |problem| problem["code"] == "transport.sfu.no_media_path");
    let connected = ben.events().iter().any(|event| event["event"] == "sfu_connected");
    assert!(!connected, "media found a way around TURN");
    assert_eq!(ben.leave().code, Some(14), "media never came about");
    assert_eq!(host.leave().code, Some(0));
}
