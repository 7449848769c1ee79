//! An SFU that attacks the meeting it carries: nothing wrong is shown, nobody crashes, and what people must know
//! they are told, with the name of whom it concerns.

use std::path::Path;
use std::time::Duration;

use incamera_devices::y4m::Y4mReader;
use incamera_devices::{SenderMark, read_code};
use incamera_tests::stage::{
    Cast, Outcome, PATIENCE, Stage, Watched, folder_of, is_full_run, longest_loss, received_from, sent,
};
use serde_json::Value;

/// An attack that must be shown is shown within this.
const SHOWN_WITHIN: Duration = Duration::from_secs(10);

/// How long an attack goes on that needs not be shown.
const ATTACK: Duration = Duration::from_secs(5);

/// Ada hosts on an SFU that does `attack` as soon as pictures flow; Ben and Chloe join and keep what they receive.
struct Attacked {
    stage: Stage,
    host: Watched,
    ben: Watched,
    chloe: Watched,
}

impl Attacked {
    fn by(attack: &str) -> Self {
        let stage = Stage::for_meeting();
        let environment = [("INCAMERA_SABOTAGE", attack)];
        let (host, link) = stage.host(&Cast { environment: &environment, ..Cast::named("Ada") });
        let join = |name: &'static str| {
            let takes = stage.path(name).join("takes");
            let takes = takes.to_str().expect("a path in ASCII");
            let more = ["--pattern-size", "320x180", "--video-kbps", "300", "--out", takes];
            stage.join(&link, &Cast { more: &more, ..Cast::named(name) })
        };
        let (ben, chloe) = (join("Ben"), join("Chloe"));
        Self { stage, host, ben, chloe }
    }

    /// Everybody leaves; what Ben and Chloe kept of the others is genuine, and in order.
    fn end(self) -> Stage {
        let (ben, chloe) = (self.ben.leave(), self.chloe.leave());
        let outcomes: [Outcome; 3] = [ben, chloe, self.host.leave()];
        for (at, others) in [("Ben", ["Ada", "Chloe"]), ("Chloe", ["Ada", "Ben"])] {
            let takes = self.stage.path(at).join("takes");
            for other in others {
                if let Some(folder) = folder_of(&takes, other) {
                    assert_genuine(&folder.join("video.y4m"), at, other);
                }
            }
        }
        // 15 says that media of somebody could not be opened when we left.
        assert!(outcomes.iter().all(|outcome| matches!(outcome.code, Some(0 | 15))), "{outcomes:?}");
        self.stage
    }
}

/// Every picture carries the sender's mark, and its numbers only move forward.
fn assert_genuine(take: &Path, at: &str, from: &str) {
    let Ok(mut pictures) = Y4mReader::open(take) else { return };
    let mut picture = pictures.format().size.black();
    let mut last = None;
    while pictures.read_picture(&mut picture).expect("a finished take can be read") {
        let Some(code) = read_code(&picture.view()) else { continue };
        assert_eq!(
            code.mark,
            SenderMark::from_name(from),
            "{at} was shown a stranger in the place of {from}"
        );
        assert!(last < Some(code.number), "{at} was shown {} of {from} after {last:?}", code.number);
        last = Some(code.number);
    }
}

/// Whether `event` tells of trouble with the media of one of these members.
fn names(event: &Value, members: &[&Value]) -> bool {
    let kind = event["event"].as_str().unwrap_or_default();
    matches!(kind, "key_missing" | "alarm" | "problem") && members.contains(&&event["member"])
}

/// `person` is told of trouble with the media of `about`, under whichever id: a repair adds people again.
fn assert_told(person: &mut Watched, about: &str) {
    person.watch_for(SHOWN_WITHIN);
    let joined = person.events().iter().filter(|event| event["member"]["name"] == about);
    let members: Vec<&Value> = joined.map(|event| &event["member"]["member"]).collect();
    assert!(person.events().iter().any(|event| names(event, &members)), "nothing is said about {about}");
}

/// The attack begins with the first picture that the host sees of somebody else.
fn wait_for_attack(host: &mut Watched) {
    host.wait_for("first_picture", PATIENCE, |_| true);
}

#[test]
fn changed_frames_are_never_shown_and_their_sender_is_named() {
    if !is_full_run("flip-bits") {
        return;
    }
    let mut meeting = Attacked::by("flip-bits");
    wait_for_attack(&mut meeting.host);
    assert_told(&mut meeting.ben, "Chloe");
    let stage = meeting.end();
    let decoded = received_from(&stage.path("Ben").join("takes"), "Chloe", "video").len();
    assert!(decoded < 90, "{decoded} pictures were decoded, more than came before the attack");
}

#[test]
fn frames_that_were_cut_short_are_never_shown_and_their_sender_is_named() {
    if !is_full_run("truncate") {
        return;
    }
    let mut meeting = Attacked::by("truncate");
    wait_for_attack(&mut meeting.host);
    assert_told(&mut meeting.ben, "Chloe");
    meeting.end();
}

#[test]
fn repeated_frames_are_shown_once() {
    if !is_full_run("replay") {
        return;
    }
    let mut meeting = Attacked::by("replay");
    meeting.host.wait_for_pictures(2);
    meeting.ben.wait_for_pictures(2);
    meeting.ben.watch_for(ATTACK);
    goes_on(&meeting.end());
}

#[test]
fn streams_under_somebody_elses_name_are_still_shown_as_their_senders() {
    if !is_full_run("swap-streams") {
        return;
    }
    let mut meeting = Attacked::by("swap-streams:Ben,Chloe");
    meeting.host.wait_for_pictures(2);
    meeting.ben.wait_for_pictures(1);
    meeting.ben.watch_for(ATTACK);
    meeting.end();
}

#[test]
fn disorder_doubles_and_empty_frames_do_no_harm() {
    if !is_full_run("reorder, duplicate, inject-empty-frames") {
        return;
    }
    for attack in ["reorder", "duplicate", "inject-empty-frames"] {
        let mut meeting = Attacked::by(attack);
        meeting.host.wait_for_pictures(2);
        meeting.ben.wait_for_pictures(2);
        meeting.ben.watch_for(ATTACK);
        meeting.end();
    }
}

#[test]
fn a_stream_that_stands_still_or_is_held_back_is_told_with_its_senders_name() {
    if !is_full_run("freeze-stream, drop-stream") {
        return;
    }
    for attack in ["freeze-stream:Chloe", "drop-stream:Chloe"] {
        let mut meeting = Attacked::by(attack);
        meeting.host.wait_for_pictures(2);
        assert_told(&mut meeting.ben, "Chloe");
        meeting.end();
    }
}

/// Ben sees Ada all the time.
fn goes_on(stage: &Stage) {
    let pictures = received_from(&stage.path("Ben").join("takes"), "Ada", "video");
    let lost = longest_loss(&sent(&stage.frames("Ada"), "video"), &pictures);
    assert!(pictures.len() > 30 && lost < 15, "{} pictures came, {lost} in a row did not", pictures.len());
}
