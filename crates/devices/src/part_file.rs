//! Files that appear under their name only when they are complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::DeviceError;

/// Buffered bytes before a write: a second of audio, a picture in a few calls.
const BUFFER_BYTES: usize = 128 * 1024;

/// Read and written by its owner alone.
const OWNER_ONLY: u32 = 0o600;

/// A file that is written as `NAME.part` and renamed to `NAME` by [`PartFile::finish`].
///
/// When writing fails the unfinished file is removed at once and every later call fails the same way. When the
/// process dies, or the value is dropped, `NAME.part` stays with what had been written; a value that is dropped before
/// anything was written leaves nothing behind.
#[derive(Debug)]
pub struct PartFile {
    state: State,
    content: Content,
    part: PathBuf,
    target: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Nothing,
    Something,
}

#[derive(Debug)]
enum State {
    Open(BufWriter<File>),
    Failed(DeviceError),
}

impl PartFile {
    /// Creates `target.part`, replacing one that an earlier run left behind. Only its owner can read it: what was said
    /// in a meeting is nobody else's business.
    ///
    /// # Errors
    /// [`DeviceError::Open`] when the file cannot be created.
    pub fn create(target: &Path) -> Result<Self, DeviceError> {
        let mut name = target.as_os_str().to_owned();
        name.push(".part");
        let part = PathBuf::from(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(OWNER_ONLY);
        let file = options.open(&part).map_err(|error| DeviceError::opening(&error))?;
        let state = State::Open(BufWriter::with_capacity(BUFFER_BYTES, file));
        Ok(Self { state, content: Content::Nothing, part, target: target.to_owned() })
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    /// [`DeviceError::Write`] or [`DeviceError::DiskFull`]; the unfinished file is removed.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), DeviceError> {
        self.content = Content::Something;
        self.attempt(|file| file.write_all(bytes))
    }

    /// Hands everything written so far to the operating system.
    ///
    /// # Errors
    /// As [`PartFile::append`].
    pub fn flush(&mut self) -> Result<(), DeviceError> {
        self.attempt(Write::flush)
    }

    /// Replaces the first bytes of the file by `bytes` after flushing; appending goes on at the end.
    ///
    /// # Errors
    /// As [`PartFile::append`].
    pub fn rewrite_start(&mut self, bytes: &[u8]) -> Result<(), DeviceError> {
        self.attempt(|file| {
            file.seek(SeekFrom::Start(0))?;
            file.write_all(bytes)?;
            file.seek(SeekFrom::End(0)).map(drop)
        })
    }

    /// Flushes, makes the file durable and gives it its name.
    ///
    /// # Errors
    /// As [`PartFile::append`].
    pub fn finish(mut self) -> Result<(), DeviceError> {
        // Complete even when it is empty.
        self.content = Content::Something;
        let (part, target) = (self.part.clone(), self.target.clone());
        self.attempt(|file| {
            file.flush()?;
            file.get_ref().sync_data()?;
            fs::rename(part, target)
        })
    }

    fn attempt(
        &mut self,
        action: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), DeviceError> {
        let file = match &mut self.state {
            State::Open(file) => file,
            State::Failed(error) => return Err(error.clone()),
        };
        let Err(error) = action(file) else { return Ok(()) };
        let error = DeviceError::writing(&error);
        let failed = std::mem::replace(&mut self.state, State::Failed(error.clone()));
        if let State::Open(file) = failed {
            // Taken apart so that dropping does not try to write the rest to the disk that just failed.
            drop(file.into_parts());
        }
        // Removing is best effort: the write error is the one to report.
        let _ = fs::remove_file(&self.part);
        Err(error)
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if self.content == Content::Nothing {
            // What cannot be removed is empty.
            let _ = fs::remove_file(&self.part);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn file_appears_under_its_name_only_when_finished() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("sound.wav");
        let mut file = PartFile::create(&target).unwrap();
        file.append(b"....body").unwrap();
        file.rewrite_start(b"head").unwrap();
        file.append(b"+tail").unwrap();
        assert!(!target.exists());
        file.finish().unwrap();
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, OWNER_ONLY);
        assert_eq!(fs::read(&target).unwrap(), b"headbody+tail");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn only_what_was_written_stays_behind_without_an_end() {
        let folder = tempfile::tempdir().unwrap();
        drop(PartFile::create(&folder.path().join("nothing.wav")).unwrap());
        let mut begun = PartFile::create(&folder.path().join("begun.wav")).unwrap();
        begun.append(b"something").unwrap();
        drop(begun);
        let left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["begun.wav.part"]);
        PartFile::create(&folder.path().join("empty.wav")).unwrap().finish().unwrap();
        assert_eq!(fs::read(folder.path().join("empty.wav")).unwrap(), b"");
    }

    #[test]
    fn missing_folder_is_reported_when_creating() {
        let folder = tempfile::tempdir().unwrap();
        let error = PartFile::create(&folder.path().join("none/sound.wav")).unwrap_err();
        assert_eq!(error, DeviceError::Open(io::ErrorKind::NotFound));
    }

    #[test]
    fn full_disk_removes_the_unfinished_file_and_stays_failed() {
        // A link to the device that is always full stands in for the part file on a full disk.
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("sound.wav.part");
        std::os::unix::fs::symlink("/dev/full", &part).unwrap();
        let mut file = PartFile::create(&folder.path().join("sound.wav")).unwrap();
        file.append(&[0; 16]).unwrap();
        assert_eq!(file.flush(), Err(DeviceError::DiskFull));
        assert_eq!(file.append(b"more"), Err(DeviceError::DiskFull));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert_eq!(file.finish(), Err(DeviceError::DiskFull));
    }
}
