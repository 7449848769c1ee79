//! A process and everything it says, with waits that end.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A running process that prints JSON lines.
pub struct Watched {
    name: String,
    child: Child,
    lines: Receiver<Value>,
    events: Vec<Value>,
    /// Events before this one were waited for already.
    from: usize,
    complaints: File,
    exit: Option<ExitStatus>,
}

/// How a process ended and what it said.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Every JSON line of standard output.
    pub events: Vec<Value>,
    /// Standard error.
    pub complaints: String,
}

/// Seconds from `begin_us`, on the machine's monotonic clock, to an event.
///
/// # Panics
/// When it has no time.
#[must_use]
pub fn seconds_since(begin_us: u64, event: &Value) -> f64 {
    let at = event["t_us"].as_u64().expect("events have a time");
    at.saturating_sub(begin_us) as f64 / 1e6
}

impl Outcome {
    /// The codes of the problems that it reported.
    pub fn problems(&self) -> impl Iterator<Item = &str> {
        let problems = self.events.iter().filter(|event| event["event"] == "problem");
        problems.filter_map(|event| event["code"].as_str())
    }
}

impl Watched {
    /// Starts `command`.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(mut command: Command, name: &str) -> Self {
        let complaints = tempfile::tempfile().expect("a temporary file can be made");
        let stderr = complaints.try_clone().expect("a file can be opened twice");
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap_or_else(|why| panic!("{name} cannot be started: {why}"));
        let stdout = child.stdout.take().expect("standard output is a pipe");
        let (said, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if serde_json::from_str(&line).is_ok_and(|value| said.send(value).is_err()) {
                    break;
                }
            }
        });
        let name = name.to_owned();
        Self { name, child, lines, events: Vec::new(), from: 0, complaints, exit: None }
    }

    /// Its standard input, once.
    pub fn input(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has said that was taken in.
    #[must_use]
    pub fn events(&self) -> &[Value] {
        &self.events
    }

    /// The next event of this kind that fits, from after the last one that was waited for in this way.
    ///
    /// # Panics
    /// When it does not come in time, with the latest that came instead.
    pub fn wait_for(&mut self, kind: &str, limit: Duration, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(event) = self.look_for(kind, limit, fits) {
            return event;
        }
        let latest = self.latest();
        panic!("{} did not say {kind} within {limit:?}; it said\n{latest}", self.name)
    }

    /// As [`Watched::wait_for`]; `None` when it does not come in time.
    pub fn look_for(&mut self, kind: &str, limit: Duration, fits: impl Fn(&Value) -> bool) -> Option<Value> {
        let until = Instant::now() + limit;
        loop {
            while let Some(event) = self.events.get(self.from) {
                self.from += 1;
                if event["event"] == kind && fits(event) {
                    return Some(event.clone());
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            self.events.push(self.lines.recv_timeout(left).ok()?);
        }
    }

    /// Waits until it has decoded pictures of `others` people.
    ///
    /// # Panics
    /// When it has not in time.
    pub fn wait_for_pictures(&mut self, others: usize) {
        self.wait_for("statistics", super::PATIENCE, |statistics| {
            let rows = statistics["received"].as_array().map(Vec::as_slice).unwrap_or_default();
            rows.iter().filter(|row| row["video_frames_opened"].as_u64() > Some(0)).count() >= others
        });
    }

    /// Looks again at what was waited for already.
    pub fn rewind(&mut self) {
        self.from = 0;
    }

    /// Takes in what it says for `time`, which is what the test is about: a meeting has to go on that long.
    pub fn watch_for(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while let Ok(event) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.events.push(event);
        }
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process has an id");
        kill_process(pid, signal).unwrap_or_else(|why| panic!("{} cannot be signalled: {why}", self.name));
    }

    /// Asks it to leave as Ctrl-C does, and waits for its end.
    ///
    /// # Panics
    /// As [`Watched::outcome`].
    pub fn leave(self) -> Outcome {
        self.signal(Signal::INT);
        self.outcome(super::PATIENCE)
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// When it does not end in time, or has panicked.
    pub fn outcome(mut self, limit: Duration) -> Outcome {
        let until = Instant::now() + limit;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(event) => self.events.push(event),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let latest = self.latest();
                    panic!("{} did not end within {limit:?}; it said\n{latest}", self.name)
                }
            }
        }
        let exit = self.child.wait().expect("a child can be waited for");
        self.exit = Some(exit);
        let outcome = Outcome {
            code: exit.code(),
            events: std::mem::take(&mut self.events),
            complaints: self.complaints(),
        };
        assert!(!outcome.complaints.contains("panicked at"), "{}: {}", self.name, outcome.complaints);
        outcome
    }

    fn complaints(&mut self) -> String {
        let mut bytes = Vec::new();
        // What cannot be read is not there.
        let _ = self.complaints.rewind().and_then(|()| self.complaints.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What it said, for messages; of the statistics the last alone.
    fn latest(&mut self) -> String {
        let told = self.events.iter().filter(|event| event["event"] != "statistics");
        let told: Vec<String> = told.map(Value::to_string).collect();
        let last = self.events.iter().rfind(|event| event["event"] == "statistics");
        let last = last.map(Value::to_string).unwrap_or_default();
        format!("{}\n{last}\n{}", told.join("\n"), self.complaints())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.exit.is_none() {
            // Failing means that it is gone already.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
