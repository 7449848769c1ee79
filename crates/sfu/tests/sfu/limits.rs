//! Bounds on what clients can make the SFU hold (SEC-15).

use std::time::Duration;

use incamera_sfu::{Limits, Rate, Rights, SfuConfig};
use reqwest::Method;
use serde_json::json;

use crate::harness::{ROOM, Server, Session};
use crate::peer::{Offering, PATIENCE};

async fn limited(change: impl FnOnce(&mut Limits)) -> Server {
    let mut config = SfuConfig::default();
    change(&mut config.limits);
    Server::with(config).await
}

async fn publish_status(server: &Server, identity: &str) -> u16 {
    let bearer = server.bearer(ROOM, identity, Rights::WatchAndPublish);
    let offering = Offering::publisher(&[]).await;
    server.offer("/sfu/whip", &bearer, &offering.offer).await.status().as_u16()
}

#[tokio::test]
async fn a_full_room_refuses_publishers_but_lets_one_return() {
    let server = limited(|l| l.publishers_per_room = 1).await;
    assert_eq!(publish_status(&server, "ada").await, 201);
    assert_eq!(publish_status(&server, "bob").await, 503);
    assert_eq!(publish_status(&server, "ada").await, 201);
}

#[tokio::test]
async fn one_address_cannot_open_any_number_of_sessions() {
    let server = limited(|l| l.connections_per_address = 2).await;
    assert_eq!(publish_status(&server, "a").await, 201);
    assert_eq!(publish_status(&server, "b").await, 201);
    assert_eq!(publish_status(&server, "c").await, 429);
}

#[tokio::test]
async fn offers_are_limited_in_rate() {
    let server = limited(|l| {
        l.offer_rate = Rate { burst: 2, per_second: 0 };
    })
    .await;
    assert_eq!(publish_status(&server, "a").await, 201);
    assert_eq!(publish_status(&server, "b").await, 201);
    assert_eq!(publish_status(&server, "c").await, 429);
}

async fn restart_status(server: &Server, session: &Session, ufrag: &str) -> u16 {
    let restart = format!("a=ice-ufrag:{ufrag}\r\na=ice-pwd:newpasswordnewpassword\r\n");
    let request = server
        .request(Method::PATCH, &session.url, &session.bearer)
        .header("if-match", "*")
        .header("content-type", "application/trickle-ice-sdpfrag");
    request.body(restart).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn ice_restarts_are_limited_like_offers() {
    let server = limited(|l| l.offer_rate = Rate { burst: 4, per_second: 0 }).await;
    let ada = server.publish("ada", 1, &[]).await;
    for (ufrag, status) in [("one1", 200), ("one1", 400), ("two2", 200), ("tri3", 429)] {
        assert_eq!(restart_status(&server, &ada, ufrag).await, status, "{ufrag}");
    }
    // Another session's offer comes out of the same bucket.
    assert_eq!(publish_status(&server, "bob").await, 429);
}

#[tokio::test]
async fn bindings_are_limited_in_rate() {
    let server = limited(|l| l.binding_rate = Rate { burst: 2, per_second: 0 }).await;
    let viewer = server.slots("viewer", 1).await;
    let path = format!("{}/slots", viewer.url);
    let body = json!({ "slots": [{ "mid": viewer.peer.mids[1], "stream": "ada" }] });
    for status in [200, 200, 429] {
        let request = server.request(Method::PUT, &path, &viewer.bearer).json(&body);
        assert_eq!(request.send().await.unwrap().status().as_u16(), status);
    }
    let path = format!("{}/layer", viewer.url);
    let request = server.request(Method::POST, &path, &viewer.bearer).json(&json!({}));
    assert_eq!(request.send().await.unwrap().status().as_u16(), 429);
}

#[tokio::test]
async fn more_slots_than_allowed_are_refused() {
    let server = limited(|l| (l.audio_slots, l.video_slots) = (3, 2)).await;
    let bearer = server.bearer(ROOM, "viewer", Rights::Watch);
    for (slots, status) in [(2, 201), (3, 422)] {
        let offering = Offering::player(slots).await;
        let response = server.offer("/sfu/whep", &bearer, &offering.offer).await;
        assert_eq!(response.status().as_u16(), status);
    }
}

#[tokio::test]
async fn sessions_that_never_connect_are_forgotten() {
    let server = limited(|l| l.connect_timeout = Duration::from_millis(10)).await;
    assert_eq!(publish_status(&server, "ada").await, 201);
    let gone = async {
        while server.sfu.stats().await.unwrap().publishers > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
}

#[tokio::test]
async fn waiting_polls_are_limited_per_identity() {
    let server = Server::start().await;
    let bearer = server.bearer(ROOM, "viewer", Rights::Watch);
    let mut polls = tokio::task::JoinSet::new();
    for _ in 0..5 {
        polls.spawn(server.request(Method::GET, "/sfu/streams?after=0&wait=9", &bearer).send());
    }
    // Nothing happens in the room, so only a refusal comes at once; whoever waits is answered when something does.
    let status = |answer: Option<Result<_, _>>| -> u16 {
        let response: Result<reqwest::Response, _> = answer.unwrap().unwrap();
        response.unwrap().status().as_u16()
    };
    assert_eq!(status(polls.join_next().await), 429);
    let _ada = server.publish("ada", 1, &[]).await;
    for _ in 0..4 {
        assert_eq!(status(polls.join_next().await), 200);
    }
}

#[tokio::test]
async fn publishers_are_told_the_bitrate_limit() {
    let server = limited(|l| l.publisher_bytes = Rate { burst: 100_000, per_second: 100_000 }).await;
    let ada = server.publish("ada", 1, &[]).await;
    let told = |rates: &[u64]| rates.iter().any(|r| r.abs_diff(800_000) < 10_000);
    ada.peer.until("a bitrate limit", |s| told(&s.remb)).await;
}

#[tokio::test]
async fn what_a_publisher_sends_above_its_rate_reaches_nobody() {
    let server = limited(|l| l.publisher_bytes = Rate { burst: 30_000, per_second: 0 }).await;
    let _ada = server.publish("ada", 1, &[]).await;
    let viewer = server.play("viewer", "ada").await;
    let flooding = async {
        while server.sfu.stats().await.unwrap().packets_over_rate < 50 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, flooding).await.unwrap();
    // A packet counts for 500 bytes at least.
    assert!(viewer.peer.seen().packets.len() <= 60);
}

#[tokio::test]
async fn the_sfu_sends_no_more_than_its_ceiling() {
    let server = limited(|l| l.egress_bytes = Rate { burst: 50_000, per_second: 0 }).await;
    let _ada = server.publish("ada", 1, &[]).await;
    let viewer = server.play("viewer", "ada").await;
    let held_back = async {
        while server.sfu.stats().await.unwrap().packets_over_ceiling < 50 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, held_back).await.unwrap();
    assert!(viewer.peer.seen().packets.len() <= 100);
}

#[tokio::test]
async fn one_identity_has_a_bounded_number_of_connections() {
    let server = limited(|l| l.connections_per_identity = 2).await;
    let bearer = server.bearer(ROOM, "viewer", Rights::Watch);
    for status in [201, 201, 429] {
        let offering = Offering::player(1).await;
        assert_eq!(server.offer("/sfu/whep", &bearer, &offering.offer).await.status().as_u16(), status);
    }
}
