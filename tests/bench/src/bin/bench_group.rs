//! What group operations cost by group size: time, bytes and HPKE seals. With `--json` the last line is one
//! JSON object.
//!
//! Two machines are real, the host that commits and a member that follows; the others are leaves of the tree
//! that never refreshed, which is the dearest tree to commit in. Each figure is the median of its rounds.

#![allow(clippy::print_stdout, reason = "a program that reports to its caller")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use incamera_group::{
    AdmissionId, CommitTurn, Expectation, Founding, GroupInput, GroupMachine, GroupOutput, Joiner,
    RoomSettings,
};
use incamera_identity::{DisplayName, Fingerprint, SigningKey};
use incamera_types::{Entropy, Now, RoomId};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Serialize;

/// Members before the operation.
const SIZES: [usize; 7] = [2, 10, 50, 100, 200, 500, 1_000];

/// Rounds of each operation.
const ROUNDS: usize = 5;

/// People who are admitted together; fewer where the room would overflow.
const BATCH: usize = 20;

const ROOM: RoomId = RoomId([7; 16]);

/// Longer than the pause between two commits of a room.
const PAUSE: Duration = Duration::from_millis(300);

/// Longer than the time between two leaf updates of a member, at any size.
const UPDATE_PERIOD: Duration = Duration::from_secs(3_000);

type Outcome<T> = Result<T, Box<dyn Error>>;

/// One line of the report.
#[derive(Clone, Debug, Serialize)]
struct Row {
    members: usize,
    operation: &'static str,
    microseconds: f64,
    bytes: usize,
    hpke_seals: u64,
}

#[derive(Serialize)]
struct Report {
    rows: Vec<Row>,
}

struct SystemEntropy(SystemRandom);

impl Entropy for SystemEntropy {
    #[allow(clippy::expect_used, reason = "a benchmark without randomness cannot go on")]
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill(out).expect("system randomness");
    }
}

fn entropy() -> Box<dyn Entropy> {
    Box::new(SystemEntropy(SystemRandom::new()))
}

/// A host, a follower, and the log between them.
struct Bench {
    now: Now,
    host: GroupMachine,
    follower: Option<GroupMachine>,
    expectation: Expectation,
    seq: u64,
    admissions: u64,
}

/// What one commit of the host made.
struct Committed {
    author: Duration,
    process: Duration,
    commit: usize,
    welcome: Option<Arc<[u8]>>,
    seals: u64,
}

impl Bench {
    fn found() -> Outcome<Self> {
        let room_key = Arc::new(SigningKey::generate(&mut *entropy()));
        let expectation = Expectation { room: ROOM, room_key: Fingerprint::of(&room_key.verifying_key()) };
        let founding = Founding {
            room: ROOM,
            room_key,
            name: DisplayName::new("Host")?,
            identity: None,
            settings: RoomSettings::default(),
        };
        let host = GroupMachine::found(Now::default(), founding, entropy())?;
        Ok(Self { now: Now::default(), host, follower: None, expectation, seq: 0, admissions: 0 })
    }

    /// Grows the room to `members`; the first one to join follows the log.
    fn grow(&mut self, members: usize) -> Outcome<()> {
        while self.host.roster().len() < members {
            let joiner = Joiner::new(DisplayName::new("Guest")?, None, entropy())?;
            let missing = members.saturating_sub(self.host.roster().len());
            let first = self.follower.is_none();
            let count = if first { 1 } else { missing.min(incamera_group::MAX_ADDS_PER_COMMIT) };
            let committed = self.add(&joiner, count)?;
            if first {
                let welcome = committed.welcome.ok_or("no Welcome")?;
                self.follower = Some(joiner.join(self.now, &welcome, &self.expectation)?);
            }
        }
        Ok(())
    }

    /// Adds `joiner` and `count - 1` others in one commit.
    fn add(&mut self, joiner: &Joiner, count: usize) -> Outcome<Committed> {
        let mut key_packages = vec![joiner.key_package().to_vec()];
        for _ in 1..count {
            let other = Joiner::new(DisplayName::new("Guest")?, None, entropy())?;
            key_packages.push(other.key_package().to_vec());
        }
        let inputs = key_packages.into_iter().map(|key_package| {
            self.admissions = self.admissions.wrapping_add(1);
            let admission = AdmissionId(self.admissions);
            GroupInput::Admit { admission, key_package, replaces: None, turn: CommitTurn::Own }
        });
        let inputs: Vec<GroupInput> = inputs.collect();
        self.commit(inputs)
    }

    /// Hands the host its inputs within the pause after the last commit, and times the tick that commits.
    fn commit(&mut self, inputs: Vec<GroupInput>) -> Outcome<Committed> {
        for input in inputs {
            self.host.handle_input(self.now, input)?;
        }
        let seals = self.host.hpke_seals();
        let began = Instant::now();
        let mut blob = self.appended();
        if blob.is_none() {
            self.now = self.now.plus(PAUSE);
            self.host.handle_input(self.now, GroupInput::Tick)?;
            blob = self.appended();
        }
        let author = began.elapsed();
        self.deliver(&blob.ok_or("nothing was committed")?, author, seals)
    }

    /// The next commit that the host wants in the log.
    fn appended(&mut self) -> Option<Arc<[u8]>> {
        while let Some(output) = self.host.poll_output() {
            if let GroupOutput::AppendCommit { blob } = output {
                return Some(blob);
            }
        }
        None
    }

    fn deliver(&mut self, blob: &Arc<[u8]>, author: Duration, seals: u64) -> Outcome<Committed> {
        let seals = self.host.hpke_seals().saturating_sub(seals);
        self.seq = self.seq.wrapping_add(1);
        let entry = || GroupInput::LogEntry { seq: self.seq, blob: blob.to_vec() };
        self.host.handle_input(self.now, entry())?;
        let mut welcome = None;
        while let Some(output) = self.host.poll_output() {
            if let GroupOutput::SendWelcome { welcome: sent, .. } = output {
                welcome = Some(sent);
            }
        }
        let mut process = Duration::ZERO;
        if let Some(follower) = &mut self.follower {
            let began = Instant::now();
            follower.handle_input(self.now, entry())?;
            process = began.elapsed();
            while follower.poll_output().is_some() {}
            if follower.epoch() != self.host.epoch() {
                return Err("the follower fell behind".into());
            }
        }
        Ok(Committed { author, process, commit: blob.len(), welcome, seals })
    }

    /// Removes the last `count` members in one commit.
    fn remove(&mut self, count: usize) -> Outcome<Committed> {
        let members: Vec<_> = self.host.roster().iter().map(|member| member.id).collect();
        let inputs = members
            .into_iter()
            .rev()
            .take(count)
            .map(|member| GroupInput::Remove { member, turn: CommitTurn::Own })
            .collect();
        self.commit(inputs)
    }

    fn update(&mut self) -> Outcome<Committed> {
        self.now = self.now.plus(UPDATE_PERIOD);
        let seals = self.host.hpke_seals();
        let began = Instant::now();
        self.host.handle_input(self.now, GroupInput::Tick)?;
        let author = began.elapsed();
        let blob = self.appended().ok_or("no leaf update was due")?;
        self.deliver(&blob, author, seals)
    }
}

fn main() -> Outcome<()> {
    let mut rows = Vec::new();
    for members in SIZES {
        let measured = measure(members)?;
        for row in &measured {
            println!(
                "{:>5} {:<16} {:>10.0} µs {:>8} bytes {:>5} seals",
                row.members, row.operation, row.microseconds, row.bytes, row.hpke_seals
            );
        }
        rows.extend(measured);
    }
    if std::env::args().any(|argument| argument == "--json") {
        println!("{}", serde_json::to_string(&Report { rows })?);
    }
    Ok(())
}

/// All operations on a room of `members`, which has that size again after each.
fn measure(members: usize) -> Outcome<Vec<Row>> {
    let mut bench = Bench::found()?;
    bench.grow(members)?;
    let mut rows: Vec<Row> = Vec::new();
    let mut note = |operation, spent: Duration, bytes, hpke_seals| {
        let microseconds = spent.as_secs_f64() * 1e6;
        rows.push(Row { members, operation, microseconds, bytes, hpke_seals });
    };
    for _ in 0..ROUNDS {
        bench.now = bench.now.plus(PAUSE);
        let update = bench.update()?;
        note("update", update.author, update.commit, update.seals);
        note("process update", update.process, update.commit, 0);

        let joiner = Joiner::new(DisplayName::new("Guest")?, None, entropy())?;
        let added = bench.add(&joiner, 1)?;
        let welcome = added.welcome.ok_or("no Welcome")?;
        note("add one", added.author, added.commit.saturating_add(welcome.len()), added.seals);
        note("process add", added.process, added.commit, 0);
        let began = Instant::now();
        joiner.join(bench.now, &welcome, &bench.expectation)?;
        note("join", began.elapsed(), welcome.len(), 0);
        let removed = bench.remove(1)?;
        note("remove", removed.author, removed.commit, removed.seals);
        note("process remove", removed.process, removed.commit, 0);

        let joiner = Joiner::new(DisplayName::new("Guest")?, None, entropy())?;
        let added = bench.add(&joiner, BATCH)?;
        let bytes = added.commit.saturating_add(added.welcome.map_or(0, |welcome| welcome.len()));
        note("add batch of 20", added.author, bytes, added.seals);
        note("process batch", added.process, added.commit, 0);
        bench.remove(BATCH)?;
    }
    Ok(medians(&rows))
}

/// One row for each operation, in the order of its first round.
fn medians(rows: &[Row]) -> Vec<Row> {
    let mut operations: Vec<&'static str> = Vec::new();
    for row in rows {
        if !operations.contains(&row.operation) {
            operations.push(row.operation);
        }
    }
    let median = |operation| {
        let mut same: Vec<&Row> = rows.iter().filter(|row| row.operation == operation).collect();
        same.sort_by(|a, b| a.microseconds.total_cmp(&b.microseconds));
        same.get(same.len() / 2).map(|row| (*row).clone())
    };
    operations.into_iter().filter_map(median).collect()
}
