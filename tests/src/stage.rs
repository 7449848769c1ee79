//! A place where people hold meetings on this computer: each a real process with a home of its own, watched from
//! outside through what it prints and what it writes.
//!
//! Read first: [`Stage`], [`Cast`], [`Watched`].

mod logs;
mod relay;
mod watched;

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rcgen::PublicKeyData as _;

pub use logs::{LoggedFrame, folder_of, longest_loss, received_from, sent};
pub use relay::{Doorway, RelayProcess};
pub use watched::{Outcome, Watched, seconds_since};

/// The longest that anything may take that should take a second or two: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The programs under test and a temporary folder. One meeting is on stage at a time, whatever runs the tests, so
/// that times mean something.
pub struct Stage {
    folder: tempfile::TempDir,
    programs: PathBuf,
    _alone: Option<File>,
}

/// What one person does in a meeting.
#[derive(Clone, Debug)]
pub struct Cast<'a> {
    /// Name in the meeting, and of the home folder.
    pub name: &'a str,
    /// `--audio`.
    pub audio: &'a str,
    /// `--video`.
    pub video: &'a str,
    /// Further arguments.
    pub more: &'a [&'a str],
    /// Further environment.
    pub environment: &'a [(&'a str, &'a str)],
}

impl<'a> Cast<'a> {
    /// Somebody who sends a tone and a small moving pattern.
    #[must_use]
    pub const fn named(name: &'a str) -> Self {
        let more: &[&str] = &["--pattern-size", "320x180", "--video-kbps", "300"];
        Self { name, audio: "tone", video: "pattern", more, environment: &[] }
    }

    /// Somebody who sends silence and no picture.
    #[must_use]
    pub const fn quiet(name: &'a str) -> Self {
        Self { name, audio: "silence", video: "none", more: &[], environment: &[] }
    }
}

impl Stage {
    /// A stage for processes that do not have to keep time.
    ///
    /// # Panics
    /// Without programs or a temporary folder there is nothing to test.
    #[must_use]
    pub fn new() -> Self {
        let own = std::env::current_exe().expect("a test has a path");
        let is_here = |folder: &&Path| folder.join("incamera-cli").is_file();
        let programs = own.ancestors().find(is_here).expect("`cargo build --workspace --bins` comes first");
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Self { programs: programs.to_owned(), folder, _alone: None }
    }

    /// A stage for the programs in another folder, which are started from wherever a person's home is.
    ///
    /// # Panics
    /// As [`Stage::new`].
    #[must_use]
    pub fn for_programs(folder: &Path) -> Self {
        let programs = std::path::absolute(folder).expect("the folder has a path");
        Self { programs, ..Self::for_meeting() }
    }

    /// A stage that waits until no other meeting is on.
    ///
    /// # Panics
    /// As [`Stage::new`].
    #[must_use]
    pub fn for_meeting() -> Self {
        let stage = Self::new();
        let lock = File::create(stage.programs.join("incamera-stage.lock")).expect("a lock file can be made");
        lock.lock().expect("this file system has locks");
        Self { _alone: Some(lock), ..stage }
    }

    /// A path below the temporary folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The home of a person, made if need be.
    ///
    /// # Panics
    /// When the folder cannot be made.
    #[must_use]
    pub fn home(&self, name: &str) -> PathBuf {
        let home = self.path(name);
        std::fs::create_dir_all(&home).expect("a home can be made");
        home
    }

    /// Where [`Stage::host`] and [`Stage::join`] let a person log its frames.
    #[must_use]
    pub fn frames(&self, name: &str) -> PathBuf {
        self.path(name).join("frames")
    }

    /// Where a program of this workspace is.
    #[must_use]
    pub fn program_path(&self, program: &str) -> PathBuf {
        self.programs.join(program)
    }

    /// A program of this workspace in the home of `name`.
    #[must_use]
    pub fn program(&self, program: &str, name: &str) -> Command {
        let mut command = Command::new(self.program_path(program));
        let home = self.home(name);
        command.current_dir(&home).env("HOME", &home).env_remove("XDG_RUNTIME_DIR");
        command.stdin(Stdio::null());
        command
    }

    /// Hosts a meeting on a free port of loopback; gives the host and its invite.
    ///
    /// # Panics
    /// When no invite is printed.
    #[must_use]
    pub fn host(&self, cast: &Cast<'_>) -> (Watched, String) {
        let mut command = self.program("incamera-cli", cast.name);
        command.args(["host", "--listen", "127.0.0.1:0"]);
        self.host_with(command, cast)
    }

    /// Hosts a meeting with `command`, to which what `cast` does is added.
    ///
    /// # Panics
    /// When no invite is printed.
    #[must_use]
    pub fn host_with(&self, mut command: Command, cast: &Cast<'_>) -> (Watched, String) {
        self.take_part(&mut command, cast);
        let mut host = Watched::start(command, cast.name);
        let hosting = host.wait_for("hosting", PATIENCE, |_| true);
        let link = hosting["link"].as_str().expect("an invite is text").to_owned();
        host.wait_for("state_changed", PATIENCE, |event| event["state"] == "in_meeting");
        (host, link)
    }

    /// Joins by `link`, without waiting for anything.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn join(&self, link: &str, cast: &Cast<'_>) -> Watched {
        let mut command = self.program("incamera-cli", cast.name);
        command.args(["join", "-"]).stdin(Stdio::piped());
        self.take_part(&mut command, cast);
        let mut joining = Watched::start(command, cast.name);
        let mut input = joining.input().expect("standard input is a pipe");
        writeln!(input, "{link}").expect("the link is read");
        joining
    }

    fn take_part(&self, command: &mut Command, cast: &Cast<'_>) {
        command
            .args(["--name", cast.name, "--audio", cast.audio, "--video", cast.video, "--json"])
            .args(cast.more)
            .envs(cast.environment.iter().copied());
        if !cast.more.contains(&"--out") {
            command.arg("--frame-log").arg(self.frames(cast.name));
        }
    }

    /// Starts a relay with an embedded SFU and a self-signed certificate on free ports of loopback, where anybody may
    /// make rooms.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn relay(&self) -> RelayProcess {
        self.relay_with("")
    }

    /// As [`Stage::relay`], with further lines of its configuration.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn relay_with(&self, settings: &str) -> RelayProcess {
        RelayProcess::start(self.relay_command("127.0.0.1:0", settings), None)
    }

    /// As [`Stage::relay`], at an address and with a certificate that stay when it is started again.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn relay_at(&self, listen: &str) -> RelayProcess {
        let (certificate, key, pin) =
            ["certificate.pem", "key.pem", "pin"].map(|name| self.path(name)).into();
        if !pin.exists() {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
            let digest = incamera_identity::sha256(&made.signing_key.subject_public_key_info());
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            for (path, text) in
                [(&certificate, made.cert.pem()), (&key, made.signing_key.serialize_pem()), (&pin, hex)]
            {
                std::fs::write(path, text).expect("a file can be written");
            }
        }
        let files = format!("[tls.files]\ncertificate = {certificate:?}\nkey = {key:?}");
        let pin = std::fs::read_to_string(&pin).expect("it was written before");
        RelayProcess::start(self.relay_command(listen, &files), Some(pin))
    }

    fn relay_command(&self, listen: &str, settings: &str) -> Command {
        let config = self.path("relay.toml");
        let text = format!("listen = [\"{listen}\"]\ncreate = \"anyone\"\n{settings}\n");
        std::fs::write(&config, text).expect("a file can be written");
        let mut command = self.program("incamera-relay", "relay");
        command.arg("--config").arg(config);
        command
    }

    /// Hosts a meeting on the relay with this key that is reached at `address`.
    ///
    /// # Panics
    /// As [`Stage::host`].
    #[must_use]
    pub fn host_on(
        &self,
        address: SocketAddr,
        pin: &str,
        more: &[&str],
        cast: &Cast<'_>,
    ) -> (Watched, String) {
        let mut command = self.program("incamera-cli", cast.name);
        command.args(["host", "--relay", &address.to_string(), "--relay-pin", pin]).args(more);
        self.host_with(command, cast)
    }

    /// Starts `incamera-cli` with these arguments and no more.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn start(&self, name: &str, arguments: &[&str]) -> Watched {
        let mut command = self.program("incamera-cli", name);
        command.args(arguments);
        Watched::start(command, &arguments.join(" "))
    }

    /// Asks the meeting that `host` hosts, as `incamera-cli admit Ben` does.
    ///
    /// # Panics
    /// When the program cannot be run.
    pub fn ask(&self, host: &str, arguments: &[&str]) -> Output {
        let mut command = self.program("incamera-cli", host);
        command.args(arguments).output().expect("incamera-cli can be run")
    }
}

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}
