//! Files that only their owner may read, written whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::SettingsError;

/// Reads a file; `None` when there is none.
pub(crate) fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(why),
    }
}

/// What is written into a file: JSON (RFC 8259), laid out for people.
pub(crate) fn in_words(value: &(impl Serialize + ?Sized)) -> Result<String, SettingsError> {
    let text = serde_json::to_string_pretty(value).map_err(|why| SettingsError::Format(why.to_string()))?;
    Ok(text + "\n")
}

/// Writes a file anew. Whoever reads it meanwhile, or after a power cut, finds the old text or the new one.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), SettingsError> {
    // Somebody may keep the real file elsewhere and link to it.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let written = make_folder(path).and_then(|()| {
        let mut file = private().create(true).truncate(true).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        sync_folder(path)
    });
    written.map_err(|why| {
        // Nothing was there before, or what is there is half written.
        let _ = fs::remove_file(&beside);
        SettingsError::write(path, &why)
    })
}

/// Writes a file that is not there yet: `stem`, or `stem (2)` and so on, in `folder`. Gives the name that it took.
pub(crate) fn save_new(
    folder: &Path,
    stem: &str,
    extension: &str,
    text: &str,
) -> Result<String, SettingsError> {
    let names = std::iter::once(format!("{stem}.{extension}"))
        .chain((2..1_000).map(|number| format!("{stem} ({number}).{extension}")));
    let mut last = io::ErrorKind::AlreadyExists.into();
    for name in names {
        let path = folder.join(&name);
        let written = make_folder(&path)
            .and_then(|()| private().create_new(true).open(&path))
            .and_then(|mut file| file.write_all(text.as_bytes()));
        match written {
            Ok(()) => return Ok(name),
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => last = why,
            Err(why) => return Err(SettingsError::write(&path, &why)),
        }
    }
    Err(SettingsError::write(&folder.join(stem), &last))
}

/// Puts a file aside under a name that is free; gives that name.
pub(crate) fn put_aside(path: &Path) -> Result<String, SettingsError> {
    let name = |number: u32| path.with_extension(format!("unusable-{number}.json"));
    let free = (1..).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(0));
    fs::rename(path, &free).map_err(|why| SettingsError::aside(path, &why))?;
    Ok(free.file_name().unwrap_or_default().to_string_lossy().into_owned())
}

/// Opens for writing what only the owner may read.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes the folder of `path`, for the owner alone.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder_of(path))
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or_else(|| Path::new(".")).to_owned()
}

/// A renamed file is safe once its folder is written.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let save = |text| save_new(folder.path(), "meeting", "ics", text).unwrap();
        assert_eq!([save("one"), save("two")], ["meeting.ics", "meeting (2).ics"]);
        assert_eq!(fs::read_to_string(folder.path().join("meeting.ics")).unwrap(), "one");
    }

    #[cfg(unix)]
    #[test]
    fn files_and_folders_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ours/settings.json");
        replace(&path, "{}").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }

    #[cfg(unix)]
    #[test]
    fn a_linked_file_is_written_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let [real, link] = ["real.json", "settings.json"].map(|name| folder.path().join(name));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        replace(&link, "new").unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
