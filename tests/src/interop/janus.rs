//! Whole meetings through Debian's Janus.

use std::path::PathBuf;
use std::time::Duration;

use super::impairment::Impairment;
use super::janus_server::{JanusServer, MEDIA_PORTS};
use super::meeting::{Cast, Meeting, Place};
use super::port_finder::ManyPorts;
use super::report::Report;
use super::switching;
use crate::demo::monotonic_us;

/// Share of the pictures sent that must have been decoded on a good network.
const PICTURES: f64 = 0.98;
/// The same with 5 % loss.
const PICTURES_WITH_LOSS: f64 = 0.97;
/// Share of the time that must have been filled with decoded sound; the first block comes after the first picture.
const SOUND: f64 = 0.90;
/// Lost sound is not sent again: it comes back by error correction inside the stream, or not at all.
const SOUND_WITH_LOSS: f64 = 0.80;
/// What a network does in the case with loss.
const LOSS: [&str; 4] = ["--loss", "5%", "--delay", "10ms"];
/// Retransmission and bandwidth estimate settle in this time.
const WARM_UP: Duration = Duration::from_secs(5);
/// How long a meeting is watched.
const WATCHED: Duration = Duration::from_secs(8);
/// What somebody sends in three sizes.
const SIMULCAST: &[&str] = &["--layers", "3", "--video-kbps", "1200"];

/// All cases.
pub(super) fn run() -> Report {
    let mut report = Report::new("janus");
    let server = match start() {
        Ok(server) => server,
        Err(why) => {
            report.case("server", || Err(why));
            return report;
        }
    };
    let place = &server.place;
    report
        .case("server", || Ok(server.janus.version().to_owned()))
        .case("single layer", || single_layer(place))
        .case("three publishers and a late fourth", || late_fourth(place))
        .case("simulcast, three sizes at once", || three_sizes(place))
        .case("simulcast, layers switched while it runs", || switching::run(place))
        .case("5 % loss and 10 ms each way between one participant and Janus", || loss(&server))
        .case("a wrong key is noticed", || wrong_key(place));
    report
}

struct Running {
    janus: JanusServer,
    place: Place,
}

fn start() -> Result<Running, String> {
    let janus = JanusServer::start()?;
    let place = Place { programs: programs()?, sfu: format!("janus:{}", janus.url()), bind: janus.ours() };
    Ok(Running { janus, place })
}

/// Programs of this workspace lie beside this one.
fn programs() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|why| why.to_string())?;
    own.parent().map(PathBuf::from).ok_or_else(|| "this program lies nowhere".to_owned())
}

fn single_layer(place: &Place) -> Result<String, String> {
    let mut meeting = Meeting::begin(place, &[Cast::named("Ada"), Cast::named("Ben")])?;
    meeting.assemble()?;
    meeting.stay(WATCHED)?;
    meeting.end().judge(0, PICTURES, SOUND)
}

fn late_fourth(place: &Place) -> Result<String, String> {
    let mut meeting = Meeting::begin(place, &["Ada", "Ben", "Chloe"].map(Cast::named))?;
    meeting.assemble()?;
    meeting.join(&Cast::named("Dai"))?;
    meeting.assemble()?;
    meeting.stay(WATCHED)?;
    let takes = meeting.end();
    let judged = takes.judge(0, PICTURES, SOUND)?;
    let first = takes.of("Dai").and_then(|dai| dai.first_picture_ms);
    Ok(format!("the fourth's first picture after {} ms; {judged}", first.unwrap_or_default()))
}

fn three_sizes(place: &Place) -> Result<String, String> {
    let receivers = [("Ben", "high", 640), ("Chloe", "medium", 320), ("Dai", "low", 160)];
    let casts = [
        Cast::with("Ada", SIMULCAST),
        Cast::with("Ben", &["--want", "high"]),
        Cast::with("Chloe", &["--want", "medium"]),
        Cast::with("Dai", &["--want", "low"]),
    ];
    let mut meeting = Meeting::begin(place, &casts)?;
    meeting.assemble()?;
    meeting.stay(WARM_UP)?;
    let begin_us = monotonic_us();
    meeting.stay(WATCHED)?;
    let takes = meeting.end();
    let mut details = Vec::new();
    let mut all_fit = true;
    for (name, wanted, width) in receivers {
        let widths = takes.of(name).map(|take| take.widths("Ada", &(begin_us..u64::MAX))).unwrap_or_default();
        let fitting = widths.iter().filter(|&&came| came == width).count();
        all_fit &= !widths.is_empty() && fitting == widths.len();
        details.push(format!("{name} wanted {wanted}: {fitting} of {} pictures {width} wide", widths.len()));
    }
    let judged = takes.judge(begin_us, PICTURES, SOUND);
    let fits = all_fit && judged.is_ok();
    let words = format!("{}; {}", details.join(", "), judged.unwrap_or_else(|why| why));
    if fits { Ok(words) } else { Err(words) }
}

/// All of Ada's packets pass through a bad network, so that each way between her and Ben has it once.
fn loss(server: &Running) -> Result<String, String> {
    let place = &server.place;
    let ports = ManyPorts { address: server.janus.theirs(), ports: MEDIA_PORTS };
    let network = Impairment::start(&place.programs, place.bind, ports, &LOSS)?;
    let ada = Cast { environment: vec![network.environment()], ..Cast::named("Ada") };
    let mut meeting = Meeting::begin(place, &[ada, Cast::named("Ben")])?;
    meeting.assemble()?;
    meeting.stay(WARM_UP)?;
    let begin_us = monotonic_us();
    meeting.stay(2 * WATCHED)?;
    let takes = meeting.end();
    let damage = network.finish()?;
    if damage.lost == 0 {
        return Err(format!("media did not go through the bad network: {damage:?}"));
    }
    let never_came: u64 = takes.people.iter().map(|person| person.lost_packets).sum();
    let judged = takes.judge(begin_us, PICTURES_WITH_LOSS, SOUND_WITH_LOSS);
    let with = |text: String| {
        let (lost, received) = (damage.lost, damage.received);
        format!("{lost} of {received} packets lost on purpose, {never_came} never came; {text}")
    };
    judged.map(with).map_err(with)
}

/// The check of the first case must fail when Ben loses Ada's key, for Ada's pictures at Ben and for nobody else's.
fn wrong_key(place: &Place) -> Result<String, String> {
    let ben = Cast { sabotage: Some("drop-key:Ada".to_owned()), ..Cast::named("Ben") };
    let mut meeting = Meeting::begin(place, &[Cast::named("Ada"), ben])?;
    meeting.stay(WATCHED)?;
    let takes = meeting.end();
    let judged = takes.judge(0, PICTURES, SOUND);
    let shares = takes.shares(0);
    let [ada, ben] = shares.as_slice() else { return Err("not two people".to_owned()) };
    match judged {
        Err(words) if ada.pictures() >= PICTURES && ben.pictures() == 0.0 => Ok(format!("noticed: {words}")),
        Ok(words) | Err(words) => Err(format!("Ada's pictures were to be unreadable at Ben alone: {words}")),
    }
}
