//! Somebody who was never admitted commits itself into the group: nobody lets it in, and everybody is told.

use std::time::Duration;

use incamera_tests::stage::{Cast, PATIENCE, Stage, Watched};
use serde_json::Value;

/// An event is shown within this time.
const SHOWN_WITHIN: Duration = Duration::from_secs(10);

/// Ada and Ben in a meeting with Eve, who lets Mallory in behind Chloe; this safeguard does not hold for them.
fn let_in_behind_chloe(stage: &Stage, off: &str) -> [Watched; 4] {
    let sabotage = format!("external-commit:Chloe;{off}");
    let (hostile, careless) = ([("INCAMERA_SABOTAGE", &*sabotage)], [("INCAMERA_SABOTAGE", off)]);
    let (ada, link) = stage.host(&Cast { environment: &careless, ..Cast::quiet("Ada") });
    let join = |name, environment| {
        let mut person = stage.join(&link, &Cast { environment, ..Cast::quiet(name) });
        person.wait_for("state_changed", PATIENCE, |event| event["state"] == "in_meeting");
        person
    };
    let (ben, eve) = (join("Ben", &careless), join("Eve", &hostile));
    [ada, ben, join("Chloe", &careless), eve]
}

fn leave(people: [Watched; 4]) {
    for person in people.into_iter().rev() {
        let outcome = person.leave();
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
    }
}

#[test]
#[ignore = "long: ./dev test --full"]
fn an_external_commit_is_refused_and_shown() {
    // SEC-10, SEC-16
    let stage = Stage::for_meeting();
    let mut people = let_in_behind_chloe(&stage, "");
    for person in &mut people[..2] {
        let refused = person.wait_for("alarm", SHOWN_WITHIN, |_| true);
        assert_eq!(refused["code"], "meeting.commit.refused");
        person.watch_for(Duration::from_secs(2));
        let bad = |event: &Value| event["member"]["name"] == "Mallory" || event["event"] == "key_missing";
        assert!(!person.events().iter().any(bad), "the commit had an effect");
    }
    leave(people);
    drop(stage);

    let stage = Stage::for_meeting();
    let mut people = let_in_behind_chloe(&stage, "safeguard-off:filter");
    // The outsider's commit takes members out of the epoch that they share.
    people[0].wait_for("key_missing", PATIENCE, |_| true);
}
