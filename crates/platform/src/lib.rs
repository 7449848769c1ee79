//! What the desktop around the app does for it: it keeps the computer awake during a meeting and says when it sleeps all the
//! same, and it tells a person who looks elsewhere what happens.
//!
//! **Shell.** D-Bus alone, and one signal of the web view. Knows nothing of meetings. Where a service is not there or does
//! not answer, there is a line in the log, and the app goes on without it.
//!
//! Read first: [`stay_awake`], [`Notices`]; `docs/platforms.md` says which desktop has what.

mod awake;
mod bus;
mod notices;
#[cfg(target_os = "linux")]
mod page;

pub use awake::stay_awake;
pub use notices::{Notice, Notices, Topic};
#[cfg(target_os = "linux")]
pub use page::show_again_after_crash;
