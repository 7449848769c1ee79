//! Reads and writes the settings file. What it does not know, such as a setting of a newer version, stays in it.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::{Map, Value};
use ts_rs::TS;

use crate::private_file::{in_words, put_aside, read, replace};
use crate::{Settings, SettingsError};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// The name under which a file lies that could not be used.
    pub put_aside: Option<String>,
}

/// The settings file.
#[derive(Debug)]
pub struct SettingsStore {
    path: PathBuf,
    /// Held from reading to writing, so that no change is lost to another one.
    writing: Mutex<()>,
}

impl SettingsStore {
    /// The file at `path`.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, writing: Mutex::new(()) }
    }

    /// The settings, as far as they can be read. Leaves the file where it is: whoever loads it is to be told.
    #[must_use]
    pub fn peek(&self) -> Settings {
        let text = read(&self.path).ok().flatten().unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Reads it. A file that cannot be used is put aside whole, and said to be.
    ///
    /// # Errors
    /// [`SettingsError::Aside`] when that is not possible either: then nothing is written over it.
    pub fn load(&self) -> Result<Loaded, SettingsError> {
        match self.values()? {
            Read::Nothing => Ok(Loaded { settings: Settings::default(), put_aside: None }),
            Read::Aside { name } => Ok(Loaded { settings: Settings::default(), put_aside: Some(name) }),
            Read::Values(_, settings) => Ok(Loaded { settings: *settings, put_aside: None }),
        }
    }

    /// Writes `settings` into it.
    ///
    /// # Errors
    /// [`SettingsError`] when the file cannot be written, or is one that must be put aside and cannot be.
    pub fn save(&self, settings: &Settings) -> Result<(), SettingsError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.write(settings)
    }

    fn write(&self, settings: &Settings) -> Result<(), SettingsError> {
        // It may have been edited since it was read.
        let mut values = match self.values()? {
            Read::Values(values, _) => values,
            Read::Nothing | Read::Aside { .. } => Map::new(),
        };
        let new = serde_json::to_value(settings).map_err(|why| SettingsError::Format(why.to_string()))?;
        if let Value::Object(new) = new {
            take_over(&mut values, new);
        }
        replace(&self.path, &in_words(&values)?)
    }

    /// Changes one thing, and leaves the others as they are in the file.
    ///
    /// # Errors
    /// As [`Self::load`] and [`Self::save`].
    pub fn change(&self, change: impl FnOnce(&mut Settings)) -> Result<(), SettingsError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut settings = self.load()?.settings;
        change(&mut settings);
        self.write(&settings)
    }

    fn values(&self) -> Result<Read, SettingsError> {
        let text = match read(&self.path) {
            Ok(None) => return Ok(Read::Nothing),
            Ok(Some(text)) => text,
            // Not text, or not ours to read.
            Err(_) => return Ok(Read::Aside { name: put_aside(&self.path)? }),
        };
        let values: Option<Map<String, Value>> = serde_json::from_str(&text).ok();
        let settings = values.as_ref().and_then(|_| serde_json::from_str(&text).ok());
        match (values, settings) {
            (Some(values), Some(settings)) => Ok(Read::Values(values, Box::new(settings))),
            _ => Ok(Read::Aside { name: put_aside(&self.path)? }),
        }
    }
}

/// What stands in the file.
enum Read {
    /// There is none.
    Nothing,
    /// It could not be used, and lies under this name now.
    Aside { name: String },
    /// Everything in it, and what of it we know.
    Values(Map<String, Value>, Box<Settings>),
}

/// Puts the values of `new` into `old`, which keeps what `new` does not name.
fn take_over(old: &mut Map<String, Value>, new: Map<String, Value>) {
    for (key, value) in new {
        match (old.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => take_over(old, new),
            (_, value) => {
                old.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{Appearance, Folders, Server, Sounds, WindowSize};

    fn store() -> (tempfile::TempDir, SettingsStore) {
        let folder = tempfile::tempdir().unwrap();
        let path = Folders::below(folder.path()).settings();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        (folder, SettingsStore::new(path))
    }

    fn chosen() -> Settings {
        Settings {
            name: "Ada \"Byron\"".to_owned(),
            appearance: Appearance::Dark,
            start_muted: true,
            sounds: Sounds { knock: false, ..Sounds::default() },
            server: Server { address: "meet.court.example".to_owned(), ..Server::default() },
            window: Some(WindowSize { width: 1_120, height: 720 }),
            ..Settings::default()
        }
    }

    #[test]
    fn what_was_saved_is_read_again() {
        let (_folder, store) = store();
        assert_eq!(store.load().unwrap(), Loaded { settings: Settings::default(), put_aside: None });
        store.save(&chosen()).unwrap();
        assert_eq!(store.load().unwrap(), Loaded { settings: chosen(), put_aside: None });
    }

    #[test]
    fn settings_of_other_versions_stay() {
        let (_folder, store) = store();
        fs::write(&store.path, r#"{"font": "large", "sounds": {"knock": true, "sneeze": true}}"#).unwrap();
        store.save(&chosen()).unwrap();
        let text = fs::read_to_string(&store.path).unwrap();
        for kept in [r#""font": "large""#, r#""sneeze": true"#, r#""knock": false"#] {
            assert!(text.contains(kept), "{kept} in {text}");
        }
        assert_eq!(store.load().unwrap().settings, chosen());
    }

    #[test]
    fn a_file_that_cannot_be_used_is_kept_beside_and_told() {
        let (_folder, store) = store();
        for (number, broken) in
            [r#"{"name": "Ada"#, r#"{"language": "klingon"}"#, r#"{"start_muted": 1}"#, "[]"]
                .iter()
                .enumerate()
        {
            fs::write(&store.path, broken).unwrap();
            assert_eq!(store.peek(), Settings::default());
            let aside = format!("settings.unusable-{}.json", number + 1);
            let loaded = store.load().unwrap();
            assert_eq!(loaded, Loaded { settings: Settings::default(), put_aside: Some(aside.clone()) });
            assert_eq!(fs::read_to_string(store.path.with_file_name(aside)).unwrap(), *broken);
        }
    }

    #[test]
    fn a_file_that_broke_after_it_was_read_is_not_written_over() {
        let (_folder, store) = store();
        store.save(&chosen()).unwrap();
        fs::write(&store.path, [0xff, 0xfe]).unwrap();
        store.save(&chosen()).unwrap();
        let aside = store.path.with_file_name("settings.unusable-1.json");
        assert_eq!(fs::read(aside).unwrap(), [0xff, 0xfe]);
    }

    #[test]
    fn changes_at_the_same_time_are_all_kept() {
        let (_folder, store) = store();
        let change = |change: fn(&mut Settings)| {
            for _ in 0..20 {
                store.change(change).unwrap();
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(|| change(|settings| settings.start_muted = true));
            scope.spawn(|| change(|settings| settings.sounds.join = false));
        });
        let settings = store.peek();
        assert!(settings.start_muted && !settings.sounds.join);
    }

    #[test]
    fn one_change_leaves_the_rest() {
        let (_folder, store) = store();
        store.save(&chosen()).unwrap();
        store.change(|settings| settings.start_muted = false).unwrap();
        assert_eq!(store.load().unwrap().settings, Settings { start_muted: false, ..chosen() });
    }
}
