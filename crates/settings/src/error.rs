//! Why a file of the app cannot be kept.

use std::path::{Path, PathBuf};

use incamera_types::{Blame, Fault};

/// What can go wrong with the files of the app.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// This account has no home folder.
    #[error("this account has no folder for settings")]
    NoFolder,
    /// The system refused to write.
    #[error("{file} cannot be written: {why}")]
    Write {
        /// Which file.
        file: String,
        /// What the system said.
        why: std::io::ErrorKind,
    },
    /// A file that cannot be used could not be put aside, so nothing is written over it.
    #[error("{file} cannot be used and cannot be put aside: {why}")]
    Aside {
        /// Which file.
        file: String,
        /// What the system said.
        why: std::io::ErrorKind,
    },
    /// The key of the meeting server is not one.
    #[error("the key of the meeting server is not 64 hexadecimal digits")]
    Key,
    /// What is to be written does not fit the format: a defect.
    #[error("the settings cannot be put into words: {0}")]
    Format(String),
}

impl SettingsError {
    pub(crate) fn write(path: &Path, why: &std::io::Error) -> Self {
        Self::Write { file: name(path), why: why.kind() }
    }

    pub(crate) fn aside(path: &Path, why: &std::io::Error) -> Self {
        Self::Aside { file: name(path), why: why.kind() }
    }
}

/// The name alone: where it lies names the person.
fn name(path: &Path) -> String {
    PathBuf::from(path.file_name().unwrap_or_default()).display().to_string()
}

impl Fault for SettingsError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoFolder => "settings.folder.missing",
            Self::Write { .. } => "settings.file.unwritable",
            Self::Aside { .. } => "settings.file.unusable",
            Self::Key => "settings.server.key",
            Self::Format(_) => "settings.format",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Key => Blame::Input,
            Self::Format(_) => Blame::Us,
            Self::NoFolder | Self::Write { .. } | Self::Aside { .. } => Blame::Device,
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::NoFolder => "Set HOME to a folder of your own.",
            Self::Write { .. } => "Check that the disk has space and that the folder is yours.",
            Self::Aside { .. } => "Move the file away yourself; what is in it is still there.",
            Self::Key => "Ask whoever runs the server for the SHA-256 of its public key.",
            Self::Format(_) => "Report this as a defect.",
        }
    }
}
