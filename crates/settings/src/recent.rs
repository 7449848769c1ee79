//! Meetings to which one can come back. Each is kept with its link, and whoever has the link can ask to join: the file
//! is for its owner alone.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::SettingsError;
use crate::private_file::{in_words, put_aside, read, replace};

/// More than these are forgotten, the oldest first.
const MOST: usize = 20;

/// A meeting that was remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Recent {
    /// The link. It lets its holder in.
    pub link: String,
    /// The meeting server that it names.
    pub server: String,
    /// Who was there, without the person.
    pub people: Vec<String>,
    /// When it began, in seconds since 1970.
    pub began_s: u32,
    /// How long the person was in it, in seconds.
    pub lasted_s: u32,
}

/// What the person wants of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
pub enum RecentChange {
    /// Remember a meeting, instead of an earlier one with the same link.
    Remember {
        /// Which.
        meeting: Recent,
    },
    /// Forget a meeting.
    Forget {
        /// Its link.
        link: String,
    },
    /// Forget all of them: the file goes.
    ForgetAll,
}

/// The file of recent meetings.
#[derive(Clone, Debug)]
pub struct RecentStore {
    path: PathBuf,
}

impl RecentStore {
    /// The file at `path`.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// All of them, the newest first. A file that cannot be used is put aside.
    ///
    /// # Errors
    /// [`SettingsError::Aside`] when that is not possible.
    pub fn all(&self) -> Result<Vec<Recent>, SettingsError> {
        let meetings = match read(&self.path) {
            Ok(None) => return Ok(Vec::new()),
            Ok(Some(text)) => serde_json::from_str(&text).ok(),
            Err(_) => None,
        };
        meetings.map_or_else(|| put_aside(&self.path).map(|_| Vec::new()), Ok)
    }

    /// Changes them, and gives what is there then.
    ///
    /// # Errors
    /// [`SettingsError`] when the file cannot be written.
    pub fn change(&self, change: RecentChange) -> Result<Vec<Recent>, SettingsError> {
        let mut meetings = self.all()?;
        match change {
            RecentChange::Remember { meeting } => {
                meetings.retain(|one| one.link != meeting.link);
                meetings.insert(0, meeting);
                meetings.truncate(MOST);
            }
            RecentChange::Forget { link } => meetings.retain(|one| one.link != link),
            RecentChange::ForgetAll => meetings.clear(),
        }
        self.write(&meetings)?;
        Ok(meetings)
    }

    /// Without a meeting there is no file.
    fn write(&self, meetings: &[Recent]) -> Result<(), SettingsError> {
        if !meetings.is_empty() {
            return replace(&self.path, &in_words(meetings)?);
        }
        match std::fs::remove_file(&self.path) {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
                Err(SettingsError::write(&self.path, &why))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meeting(link: &str, began_s: u32) -> Recent {
        let people = vec!["Ben [1]\n\"x\"".to_owned()];
        Recent {
            link: link.to_owned(),
            server: "meet.court.example".to_owned(),
            people,
            began_s,
            lasted_s: 60,
        }
    }

    fn remember(store: &RecentStore, link: &str, began_s: u32) -> Vec<Recent> {
        store.change(RecentChange::Remember { meeting: meeting(link, began_s) }).unwrap()
    }

    #[test]
    fn meetings_are_remembered_once_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let store = RecentStore::new(folder.path().join("incamera/recent.json"));
        assert_eq!(store.all().unwrap(), []);
        for (link, began_s) in [("a", 1), ("b", 2), ("a", 3)] {
            remember(&store, link, began_s);
        }
        assert_eq!(store.all().unwrap(), [meeting("a", 3), meeting("b", 2)]);
        let left = store.change(RecentChange::Forget { link: "a".to_owned() }).unwrap();
        assert_eq!(left, [meeting("b", 2)]);
        for _ in 0..2 {
            assert_eq!(store.change(RecentChange::ForgetAll).unwrap(), []);
            assert!(!store.path.exists());
        }
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let store = RecentStore::new(folder.path().join("recent.json"));
        for number in 0..25 {
            remember(&store, &number.to_string(), number);
        }
        let all = store.all().unwrap();
        assert_eq!((all.len(), all[0].began_s, all[19].began_s), (20, 24, 5));
    }

    #[test]
    fn a_file_that_cannot_be_used_is_kept_beside() {
        let folder = tempfile::tempdir().unwrap();
        let store = RecentStore::new(folder.path().join("recent.json"));
        std::fs::write(&store.path, "{}").unwrap();
        assert_eq!(remember(&store, "a", 1).len(), 1);
        assert!(folder.path().join("recent.unusable-1.json").exists());
    }
}
