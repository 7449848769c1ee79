//! Plain Chromium publishes to our SFU by standard WHIP and plays from it by standard WHEP.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::response::Html;
use axum::routing::{get, post};
use axum::{Json, Router};
use incamera_sfu::{GrantRequest, Pseudonym, Rights, Sfu, SfuConfig, SfuHandle};
use incamera_types::RoomId;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::report::Report;

/// What runs in Chromium.
const PAGE: &str = include_str!("../../interop/chromium.html");
/// The page's own patience, and the start of a browser on a busy machine.
const LIMIT: Duration = Duration::from_secs(90);
const ROOM: RoomId = RoomId([1; 16]);
/// No network but loopback, no questions, a camera and a microphone that Chromium makes up.
const FLAGS: [&str; 14] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
];

/// All cases.
pub(super) fn run() -> Report {
    let mut report = Report::new("chromium");
    report
        .case("browser", version)
        .case("Chromium to our SFU to Chromium", || Handle::current().block_on(pass(1)))
        .case("three layers, switched by the WHEP layer resource", || Handle::current().block_on(pass(3)));
    report
}

fn version() -> Result<String, String> {
    let output = Command::new("chromium").args(["--version", "--no-sandbox"]).output();
    let output = output.map_err(|why| format!("Chromium (package chromium) cannot be run: {why}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// What the page says at the end.
#[derive(Deserialize)]
struct Outcome {
    ok: bool,
    detail: String,
}

async fn pass(layers: u8) -> Result<String, String> {
    let sfu = Sfu::start(SfuConfig::default()).map_err(|why| why.to_string())?;
    let (tell, mut told) = mpsc::channel(1);
    let address = serve(&sfu, tell).await.map_err(|why| format!("no HTTP server: {why}"))?;
    let publish = bearer(&sfu, "chromium", Rights::WatchAndPublish)?;
    let watch = bearer(&sfu, "player", Rights::Watch)?;
    let url = format!("http://{address}/?layers={layers}&publish={publish}&watch={watch}");
    let _browser = Browser::start(&url)?;
    let outcome = timeout(LIMIT, told.recv()).await;
    sfu.stop().await;
    match outcome {
        Ok(Some(Outcome { ok: true, detail })) => Ok(detail),
        Ok(Some(Outcome { detail, .. })) => Err(detail),
        Ok(None) | Err(_) => Err(format!("the page said nothing in {} s", LIMIT.as_secs())),
    }
}

/// The page, what it tells, and the SFU's own resources, on a free port of loopback.
async fn serve(sfu: &SfuHandle, tell: mpsc::Sender<Outcome>) -> std::io::Result<SocketAddr> {
    let take = move |Json(outcome): Json<Outcome>| async move {
        // Nobody waits any more: the case is over.
        let _ = tell.send(outcome).await;
    };
    let app = Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        .route("/result", post(take))
        .nest("/sfu", sfu.router());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    // Ends with this process; between the cases nobody knows its port.
    tokio::spawn(async move { axum::serve(listener, service).await });
    Ok(address)
}

fn bearer(sfu: &SfuHandle, name: &str, rights: Rights) -> Result<String, String> {
    let identity = Pseudonym::parse(name).map_err(|why| why.to_string())?;
    let request = GrantRequest { room: ROOM, identity, rights, valid_for: LIMIT };
    sfu.grant(request).map(|bearer| bearer.reveal().to_owned()).map_err(|why| why.to_string())
}

/// A running Chromium with a profile of its own; ends when dropped.
struct Browser {
    process: Child,
    _profile: TempDir,
}

impl Browser {
    fn start(url: &str) -> Result<Self, String> {
        let profile = tempfile::tempdir().map_err(|why| format!("no temporary folder: {why}"))?;
        let process = Command::new("chromium")
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(url)
            .env("HOME", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|why| format!("Chromium: {why}"))?;
        Ok(Self { process, _profile: profile })
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Failing means that it is gone already. Its other processes end with this one.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
