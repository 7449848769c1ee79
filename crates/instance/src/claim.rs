//! One window for each person: a later start hands what it was asked to the first over a socket that only the person can
//! open, so that a link is in no list of processes and on no bus, and ends.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::own_folder;

/// The longest that is read: a link of the greatest length and a name fit several times.
const MAX_BYTES: u64 = 32 * 1024;

/// How long one side waits for the other within one hand-over: the first may still be opening its window.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// How long a later start tries: the first may be ending a meeting, and leaves its place when that is done.
const LIMIT: Duration = Duration::from_secs(8);

/// Pause between two tries, and after a call that could not be taken.
const PAUSE: Duration = Duration::from_millis(50);

/// What the first start answers when it has taken in what it was told.
const TAKEN: &[u8] = b"taken";

/// Which of several starts this process is.
pub enum Start {
    /// The one with the window.
    First(LaterStarts),
    /// Another has the window, and does what this one was asked.
    Later,
}

/// Where later starts are heard.
pub struct LaterStarts {
    listener: UnixListener,
    /// Held for as long as this process lives; the system lets go of it whatever happens.
    lock: File,
}

/// Becomes the process with the window, or hands `message` to the one that is.
///
/// # Errors
/// When there is no folder for it, or the one that has the window does not answer.
pub fn claim(message: &[u8]) -> io::Result<Start> {
    claim_in(&own_folder()?, message, LIMIT)
}

fn claim_in(folder: &Path, message: &[u8], limit: Duration) -> io::Result<Start> {
    let path = folder.join("window");
    let lock = File::create(folder.join("window.lock"))?;
    let until = Instant::now() + limit;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(Start::First(LaterStarts { listener: listen(&path)?, lock })),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(why)) => return Err(why),
        }
        match hand_over(&path, message) {
            Ok(()) => return Ok(Start::Later),
            Err(why) if Instant::now() >= until => return Err(why),
            // It does not listen yet, or is about to end.
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    // Left behind by a process that is gone: its lock is ours now.
    let _ = fs::remove_file(path);
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn hand_over(path: &Path, message: &[u8]) -> io::Result<()> {
    let mut stream = UnixStream::connect(path)?;
    limit(&stream)?;
    stream.write_all(message)?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    stream.take(MAX_BYTES).read_to_end(&mut answer)?;
    if answer == TAKEN { Ok(()) } else { Err(io::Error::other("the running app does not take it")) }
}

fn limit(stream: &UnixStream) -> io::Result<()> {
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    stream.set_write_timeout(Some(ANSWER_LIMIT))
}

/// Whether the first start does what a later one was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It does.
    Taken,
    /// It does not understand it, or is ending: the later start may take its place.
    NotTaken,
}

impl LaterStarts {
    /// Hears the message of every later start, on a thread of its own.
    pub fn listen(self, mut heard: impl FnMut(&[u8]) -> Heard + Send + 'static) {
        std::thread::spawn(move || {
            let _lock = self.lock;
            loop {
                let taken = self.listener.accept().and_then(|(stream, _)| take(&stream, &mut heard));
                if taken.is_err() {
                    // Who called is gone, or too many files are open: the next call may find it better.
                    std::thread::sleep(PAUSE);
                }
            }
        });
    }
}

fn take(mut stream: &UnixStream, heard: &mut impl FnMut(&[u8]) -> Heard) -> io::Result<()> {
    limit(stream)?;
    let mut message = Vec::new();
    stream.take(MAX_BYTES).read_to_end(&mut message)?;
    match heard(&message) {
        Heard::Taken => stream.write_all(TAKEN),
        Heard::NotTaken => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    fn first(folder: &Path) -> LaterStarts {
        match claim_in(folder, b"", LIMIT).unwrap() {
            Start::First(first) => first,
            Start::Later => panic!("nobody was there"),
        }
    }

    #[test]
    fn later_starts_hand_what_they_were_asked_to_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let (tell, told) = channel();
        first(folder.path()).listen(move |message| {
            tell.send(message.to_vec()).unwrap();
            Heard::Taken
        });
        for message in [&b"incamera://a/#b"[..], b""] {
            assert!(matches!(claim_in(folder.path(), message, LIMIT).unwrap(), Start::Later));
            assert_eq!(told.recv_timeout(LIMIT).unwrap(), message);
        }
    }

    #[test]
    /// SEC-14.
    fn socket_of_the_window_is_the_persons_alone() {
        let folder = tempfile::tempdir().unwrap();
        let _first = first(folder.path());
        let mode = fs::metadata(folder.path().join("window")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn place_of_a_process_that_is_gone_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        drop(first(folder.path()));
        assert!(folder.path().join("window").exists());
        let _second = first(folder.path());
    }

    #[test]
    fn start_that_is_not_taken_in_is_told_so() {
        let folder = tempfile::tempdir().unwrap();
        first(folder.path()).listen(|_| Heard::NotTaken);
        assert!(claim_in(folder.path(), b"", Duration::ZERO).is_err());
    }

    #[test]
    fn caller_that_says_too_much_is_cut_off_and_not_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let (tell, told) = channel();
        first(folder.path()).listen(move |message| {
            tell.send(message.len() as u64).unwrap();
            Heard::Taken
        });
        // The rest is refused while it is written, or not looked at.
        let _ = claim_in(folder.path(), &[b'a'; 2 * MAX_BYTES as usize], Duration::ZERO);
        assert_eq!(told.recv_timeout(LIMIT).unwrap(), MAX_BYTES);
        assert!(matches!(claim_in(folder.path(), b"", LIMIT).unwrap(), Start::Later));
    }
}
