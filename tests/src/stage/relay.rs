//! `incamera-relay` as its own process, and a doorway in front of it that can be shut.

use std::io::{BufRead as _, BufReader};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process};

/// A running relay with its SFU.
pub struct RelayProcess {
    child: Child,
    log: Arc<Mutex<String>>,
    /// Where it listens.
    pub address: SocketAddr,
    /// The key of its certificate, as `--relay-pin` takes it.
    pub pin: String,
}

impl RelayProcess {
    /// Starts `command`, an `incamera-relay` with its configuration, and waits until it has said where it listens.
    /// A relay that makes its own certificate says its `pin` too.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start(mut command: Command, mut pin: Option<String>) -> Self {
        command.env("NO_COLOR", "1").env("RUST_LOG", "info").stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("incamera-relay can be started");
        let mut lines = BufReader::new(child.stderr.take().expect("standard error is a pipe")).lines();
        let mut address = None;
        let log = Arc::new(Mutex::new(String::new()));
        while address.is_none() || pin.is_none() {
            let line = lines.next().expect("the relay comes up").expect("its log is text");
            note(&log, &line);
            if line.contains("(TCP)") {
                address = field(&line, "address=").map(|text| text.parse().expect("an address"));
            }
            pin = pin.or_else(|| field(&line, "pin=").map(|text| text.trim_matches('"').to_owned()));
        }
        // Read on, so that the relay never waits for a full pipe.
        let noted = Arc::clone(&log);
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| note(&noted, &line)));
        let (address, pin) = address.zip(pin).expect("both were said");
        Self { child, log, address, pin }
    }

    /// Everything that it has written to its log.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process has an id");
        kill_process(pid, signal).expect("the relay can be signalled");
    }
}

fn note(log: &Mutex<String>, line: &str) {
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.push_str(line);
    log.push('\n');
}

fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split(name).nth(1)?.split_whitespace().next()
}

impl Drop for RelayProcess {
    fn drop(&mut self) {
        // Failing means that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Forwards TCP connections while it is open. Media, which goes by UDP, does not pass here: what is cut off by
/// shutting it is the relay without its SFU.
pub struct Doorway {
    address: SocketAddr,
    door: Arc<Mutex<Door>>,
}

#[derive(Default)]
struct Door {
    is_shut: bool,
    passing: Vec<TcpStream>,
}

impl Doorway {
    /// Opens a doorway to `target` on a free port of loopback.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let door = Arc::new(Mutex::new(Door::default()));
        let state = Arc::clone(&door);
        std::thread::spawn(move || {
            for outer in listener.incoming().flatten() {
                let mut door = state.lock().unwrap_or_else(PoisonError::into_inner);
                if door.is_shut {
                    continue;
                }
                if let Ok(inner) = TcpStream::connect(target) {
                    door.passing.extend(pass(&outer, &inner).into_iter().flatten());
                }
            }
        });
        Self { address, door }
    }

    /// Where to connect to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts every connection and lets none through.
    pub fn shut(&self) {
        let mut door = self.door.lock().unwrap_or_else(PoisonError::into_inner);
        door.is_shut = true;
        for stream in door.passing.drain(..) {
            // It may be over already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets connections through again.
    pub fn open(&self) {
        self.door.lock().unwrap_or_else(PoisonError::into_inner).is_shut = false;
    }
}

/// Copies both ways until one end closes; gives handles by which to cut it.
fn pass(outer: &TcpStream, inner: &TcpStream) -> std::io::Result<[TcpStream; 2]> {
    let handles = [outer.try_clone()?, inner.try_clone()?];
    for (from, to) in [(outer, inner), (inner, outer)] {
        let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
        std::thread::spawn(move || {
            // Either end may close at any time.
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    Ok(handles)
}
