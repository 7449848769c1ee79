//! The owner-only socket through which `admit`, `deny`, `remove`, `lock`, `say` and `show` reach a hosted meeting.
//!
//! One request and one answer, a JSON object a line each. The socket lies in a folder that only its owner may
//! enter, and the other end's user id is checked besides.

mod request;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use incamera_instance::own_folder;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

pub(crate) use request::Request;

/// Longest request or answer line: a roster of a full room fits.
const MAX_LINE: u64 = 512 * 1024;

/// How long one request may take: who says nothing is not waited for.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Pause after a call that could not be taken.
const AFTER_REFUSAL: Duration = Duration::from_millis(100);

/// What the meeting answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// Whether it was done.
    pub(crate) ok: bool,
    /// What was done, or why not, in plain words; a line for each person for `show`.
    pub(crate) text: String,
}

/// A request with the way to answer it.
pub(crate) type Asked = (Request, oneshot::Sender<Answer>);

/// The socket of this process; the file goes when it is dropped.
pub(crate) struct ControlSocket {
    path: PathBuf,
    serving: JoinHandle<()>,
}

impl ControlSocket {
    /// Opens the socket and hands every request to `asked`.
    pub(crate) fn open(asked: mpsc::Sender<Asked>) -> io::Result<Self> {
        let folder = own_folder()?;
        let path = folder.join(format!("host-{}.sock", std::process::id()));
        // Left behind by a process that was killed and had the same id.
        let _ = fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        let serving = tokio::spawn(serve(listener, asked));
        Ok(Self { path, serving })
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        self.serving.abort();
        let _ = fs::remove_file(&self.path);
    }
}

async fn serve(listener: UnixListener, asked: mpsc::Sender<Asked>) {
    let owner = rustix::process::getuid().as_raw();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Too many files are open, or whoever called is gone: the next call may find it better.
            sleep(AFTER_REFUSAL).await;
            continue;
        };
        let same_user = stream.peer_cred().is_ok_and(|peer| peer.uid() == owner);
        if same_user {
            tokio::spawn(timeout(ANSWER_LIMIT, answer(stream, asked.clone())));
        }
    }
}

async fn answer(stream: UnixStream, asked: mpsc::Sender<Asked>) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read.take(MAX_LINE)).read_line(&mut line).await?;
    let answer = match Request::parse(&line) {
        Ok(request) => {
            let (reply, replied) = oneshot::channel();
            let gone = || Answer { ok: false, text: "The meeting is over.".to_owned() };
            match asked.send((request, reply)).await {
                Ok(()) => replied.await.unwrap_or_else(|_| gone()),
                Err(_) => gone(),
            }
        }
        Err(_) => Answer { ok: false, text: "This request is of another version of the program.".to_owned() },
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    write.write_all(&text).await
}

/// Asks the meeting hosted by process `host`, or the only one there is.
pub(crate) async fn ask(host: Option<u32>, request: &Request) -> io::Result<Answer> {
    let stream = connect(host).await?;
    let (read, mut write) = stream.into_split();
    let mut text = serde_json::to_vec(request)?;
    text.push(b'\n');
    write.write_all(&text).await?;
    let mut line = String::new();
    BufReader::new(read.take(MAX_LINE)).read_line(&mut line).await?;
    serde_json::from_str(&line).map_err(io::Error::from)
}

async fn connect(host: Option<u32>) -> io::Result<UnixStream> {
    let folder = own_folder()?;
    if let Some(pid) = host {
        let connected = UnixStream::connect(folder.join(format!("host-{pid}.sock"))).await;
        return connected.map_err(|_| {
            io::Error::new(io::ErrorKind::NotFound, format!("process {pid} hosts no meeting of yours here"))
        });
    }
    let mut found = Vec::new();
    for path in sockets(&folder)? {
        match UnixStream::connect(&path).await {
            Ok(stream) => found.push(stream),
            // Nobody listens: the process that made it was killed.
            Err(why) if why.kind() == io::ErrorKind::ConnectionRefused => drop(fs::remove_file(&path)),
            Err(_) => {}
        }
    }
    match (found.pop(), found.len()) {
        (Some(stream), 0) => Ok(stream),
        (None, _) => {
            Err(io::Error::new(io::ErrorKind::NotFound, "no meeting is hosted by you on this computer"))
        }
        _ => Err(io::Error::other("several meetings are hosted by you here: say which with --host PID")),
    }
}

fn sockets(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(folder)?.filter_map(Result::ok).map(|entry| entry.path());
    Ok(paths.filter(|path| path.extension().is_some_and(|end| end == "sock")).collect())
}
