//! `replay`: shows a recorded simulated meeting again, record by record, and how it ended for each participant.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read as _};
use std::path::Path;

use incamera_client::meeting::{
    Event, MAX_RECORD_BYTES, MAX_RECORDED_PARTICIPANTS, MeetingState, RECORDING_VERSION, Record, Who,
};
use incamera_client::{Blame, Fault, MemberId};
use serde_json::json;

use crate::exit::Exit;
use crate::output;

/// Why a recording cannot be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplayError {
    /// The file cannot be opened or read.
    Unreadable(ErrorKind),
    /// A line is no record.
    Format { line: usize },
    /// Another version of the format.
    Version { found: u32 },
    /// A record that cannot be in this place: time runs backwards, or something comes after the end.
    Order { line: usize },
    /// The last record is missing.
    Cut,
}

impl core::fmt::Display for ReplayError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "the recording cannot be read: {why}"),
            Self::Format { line } => write!(f, "line {line} is no record of a meeting"),
            Self::Version { found } => {
                write!(f, "the recording has version {found}, this program reads {RECORDING_VERSION}")
            }
            Self::Order { line } => write!(f, "line {line} cannot follow the lines before it"),
            Self::Cut => write!(f, "the recording is not complete"),
        }
    }
}

impl core::error::Error for ReplayError {}

impl Fault for ReplayError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "cli.replay.unreadable",
            Self::Format { .. } => "cli.replay.format",
            Self::Version { .. } => "cli.replay.version",
            Self::Order { .. } => "cli.replay.order",
            Self::Cut => "cli.replay.cut",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Input
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "Check the name of the file and who may read it.",
            Self::Version { .. } => "Record the meeting again with this version: sim --seed N --record FILE.",
            Self::Format { .. } | Self::Order { .. } | Self::Cut => {
                "Record the meeting again: sim --seed N --record FILE."
            }
        }
    }
}

/// How a participant stands while the recording is replayed.
#[derive(Default)]
struct Participant {
    name: Option<String>,
    state: Option<MeetingState>,
    epoch: Option<u64>,
    room_code: String,
    members: BTreeMap<MemberId, String>,
}

impl Participant {
    fn told(&mut self, event: &Event) {
        match event {
            Event::StateChanged { state } => self.state = Some(*state),
            Event::EpochChanged { epoch } => self.epoch = Some(epoch.0),
            Event::RoomCodeChanged { code } => self.room_code.clone_from(code),
            Event::Joined { member } => {
                if member.who == Who::Ourselves {
                    self.name = Some(member.name.reveal().clone());
                }
                self.members.insert(member.member, member.name.reveal().clone());
            }
            Event::Left { member, .. } | Event::Removed { member, .. } => {
                self.members.remove(member);
            }
            _ => {}
        }
    }
}

/// What has been replayed so far.
#[derive(Default)]
struct Replay {
    seed: Option<u64>,
    at_us: u64,
    participants: BTreeMap<u32, Participant>,
    records: usize,
    end: Option<Option<String>>,
}

impl Replay {
    /// Takes the next record.
    fn take(&mut self, line: usize, record: &Record) -> Result<(), ReplayError> {
        self.records += 1;
        match record {
            Record::Began { version, .. } if *version != RECORDING_VERSION => {
                return Err(ReplayError::Version { found: *version });
            }
            Record::Began { seed, .. } if self.seed.is_none() => self.seed = Some(*seed),
            Record::Began { .. } => return Err(ReplayError::Order { line }),
            Record::Happened { at_us, participant, .. } => {
                self.at(line, *at_us, *participant)?;
            }
            Record::Told { at_us, participant, event } => {
                self.at(line, *at_us, *participant)?.told(event);
            }
            Record::Ended { at_us, broken } => {
                self.at(line, *at_us, 0)?;
                self.end = Some(broken.clone());
            }
        }
        Ok(())
    }

    /// The participant of a record, if the record may stand here.
    fn at(&mut self, line: usize, at_us: u64, participant: u32) -> Result<&mut Participant, ReplayError> {
        let follows = self.seed.is_some() && self.end.is_none() && at_us >= self.at_us;
        if !follows || participant >= MAX_RECORDED_PARTICIPANTS {
            return Err(ReplayError::Order { line });
        }
        self.at_us = at_us;
        Ok(self.participants.entry(participant).or_default())
    }

    fn name(&self, participant: u32) -> String {
        let known = self.participants.get(&participant).and_then(|known| known.name.clone());
        known.unwrap_or_else(|| format!("participant {participant}"))
    }

    /// What a person reads of a record.
    fn sentence(&self, record: &Record) -> String {
        let line = |at_us: &u64, participant: &u32, what: &str| {
            format!("{:>12.6}  {}: {what}", *at_us as f64 / 1e6, self.name(*participant))
        };
        match record {
            Record::Began { seed, sabotage: None, .. } => format!("A meeting simulated from seed {seed}"),
            Record::Began { seed, sabotage: Some(rule), .. } => {
                format!("A meeting simulated from seed {seed} without the safeguard {rule}")
            }
            Record::Happened { at_us, participant, what } => line(at_us, participant, what),
            Record::Told { at_us, participant, event } => {
                let nobody = BTreeMap::new();
                let names = self.participants.get(participant).map_or(&nobody, |known| &known.members);
                let what = output::meeting_sentence(event, names)
                    .or_else(|| serde_json::to_string(event).ok())
                    .unwrap_or_default();
                line(at_us, participant, &format!("“{what}”"))
            }
            Record::Ended { broken: None, .. } => "Every rule of the simulation held.".to_owned(),
            Record::Ended { broken: Some(what), .. } => format!("A rule did not hold: {what}"),
        }
    }

    /// How it ended for everybody, as the last line for programs.
    fn summary(&self) -> serde_json::Value {
        let participants: Vec<_> = self
            .participants
            .iter()
            .map(|(number, known)| {
                let members: Vec<&String> = known.members.values().collect();
                json!({
                    "participant": number, "name": known.name, "state": known.state, "epoch": known.epoch,
                    "room_code": known.room_code, "members": members,
                })
            })
            .collect();
        let broken = self.end.clone().flatten();
        json!({
            "ok": broken.is_none(), "broken": broken, "seed": self.seed, "records": self.records,
            "seconds": self.at_us as f64 / 1e6, "participants": participants,
        })
    }
}

/// Replays a file.
pub(crate) fn replay(file: &Path, style: output::Style) -> Exit {
    match read(file, style) {
        Ok(()) => Exit::Done,
        Err(error) => {
            style.of_problem(&incamera_client::Problem::of(&error)).write();
            Exit::DeviceFailed
        }
    }
}

fn read(file: &Path, style: output::Style) -> Result<(), ReplayError> {
    let file = File::open(file).map_err(|why| unreadable(&why))?;
    let mut replay = Replay::default();
    for_each_record(BufReader::new(file), |line, text, record| {
        replay.take(line, record)?;
        output::line(&match style {
            output::Style::Json => text.to_owned(),
            output::Style::Sentences => replay.sentence(record),
        });
        Ok(())
    })?;
    if replay.end.is_none() {
        return Err(ReplayError::Cut);
    }
    match style {
        output::Style::Json => output::line(&replay.summary().to_string()),
        output::Style::Sentences => {
            for (number, known) in &replay.participants {
                let (state, epoch) = (known.state.map(|state| format!("{state:?}")), known.epoch);
                let members: Vec<&str> = known.members.values().map(String::as_str).collect();
                output::line(&format!(
                    "{}: {}, epoch {}, room code {}, members: {}",
                    replay.name(*number),
                    state.unwrap_or_else(|| "Connecting".to_owned()),
                    epoch.map_or_else(|| "none".to_owned(), |epoch| epoch.to_string()),
                    if known.room_code.is_empty() { "none" } else { &known.room_code },
                    members.join(", "),
                ));
            }
        }
    }
    Ok(())
}

/// Reads line by line; what one line costs is bounded.
fn for_each_record(
    mut file: impl BufRead,
    mut take: impl FnMut(usize, &str, &Record) -> Result<(), ReplayError>,
) -> Result<(), ReplayError> {
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        let limit = MAX_RECORD_BYTES as u64 + 1;
        if (&mut file).take(limit).read_until(b'\n', &mut bytes).map_err(|why| unreadable(&why))? == 0 {
            break;
        }
        let bad = |_| ReplayError::Format { line };
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(ReplayError::Format { line });
        }
        let text = core::str::from_utf8(&bytes).map_err(|_| ReplayError::Format { line })?.trim_end();
        let record: Record = serde_json::from_str(text).map_err(bad)?;
        take(line, text, &record)?;
    }
    Ok(())
}

fn unreadable(why: &io::Error) -> ReplayError {
    ReplayError::Unreadable(why.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGAN: &str = r#"{"record":"began","version":1,"seed":7,"sabotage":null}"#;
    const HAPPENED: &str = r#"{"record":"happened","at_us":5,"participant":0,"what":"appears"}"#;
    const TOLD: &str =
        r#"{"record":"told","at_us":6,"participant":0,"event":{"event":"epoch_changed","epoch":3}}"#;
    const ENDED: &str = r#"{"record":"ended","at_us":9,"broken":null}"#;

    fn read_lines(lines: &[&str]) -> Result<Replay, ReplayError> {
        let mut replay = Replay::default();
        let text = lines.join("\n");
        for_each_record(text.as_bytes(), |line, _, record| replay.take(line, record))?;
        if replay.end.is_none() { Err(ReplayError::Cut) } else { Ok(replay) }
    }

    #[test]
    fn recording_is_replayed_to_its_end() {
        let replay = read_lines(&[BEGAN, HAPPENED, TOLD, ENDED]).unwrap();
        let summary = replay.summary();
        assert_eq!((summary["ok"].as_bool(), summary["seed"].as_u64()), (Some(true), Some(7)));
        assert_eq!(summary["participants"][0]["epoch"], 3);
    }

    #[test]
    fn broken_recordings_are_refused_with_the_line_that_is_wrong() {
        let fails = |lines: &[&str]| read_lines(lines).err();
        assert_eq!(fails(&[]), Some(ReplayError::Cut));
        assert_eq!(fails(&[BEGAN, HAPPENED]), Some(ReplayError::Cut));
        assert_eq!(fails(&[HAPPENED]), Some(ReplayError::Order { line: 1 }));
        assert_eq!(fails(&[BEGAN, TOLD, HAPPENED, ENDED]), Some(ReplayError::Order { line: 3 }));
        assert_eq!(fails(&[BEGAN, ENDED, ENDED]), Some(ReplayError::Order { line: 3 }));
        assert_eq!(fails(&[BEGAN, "nonsense"]), Some(ReplayError::Format { line: 2 }));
        assert_eq!(fails(&[&BEGAN.replace(":1,", ":2,")]), Some(ReplayError::Version { found: 2 }));
        let far = HAPPENED.replace("\"participant\":0", "\"participant\":4096");
        assert_eq!(fails(&[BEGAN, &far]), Some(ReplayError::Order { line: 2 }));
        let long = "x".repeat(MAX_RECORD_BYTES * 2);
        assert_eq!(fails(&[BEGAN, &long]), Some(ReplayError::Format { line: 2 }));
    }
}
