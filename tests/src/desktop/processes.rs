//! What a program and everything that it started cost.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Clock ticks of `/proc/PID/stat` in a second: fixed by Linux for programs.
const TICKS_A_SECOND: u64 = 100;

/// A program and its descendants, by the id of the first.
#[derive(Clone, Copy, Debug)]
pub struct ProcessTree {
    root: u32,
}

/// One line of the table of processes.
struct Row {
    id: u32,
    name: String,
    parent: u32,
    ticks: u64,
}

impl ProcessTree {
    /// The processes that `root` started, and those that they started.
    #[must_use]
    pub const fn below(root: u32) -> Self {
        Self { root }
    }

    /// Processor time that the living ones used so far.
    #[must_use]
    pub fn cpu(self) -> Duration {
        let ticks: u64 = self.rows().iter().map(|row| row.ticks).sum();
        Duration::from_millis(ticks * 1_000 / TICKS_A_SECOND)
    }

    /// Memory in bytes, with a page that several share counted in parts (PSS).
    #[must_use]
    pub fn memory(self) -> u64 {
        self.rows().iter().filter_map(|row| proportional_kib(row.id)).sum::<u64>() * 1_024
    }

    /// Ends the descendants of this name, of which Linux keeps 15 characters, as a crash would.
    ///
    /// # Panics
    /// When there is none.
    pub fn crash(self, name: &str) {
        let rows = self.rows();
        let mut named = rows.iter().filter(|row| row.name == name).peekable();
        assert!(named.peek().is_some(), "no process is called {name}");
        named.for_each(|row| row.signal(Signal::KILL));
    }

    /// Sends a signal to every descendant.
    ///
    /// # Panics
    /// When one has just ended.
    pub fn signal(self, signal: Signal) {
        self.rows().iter().for_each(|row| row.signal(signal));
    }

    /// Ends all descendants.
    pub fn end(self) {
        for id in self.rows().iter().filter_map(|row| Pid::from_raw(i32::try_from(row.id).ok()?)) {
            // Failing means that it is gone already.
            let _ = kill_process(id, Signal::KILL);
        }
    }

    /// The descendants, without the root.
    fn rows(self) -> Vec<Row> {
        let mut others: Vec<Row> = std::fs::read_dir("/proc")
            .expect("this system has /proc")
            .flatten()
            .filter_map(|entry| row(entry.file_name().to_str()?.parse().ok()?))
            .collect();
        let mut known = BTreeSet::from([self.root]);
        let mut found = Vec::new();
        loop {
            let (children, rest): (Vec<Row>, Vec<Row>) =
                others.into_iter().partition(|row| known.contains(&row.parent));
            if children.is_empty() {
                return found;
            }
            known.extend(children.iter().map(|row| row.id));
            found.extend(children);
            others = rest;
        }
    }
}

impl Row {
    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id).ok().and_then(Pid::from_raw).expect("a process has an id");
        kill_process(id, signal).expect("a process of ours takes signals");
    }
}

/// proc(5): the fields behind the name, which stands in brackets and may contain anything.
fn row(id: u32) -> Option<Row> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (head, tail) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = tail.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let name = head.split_once('(')?.1.to_owned();
    Some(Row { id, name, parent: fields.get(1)?.parse().ok()?, ticks: number(11)? + number(12)? })
}

fn proportional_kib(id: u32) -> Option<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.split_whitespace().next()?.parse().ok()
}
