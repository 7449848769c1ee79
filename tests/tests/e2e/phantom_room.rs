//! A room that an operator invents and passes off as the one of a link, with its id and secret: nobody enters it.

use std::time::Duration;

use incamera_tests::stage::{Cast, PATIENCE, Stage, Watched};
use incamera_types::Invite;

/// An event is shown within this time.
const SHOWN_WITHIN: Duration = Duration::from_secs(10);

/// Ada's meeting, and Mallory's phantom of it, to which the relay leads Ben. These safeguards do not hold for Ben.
struct Phantom {
    stage: Stage,
    ada: Watched,
    mallory: Watched,
    ben: Watched,
}

impl Phantom {
    fn of_a_meeting(off: &[&str]) -> Self {
        let stage = Stage::for_meeting();
        let (ada, link) = stage.host(&Cast::quiet("Ada"));
        let phantom_of = [("INCAMERA_PHANTOM_OF", link.as_str())];
        let (mallory, phantom) = stage.host(&Cast { environment: &phantom_of, ..Cast::quiet("Mallory") });
        let genuine = Invite::parse(&link).expect("a good link");
        let phantom = Invite::parse(&phantom).expect("a good link");
        assert!(genuine.room == phantom.room && genuine.room_key_hash != phantom.room_key_hash);
        // Whoever runs the relay has its address and its key, and leads connections where it likes.
        let led_astray = Invite { relay: phantom.relay, tls_pin: phantom.tls_pin, ..genuine }.to_link();
        let sabotage: Vec<String> = off.iter().map(|name| format!("safeguard-off:{name}")).collect();
        let sabotage = sabotage.join(";");
        let environment = [("INCAMERA_SABOTAGE", sabotage.as_str())];
        let ben = stage.join(&led_astray, &Cast { environment: &environment, ..Cast::quiet("Ben") });
        Self { stage, ada, mallory, ben }
    }

    fn end(self) {
        for person in [self.ben, self.mallory, self.ada] {
            let outcome = person.leave();
            assert_eq!(outcome.code, Some(0), "{outcome:?}");
        }
        drop(self.stage);
    }
}

#[test]
#[ignore = "long: ./dev test --full"]
fn the_card_of_a_phantom_room_is_refused() {
    // SEC-19
    let Phantom { stage, ada, mut mallory, ben } = Phantom::of_a_meeting(&[]);
    let outcome = ben.outcome(SHOWN_WITHIN);
    assert_eq!(outcome.code, Some(12), "{outcome:?}");
    let alarm = outcome.events.iter().find(|event| event["event"] == "alarm").expect("it is shown");
    assert_eq!(alarm["code"], "meeting.card.refused");
    mallory.watch_for(Duration::from_secs(1));
    assert!(!mallory.events().iter().any(|event| event["event"] == "knocked"), "nothing of a name is told");
    assert_eq!(mallory.leave().code, Some(0));
    assert_eq!(ada.leave().code, Some(0));
    drop(stage);

    let mut control = Phantom::of_a_meeting(&["skip_card_check"]);
    control.mallory.wait_for("knocked", PATIENCE, |knocked| knocked["name"] == "Ben");
    control.end();
}

#[test]
#[ignore = "long: ./dev test --full"]
fn a_welcome_to_a_phantom_room_is_refused() {
    // SEC-19: the card is believed here, so that a Welcome comes at all.
    let mut meeting = Phantom::of_a_meeting(&["skip_card_check"]);
    let alarm = meeting.ben.wait_for("alarm", SHOWN_WITHIN, |_| true);
    assert_eq!(alarm["code"], "meeting.join.welcome_refused");
    meeting.ben.watch_for(Duration::from_secs(2));
    let is_in = |event: &serde_json::Value| event["state"] == "in_meeting" || event["event"] == "joined";
    assert!(!meeting.ben.events().iter().any(is_in), "Ben is in a room that is not the one of the link");
    meeting.end();

    let mut control = Phantom::of_a_meeting(&["skip_card_check", "rules_chain"]);
    control.ben.wait_for("joined", PATIENCE, |joined| joined["member"]["name"] == "Mallory");
    control.ben.wait_for("state_changed", PATIENCE, |event| event["state"] == "in_meeting");
    control.end();
}
