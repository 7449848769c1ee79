//! The log file: small, rotated, for its owner alone, and without links or addresses.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Mutex;

use tracing_subscriber::fmt::writer::MakeWriterExt as _;

use crate::Folders;
use crate::private_file::{make_folder, private};

/// What happens goes to standard error and into the log file. Libraries speak only of errors: their warnings say
/// nothing to a person. Once in a process.
pub fn begin_log(folders: &Folders) {
    let filter = tracing_subscriber::EnvFilter::new("error,incamera=warn");
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    match LogFile::open(folders.log()) {
        Ok(file) => log.with_writer(io::stderr.and(Mutex::new(file))).init(),
        Err(_) => log.with_writer(io::stderr).init(),
    }
}

/// A file of this size is put away.
const MAX_BYTES: u64 = 1 << 20;

/// Files that are kept beside the newest.
const KEPT: u32 = 2;

/// Writes lines. The newest file is `incamera.log`, the one before `incamera.log.1`.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    max_bytes: u64,
}

impl LogFile {
    /// Goes on with the file at `path`.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        Self::with_limit(path, MAX_BYTES)
    }

    fn with_limit(path: PathBuf, max_bytes: u64) -> io::Result<Self> {
        make_folder(&path)?;
        let file = private().create(true).append(true).open(&path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path, file, bytes, max_bytes })
    }

    fn rotate(&mut self) -> io::Result<()> {
        let name = |number: u32| match number {
            0 => self.path.clone(),
            number => self.path.with_extension(format!("log.{number}")),
        };
        for number in (0..KEPT).rev() {
            match fs::rename(name(number), name(number + 1)) {
                Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
                _ => {}
            }
        }
        self.file = private().create(true).append(true).open(&self.path)?;
        self.bytes = 0;
        Ok(())
    }
}

impl Write for LogFile {
    /// Writes one whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.bytes >= self.max_bytes {
            self.rotate()?;
        }
        let text = redact(&String::from_utf8_lossy(line));
        self.file.write_all(text.as_bytes())?;
        self.bytes += text.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// `text` without links and network addresses: `incamera:…` and `…` stand in their place.
#[must_use]
pub fn redact(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let is_end = |c: char| c.is_whitespace() || "\"'`()<>{},;=".contains(c);
    for word in text.split_inclusive(is_end) {
        let bare = word.trim_end_matches(is_end).trim_end_matches(['.', ':']);
        match bare.split_once("://") {
            Some((scheme, _)) => {
                safe.push_str(scheme);
                safe.push_str(":…");
            }
            None if is_address(bare) => safe.push('…'),
            None => safe.push_str(bare),
        }
        safe.push_str(word.strip_prefix(bare).unwrap_or_default());
    }
    safe
}

fn is_address(word: &str) -> bool {
    let bare = word.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok() || word.parse::<SocketAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_addresses_never_reach_the_log() {
        for (said, written) in [
            ("join incamera://h:1/#AWx1 now\n", "join incamera:… now\n"),
            ("url=\"https://meet.example/j#AWx1\", code=x", "url=\"https:…\", code=x"),
            ("connect to 192.168.0.12:40123: refused", "connect to …: refused"),
            ("from [2001:db8::1]:443.", "from …."),
            ("peer ::1, fe80::1", "peer …, …"),
            ("12:04:05 WARN incamera::media code=1.2.3", "12:04:05 WARN incamera::media code=1.2.3"),
        ] {
            assert_eq!(redact(said), written);
        }
    }

    #[test]
    fn old_files_are_put_away_and_then_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/incamera.log");
        let mut log = LogFile::with_limit(path.clone(), 10).unwrap();
        for number in 0..8 {
            log.write_all(format!("line {number}\n").as_bytes()).unwrap();
        }
        drop(log);
        let mut log = LogFile::with_limit(path.clone(), 10).unwrap();
        log.write_all(b"line 8\n").unwrap();
        let text = |name: &str| fs::read_to_string(path.with_file_name(name)).unwrap();
        assert_eq!(text("incamera.log"), "line 8\n");
        assert_eq!(text("incamera.log.1"), "line 6\nline 7\n");
        assert_eq!(text("incamera.log.2"), "line 4\nline 5\n");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 3);
    }
}
