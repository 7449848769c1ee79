//! One participant: a process, and what it has said so far.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::frame_log::FrameLog;

/// How to start a participant.
#[derive(Clone, Debug)]
pub struct Spawn {
    /// The `incamera-cli` to run.
    pub program: PathBuf,
    /// Its own home folder; made here.
    pub home: PathBuf,
    /// Name in the meeting.
    pub name: String,
    /// `--audio`.
    pub audio: String,
    /// `--video`.
    pub video: String,
    /// The invite to join by; without one the participant hosts.
    pub invite: Option<String>,
    /// What this participant spoils.
    pub sabotage: Option<String>,
    /// Further environment variables.
    pub environment: Vec<(String, String)>,
    /// Further arguments.
    pub more: Vec<String>,
}

/// A running (or ended) participant.
pub struct Participant {
    /// Name in the meeting.
    pub name: String,
    child: Child,
    lines: Receiver<Value>,
    frame_log: PathBuf,
    /// Latest statistics.
    pub statistics: Option<Value>,
    /// Spoken room code, once known.
    pub room_code: Option<String>,
    /// MLS epoch, once known.
    pub epoch: Option<u64>,
    /// Time from being admitted (its own admission, or that of the one who is seen, whichever was later) to the first
    /// decoded picture, by the name of who is seen.
    pub first_pictures_ms: Vec<(String, u64)>,
    /// When it told that a connection to the SFU was lost, machine-wide monotonic microseconds.
    pub sfu_lost_us: Vec<u64>,
    /// Problems that it reported, `(code, name of the person concerned)`.
    pub problems: Vec<(String, Option<String>)>,
    names: HashMap<String, String>,
    invite: Option<String>,
    exit: Option<ExitStatus>,
    is_judged: bool,
}

impl Participant {
    /// Starts the process.
    ///
    /// # Errors
    /// In words, when it cannot be started.
    pub fn spawn(spawn: &Spawn) -> Result<Self, String> {
        let frame_log = spawn.home.join("frames");
        std::fs::create_dir_all(&frame_log).map_err(|why| format!("{}: {why}", frame_log.display()))?;
        let mut command = Command::new(&spawn.program);
        match spawn.invite {
            Some(_) => command.args(["join", "-"]),
            None => command.args(["host", "--listen", "127.0.0.1:0"]),
        };
        command
            .args(["--name", &spawn.name, "--audio", &spawn.audio, "--video", &spawn.video, "--json"])
            .arg("--frame-log")
            .arg(&frame_log)
            .args(&spawn.more)
            .env("HOME", &spawn.home)
            .env_remove("XDG_RUNTIME_DIR")
            .envs(spawn.sabotage.iter().map(|kind| ("INCAMERA_SABOTAGE", kind)))
            .envs(spawn.environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|why| format!("{}: {why}", spawn.program.display()))?;
        if let (Some(mut stdin), Some(invite)) = (child.stdin.take(), &spawn.invite) {
            writeln!(stdin, "{invite}")
                .map_err(|why| format!("{} does not read its link: {why}", spawn.name))?;
        }
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let (said, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if serde_json::from_str(&line).is_ok_and(|value| said.send(value).is_err()) {
                    break;
                }
            }
        });
        Ok(Self {
            name: spawn.name.clone(),
            child,
            lines,
            frame_log,
            statistics: None,
            room_code: None,
            epoch: None,
            first_pictures_ms: Vec::new(),
            sfu_lost_us: Vec::new(),
            problems: Vec::new(),
            names: HashMap::new(),
            invite: None,
            exit: None,
            is_judged: false,
        })
    }

    /// Waits until the hosting participant printed its invite.
    ///
    /// # Errors
    /// In words, when it ended or the time was over.
    pub fn wait_for_invite(&mut self, limit: Duration) -> Result<String, String> {
        let began = Instant::now();
        while began.elapsed() < limit {
            self.drain(Duration::from_millis(100));
            if let Some(invite) = &self.invite {
                return Ok(invite.clone());
            }
            if let Some(exit) = self.exit {
                return Err(format!("the host ended before it gave an invite ({exit}): {:?}", self.problems));
            }
        }
        Err("the host gave no invite in time".to_owned())
    }

    /// Takes in what it says, for at most `wait`.
    pub fn drain(&mut self, wait: Duration) {
        let until = Instant::now() + wait;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => self.take(&line),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => {
                    self.exit = self.child.wait().ok();
                    break;
                }
            }
        }
    }

    fn take(&mut self, line: &Value) {
        let text = |key: &str| line.get(key).and_then(Value::as_str).map(str::to_owned);
        match line.get("event").and_then(Value::as_str) {
            Some("hosting") => self.invite = text("link"),
            Some("room_code_changed") if !self.is_judged => self.room_code = text("code"),
            Some("epoch_changed") if !self.is_judged => {
                self.epoch = line.get("epoch").and_then(Value::as_u64);
            }
            Some("first_picture") => {
                let after = line.get("after_admission_ms").and_then(Value::as_u64);
                self.first_pictures_ms.extend(text("name").zip(after));
            }
            Some("sfu_lost") => self.sfu_lost_us.extend(line["t_us"].as_u64()),
            Some("statistics") if !self.is_judged => self.statistics = Some(line.clone()),
            Some("problem") => self.problems.push((text("code").unwrap_or_default(), text("name"))),
            Some("joined") => self.learn_name(&line["member"]),
            Some("key_missing") => {
                let who = text("member").and_then(|member| self.names.get(&member).cloned());
                self.problems.push(("meeting.key.missing".to_owned(), who));
            }
            _ => {}
        }
    }

    fn learn_name(&mut self, member: &Value) {
        if let (Some(id), Some(name)) = (member["member"].as_str(), member["name"].as_str()) {
            self.names.insert(id.to_owned(), name.to_owned());
        }
    }

    /// The meeting is over for the verdict: leaving changes codes, epochs and rosters.
    pub(super) fn stop_judging(&mut self) {
        self.is_judged = true;
    }

    /// From how many others it has decoded a picture.
    #[must_use]
    pub fn pictures_from(&self) -> usize {
        self.rows().filter(|row| number(row, "video_frames_opened") > 0).count()
    }

    /// Time from being admitted to the first decoded picture of anybody.
    #[must_use]
    pub fn first_picture_ms(&self) -> Option<u64> {
        self.first_pictures_ms.first().map(|(_, after)| *after)
    }

    /// Rows of its latest statistics, one for each sender.
    pub fn rows(&self) -> impl Iterator<Item = &Value> {
        self.statistics.iter().filter_map(|all| all.get("received")?.as_array()).flatten()
    }

    /// Whether the process is gone.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.exit.is_some()
    }

    /// How it ended.
    #[must_use]
    pub fn exit(&self) -> Option<ExitStatus> {
        self.exit
    }

    /// Process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to leave as Ctrl-C does, and waits; after `limit` it is killed.
    pub fn leave(&mut self, limit: Duration) {
        signal(self.child.id(), rustix::process::Signal::INT);
        let began = Instant::now();
        while self.exit.is_none() && began.elapsed() < limit {
            self.drain(Duration::from_millis(100));
        }
        if self.exit.is_none() {
            self.problems.push(("demo.does_not_leave".to_owned(), Some(self.name.clone())));
            self.kill();
        }
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        // Failing means that it is gone already.
        let _ = self.child.kill();
        self.exit = self.child.wait().ok();
    }

    /// What it logged of every frame.
    #[must_use]
    pub fn frame_log(&self) -> FrameLog {
        FrameLog::read(&self.frame_log)
    }
}

impl Drop for Participant {
    fn drop(&mut self) {
        if self.exit.is_none() {
            self.kill();
        }
    }
}

/// Takes in what everybody says, for about `wait` in all.
pub(super) fn drain_for(people: &mut [Participant], wait: Duration) {
    let each = wait / u32::try_from(people.len()).unwrap_or(1).max(1);
    for person in people {
        person.drain(each);
    }
}

/// A whole number of a statistics row; 0 when it is not there.
pub(super) fn number(row: &Value, key: &str) -> u64 {
    row.get(key).and_then(Value::as_f64).map_or(0, |value| value as u64)
}

fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // Failing means that it is gone already.
        let _ = rustix::process::kill_process(pid, signal);
    }
}
