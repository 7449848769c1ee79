//! `incamera-impair`: a bad network between a client and a server, for tests by hand.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use core::convert::Infallible;
use core::future::pending;
use core::time::Duration;

use clap::Parser;
use incamera_impair::{
    BitRate, Burst, Direction, LinkSettings, Probability, RelayDriver, RelayHandle, parse_duration,
};
use tokio::time::{Instant, sleep_until};

/// Relays UDP between clients and one server and impairs it in both directions.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Where clients send to; port 0 takes any free one
    #[arg(long)]
    listen: SocketAddr,
    /// The server
    #[arg(long)]
    to: SocketAddr,
    /// The same seed does the same to the same packets
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Loss of single packets, e.g. 5%
    #[arg(long, default_value = "0")]
    loss: Probability,
    /// Loss in bursts as enter/leave per packet, e.g. 1%/30%
    #[arg(long)]
    burst: Option<Burst>,
    /// Delay each way, e.g. 10ms
    #[arg(long, value_parser = parse_duration, default_value = "0s")]
    delay: Duration,
    /// Additional delay of up to this much, in order
    #[arg(long, value_parser = parse_duration, default_value = "0s")]
    jitter: Duration,
    /// Share of packets that are overtaken by later ones
    #[arg(long, default_value = "0")]
    reorder: Probability,
    /// How long those are held back
    #[arg(long, value_parser = parse_duration, default_value = "30ms")]
    reorder_by: Duration,
    /// Share of packets that arrive twice
    #[arg(long, default_value = "0")]
    duplicate: Probability,
    /// Bottleneck each way in bits per second, e.g. 800k
    #[arg(long)]
    rate: Option<BitRate>,
    /// Longest wait in the queue before the bottleneck
    #[arg(long, value_parser = parse_duration, default_value = "200ms")]
    queue: Duration,
    /// Until so long after the start everything passes
    #[arg(long, value_parser = parse_duration, default_value = "0s")]
    begin: Duration,
    /// From so long after the start on everything passes
    #[arg(long, value_parser = parse_duration)]
    end: Option<Duration>,
}

impl Options {
    const fn settings(&self) -> LinkSettings {
        LinkSettings {
            loss: self.loss,
            burst: self.burst,
            delay: self.delay,
            jitter: self.jitter,
            reorder: self.reorder,
            reorder_by: self.reorder_by,
            duplicate: self.duplicate,
            rate: self.rate,
            queue: self.queue,
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match relay(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to be told when standard error is gone.
            let _ = writeln!(io::stderr(), "incamera-impair: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Relays until interrupted; says where it listens first and what happened last, one JSON object a line.
async fn relay(options: &Options) -> io::Result<()> {
    let first = if options.begin.is_zero() { options.settings() } else { LinkSettings::default() };
    let driver = RelayDriver::bind(options.listen, options.to, first, first, options.seed).await?;
    let handle = driver.handle();
    say(&serde_json::json!({ "listening": handle.local_address() }))?;
    tokio::select! {
        result = driver.run() => result,
        never = impair_from_begin_to_end(&handle, options) => match never {},
        result = tokio::signal::ctrl_c() => {
            result?;
            say(&serde_json::to_value(handle.report())?)
        }
    }
}

async fn impair_from_begin_to_end(handle: &RelayHandle, options: &Options) -> Infallible {
    let change = |settings| {
        for direction in [Direction::ToServer, Direction::ToClient] {
            handle.change(direction, settings);
        }
    };
    let start = Instant::now();
    sleep_until(start + options.begin).await;
    change(options.settings());
    if let Some(end) = options.end {
        sleep_until(start + end).await;
        change(LinkSettings::default());
    }
    pending().await
}

fn say(line: &serde_json::Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
