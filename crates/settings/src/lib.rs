//! What the desktop app keeps on this computer, in files that only their owner may read: settings, recent meetings, and
//! a log. `docs/settings.md` is their manual.
//!
//! **Shell.** Read first: [`Settings`] (every setting), [`Files`], [`LogFile`].
//!
//! What does not belong here: what the settings lead to, and anything about a meeting that is going on.

mod error;
mod files;
mod folders;
mod log;
mod private_file;
mod recent;
mod settings;
mod store;

pub use error::SettingsError;
pub use files::{Files, about};
pub use folders::Folders;
pub use log::{LogFile, begin_log, redact};
pub use recent::{Recent, RecentChange, RecentStore};
pub use settings::{
    Appearance, Devices, Language, Notifying, Remembering, Server, Settings, Sounds, WindowSize,
};
pub use store::{Loaded, SettingsStore};
