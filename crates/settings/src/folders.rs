//! Where the files are: the XDG base directories on Linux, and what takes their place on other systems.

use std::path::{Path, PathBuf};

use crate::SettingsError;

/// The name of our folders.
const NAME: &str = "incamera";

/// The folders of one account. Nothing is made before something is written.
#[derive(Clone, Debug)]
pub struct Folders {
    config: PathBuf,
    data: PathBuf,
    state: PathBuf,
    downloads: PathBuf,
}

impl Folders {
    /// Those of the account that runs this program.
    ///
    /// # Errors
    /// [`SettingsError::NoFolder`] when the account has none.
    pub fn of_this_account() -> Result<Self, SettingsError> {
        let config = dirs::config_dir().ok_or(SettingsError::NoFolder)?.join(NAME);
        let data = dirs::data_local_dir().ok_or(SettingsError::NoFolder)?.join(NAME);
        // Systems without a folder for state keep it beside the data.
        let state = dirs::state_dir().map_or_else(|| data.clone(), |state| state.join(NAME));
        let downloads = dirs::download_dir().or_else(dirs::home_dir).ok_or(SettingsError::NoFolder)?;
        Ok(Self { config, data, state, downloads })
    }

    /// All of them below one folder.
    #[must_use]
    pub fn below(folder: &Path) -> Self {
        let [config, data, state, downloads] =
            ["config", "data", "state", "downloads"].map(|name| folder.join(name));
        Self { config, data, state, downloads }
    }

    /// What the person chose.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.config.join("settings.json")
    }

    /// Meetings that the person wants remembered.
    #[must_use]
    pub fn recent(&self) -> PathBuf {
        self.data.join("recent.json")
    }

    /// What happened, in codes.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.state.join("incamera.log")
    }

    /// Where files go that the person asked for.
    #[must_use]
    pub fn downloads(&self) -> &Path {
        &self.downloads
    }
}
