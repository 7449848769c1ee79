//! Whole meetings over a WHIP server and a WHEP server that are not ours.

use std::time::Duration;

use super::janus_server::JanusServer;
use super::meeting::{Cast, Meeting, PICTURES, Place, SOUND, programs, wrong_key};
use super::report::Report;
use super::whip_servers::{TOKEN, WhipServers};

/// How long a meeting is watched.
const WATCHED: Duration = Duration::from_secs(8);
/// How long the host of a meeting that cannot work is watched.
const REFUSED: Duration = Duration::from_secs(6);

/// All cases.
pub(super) fn run() -> Report {
    let mut report = Report::new("whip");
    let (janus, servers) = match start() {
        Ok(started) => started,
        Err(why) => {
            report.case("server", || Err(why));
            return report;
        }
    };
    let place = |token| -> Result<Place, String> {
        Ok(Place { programs: programs()?, sfu: servers.sfu(token), bind: janus.ours() })
    };
    report
        .case("server", || Ok(format!("{}, {}", servers.version(), janus.version())))
        .case("two people, one layer", || pass(&place(TOKEN)?, &["Ada", "Ben"].map(Cast::named)))
        .case("three people, one of them with three layers", || {
            let layered = Cast::with("Ada", &["--layers", "3", "--video-kbps", "1200"]);
            pass(&place(TOKEN)?, &[layered, Cast::named("Ben"), Cast::named("Chloe")])
        })
        .case("a late third", || late_third(&place(TOKEN)?))
        .case("a wrong token is named", || wrong_token(&place("wrong")?))
        .case("a wrong key is noticed", || wrong_key(&place(TOKEN)?, WATCHED));
    report
}

fn start() -> Result<(JanusServer, WhipServers), String> {
    let janus = JanusServer::start()?;
    let servers = WhipServers::start(&janus)?;
    Ok((janus, servers))
}

fn pass(place: &Place, casts: &[Cast]) -> Result<String, String> {
    let mut meeting = Meeting::begin(place, casts)?;
    meeting.assemble()?;
    meeting.stay(WATCHED)?;
    meeting.end().judge(0, PICTURES, SOUND)
}

fn late_third(place: &Place) -> Result<String, String> {
    let mut meeting = Meeting::begin(place, &["Ada", "Ben"].map(Cast::named))?;
    meeting.assemble()?;
    meeting.join(&Cast::named("Chloe"))?;
    meeting.assemble()?;
    meeting.stay(WATCHED)?;
    let takes = meeting.end();
    let judged = takes.judge(0, PICTURES, SOUND)?;
    Ok(format!("first pictures {}; {judged}", takes.first_pictures()))
}

/// The server refuses the token: the host says so by code, and goes on.
fn wrong_token(place: &Place) -> Result<String, String> {
    let mut meeting = Meeting::begin(place, &[Cast::named("Ada")])?;
    meeting.stay(REFUSED)?;
    let takes = meeting.end();
    let problems = takes.of("Ada").map(|ada| ada.problems.clone()).unwrap_or_default();
    let named = problems.iter().any(|(code, _)| code == "transport.sfu.ticket");
    let words = format!("{problems:?}");
    if named { Ok(words) } else { Err(words) }
}
