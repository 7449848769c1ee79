//! A microphone that nobody sees: a PulseAudio server without hardware, which says who listens.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The server and everything that uses it are processes of this computer; it may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server with one microphone and one speaker; ends when dropped.
pub struct Sound {
    server: Child,
    folder: tempfile::TempDir,
}

impl Sound {
    /// Starts the server.
    ///
    /// # Panics
    /// Without PulseAudio there is no sound.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        // Anybody may connect, but has to show something of the length of a cookie.
        std::fs::write(folder.path().join("cookie"), [0; 256]).expect("a file can be written");
        let socket = folder.path().join("native");
        let socket = format!("module-native-protocol-unix auth-anonymous=1 socket={}", socket.display());
        let modules =
            [&socket, "module-null-sink sink_name=speaker", "module-null-source source_name=microphone"];
        let server = Command::new("pulseaudio")
            .args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--log-level=error"])
            .args(modules.iter().flat_map(|module| ["-L", module]))
            .env("HOME", folder.path())
            .env("XDG_RUNTIME_DIR", folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("pulseaudio (package pulseaudio) can be started");
        let sound = Self { server, folder };
        sound.wait_until(|sound| sound.control(&["info"]).is_some());
        sound
    }

    /// The environment of programs that are to use it.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 2] {
        let server = format!("unix:{}", self.folder.path().join("native").display());
        [("PULSE_SERVER", server), ("PULSE_COOKIE", self.folder.path().join("cookie").display().to_string())]
    }

    /// Whether a program has the microphone open.
    ///
    /// # Panics
    /// When the server does not answer.
    #[must_use]
    pub fn is_listened_to(&self) -> bool {
        let listeners = self.control(&["list", "short", "source-outputs"]).expect("the server answers");
        !listeners.trim().is_empty()
    }

    /// Waits until a program has the microphone open.
    ///
    /// # Panics
    /// When none opens it.
    pub fn wait_for_listener(&self) {
        self.wait_until(Self::is_listened_to);
    }

    fn wait_until(&self, holds: impl Fn(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < until, "this does not happen at the sound server");
        }
    }

    fn control(&self, arguments: &[&str]) -> Option<String> {
        let mut command = Command::new("pactl");
        let output = command.args(arguments).envs(self.environment()).output();
        let output = output.expect("pactl (package pulseaudio-utils) can be run");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Sound {
    fn drop(&mut self) {
        // Failing means that it is gone already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
