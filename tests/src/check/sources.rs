//! The tracked files of the repository.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A checkout and the paths that git tracks in it.
pub struct Repository {
    root: PathBuf,
    tracked: Vec<String>,
}

impl Repository {
    /// Opens the checkout at `root`.
    ///
    /// # Errors
    /// When git cannot list the files.
    pub fn open(root: &Path) -> Result<Self, String> {
        let listed = Command::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .map_err(|why| format!("git cannot be run: {why}"))?;
        let tracked = String::from_utf8_lossy(&listed.stdout)
            .lines()
            .filter(|path| root.join(path).is_file())
            .map(str::to_owned)
            .collect();
        Ok(Self { root: root.to_owned(), tracked })
    }

    /// Every tracked Rust source.
    pub fn rust(&self) -> impl Iterator<Item = &str> {
        self.ending(".rs")
    }

    /// Every tracked file whose path ends so.
    pub fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = &'a str> {
        self.tracked.iter().map(String::as_str).filter(move |path| path.ends_with(end))
    }

    /// The text of a tracked file; empty when it is not text.
    #[must_use]
    pub fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.root.join(path)).unwrap_or_default()
    }

    /// Folder of the checkout.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
}
