//! Clients and strangers that send nonsense (SEC-15).

use incamera_sfu::{Rate, Rights, SfuConfig};
use reqwest::{Method, StatusCode};

use crate::harness::{ROOM, Server, name};
use crate::peer::{Offering, Seen};

#[tokio::test]
async fn every_resource_wants_a_bearer() {
    let server = Server::start().await;
    for (method, path) in [
        (Method::POST, "/sfu/whip"),
        (Method::POST, "/sfu/whep"),
        (Method::POST, "/sfu/whep/ada"),
        (Method::PATCH, "/sfu/session/0"),
        (Method::DELETE, "/sfu/session/0"),
        (Method::POST, "/sfu/session/0/layer"),
        (Method::GET, "/sfu/session/0/slots"),
        (Method::PUT, "/sfu/session/0/slots"),
        (Method::GET, "/sfu/streams"),
    ] {
        let bare = server.http.request(method.clone(), server.url(path)).send().await.unwrap();
        assert_eq!(bare.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
        assert!(bare.headers().contains_key("www-authenticate"));
        for bearer in ["", "x", &"f".repeat(64), &"f".repeat(5_000)] {
            let wrong = server.request(method.clone(), path, bearer).send().await.unwrap();
            assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_viewer_may_not_publish() {
    let server = Server::start().await;
    let bearer = server.bearer(ROOM, "viewer", Rights::Watch);
    let offering = Offering::publisher(&[]).await;
    let response = server.offer("/sfu/whip", &bearer, &offering.offer).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn wrong_requests_get_the_status_that_names_the_mistake() {
    let server = Server::start().await;
    let bearer = server.bearer(ROOM, "ada", Rights::WatchAndPublish);
    let offer = Offering::publisher(&[]).await.offer;
    let no_codec = offer.replace("VP8/90000", "H264/90000");
    let no_ice = offer.replace("a=ice-ufrag", "a=x-ufrag");
    let huge = "v=0\r\n".repeat(200_000);
    for (kind, accept, body, status) in [
        ("text/plain", "*/*", offer.as_str(), 415),
        ("application/sdp", "text/html", &offer, 406),
        ("application/sdp", "application/sdp;q=0", &offer, 406),
        ("application/sdp", "*/*", "", 400),
        ("application/sdp", "*/*", "v=0\r\nhello", 400),
        ("application/sdp", "*/*", "\u{1f600}", 400),
        ("application/sdp", "*/*", &no_codec, 422),
        ("application/sdp", "*/*", &no_ice, 422),
        ("application/sdp", "*/*", &huge, 413),
        ("application/sdp; charset=utf-8", "text/html, application/*", &offer, 201),
    ] {
        let response = server
            .request(Method::POST, "/sfu/whip", &bearer)
            .header("content-type", kind)
            .header("accept", accept)
            .body(body.to_owned())
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), status, "{kind} {accept} {body:.30?}");
    }
    let wrong_method = server.request(Method::GET, "/sfu/whip", &bearer).send().await.unwrap();
    assert_eq!(wrong_method.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(wrong_method.headers().contains_key("allow"));
    let nowhere = server.request(Method::GET, "/sfu/elsewhere", &bearer).send().await.unwrap();
    assert_eq!(nowhere.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn mangled_offers_never_take_the_server_down() {
    let mut config = SfuConfig::default();
    // All of them are to be read, none turned away for being one too many.
    config.limits.offer_rate = Rate { burst: 10_000, per_second: 10_000 };
    config.limits.publishers_per_room = 1_000;
    let server = Server::with(config).await;
    let offer = Offering::publisher(&["h", "m", "l"]).await.offer;
    let lines: Vec<&str> = offer.lines().collect();
    for (round, _) in lines.iter().enumerate() {
        // A fresh identity each time: mangled offers may well be accepted.
        let bearer = server.bearer(ROOM, &format!("mallory{round}"), Rights::WatchAndPublish);
        let mut mangled = lines.clone();
        let line = mangled.remove(round);
        let half = line.get(..line.len() / 2).unwrap_or_default();
        let doubled = [line, line].concat();
        for replacement in ["", half, &doubled] {
            mangled.insert(round, replacement);
            let response = server.offer("/sfu/whip", &bearer, &mangled.join("\r\n")).await;
            let status = response.status();
            assert!(status.is_success() || status.is_client_error(), "{status} for {replacement}");
            assert_ne!(status, StatusCode::TOO_MANY_REQUESTS, "{replacement}");
            mangled.remove(round);
        }
    }
    assert_eq!(server.sfu.stats().await.unwrap().connections_failed, 0);
}

// Whoever could publish a stream of somebody's name would take the place of what that person sends.
#[tokio::test]
async fn nobody_publishes_under_anothers_name() {
    let server = Server::start().await;
    let bearer = server.bearer(ROOM, "eve", Rights::WatchAndPublish);
    for (path, status) in [
        ("/sfu/whip/ada", StatusCode::FORBIDDEN),
        ("/sfu/whip/ada-screen", StatusCode::FORBIDDEN),
        ("/sfu/whip/eve-screen-screen", StatusCode::FORBIDDEN),
        ("/sfu/whip/eve%2f", StatusCode::NOT_FOUND),
        ("/sfu/whip/eve", StatusCode::CREATED),
        ("/sfu/whip/eve-screen", StatusCode::CREATED),
    ] {
        let offering = Offering::publisher(&[]).await;
        assert_eq!(server.offer(path, &bearer, &offering.offer).await.status(), status, "{path}");
    }
    let watching = server.bearer(ROOM, "ben", Rights::Watch);
    let offering = Offering::publisher(&[]).await;
    let refused = server.offer("/sfu/whip/ben-screen", &watching, &offering.offer).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(server.sfu.stats().await.unwrap().publishers, 2);
    server.sfu.revoke(ROOM, &name("eve"));
    assert_eq!(server.sfu.stats().await.unwrap().publishers, 0, "the screen goes with its owner (SEC-05)");
}

#[tokio::test]
async fn junk_datagrams_are_dropped_and_media_goes_on() {
    let server = Server::start().await;
    let _ada = server.publish("ada", 1, &[]).await;
    let viewer = server.play("viewer", "ada").await;
    let video = viewer.peer.mids[1].clone();
    viewer.peer.until("video", |s| s.in_slot(&video).count() > 5).await;
    let stranger = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut state = 1_u32;
    for round in 0..500_usize {
        let junk: Vec<u8> = (0..round * 4)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        stranger.send_to(&junk, server.sfu.local_addr()).await.unwrap();
    }
    let before = viewer.peer.seen().in_slot(&video).count();
    viewer.peer.until("more video", |s| s.in_slot(&video).count() > before + 30).await;
    let stats = server.sfu.stats().await.unwrap();
    assert!(stats.datagrams_unknown > 0);
    assert_eq!(stats.connections_failed, 0);
}

#[tokio::test]
async fn malformed_and_oversized_payloads_of_a_publisher_reach_nobody() {
    let server = Server::start().await;
    let ada = server.publish("ada", 1, &[]).await;
    let viewer = server.play("viewer", "ada").await;
    let video = viewer.peer.mids[1].clone();
    viewer.peer.until("video", |s| s.in_slot(&video).count() > 5).await;
    for raw in [vec![0x90], vec![0x90, 0x80, 0x80], vec![0x90; 1_500]] {
        ada.peer.send_raw(raw);
    }
    while server.sfu.stats().await.unwrap().packets_malformed < 3 {
        tokio::task::yield_now().await;
    }
    let count = |s: &Seen| s.in_slot(&video).count();
    let before = count(&viewer.peer.seen());
    let seen = viewer.peer.until("more video", |s| count(s) > before + 30).await;
    assert!(seen.in_slot(&video).all(|p| p.tag.is_some()));
    assert_eq!(server.sfu.stats().await.unwrap().connections_failed, 0);
}
