//! A film as a camera: its last picture stays.

use incamera_tests::stage::{Cast, PATIENCE, Stage};

use crate::screen::film;

#[test]
fn whoever_comes_after_a_film_has_ended_sees_its_last_picture() {
    let stage = Stage::for_meeting();
    let film = film(&stage);
    let video = film.to_str().expect("a plain path");
    let (mut host, link) = stage.host(&Cast { video, ..Cast::quiet("Ada") });
    let ben = stage.join(&link, &Cast::quiet("Ben"));
    host.wait_for("source_ended", PATIENCE, |event| event["source"] == "video");
    let mut chloe = stage.join(&link, &Cast::quiet("Chloe"));
    chloe.wait_for("first_picture", PATIENCE, |event| event["name"] == "Ada");
    for guest in [chloe, ben] {
        assert_eq!(guest.leave().code, Some(0));
    }
    assert_eq!(host.leave().code, Some(0));
}
