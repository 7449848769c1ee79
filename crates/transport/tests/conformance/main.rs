//! What every adapter must do, against real servers: our embedded SFU, a scripted WHIP server, a scripted Janus, and
//! Janus itself where it is installed. Media is really sealed, so that a single changed byte shows.

#![expect(
    clippy::print_stdout,
    reason = "measured times, and why Janus could not be started, belong into the test's output"
)]

mod embedded;
mod janus;
mod party;
mod scripted;
mod scripted_janus;
