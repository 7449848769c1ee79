//! What a desktop does around a program, on a message bus of our own: a screen saver, the sleep of the computer, and
//! notifications, which say what is asked of them.

use std::collections::HashMap;
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::runtime::Runtime;
use zbus::connection::Builder;
use zbus::names::BusName;
use zbus::{Connection, DynamicType, OwnedFd, OwnedVariant};

/// The bus and everything that uses it are processes of this computer; it may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running bus with its services; ends when dropped.
pub struct DesktopServices {
    daemon: Child,
    folder: tempfile::TempDir,
    bus: Connection,
    runtime: Runtime,
    asked: Receiver<Asked>,
}

/// What a program asked of the desktop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To keep the screen on, for this reason.
    ScreenOn(String),
    /// To let it go dark again.
    ScreenFree,
    /// Not to let the computer do this, in this way (`block`, `delay`).
    Hold(String, String),
    /// No more.
    Release(String, String),
    /// To show a notification.
    Notify {
        /// Its number.
        id: u32,
        /// One line.
        title: String,
        /// What follows.
        text: String,
    },
}

struct ScreenSaver(Sender<Asked>);

struct Login(Sender<Asked>);

struct Notifications {
    asked: Sender<Asked>,
    shown: AtomicU32,
}

#[zbus::interface(name = "org.freedesktop.ScreenSaver")]
impl ScreenSaver {
    fn inhibit(&self, _application: &str, reason: String) -> u32 {
        tell(&self.0, Asked::ScreenOn(reason));
        1
    }

    fn un_inhibit(&self, _cookie: u32) {
        tell(&self.0, Asked::ScreenFree);
    }
}

#[zbus::interface(name = "org.freedesktop.login1.Manager")]
impl Login {
    fn inhibit(&self, what: String, _who: &str, _why: &str, mode: String) -> zbus::fdo::Result<OwnedFd> {
        let (mut ours, theirs) = std::io::pipe().map_err(|why| zbus::fdo::Error::Failed(why.to_string()))?;
        tell(&self.0, Asked::Hold(what.clone(), mode.clone()));
        let asked = self.0.clone();
        std::thread::spawn(move || {
            // Nothing is ever written: it ends when the last copy of the other end is closed.
            let _ = ours.read(&mut [0]);
            tell(&asked, Asked::Release(what, mode));
        });
        Ok(std::os::fd::OwnedFd::from(theirs).into())
    }
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Notifications {
    fn get_capabilities(&self) -> Vec<&str> {
        vec!["actions", "body", "body-markup"]
    }

    #[expect(clippy::too_many_arguments, reason = "the specification has as many")]
    fn notify(
        &self,
        _application: &str,
        replaces: u32,
        _icon: &str,
        title: String,
        text: String,
        _actions: Vec<String>,
        _hints: HashMap<String, OwnedVariant>,
        _expires_ms: i32,
    ) -> u32 {
        let id = if replaces == 0 { self.shown.fetch_add(1, Ordering::Relaxed) + 1 } else { replaces };
        tell(&self.asked, Asked::Notify { id, title, text });
        id
    }
}

fn tell(asked: &Sender<Asked>, what: Asked) {
    // Nobody listens: the test is over.
    let _ = asked.send(what);
}

impl DesktopServices {
    /// Starts a bus with the services.
    ///
    /// # Panics
    /// Without dbus-daemon there is no bus.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let socket = folder.path().join("bus");
        let address = address(&folder);
        let daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", &format!("--address={address}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon (package dbus) can be started");
        let until = Instant::now() + PATIENCE;
        while !socket.exists() {
            assert!(Instant::now() < until, "the bus does not come up");
            std::thread::yield_now();
        }
        let (tell, asked) = channel();
        let runtime = Runtime::new().expect("a runtime can be made");
        let bus = runtime.block_on(serve(&address, &tell)).expect("services can be offered");
        Self { daemon, folder, bus, runtime, asked }
    }

    /// The environment of programs that are to use them.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 2] {
        let address = address(&self.folder);
        [("DBUS_SESSION_BUS_ADDRESS", address.clone()), ("DBUS_SYSTEM_BUS_ADDRESS", address)]
    }

    /// The next thing that is asked.
    ///
    /// # Panics
    /// When nothing is.
    #[must_use]
    pub fn next(&self) -> Asked {
        self.asked.recv_timeout(PATIENCE).expect("something is asked of the desktop")
    }

    /// What was asked and not looked at yet.
    #[must_use]
    pub fn rest(&self) -> Vec<Asked> {
        self.asked.try_iter().collect()
    }

    /// The computer is about to sleep.
    ///
    /// # Panics
    /// When the bus is gone.
    pub fn fall_asleep(&self) {
        self.emit("/org/freedesktop/login1", "org.freedesktop.login1.Manager", "PrepareForSleep", &(true,));
    }

    /// The computer has slept.
    ///
    /// # Panics
    /// When the bus is gone.
    pub fn wake_up(&self) {
        self.emit("/org/freedesktop/login1", "org.freedesktop.login1.Manager", "PrepareForSleep", &(false,));
    }

    /// The person clicks on a notification.
    ///
    /// # Panics
    /// When the bus is gone.
    pub fn click(&self, id: u32) {
        let path = "/org/freedesktop/Notifications";
        self.emit(path, "org.freedesktop.Notifications", "ActionInvoked", &(id, "default"));
    }

    fn emit(&self, path: &str, interface: &str, signal: &str, body: &(impl Serialize + DynamicType)) {
        let emitted = self.bus.emit_signal(None::<BusName<'_>>, path, interface, signal, body);
        self.runtime.block_on(emitted).expect("a signal can be sent");
    }
}

fn address(folder: &tempfile::TempDir) -> String {
    format!("unix:path={}", folder.path().join("bus").display())
}

async fn serve(address: &str, asked: &Sender<Asked>) -> zbus::Result<Connection> {
    let notifications = Notifications { asked: asked.clone(), shown: AtomicU32::new(0) };
    Builder::address(address)
        .serve_at("/org/freedesktop/ScreenSaver", ScreenSaver(asked.clone()))
        .serve_at("/org/freedesktop/login1", Login(asked.clone()))
        .serve_at("/org/freedesktop/Notifications", notifications)
        .name("org.freedesktop.ScreenSaver")
        .name("org.freedesktop.login1")
        .name("org.freedesktop.Notifications")
        .build()
        .await
}

impl Drop for DesktopServices {
    fn drop(&mut self) {
        // Failing means that it is gone already.
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}
