//! `incamera-relay`: the relay as a server.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use incamera_relay::{RelayConfig, RelayError, RelayHandle, serve};
use incamera_types::Fault as _;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Exit code for a configuration that cannot be used; anything else that fails gives 1.
const EXIT_CONFIG: u8 = 2;

/// Orders the sealed messages of Incamera meetings and hands out tickets to the media server.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only check the configuration, the certificate included, without listening.
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error [{}]: {error}\n  {}", error.code(), error.advice()));
            match error {
                RelayError::Config { .. }
                | RelayError::Setting { .. }
                | RelayError::Unreadable { .. }
                | RelayError::Certificate { .. } => ExitCode::from(EXIT_CONFIG),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn run(args: &Args) -> Result<(), RelayError> {
    let config = RelayConfig::read(&args.config)?;
    if args.check {
        config.check_certificate()?;
        say("the configuration is valid");
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| RelayError::Runtime { source })?;
    runtime.block_on(async {
        let relay = serve(config).await?;
        announce(&relay);
        stop_signal().await.map_err(|source| RelayError::Runtime { source })?;
        tracing::info!("stopping");
        relay.stop().await;
        Ok(())
    })
}

fn announce(relay: &RelayHandle) {
    for address in relay.addresses() {
        tracing::info!(%address, "listening (TCP)");
    }
    for address in relay.media_addresses() {
        tracing::info!(%address, "media (UDP)");
    }
    match relay.tls_pin() {
        Some(pin) => {
            let pin: String = pin.iter().map(|byte| format!("{byte:02x}")).collect();
            tracing::info!(pin, "SHA-256 of the TLS public key");
        }
        None => tracing::warn!("without TLS: for tests on this machine only"),
    }
}

/// Waits for SIGTERM or SIGINT.
async fn stop_signal() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// A line on standard error. When that is closed there is nobody to tell.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
