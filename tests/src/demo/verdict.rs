//! What the meeting came to, judged from what was decoded and not from what was hoped.

use serde::Serialize;
use serde_json::Value;

use super::frame_log::{FrameLog, OpenedPicture};
use super::participant::{Participant, number};

/// Frames still on their way when the meeting ends are not asked for.
const IN_FLIGHT_US: u64 = 500_000;
/// Share of the pictures sent that must have been decoded.
const PICTURES_SHARE: f64 = 0.98;
/// Share of the time that must have been filled with decoded, audible sound.
const SOUND_SHARE: f64 = 0.90;
/// Share of the decoded pictures that must show something new.
const MOVING_SHARE: f64 = 0.90;

/// The whole verdict; its JSON is the last line of `./dev demo --json`.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// Whether everybody saw and heard everybody.
    pub ok: bool,
    /// The invite that was used.
    pub invite: String,
    /// One report for each participant.
    pub participants: Vec<ParticipantReport>,
    /// What was wrong, naming the person.
    pub problems: Vec<Problem>,
}

/// What one participant had of the meeting.
#[derive(Clone, Debug, Serialize)]
pub struct ParticipantReport {
    /// Name.
    pub name: String,
    /// Spoken room code at the end.
    pub room_code: Option<String>,
    /// Epoch at the end.
    pub epoch: Option<u64>,
    /// CPU of the whole process, percent of one core.
    pub cpu_percent: f64,
    /// Resident memory in MiB.
    pub rss_mb: f64,
    /// From being admitted to the first decoded picture.
    pub first_picture_ms: Option<u64>,
    /// One report for each sender.
    pub received: Vec<ReceivedReport>,
}

/// What a participant received of another.
#[derive(Clone, Debug, Serialize)]
pub struct ReceivedReport {
    /// The sender's name.
    pub from: String,
    /// Pictures sent from the receiver's first decoded one to 500 ms before the end.
    pub video_frames_sent: usize,
    /// How many of them were decoded.
    pub video_frames_opened: usize,
    /// Of those, how many showed a picture number not shown before.
    pub pictures_moving: usize,
    /// Decoded sound in milliseconds.
    pub audio_ms: u64,
    /// Decoded sound louder than −50 dBov, in milliseconds, as of the receiver's last figures.
    pub audible_ms: u64,
    /// From the first decoded picture to 500 ms before those figures: for so long there should have been sound.
    pub sound_expected_ms: u64,
    /// RTP packets that never came.
    pub lost_packets: u64,
    /// Frames that did not open.
    pub undecryptable: u64,
    /// Capture to decoded, median.
    pub latency_ms_p50: Option<f64>,
}

/// Something wrong, and with whom.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// Who noticed.
    pub at: String,
    /// Whom it concerns.
    pub person: String,
    /// What.
    pub what: String,
}

impl Verdict {
    pub(super) fn new(invite: String, assembled: bool, ended_us: u64, people: &[Participant]) -> Self {
        let logs: Vec<FrameLog> = people.iter().map(Participant::frame_log).collect();
        let mut problems = Vec::new();
        let mut participants = Vec::new();
        for (person, log) in people.iter().zip(&logs) {
            let mut received = Vec::new();
            for (sender, sent) in people.iter().zip(&logs).filter(|(sender, _)| sender.name != person.name) {
                let report = received_report(person, log, &sender.name, sent, ended_us);
                problems.extend(judge(&person.name, &report));
                received.push(report);
            }
            problems.extend(person_problems(person, &people[0]));
            participants.push(participant_report(person, received));
        }
        if !assembled {
            let what = "not everybody saw everybody in time".to_owned();
            problems.push(Problem { at: "all".to_owned(), person: "all".to_owned(), what });
        }
        Self { ok: problems.is_empty(), invite, participants, problems }
    }

    /// The verdict in words for a terminal.
    #[must_use]
    pub fn in_words(&self) -> String {
        if self.ok {
            return format!("OK: {} participants saw and heard each other.", self.participants.len());
        }
        let lines = self.problems.iter().map(|p| format!("  {} (noticed by {}): {}", p.person, p.at, p.what));
        format!("NOT OK:\n{}", lines.collect::<Vec<_>>().join("\n"))
    }
}

fn participant_report(person: &Participant, received: Vec<ReceivedReport>) -> ParticipantReport {
    let own = |key: &str| person.statistics.as_ref().and_then(|all| all.get(key)?.as_f64()).unwrap_or(0.0);
    ParticipantReport {
        name: person.name.clone(),
        room_code: person.room_code.clone(),
        epoch: person.epoch,
        cpu_percent: own("cpu_percent"),
        rss_mb: own("rss_mb"),
        first_picture_ms: person.first_picture_ms(),
        received,
    }
}

fn received_report(
    person: &Participant,
    log: &FrameLog,
    from: &str,
    sent: &FrameLog,
    ended_us: u64,
) -> ReceivedReport {
    let none = Vec::new();
    let all = log.received.iter().find(|(name, _)| name == from).map_or(&none, |(_, frames)| frames);
    let pictures: Vec<&OpenedPicture> = all.iter().filter(|frame| frame.kind == "video").collect();
    let first = pictures.iter().map(|picture| picture.captured_us).min();
    let asked = |at: u64| first.is_some_and(|first| at >= first) && at + IN_FLIGHT_US <= ended_us;
    let was_sent = sent.sent.iter().filter(|frame| frame.kind == "video" && asked(frame.captured_us));
    let opened: Vec<_> = pictures.iter().filter(|picture| asked(picture.captured_us)).collect();
    let mut numbers: Vec<u32> = opened.iter().filter_map(|picture| picture.pattern).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let row = person.rows().find(|row| row.get("from").and_then(Value::as_str) == Some(from));
    let count = |key: &str| row.map_or(0, |row| number(row, key));
    let counted_us = person.statistics.as_ref().map_or(0, |all| number(all, "t_us"));
    let sound_expected_us =
        counted_us.saturating_sub(IN_FLIGHT_US).saturating_sub(first.unwrap_or(counted_us));
    ReceivedReport {
        from: from.to_owned(),
        video_frames_sent: was_sent.count(),
        video_frames_opened: opened.len(),
        pictures_moving: numbers.len(),
        audio_ms: count("audio_ms"),
        audible_ms: count("audible_ms"),
        sound_expected_ms: sound_expected_us / 1_000,
        lost_packets: count("lost_packets"),
        undecryptable: count("undecryptable"),
        latency_ms_p50: row.and_then(|row| row.get("latency_ms_p50")?.as_f64()),
    }
}

fn judge(at: &str, report: &ReceivedReport) -> Vec<Problem> {
    let share = |part: usize, whole: usize| part as f64 / (whole.max(1)) as f64;
    let mut wrong = Vec::new();
    if report.video_frames_sent == 0
        || share(report.video_frames_opened, report.video_frames_sent) < PICTURES_SHARE
    {
        let (opened, sent) = (report.video_frames_opened, report.video_frames_sent);
        wrong.push(format!("only {opened} of {sent} pictures could be opened and decoded"));
    } else if share(report.pictures_moving, report.video_frames_opened) < MOVING_SHARE {
        wrong.push("the picture stands still".to_owned());
    }
    if (report.audible_ms as f64) < report.sound_expected_ms as f64 * SOUND_SHARE || report.audible_ms == 0 {
        wrong.push(format!(
            "only {} of {} ms of sound were audible",
            report.audible_ms, report.sound_expected_ms
        ));
    }
    let (at, person) = (at.to_owned(), report.from.clone());
    wrong.into_iter().map(|what| Problem { at: at.clone(), person: person.clone(), what }).collect()
}

fn person_problems(person: &Participant, host: &Participant) -> Vec<Problem> {
    let own = |what: String| Problem { at: person.name.clone(), person: person.name.clone(), what };
    let mut problems = Vec::new();
    if person.room_code.is_none() || person.room_code != host.room_code {
        problems.push(own("has another room code than the host".to_owned()));
    }
    match person.exit() {
        Some(exit) if exit.success() => {}
        Some(exit) => problems.push(own(format!("ended with {exit}"))),
        None => problems.push(own("did not end".to_owned())),
    }
    problems.extend(person.problems.iter().map(|(code, who)| Problem {
        at: person.name.clone(),
        person: who.clone().unwrap_or_else(|| person.name.clone()),
        what: code.clone(),
    }));
    problems
}
