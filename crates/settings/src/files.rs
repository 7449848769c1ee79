//! All files of one account.

use std::path::PathBuf;

use crate::private_file::save_new;
use crate::{Folders, RecentStore, SettingsError, SettingsStore, WindowSize};

/// The files of the app.
#[derive(Debug)]
pub struct Files {
    /// What the person chose.
    pub settings: SettingsStore,
    /// Meetings to which one can come back.
    pub recent: RecentStore,
    downloads: PathBuf,
}

impl Files {
    /// The files in `folders`.
    #[must_use]
    pub fn new(folders: &Folders) -> Self {
        Self {
            settings: SettingsStore::new(folders.settings()),
            recent: RecentStore::new(folders.recent()),
            downloads: folders.downloads().to_owned(),
        }
    }

    /// How large the window was.
    #[must_use]
    pub fn window(&self) -> Option<WindowSize> {
        self.settings.peek().window
    }

    /// Remembers how large the window is.
    ///
    /// # Errors
    /// [`SettingsError`] when the file cannot be written.
    pub fn note_window(&self, width: u32, height: u32) -> Result<(), SettingsError> {
        self.settings.change(|settings| settings.window = Some(WindowSize { width, height }))
    }

    /// Saves an invitation for a calendar where downloads go; gives the name of the file.
    ///
    /// # Errors
    /// [`SettingsError::Write`] when the system refuses.
    pub fn save_invitation(&self, calendar: &str) -> Result<String, SettingsError> {
        save_new(&self.downloads, "Incamera meeting", "ics", calendar)
    }
}

/// This program, this system and the web view `engine`, for whoever helps: no name, link or address.
#[must_use]
pub fn about(engine: &str) -> String {
    let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
    let session = std::env::var("XDG_SESSION_TYPE").unwrap_or_default();
    format!(
        "Incamera {}\nSystem: {system} {machine} {session}\nWeb view: {engine}",
        env!("CARGO_PKG_VERSION")
    )
}
