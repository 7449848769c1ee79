//! Media from publishers to players.

use std::collections::HashSet;
use std::time::Duration;

use incamera_sfu::Layer;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::Server;
use crate::media::{self, encoding};
use crate::peer::{Received, Seen};

/// Whether a player's packets of one m-line are what an honest SFU makes of them: bit-exact, sequence numbers
/// gapless once sorted, timestamps and PictureIDs never going back with them.
fn assert_well_formed(seen: &Seen, mid: &str, is_video: bool) {
    let mut packets: Vec<&Received> = seen.in_slot(mid).collect();
    packets.sort_by_key(|p| p.sequence);
    assert!(packets.iter().all(|p| p.tag.is_some()), "a payload was altered");
    for pair in packets.windows(2) {
        assert_eq!(pair[0].sequence + 1, pair[1].sequence);
        let forward = pair[1].time.wrapping_sub(pair[0].time);
        assert!(forward < u32::MAX / 2, "time went back");
        if is_video {
            let ids = [pair[0], pair[1]].map(|p| media::picture_id(&p.payload));
            let step = ids[1].wrapping_sub(ids[0]) & 0x7fff;
            assert!(step < 0x4000, "PictureID went back: {ids:?}");
            assert_eq!(step == 0, forward == 0, "one PictureID for one frame");
        }
    }
}

#[tokio::test]
async fn a_player_gets_audio_and_video_bit_exact_from_a_key_frame_on() {
    let server = Server::start().await;
    let _ada = server.publish("ada", 1, &[]).await;
    let viewer = server.play("viewer", "ada").await;
    let [audio, video] = [&viewer.peer.mids[0], &viewer.peer.mids[1]];
    let enough = |s: &Seen| s.in_slot(audio).count() > 25 && s.in_slot(video).count() > 40;
    let seen = viewer.peer.until("audio and video", enough).await;
    assert_well_formed(&seen, audio, false);
    assert_well_formed(&seen, video, true);
    let first = seen.tags(video).min_by_key(|t| (t.frame, t.part)).unwrap();
    assert!(first.key && first.part == 0);
    assert!(seen.packets.iter().all(|p| p.sequence < 65_536 + 1_000));
}

#[tokio::test]
async fn a_late_joiner_gets_a_key_frame_at_once() {
    let server = Server::start().await;
    let ada = server.publish("ada", 1, &[]).await;
    let first = server.play("first", "ada").await;
    let video = first.peer.mids[1].clone();
    first.peer.until("video", |s| s.in_slot(&video).count() > 30).await;
    let before = ada.peer.seen().key_frame_requests.len();
    let late = server.play("late", "ada").await;
    let seen = late.peer.until("a key frame", |s| s.tags(&late.peer.mids[1]).next().is_some()).await;
    assert!(seen.tags(&late.peer.mids[1]).next().unwrap().key);
    ada.peer.until("a request", |s| s.key_frame_requests.len() > before).await;
}

#[tokio::test]
async fn layers_switch_on_key_frames_only_and_without_a_gap() {
    let server = Server::start().await;
    let _ada = server.publish("ada", 1, &["h", "m", "l"]).await;
    let viewer = server.play("viewer", "ada").await;
    let video = viewer.peer.mids[1].clone();
    let gets = |layer| {
        let video = video.clone();
        move |s: &Seen| s.tags(&video).last().is_some_and(|t| t.encoding == encoding(layer))
    };
    viewer.peer.until("the high layer", gets(Layer::High)).await;
    for (rid, layer) in [("l", Layer::Low), ("m", Layer::Medium), ("h", Layer::High)] {
        let path = format!("{}/layer", viewer.url);
        let request = server.request(Method::POST, &path, &viewer.bearer);
        let response = request.json(&json!({ "encodingId": rid })).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        viewer.peer.until("the chosen layer", gets(layer)).await;
    }
    let seen = viewer.peer.seen();
    assert_well_formed(&seen, &video, true);
    let tags: Vec<_> = seen.tags(&video).collect();
    for pair in tags.windows(2).filter(|p| p[0].encoding != p[1].encoding) {
        assert!(pair[1].key && pair[1].part == 0, "{pair:?}");
    }
}

#[tokio::test]
async fn a_stopped_layer_falls_back_to_the_next_lower_and_comes_back() {
    let server = Server::start().await;
    let ada = server.publish("ada", 1, &["h", "m", "l"]).await;
    let viewer = server.play("viewer", "ada").await;
    let video = viewer.peer.mids[1].clone();
    let gets = |layer| {
        let video = video.clone();
        move |s: &Seen| s.tags(&video).last().is_some_and(|t| t.encoding == encoding(layer))
    };
    viewer.peer.until("the high layer", gets(Layer::High)).await;
    ada.peer.only_layers(&[Layer::Medium, Layer::Low]);
    viewer.peer.until("the medium layer", gets(Layer::Medium)).await;
    ada.peer.only_layers(&Layer::BEST_FIRST);
    viewer.peer.until("the high layer again", gets(Layer::High)).await;
    assert_well_formed(&viewer.peer.seen(), &video, true);
}

#[tokio::test]
async fn requests_of_players_reach_the_publisher_throttled() {
    let server = Server::start().await;
    let ada = server.publish("ada", 1, &[]).await;
    let viewer = server.play("viewer", "ada").await;
    let video = viewer.peer.mids[1].clone();
    viewer.peer.until("video", |s| s.in_slot(&video).next().is_some()).await;
    for keys in 1..=4 {
        // One while the last was just sent: it is deferred, and still brings a key frame.
        viewer.peer.ask_for_key_frame(&video);
        viewer
            .peer
            .until("a key frame per request", |s| {
                s.tags(&video).filter(|t| t.key && t.part == 0).count() > keys
            })
            .await;
    }
    let requests = ada.peer.seen().key_frame_requests;
    assert!(requests.len() >= 4);
    // The first may be for the new subscriber, who passes after 100 ms. A request may be noted late but never early,
    // so one gap alone says little where everything is slow, and all of them together 300 ms each.
    let [(_, first), .., (_, last)] = &requests[1..] else { panic!("too few requests") };
    let gaps = u32::try_from(requests.len() - 2).unwrap();
    assert!(last.duration_since(*first) >= Duration::from_millis(250) * gaps, "{requests:?}");
}

#[tokio::test]
async fn losses_towards_a_player_are_repaired() {
    let server = Server::start().await;
    let _ada = server.publish("ada", 1, &[]).await;
    let viewer = server.play("viewer", "ada").await;
    let video = viewer.peer.mids[1].clone();
    viewer.peer.until("video", |s| s.in_slot(&video).count() > 10).await;
    viewer.peer.lose_every(20);
    let enough = |s: &Seen| s.datagrams_dropped > 12 && s.in_slot(&video).count() > 150;
    viewer.peer.until("losses", enough).await;
    viewer.peer.lose_every(0);
    let complete = |s: &Seen| {
        let numbers: HashSet<u64> = s.in_slot(&video).map(|p| p.sequence).collect();
        let (first, last) = (numbers.iter().min(), numbers.iter().max());
        first.zip(last).is_some_and(|(f, l)| numbers.len() as u64 == l - f + 1)
    };
    viewer.peer.until("every packet", complete).await;
}

#[tokio::test]
async fn what_arrives_of_each_stream_is_counted() {
    let server = Server::start().await;
    let _ada = server.publish("ada", 1, &[]).await;
    let viewer = server.play("viewer", "ada").await;
    let video = viewer.peer.mids[1].clone();
    viewer.peer.until("video", |s| s.in_slot(&video).count() > 30).await;
    let stats = server.sfu.stats().await.unwrap();
    let stream = stats.streams.iter().find(|s| s.layer == Some(Layer::High)).unwrap();
    assert_eq!(stream.lost, 0);
    assert!(stream.packets >= 30 && stream.key_frames >= 1);
    assert_eq!((stats.publishers, stats.players, stats.rooms), (1, 1, 1));
}

#[tokio::test]
async fn a_publisher_that_returns_takes_its_place_again() {
    let server = Server::start().await;
    let _ada = server.publish("ada", 1, &[]).await;
    let viewer = server.play("viewer", "ada").await;
    let video = viewer.peer.mids[1].clone();
    viewer.peer.until("video", |s| s.in_slot(&video).count() > 10).await;
    let _again = server.publish("ada", 9, &[]).await;
    let from_new = |s: &Seen| s.tags(&video).filter(|t| t.who == 9).count() > 30;
    let seen = viewer.peer.until("the new publisher", from_new).await;
    assert_well_formed(&seen, &video, true);
    assert_eq!(server.sfu.stats().await.unwrap().publishers, 1);
}
