//! The hostile SFU really is hostile, and players see what adversary tests need.

use incamera_sfu::Hostility;
use serde_json::json;

use crate::harness::{ROOM, Server, Session, name};
use crate::peer::Seen;

/// Two publishers, and a viewer with both in its slots.
async fn room() -> (Server, [Session; 3]) {
    let server = Server::start().await;
    let ada = server.publish("ada", 1, &[]).await;
    let bob = server.publish("bob", 2, &[]).await;
    let viewer = server.slots("viewer", 2).await;
    let mids = &viewer.peer.mids;
    let bindings = json!([
        { "mid": mids[0], "stream": "ada" }, { "mid": mids[1], "stream": "ada" },
        { "mid": mids[2], "stream": "bob" }, { "mid": mids[3], "stream": "bob" },
    ]);
    server.bind(&viewer, bindings).await;
    let video = mids[1].clone();
    viewer.peer.until("video", |s| s.in_slot(&video).count() > 5).await;
    (server, [viewer, ada, bob])
}

async fn attacked(hostility: Hostility, what: &str, succeeded: impl FnMut(&Seen) -> bool) {
    let (server, [viewer, _ada, _bob]) = room().await;
    server.sfu.set_hostility(ROOM, Some(hostility));
    viewer.peer.until(what, succeeded).await;
}

fn in_first_video(seen: &Seen, test: impl Fn(&crate::peer::Received) -> bool) -> bool {
    seen.packets.iter().filter(|p| test(p)).count() > 5
}

#[tokio::test]
async fn swapped_streams_show_one_person_in_the_slots_of_another() {
    let (server, [viewer, _ada, _bob]) = room().await;
    let video = viewer.peer.mids[1].clone();
    server.sfu.set_hostility(ROOM, Some(Hostility::SwapStreams(name("ada"), name("bob"))));
    viewer.peer.until("bob as ada", |s| s.tags(&video).last().is_some_and(|t| t.who == 2)).await;
    server.sfu.set_hostility(ROOM, None);
    viewer.peer.until("ada as ada", |s| s.tags(&video).last().is_some_and(|t| t.who == 1)).await;
}

#[tokio::test]
async fn altered_frames_arrive_altered() {
    let altered = |s: &Seen| in_first_video(s, |p| p.tag.is_none());
    attacked(Hostility::FlipBits, "flipped bits", altered).await;
    attacked(Hostility::Truncate, "truncated frames", altered).await;
    attacked(Hostility::InjectEmptyFrames, "empty frames", altered).await;
}

#[tokio::test]
async fn repeated_frames_arrive_more_than_once() {
    let repeated = |s: &Seen| {
        let mut tags: Vec<_> = s.packets.iter().filter_map(|p| p.tag).collect();
        let all = tags.len();
        tags.sort_by_key(|t| (t.who, t.encoding, t.frame, t.part));
        tags.dedup();
        all > tags.len() + 5
    };
    attacked(Hostility::Replay, "replays", repeated).await;
    attacked(Hostility::Duplicate, "duplicates", repeated).await;
    attacked(Hostility::Freeze(name("ada")), "a frozen picture", repeated).await;
}

#[tokio::test]
async fn a_dropped_person_stops_and_the_others_go_on() {
    let (server, [viewer, _ada, _bob]) = room().await;
    server.sfu.set_hostility(ROOM, Some(Hostility::DropStream(name("ada"))));
    let [ada, bob] = [viewer.peer.mids[1].clone(), viewer.peer.mids[3].clone()];
    let count = |s: &Seen, mid: &str| s.in_slot(mid).count();
    let more_of_bob = async |by: usize| {
        let before = count(&viewer.peer.seen(), &bob);
        viewer.peer.until("more of bob", |s| count(s, &bob) > before + by).await
    };
    let seen = more_of_bob(30).await;
    let later = more_of_bob(30).await;
    assert_eq!(count(&seen, &ada), count(&later, &ada));
}
