//! The demo meeting: several real processes, each with a home of its own and only the invite in common, and a
//! verdict over what each decoded of the others.
//!
//! Read first: [`Plan`], [`hold`], [`Verdict`].

#![expect(clippy::print_stderr, reason = "progress of a program that a person watches")]

mod frame_log;
mod participant;
mod table;
mod verdict;

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::{Duration, Instant};

pub use frame_log::{FrameLog, OpenedPicture, SentPicture, monotonic_us};
pub use participant::{Participant, Spawn};
pub use verdict::{ParticipantReport, Problem, ReceivedReport, Verdict};

/// First names of the participants, in the order in which they join.
const NAMES: [&str; 16] = [
    "Ada", "Ben", "Chloe", "Dai", "Edith", "Femi", "Grace", "Hugo", "Ines", "Jun", "Kofi", "Lena", "Mara",
    "Noor", "Omar", "Pia",
];

/// How long everybody has to be in the meeting and see everybody else.
const ASSEMBLY_LIMIT: Duration = Duration::from_secs(30);

/// How long a process has to leave in an orderly way.
const LEAVING_LIMIT: Duration = Duration::from_secs(10);

/// Something that is spoiled on purpose, to show that the verdict notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// The SFU flips a bit in every frame of everybody.
    FlipBits,
    /// The second participant throws away the key of the last.
    DropKey,
    /// The last participant's microphone gives silence.
    SilenceOne,
    /// The last participant's picture stands still.
    FreezeOne,
}

impl Sabotage {
    /// Reads the name used on the command line.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "flip-bits" => Some(Self::FlipBits),
            "drop-key" => Some(Self::DropKey),
            "silence-one" => Some(Self::SilenceOne),
            "freeze-one" => Some(Self::FreezeOne),
            _ => None,
        }
    }
}

/// The meeting to hold.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Participants, the host included: 2 to 16.
    pub participants: usize,
    /// How long everybody is together.
    pub together: Duration,
    /// What to spoil.
    pub sabotage: Option<Sabotage>,
}

/// Holds the meeting and judges it. Progress goes to standard error.
///
/// # Errors
/// In words, when the meeting could not even be held.
pub fn hold(plan: Plan, program: &Path) -> Result<Verdict, String> {
    let home = tempfile::tempdir().map_err(|why| format!("no temporary folder: {why}"))?;
    let mut people = vec![Participant::spawn(&spawn(plan, 0, program, home.path()))?];
    let invite = people[0].wait_for_invite(ASSEMBLY_LIMIT)?;
    eprintln!("Invite: {invite}");
    for number in 1..plan.participants {
        let spawn = spawn(plan, number, program, home.path());
        people.push(Participant::spawn(&Spawn { invite: Some(invite.clone()), ..spawn })?);
    }
    let assembled = assemble(&mut people);
    let began = Instant::now();
    let mut table = table::Table::new(std::io::stderr().is_terminal());
    while began.elapsed() < plan.together {
        let left = plan.together.saturating_sub(began.elapsed());
        table.show(&people, left);
        participant::drain_for(&mut people, left.min(Duration::from_secs(1)));
        if people.iter().any(Participant::has_ended) {
            break;
        }
    }
    let ended_us = monotonic_us();
    for person in &mut people {
        person.drain(Duration::ZERO);
        person.stop_judging();
    }
    // The host goes last: the relay and the SFU are its own.
    for person in people.iter_mut().rev() {
        person.leave(LEAVING_LIMIT);
    }
    Ok(Verdict::new(invite, assembled, ended_us, &people))
}

fn spawn(plan: Plan, number: usize, program: &Path, home: &Path) -> Spawn {
    let last = number + 1 == plan.participants;
    let name = NAMES[number % NAMES.len()];
    let spoil = match plan.sabotage {
        Some(Sabotage::FlipBits) if number == 0 => Some("flip-bits".to_owned()),
        Some(Sabotage::DropKey) if number == 1.min(plan.participants - 2) => {
            Some(format!("drop-key:{}", NAMES[plan.participants - 1]))
        }
        Some(Sabotage::FreezeOne) if last => Some("freeze".to_owned()),
        _ => None,
    };
    let silent = last && plan.sabotage == Some(Sabotage::SilenceOne);
    Spawn {
        program: program.to_owned(),
        home: home.join(name),
        name: name.to_owned(),
        audio: if silent { "silence" } else { "tone" }.to_owned(),
        video: "pattern".to_owned(),
        invite: None,
        sabotage: spoil,
        environment: Vec::new(),
        more: Vec::new(),
    }
}

/// Waits until everybody has decoded a picture of everybody else; false when that did not come about in time.
fn assemble(people: &mut [Participant]) -> bool {
    let began = Instant::now();
    let others = people.len() - 1;
    while began.elapsed() < ASSEMBLY_LIMIT {
        participant::drain_for(people, Duration::from_millis(100));
        if people.iter().any(Participant::has_ended) {
            return false;
        }
        if people.iter().all(|person| person.pictures_from() >= others) {
            return true;
        }
    }
    false
}
