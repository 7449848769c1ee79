//! What is printed while taking part: a JSON object a line, or a sentence a line.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use incamera_client::devices::SystemClock;
use incamera_client::meeting::{Event as MeetingEvent, MeetingState, StopReason};
use incamera_client::{
    Device, Event, LocalEvent, MemberId, Problem, Reach, Scope, Source, Statistics, Which,
};
use serde_json::Value;

use crate::args::TakePart;
use crate::exit::Exit;

/// How events are printed on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Sentences for a person.
    Sentences,
    /// One JSON object a line, with the machine's monotonic time in `t_us`.
    Json,
}

/// What people are called.
pub(crate) type Names = BTreeMap<MemberId, String>;

impl Style {
    /// What the command line asks for.
    pub(crate) fn of(take_part: &TakePart) -> Self {
        if take_part.json { Self::Json } else { Self::Sentences }
    }

    /// What is printed of an event; people are not told of all.
    pub(crate) fn of_event(self, event: &Event, names: &Names) -> Option<Line> {
        match (self, event) {
            (Self::Json, event) => Some(json_line(serde_json::to_value(event).unwrap_or_default())),
            (Self::Sentences, Event::Local(LocalEvent::Problem(problem))) => Some(complaint(problem)),
            (Self::Sentences, event) => sentence(event, names).map(Line::Out),
        }
    }

    /// What is printed of a problem: an event for programs, a complaint for people.
    pub(crate) fn of_problem(self, problem: &Problem) -> Line {
        match self {
            Self::Json => {
                let event = Event::Local(LocalEvent::Problem(problem.clone()));
                json_line(serde_json::to_value(event).unwrap_or_default())
            }
            Self::Sentences => complaint(problem),
        }
    }

    /// The last line.
    pub(crate) fn of_end(self, exit: Exit, reason: Option<StopReason>) -> Option<Line> {
        let ended = serde_json::json!({"event": "ended", "exit": exit as u8, "reason": reason});
        (self == Self::Json).then(|| json_line(ended))
    }
}

/// One line, and where it is printed.
pub(crate) enum Line {
    /// On standard output.
    Out(String),
    /// On standard error.
    Error(String),
}

impl Line {
    /// Waits until it is written. A reader that went away is no reason to end anything.
    pub(crate) fn write(&self) {
        match self {
            Self::Out(text) => line(text),
            Self::Error(text) => error_line(text),
        }
    }
}

/// Text of others as a terminal may show it: what would move the cursor, change the direction of writing or look like
/// another line is shown by its number.
pub(crate) fn harmless(text: &str) -> String {
    let is_harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let shown = |c: char| if is_harmful(c) { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

/// `What happened. What to do. (code)` on standard error.
fn complaint(problem: &Problem) -> Line {
    let what = harmless(&capitalised(&problem.what));
    Line::Error(format!("{what}. {} ({})", problem.advice, problem.code))
}

/// One line on standard error.
pub(crate) fn error_line(text: &str) {
    // Nobody can be told when standard error is closed.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn json_line(mut value: Value) -> Line {
    if let Value::Object(fields) = &mut value {
        fields.insert("t_us".to_owned(), SystemClock.now().as_micros().into());
    }
    Line::Out(value.to_string())
}

/// One line on standard output.
pub(crate) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    // A reader that went away does not end the meeting.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn sentence(event: &Event, names: &Names) -> Option<String> {
    match event {
        Event::Meeting(event) => meeting_sentence(event, names),
        Event::Local(event) => local_sentence(event),
    }
}

pub(crate) fn meeting_sentence(event: &MeetingEvent, names: &Names) -> Option<String> {
    let name =
        |member: &MemberId| names.get(member).map_or_else(|| member.to_string(), |name| harmless(name));
    Some(match event {
        MeetingEvent::StateChanged { state } => match state {
            MeetingState::Connecting => "Connecting to the meeting server…".to_owned(),
            MeetingState::Knocking => "Waiting to be let in…".to_owned(),
            MeetingState::Joining => "Let in; checking that this is the right room…".to_owned(),
            MeetingState::InMeeting => "You are in the meeting.".to_owned(),
            MeetingState::Stopped => return None,
        },
        MeetingEvent::Knocked { knock, name } => {
            format!("{} asks to join (incamera-cli admit {})", harmless(name.reveal()), knock.0)
        }
        MeetingEvent::Joined { member } => format!("{} is in the meeting.", harmless(member.name.reveal())),
        MeetingEvent::Left { name, .. } => format!("{} left.", harmless(name.reveal())),
        MeetingEvent::Removed { name, .. } => format!("{} was removed.", harmless(name.reveal())),
        MeetingEvent::Lost { member, silent_for } => {
            format!("Connection to {} lost for {} s.", name(member), silent_for.as_secs())
        }
        MeetingEvent::Returned { member } => format!("{} is back.", name(member)),
        MeetingEvent::KeyMissing { member } => {
            format!("What {} sends cannot be opened; new keys were asked for.", name(member))
        }
        MeetingEvent::KeyRestored { member } => format!("What {} sends can be opened again.", name(member)),
        MeetingEvent::RoomCodeChanged { code } => {
            format!("Room code: {code} — everybody should see the same.")
        }
        MeetingEvent::ChatReceived { line } => {
            format!("{}: {}", harmless(line.name.reveal()), harmless(line.text.reveal()))
        }
        MeetingEvent::LinkDegraded { media_stops_in } => {
            format!(
                "Connection to the meeting server lost. You can talk for {} s more.",
                media_stops_in.as_secs()
            )
        }
        MeetingEvent::LinkRestored => "Connection to the meeting server restored.".to_owned(),
        MeetingEvent::MediaStopped { .. } => "Nothing is sent or played at the moment.".to_owned(),
        MeetingEvent::MediaStarted => "Sound and picture are on.".to_owned(),
        MeetingEvent::Alarm { code, .. } => format!("{} {} ({})", code.meaning(), code.advice(), code.code()),
        _ => return None,
    })
}

fn local_sentence(event: &LocalEvent) -> Option<String> {
    Some(match event {
        LocalEvent::Hosting { link, reach } => {
            let reach: Vec<String> = reach.iter().map(reach_sentence).collect();
            format!("Invite: {link}\n{}", reach.join("\n"))
        }
        LocalEvent::FirstPicture { name, after_admission_ms, .. } => {
            format!(
                "First picture of {} after {:.1} s.",
                harmless(name),
                Duration::from_millis(*after_admission_ms).as_secs_f64()
            )
        }
        LocalEvent::SfuLost { .. } => "Connection to the media server lost; connecting again…".to_owned(),
        LocalEvent::SfuReconnected { .. } => "Connection to the media server restored.".to_owned(),
        LocalEvent::DeviceOpened { device, which: Which::Instead } => {
            format!(
                "The chosen {} is not there; the one that the system prefers is used.",
                device_name(*device)
            )
        }
        LocalEvent::DeviceLost { device, problem } => {
            format!("The {} does not work: {}. {}", device_name(*device), problem.what, problem.advice)
        }
        LocalEvent::SourceEnded { source } => match source {
            Source::Audio => "The sound file is over; silence follows.".to_owned(),
            Source::Video => "The video file is over; its last picture stays.".to_owned(),
            Source::Screen => "There is no more of the screen to share.".to_owned(),
        },
        LocalEvent::SharingStarted => "You are sharing a screen.".to_owned(),
        LocalEvent::SharingStopped { .. } => "You are no longer sharing a screen.".to_owned(),
        LocalEvent::Statistics(statistics) => return statistics_sentence(statistics),
        LocalEvent::SfuConnected { .. } | LocalEvent::DeviceOpened { .. } | LocalEvent::Problem(_) => {
            return None;
        }
    })
}

const fn device_name(device: Device) -> &'static str {
    match device {
        Device::Microphone => "microphone",
        Device::Speaker => "speaker",
        Device::Camera => "camera",
    }
}

fn reach_sentence(reach: &Reach) -> String {
    let who = match reach.scope {
        Scope::ThisComputer => "on this computer",
        Scope::ThisNetwork => "in this network",
        Scope::Internet => "on the internet",
    };
    match reach.address {
        Some(address) if reach.reachable => format!("  People {who} can join: {address} answered."),
        Some(address) => format!("  People {who} cannot join: {address} did not answer."),
        None => format!("  People {who} cannot join: the meeting does not listen on an address for them."),
    }
}

fn statistics_sentence(statistics: &Statistics) -> Option<String> {
    let rows = statistics.received.iter().map(|row| {
        let latency = row.latency_ms_p50.map_or_else(String::new, |ms| format!(", {ms:.0} ms"));
        format!("{}: {:.0} pictures/s, {:.0} kbit/s{latency}", harmless(&row.from), row.video_fps, row.kbps)
    });
    let rows: Vec<String> = rows.collect();
    (!rows.is_empty()).then(|| format!("  {}", rows.join("   ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_cannot_move_the_cursor_or_fake_a_line() {
        assert_eq!(harmless("grüße 👋"), "grüße 👋");
        assert_eq!(harmless("\u{1b}[2J"), "\\u{1b}[2J");
        assert_eq!(harmless("hi\nBen left."), "hi\\u{a}Ben left.");
        assert_eq!(harmless("\u{9b}1m\u{202e}\u{2028}"), "\\u{9b}1m\\u{202e}\\u{2028}");
    }
}
