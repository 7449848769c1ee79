//! Slots: one connection, bound and re-bound with no offer.

use std::time::Duration;

use incamera_sfu::{Layer, Rights};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{OTHER_ROOM, ROOM, Server, Session, name};
use crate::media::encoding;
use crate::peer::{Offering, Seen};

/// As [`crate::media::video`] makes them.
const PACKETS_PER_PICTURE: usize = 3;

async fn shows(session: &Session, mid: &str, who: u8) -> Seen {
    let last = |s: &Seen| s.tags(mid).last().map(|t| t.who);
    session.peer.until("somebody in a slot", |s| last(s) == Some(who)).await
}

#[tokio::test]
async fn slots_are_bound_swapped_and_emptied_without_a_new_offer() {
    let server = Server::start().await;
    let _ada = server.publish("ada", 1, &["h", "l"]).await;
    let _bob = server.publish("bob", 2, &[]).await;
    let viewer = server.slots("viewer", 2).await;
    assert!(viewer.links.iter().any(|l| l.contains("urn:incamera:slots")));
    assert!(viewer.links.iter().any(|l| l.contains("urn:ietf:params:whep:ext:core:layer")));
    let [a0, v0, a1, v1] = [0, 1, 2, 3].map(|i| viewer.peer.mids[i].clone());

    let bindings = json!([
        { "mid": a0, "stream": "ada" },
        { "mid": v0, "stream": "ada", "layer": "low" },
        { "mid": a1, "stream": "bob" },
        { "mid": v1, "stream": "bob" },
    ]);
    let state = server.bind(&viewer, bindings).await;
    assert_eq!(state["slots"][1]["stream"], "ada");
    let low = |s: &Seen| s.tags(&v0).last().is_some_and(|t| (t.who, t.encoding) == (1, encoding(Layer::Low)));
    viewer.peer.until("the low layer", low).await;
    for (mid, who) in [(&a0, 1), (&a1, 2), (&v1, 2)] {
        shows(&viewer, mid, who).await;
    }

    server.bind(&viewer, json!([{ "mid": v0, "stream": "bob" }, { "mid": v1, "stream": "ada" }])).await;
    shows(&viewer, &v0, 2).await;
    let seen = shows(&viewer, &v1, 1).await;
    let switched = seen.tags(&v1).find(|t| t.who == 1).unwrap();
    assert!(switched.key && switched.part == 0, "{switched:?}");
    for mid in [&v0, &v1] {
        let mut sequences: Vec<_> = seen.in_slot(mid).map(|p| p.sequence).collect();
        sequences.sort_unstable();
        assert!(sequences.windows(2).all(|w| w[0] + 1 == w[1]), "{mid}");
        assert!(seen.in_slot(mid).all(|p| p.tag.is_some()));
    }

    let state = server.bind(&viewer, json!([{ "mid": v0, "stream": null }])).await;
    assert_eq!(state["slots"][1]["stream"], Value::Null);
    let before = viewer.peer.seen().in_slot(&v1).count();
    let seen = viewer.peer.until("the other slot", |s| s.in_slot(&v1).count() > before + 30).await;
    let after_unbinding = seen.in_slot(&v0).count();
    let seen = viewer.peer.until("more", |s| s.in_slot(&v1).count() > before + 60).await;
    assert_eq!(seen.in_slot(&v0).count(), after_unbinding);
}

#[tokio::test]
async fn repeating_a_binding_asks_nobody_for_key_frames() {
    let server = Server::start().await;
    let ada = server.publish("ada", 1, &[]).await;
    let viewer = server.slots("viewer", 1).await;
    let [audio, video] = [viewer.peer.mids[0].clone(), viewer.peer.mids[1].clone()];
    let binding = json!([{ "mid": audio, "stream": "ada" }, { "mid": video, "stream": "ada" }]);
    server.bind(&viewer, binding.clone()).await;
    shows(&viewer, &video, 1).await;
    let asked = |s: &Seen| s.key_frame_requests.len();
    let pictures = async |count: usize| {
        let shown = viewer.peer.seen().in_slot(&video).count() + count * PACKETS_PER_PICTURE;
        viewer.peer.until("more video", |s| s.in_slot(&video).count() >= shown).await;
    };
    // What was asked for at the beginning has been asked by then, and has arrived: a put-off request waits for
    // 100 ms, and pictures come every 40 ms.
    pictures(6).await;
    let before = asked(&ada.peer.seen());
    for _ in 0..10 {
        server.bind(&viewer, binding.clone()).await;
        pictures(3).await;
    }
    pictures(6).await;
    assert_eq!(asked(&ada.peer.seen()), before);
}

#[tokio::test]
async fn a_stream_fills_one_slot_of_each_kind() {
    let server = Server::start().await;
    let viewer = server.slots("viewer", 2).await;
    let [a0, v0, _, v1] = [0, 1, 2, 3].map(|i| viewer.peer.mids[i].clone());
    let put = async |slots: Value| {
        let request = server.request(Method::PUT, &format!("{}/slots", viewer.url), &viewer.bearer);
        request.json(&json!({ "slots": slots })).send().await.unwrap().status().as_u16()
    };
    let ada = |mid: &str| json!({ "mid": mid, "stream": "ada" });
    assert_eq!(put(json!([ada(&v0), ada(&v1)])).await, 422);
    assert_eq!(put(json!([ada(&a0), ada(&v0)])).await, 200);
    assert_eq!(put(json!([ada(&v1)])).await, 422);
    assert_eq!(put(json!([ada(&v1), { "mid": v0, "stream": null }])).await, 200);
}

#[tokio::test]
async fn a_slot_may_be_bound_before_its_stream_starts() {
    let server = Server::start().await;
    let viewer = server.slots("viewer", 1).await;
    let [audio, video] = [viewer.peer.mids[0].clone(), viewer.peer.mids[1].clone()];
    viewer.peer.connected().await;
    server.bind(&viewer, json!([{ "mid": audio, "stream": "ada" }, { "mid": video, "stream": "ada" }])).await;
    let _ada = server.publish("ada", 1, &[]).await;
    shows(&viewer, &video, 1).await;
    shows(&viewer, &audio, 1).await;
}

#[tokio::test]
async fn a_stream_of_another_room_is_out_of_reach() {
    let server = Server::start().await;
    let _ada = server.publish("ada", 1, &[]).await;
    let stranger = server.bearer(OTHER_ROOM, "stranger", Rights::Watch);
    let offering = Offering::player(1).await;
    let response = server.offer("/sfu/whep/ada", &stranger, &offering.offer).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let list = server.request(Method::GET, "/sfu/streams", &stranger).send().await.unwrap();
    let list: Value = list.json().await.unwrap();
    assert_eq!(list["streams"], json!([]));
}

#[tokio::test]
async fn wrong_bindings_change_nothing() {
    let server = Server::start().await;
    let viewer = server.slots("viewer", 1).await;
    let mid = viewer.peer.mids[1].clone();
    let path = format!("{}/slots", viewer.url);
    let many: Vec<_> = (0..200).map(|_| json!({ "mid": mid })).collect();
    for (body, status) in [
        (json!({ "slots": [{ "mid": mid, "stream": "a" }, { "mid": "nope", "stream": "b" }] }), 422),
        (json!({ "slots": [{ "mid": mid, "stream": "../etc" }] }), 400),
        (json!({ "slots": [{ "mid": mid, "layer": "huge" }] }), 400),
        (json!({ "slots": [{ "mid": mid, "more": 1 }] }), 400),
        (json!({ "slots": many }), 400),
        (json!([]), 400),
    ] {
        let request = server.request(Method::PUT, &path, &viewer.bearer).json(&body);
        assert_eq!(request.send().await.unwrap().status().as_u16(), status, "{body:.80}");
    }
    let state = server.request(Method::GET, &path, &viewer.bearer).send().await.unwrap();
    let state: Value = state.json().await.unwrap();
    assert_eq!(state["slots"][1]["stream"], Value::Null);
}

#[tokio::test]
async fn the_list_of_streams_tells_who_comes_and_goes() {
    let server = Server::start().await;
    let bearer = server.bearer(ROOM, "viewer", Rights::Watch);
    let list = async |after: Option<u64>| -> Value {
        let query = after.map(|v| format!("?after={v}&wait=9")).unwrap_or_default();
        let path = format!("/sfu/streams{query}");
        server.request(Method::GET, &path, &bearer).send().await.unwrap().json().await.unwrap()
    };
    let empty = list(None).await;
    assert_eq!(empty["streams"], json!([]));
    let version = empty["version"].as_u64();
    let (changed, ada) = tokio::join!(list(version), server.publish("ada", 1, &["h", "m", "l"]));
    let expected = json!([{
        "stream": "ada", "audio": true, "video": true, "layers": ["high", "medium", "low"]
    }]);
    assert_eq!(changed["streams"], expected);
    let leave = server.request(Method::DELETE, &ada.url, &ada.bearer).send();
    let (changed, left) = tokio::join!(list(changed["version"].as_u64()), leave);
    assert_eq!(left.unwrap().status(), StatusCode::OK);
    assert_eq!(changed["streams"], json!([]));
    ada.peer.until("goodbye", |s| s.closed).await;
}

#[tokio::test]
async fn a_poll_ends_when_its_bearer_is_revoked_or_its_time_is_up() {
    let server = Server::start().await;
    let bearer = server.bearer(ROOM, "viewer", Rights::Watch);
    let poll = |wait: u64| {
        let path = format!("/sfu/streams?after=0&wait={wait}");
        server.request(Method::GET, &path, &bearer).send()
    };
    assert_eq!(poll(0).await.unwrap().status(), StatusCode::OK);
    let waiting = tokio::spawn(poll(9));
    // Give the poll its turn: it is answered only after the room has ended.
    while server.sfu.stats().await.unwrap().rooms == 0 {
        tokio::task::yield_now().await;
    }
    server.sfu.end_room(ROOM);
    let ended = tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap();
    assert_eq!(ended.unwrap().unwrap().status(), StatusCode::UNAUTHORIZED);
    server.sfu.revoke(ROOM, &name("viewer"));
    assert_eq!(poll(0).await.unwrap().status(), StatusCode::UNAUTHORIZED);
}
