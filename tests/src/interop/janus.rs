//! Whole meetings through Debian's Janus.

use std::time::{Duration, Instant};

use super::impairment::Impairment;
use super::janus_server::{JanusServer, MEDIA_PORTS};
use super::meeting::{Cast, Meeting, PICTURES, Place, Repair, SOUND, programs, wrong_key};
use super::port_finder::ManyPorts;
use super::report::Report;
use super::switching;
use crate::demo::monotonic_us;

/// The same with 5 % loss.
const PICTURES_WITH_LOSS: f64 = 0.97;
/// Lost sound is not sent again: it comes back by error correction inside the stream, or not at all.
const SOUND_WITH_LOSS: f64 = 0.80;
/// First pictures come sooner than this after admission, 95 of 100 times.
const FIRST_PICTURE_MS: u64 = 1_000;
/// What a network does in the case with loss.
const LOSS: [&str; 4] = ["--loss", "5%", "--delay", "10ms"];
/// What it does for five seconds of the case with a bad spell,
const BAD_SPELL: [&str; 6] = ["--loss", "40%", "--begin", "10s", "--end", "15s"];
const SPELL_OVER: Duration = Duration::from_secs(15);
/// after which the bandwidth estimate has so long to recover.
const RECOVERY: Duration = Duration::from_secs(12);
/// Retransmission and bandwidth estimate settle in this time.
const WARM_UP: Duration = Duration::from_secs(5);
/// How long a meeting is watched.
const WATCHED: Duration = Duration::from_secs(8);
/// Pictures of a screen in the time that is watched and the time before it, at ten a second.
const SCREEN_PICTURES: usize = 100;
/// How long Janus is away.
const AWAY: Duration = Duration::from_secs(4);
/// Its absence is noticed in this time,
const NOTICED_US: u64 = 2_000_000;
/// and media is back in this time after its port accepts.
const BACK_US: u64 = 5_000_000;
/// What somebody sends in three sizes.
const SIMULCAST: &[&str] = &["--layers", "3", "--video-kbps", "1200"];

/// All cases.
pub(super) fn run() -> Report {
    let mut report = Report::new("janus");
    let mut server = match start() {
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
        .case("a screen beside the camera", || screen(place))
        .case("simulcast, three sizes at once", || three_sizes(place))
        .case("simulcast, layers switched while it runs", || switching::run(place))
        .case("5 % loss and 10 ms each way between everybody and Janus", || loss(&server))
        .case("picture comes back after 5 s of 40 % loss", || bad_spell(&server))
        .case("a wrong key is noticed", || wrong_key(place, WATCHED));
    report.case("Janus dies and comes back", || comes_back(&mut server));
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
    let waited = takes.first_pictures_ms_p95().ok_or("no first picture was told")?;
    let words = format!("first pictures {}; {judged}", takes.first_pictures());
    if waited < FIRST_PICTURE_MS { Ok(words) } else { Err(words) }
}

/// One shares a screen, which Janus carries as another publisher, and somebody comes while it is shared.
fn screen(place: &Place) -> Result<String, String> {
    let ada = Cast::with("Ada", &["--screen", "pattern"]);
    let mut meeting = Meeting::begin(place, &[ada, Cast::named("Ben")])?;
    meeting.assemble()?;
    meeting.join(&Cast::named("Chloe"))?;
    meeting.assemble()?;
    meeting.stay(WARM_UP)?;
    let begin_us = monotonic_us();
    meeting.stay(WATCHED)?;
    let takes = meeting.end();
    let mut words = vec![takes.judge(begin_us, PICTURES, SOUND)?];
    let mut good = true;
    for name in ["Ben", "Chloe"] {
        let pictures = takes.of(name).map_or(0, |take| take.pictures_of_layer("Ada", "screen_high"));
        good &= pictures >= SCREEN_PICTURES;
        words.push(format!("{name} has {pictures} pictures of Ada's screen"));
    }
    let words = words.join("; ");
    if good { Ok(words) } else { Err(words) }
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

/// All packets of both pass through bad networks of their own, so that what one sends has it twice on the way to the
/// other. What Janus is sent again and what it sends again is counted.
fn loss(server: &Running) -> Result<String, String> {
    let place = &server.place;
    let ports = || ManyPorts { address: server.janus.theirs(), ports: MEDIA_PORTS };
    let network = || Impairment::start(&place.programs, place.bind, ports(), &LOSS);
    let networks = [network()?, network()?];
    let behind =
        |name, network: &Impairment| Cast { environment: vec![network.environment()], ..Cast::named(name) };
    let [one, other] = &networks;
    let mut meeting = Meeting::begin(place, &[behind("Ada", one), behind("Ben", other)])?;
    meeting.assemble()?;
    meeting.stay(WARM_UP)?;
    let begin_us = monotonic_us();
    meeting.stay(2 * WATCHED)?;
    let takes = meeting.end();
    let mut words = Vec::new();
    let mut repaired = true;
    for (person, network) in takes.people.iter().zip(networks) {
        let damage = network.finish()?;
        let Repair { resent, late, lost } = person.repair;
        repaired &= damage.lost > 0 && resent > 0 && late > 0;
        words.push(format!(
            "{}: {} of {} packets lost on purpose, {resent} sent again, {late} came late, {lost} never",
            person.name, damage.lost, damage.received
        ));
    }
    let judged = takes.judge(begin_us, PICTURES_WITH_LOSS, SOUND_WITH_LOSS);
    let good = repaired && judged.is_ok();
    words.push(judged.unwrap_or_else(|why| why));
    let words = words.join("; ");
    if good { Ok(words) } else { Err(words) }
}

/// One person's network loses 40 % for a while. Janus numbers pictures alone for congestion control, so pictures must
/// go on for the estimate to grow again.
fn bad_spell(server: &Running) -> Result<String, String> {
    let place = &server.place;
    let ports = ManyPorts { address: server.janus.theirs(), ports: MEDIA_PORTS };
    let network = Impairment::start(&place.programs, place.bind, ports, &BAD_SPELL)?;
    let began = Instant::now();
    let ada = Cast { environment: vec![network.environment()], ..Cast::named("Ada") };
    let mut meeting = Meeting::begin(place, &[ada, Cast::named("Ben")])?;
    meeting.assemble()?;
    meeting.stay((SPELL_OVER + RECOVERY).saturating_sub(began.elapsed()))?;
    let begin_us = monotonic_us();
    meeting.stay(WATCHED)?;
    let takes = meeting.end();
    let damage = network.finish()?;
    let judged = takes.judge(begin_us, PICTURES, SOUND);
    let words = format!("{} of {} packets lost on purpose", damage.lost, damage.received);
    match judged {
        Ok(shares) if damage.lost > 0 => Ok(format!("{words}; {shares}")),
        Ok(shares) | Err(shares) => Err(format!("{words}; {shares}")),
    }
}

/// Everybody notices that Janus is gone, and sees everybody again when it is back.
fn comes_back(server: &mut Running) -> Result<String, String> {
    let mut meeting = Meeting::begin(&server.place, &["Ada", "Ben"].map(Cast::named))?;
    meeting.assemble()?;
    let gone_us = monotonic_us();
    server.janus.crash();
    meeting.stay(AWAY)?;
    server.janus.start_again()?;
    let back_us = monotonic_us();
    meeting.stay(WATCHED)?;
    let takes = meeting.end();
    let mut words = Vec::new();
    let mut good = true;
    for person in &takes.people {
        let noticed = person.sfu_lost_us.iter().find(|at| **at > gone_us).map(|at| at - gone_us);
        good &= noticed.is_some_and(|after| after <= NOTICED_US);
        words.push(format!("{} noticed after {:?} ms", person.name, noticed.map(|after| after / 1_000)));
        for (from, decoded) in person.pictures_since(back_us) {
            let after = decoded.map(|at| at.saturating_sub(back_us));
            good &= after.is_some_and(|after| after <= BACK_US);
            words.push(format!(
                "{}←{from} back after {:?} ms",
                person.name,
                after.map(|after| after / 1_000)
            ));
        }
    }
    let words = words.join(", ");
    if good { Ok(words) } else { Err(words) }
}
