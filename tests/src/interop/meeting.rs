//! A meeting of several `incamera-cli` over somebody else's media server, and what each had of each other.

use std::collections::HashSet;
use std::net::IpAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::demo::{FrameLog, Participant, Spawn, monotonic_us};

/// Share of the pictures sent that must have been decoded on a good network.
pub(super) const PICTURES: f64 = 0.98;
/// Share of the time that must have been filled with decoded sound; the first block comes after the first picture.
pub(super) const SOUND: f64 = 0.90;
/// How long everybody has to see everybody.
const ASSEMBLY_LIMIT: Duration = Duration::from_secs(20);
/// How long a process has to leave in an orderly way.
const LEAVING_LIMIT: Duration = Duration::from_secs(10);
/// How long one look at what a process says takes.
const LOOK: Duration = Duration::from_millis(50);
/// Frames still on their way when a window ends are not asked for.
const IN_FLIGHT_US: u64 = 500_000;
/// Blocks of sound are this long.
const BLOCK_MS: u64 = 20;

/// What a meeting needs to know of its surroundings.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Where the programs of this workspace are.
    pub(super) programs: PathBuf,
    /// `--sfu` of the host.
    pub(super) sfu: String,
    /// `--bind` of everybody.
    pub(super) bind: IpAddr,
}

/// Programs of this workspace lie beside this one.
pub(super) fn programs() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|why| why.to_string())?;
    own.parent().map(PathBuf::from).ok_or_else(|| "this program lies nowhere".to_owned())
}

/// What one person does.
#[derive(Clone, Debug, Default)]
pub(super) struct Cast {
    pub(super) name: &'static str,
    pub(super) more: &'static [&'static str],
    pub(super) sabotage: Option<String>,
    pub(super) environment: Vec<(String, String)>,
}

impl Cast {
    pub(super) fn named(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    pub(super) fn with(name: &'static str, more: &'static [&'static str]) -> Self {
        Self { name, more, ..Self::default() }
    }
}

/// A meeting in progress; the first person hosts.
pub(super) struct Meeting {
    place: Place,
    home: TempDir,
    people: Vec<Participant>,
    invite: String,
}

impl Meeting {
    /// Starts everybody.
    pub(super) fn begin(place: &Place, casts: &[Cast]) -> Result<Self, String> {
        let home = tempfile::tempdir().map_err(|why| format!("no temporary folder: {why}"))?;
        let mut meeting = Self { place: place.clone(), home, people: Vec::new(), invite: String::new() };
        for cast in casts {
            meeting.join(cast)?;
        }
        Ok(meeting)
    }

    /// Starts one more.
    pub(super) fn join(&mut self, cast: &Cast) -> Result<(), String> {
        let hosts = self.people.is_empty();
        let mut more = vec!["--bind".to_owned(), self.place.bind.to_string()];
        if hosts {
            more.extend(["--sfu".to_owned(), self.place.sfu.clone()]);
        }
        more.extend(cast.more.iter().map(|&word| word.to_owned()));
        let mut person = Participant::spawn(&Spawn {
            program: self.place.programs.join("incamera-cli"),
            home: self.home.path().join(cast.name),
            name: cast.name.to_owned(),
            audio: "tone".to_owned(),
            video: "pattern".to_owned(),
            invite: (!hosts).then(|| self.invite.clone()),
            sabotage: cast.sabotage.clone(),
            environment: cast.environment.clone(),
            more,
        })?;
        if hosts {
            self.invite = person.wait_for_invite(ASSEMBLY_LIMIT)?;
        }
        self.people.push(person);
        Ok(())
    }

    /// The link by which others join.
    pub(super) fn invite(&self) -> &str {
        &self.invite
    }

    /// Waits until everybody has decoded a picture of everybody else.
    pub(super) fn assemble(&mut self) -> Result<(), String> {
        let others = self.people.len() - 1;
        let began = Instant::now();
        while began.elapsed() < ASSEMBLY_LIMIT {
            self.stay(LOOK)?;
            if self.people.iter().all(|person| person.pictures_from() >= others) {
                return Ok(());
            }
        }
        let lonely = self.people.iter().filter(|person| person.pictures_from() < others);
        let lonely: Vec<_> =
            lonely.map(|person| format!("{} ({:?})", person.name, person.problems)).collect();
        Err(format!("these did not see everybody in {} s: {}", ASSEMBLY_LIMIT.as_secs(), lonely.join(", ")))
    }

    /// Lets time pass, at least `time`.
    pub(super) fn stay(&mut self, time: Duration) -> Result<(), String> {
        let began = Instant::now();
        loop {
            for person in &mut self.people {
                person.drain(LOOK);
                if person.has_ended() {
                    return Err(format!("{} ended too early: {:?}", person.name, person.problems));
                }
            }
            if super::is_interrupted() {
                return Err("interrupted".to_owned());
            }
            if began.elapsed() >= time {
                return Ok(());
            }
        }
    }

    /// Ends it; the host goes last, since the relay is its own.
    pub(super) fn end(mut self) -> Takes {
        let ended_us = monotonic_us();
        for person in self.people.iter_mut().rev() {
            person.leave(LEAVING_LIMIT);
        }
        let people = self.people.iter().map(|person| Take {
            name: person.name.clone(),
            log: person.frame_log(),
            first_pictures_ms: person.first_pictures_ms.clone(),
            sfu_lost_us: person.sfu_lost_us.clone(),
            problems: person.problems.clone(),
            repair: Repair::of(person),
        });
        Takes { ended_us, people: people.collect() }
    }
}

/// What everybody had of a meeting.
pub(super) struct Takes {
    pub(super) ended_us: u64,
    pub(super) people: Vec<Take>,
}

/// What one person had.
pub(super) struct Take {
    pub(super) name: String,
    pub(super) log: FrameLog,
    /// Milliseconds from admission to the first picture, by who was seen.
    pub(super) first_pictures_ms: Vec<(String, u64)>,
    /// When a connection to the server was lost.
    pub(super) sfu_lost_us: Vec<u64>,
    pub(super) problems: Vec<(String, Option<String>)>,
    pub(super) repair: Repair,
}

/// What one person did about packets that were lost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Repair {
    /// Packets that it sent again.
    pub(super) resent: u64,
    /// Packets that came to it after later ones.
    pub(super) late: u64,
    /// Packets that never came to it.
    pub(super) lost: u64,
}

impl Repair {
    fn of(person: &Participant) -> Self {
        let sum = |key: &str| person.rows().filter_map(|row| row.get(key).and_then(Value::as_u64)).sum();
        let sent = person.statistics.as_ref().map(|all| &all["sent"]["resent_packets"]);
        let resent = sent.and_then(Value::as_u64).unwrap_or_default();
        Self { resent, late: sum("late_packets"), lost: sum("lost_packets") }
    }
}

/// What one person had of another in a window of time.
#[derive(Clone, Debug)]
pub(super) struct Share {
    at: String,
    from: String,
    sent: usize,
    decoded: usize,
    sound_ms: u64,
    window_ms: u64,
}

impl Share {
    /// Decoded pictures by pictures sent; 0 when none was sent.
    pub(super) fn pictures(&self) -> f64 {
        self.decoded as f64 / self.sent.max(1) as f64
    }

    /// Decoded sound by time.
    pub(super) fn sound(&self) -> f64 {
        self.sound_ms as f64 / self.window_ms.max(1) as f64
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { at, from, sent, decoded, .. } = self;
        let (pictures, sound) = (100.0 * self.pictures(), 100.0 * self.sound());
        write!(f, "{at}←{from} {decoded}/{sent} pictures ({pictures:.1} %), sound {sound:.0} %")
    }
}

impl Takes {
    /// Everybody by everybody else, from `begin_us` and the receiver's first decoded picture to 500 ms before the end.
    pub(super) fn shares(&self, begin_us: u64) -> Vec<Share> {
        let window = begin_us..self.ended_us.saturating_sub(IN_FLIGHT_US);
        let pairs = self.people.iter().flat_map(|at| self.people.iter().map(move |from| (at, from)));
        pairs.filter(|(at, from)| at.name != from.name).map(|(at, from)| share(at, from, &window)).collect()
    }

    /// The shares in words, and an error when one of them has less than `pictures` or `sound`.
    pub(super) fn judge(&self, begin_us: u64, pictures: f64, sound: f64) -> Result<String, String> {
        let shares = self.shares(begin_us);
        let words: Vec<_> = shares.iter().map(Share::to_string).collect();
        let good = shares.iter().all(|share| share.pictures() >= pictures && share.sound() >= sound);
        let mut words = words.join("; ");
        let problems = self.people.iter().flat_map(|person| &person.problems);
        for (code, who) in problems {
            words += &format!("; {code} {}", who.as_deref().unwrap_or_default());
        }
        if good { Ok(words) } else { Err(words) }
    }

    /// How long everybody waited for the first picture of everybody, 95 of 100 times at the most.
    pub(super) fn first_pictures_ms_p95(&self) -> Option<u64> {
        let all = self.people.iter().flat_map(|person| &person.first_pictures_ms);
        let mut sorted: Vec<_> = all.map(|(_, after)| *after).collect();
        sorted.sort_unstable();
        // Nearest rank.
        sorted.get((95 * sorted.len()).div_ceil(100).checked_sub(1)?).copied()
    }

    /// Who saw whom after how many milliseconds.
    pub(super) fn first_pictures(&self) -> String {
        let pairs =
            self.people.iter().flat_map(|at| at.first_pictures_ms.iter().map(move |of| (&at.name, of)));
        pairs.map(|(at, (from, after))| format!("{at}←{from} {after} ms")).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn of(&self, name: &str) -> Option<&Take> {
        self.people.iter().find(|person| person.name == name)
    }
}

impl Take {
    /// When the first picture of each other that was captured after `since_us` was decoded.
    pub(super) fn pictures_since(&self, since_us: u64) -> impl Iterator<Item = (&str, Option<u64>)> {
        self.log.received.iter().map(move |(from, frames)| {
            let pictures = frames.iter().filter(|frame| frame.kind == "video");
            let new = pictures.filter(|frame| frame.captured_us > since_us);
            (from.as_str(), new.map(|frame| frame.decoded_us).min())
        })
    }

    /// How many pictures of a layer of `from` there are.
    pub(super) fn pictures_of_layer(&self, from: &str, layer: &str) -> usize {
        let received = self.log.received.iter().filter(|(name, _)| name == from);
        received.flat_map(|(_, frames)| frames).filter(|frame| frame.layer == layer).count()
    }

    /// Widths of the pictures of `from` that were captured in `window`, in order.
    pub(super) fn widths(&self, from: &str, window: &Range<u64>) -> Vec<u32> {
        let received =
            self.log.received.iter().filter(|(name, _)| name == from).flat_map(|(_, frames)| frames);
        received.filter(|frame| window.contains(&frame.captured_us)).filter_map(|frame| frame.width).collect()
    }
}

/// The check of a meeting must fail when Ben loses Ada's key, for Ada's pictures at Ben and for nobody else's.
pub(super) fn wrong_key(place: &Place, watched: Duration) -> Result<String, String> {
    let ben = Cast { sabotage: Some("drop-key:Ada".to_owned()), ..Cast::named("Ben") };
    let mut meeting = Meeting::begin(place, &[Cast::named("Ada"), ben])?;
    meeting.stay(watched)?;
    let takes = meeting.end();
    let judged = takes.judge(0, PICTURES, SOUND);
    let shares = takes.shares(0);
    let [ada, ben] = shares.as_slice() else { return Err("not two people".to_owned()) };
    match judged {
        Err(words) if ada.pictures() >= PICTURES && ben.pictures() == 0.0 => Ok(format!("noticed: {words}")),
        Ok(words) | Err(words) => Err(format!("Ada's pictures were to be unreadable at Ben alone: {words}")),
    }
}

/// Layers of one picture have one capture stamp, so a simulcast picture counts once.
fn share(at: &Take, from: &Take, window: &Range<u64>) -> Share {
    let received = || {
        let of_sender = at.log.received.iter().filter(|(name, _)| *name == from.name);
        of_sender.flat_map(|(_, frames)| frames)
    };
    let pictures = || received().filter(|frame| frame.kind == "video").map(|frame| frame.captured_us);
    let begin_us = pictures().min().unwrap_or(window.end).max(window.start);
    let window = begin_us..window.end;
    let sent = from.log.sent.iter().filter(|frame| frame.kind == "video").map(|frame| frame.captured_us);
    let in_window = |captured_us: &u64| window.contains(captured_us);
    let sounds = received().filter(|frame| frame.kind == "audio" && in_window(&frame.captured_us)).count();
    Share {
        at: at.name.clone(),
        from: from.name.clone(),
        sent: sent.filter(in_window).collect::<HashSet<_>>().len(),
        decoded: pictures().filter(in_window).collect::<HashSet<_>>().len(),
        sound_ms: sounds as u64 * BLOCK_MS,
        window_ms: window.end.saturating_sub(window.start) / 1_000,
    }
}
