//! Interoperation with software that is not ours: meetings through Debian's Janus and through
//! WHIP and WHEP servers of others, and plain Chromium against our SFU.
//!
//! Read first: [`Server`], [`Report`]; [`JanusServer`], which the tests of the app use too. Servers run in network namespaces made here, or on loopback; all of it is gone
//! when a run ends, however it ends.

mod chromium;
mod impairment;
mod janus;
mod janus_server;
mod meeting;
mod port_finder;
mod report;
mod switching;
mod whip;
mod whip_servers;

use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;
pub use janus_server::JanusServer;
pub use report::{Case, Report};

/// What to interoperate with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Server {
    /// Debian's Janus VideoRoom: whole meetings of `incamera-cli`.
    Janus,
    /// Plain Chromium, which publishes to and plays from our SFU.
    Chromium,
    /// Debian's simple-whip-server and npm's janus-whep-server: whole meetings of `incamera-cli`.
    Whip,
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The user wants the run to end: cases stop as soon as they can, and everything that was started is ended.
pub fn interrupt() {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Runs all cases of `server`. Blocks for a minute or two, on a thread of a Tokio runtime that may block. Progress goes
/// to standard error.
#[must_use]
pub fn run(server: Server) -> Report {
    match server {
        Server::Janus => janus::run(),
        Server::Chromium => chromium::run(),
        Server::Whip => whip::run(),
    }
}
