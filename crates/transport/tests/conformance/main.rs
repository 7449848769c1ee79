//! What every adapter must do, against real servers: our embedded SFU, a scripted WHIP server, and Janus where it is
//! installed. Media is really sealed, so that a single changed byte shows.

mod embedded;
mod janus;
mod party;
mod scripted;
