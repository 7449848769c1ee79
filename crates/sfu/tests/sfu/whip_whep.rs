//! WHIP and WHEP as the standards describe them.

use incamera_sfu::{IceLogin, IceServer, Rights, SfuConfig};
use reqwest::{Method, StatusCode};

use crate::harness::{ROOM, Server, name};
use crate::peer::Offering;

const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

#[tokio::test]
async fn a_session_is_created_with_everything_the_standard_asks_for() {
    let config = SfuConfig {
        ice_servers: vec![IceServer {
            url: "turn:turn.example.org?transport=udp".to_owned(),
            login: Some(IceLogin { username: "u\"1".to_owned(), credential: "secret".to_owned() }),
        }],
        ..SfuConfig::default()
    };
    let server = Server::with(config).await;
    let bearer = server.bearer(ROOM, "ada", Rights::WatchAndPublish);
    let offering = Offering::publisher(&["h", "m", "l"]).await;
    let response = server.offer("/sfu/whip", &bearer, &offering.offer).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    let headers = response.headers().clone();
    assert_eq!(headers["content-type"], "application/sdp");
    assert_eq!(headers["accept-patch"], FRAGMENT);
    let location = headers["location"].to_str().unwrap();
    assert!(location.starts_with("/sfu/session/") && location.len() >= 13 + 32);
    let link = headers["link"].to_str().unwrap();
    assert!(link.contains("rel=\"ice-server\"") && link.contains(r#"username="u\"1""#), "{link}");
    let answer = response.text().await.unwrap();
    for needed in ["a=recvonly", "a=rid:h recv", "a=rtcp-fb:", "transport-cc", "a=candidate:", "a=mid:"] {
        assert!(answer.contains(needed), "{needed} is missing in {answer}");
    }
    for unwanted in ["ssrc-audio-level", "a=sendrecv", "H264", "PCMA"] {
        assert!(!answer.contains(unwanted), "{unwanted}");
    }
}

#[tokio::test]
async fn players_are_given_no_extension_but_mid() {
    let server = Server::start().await;
    let _ada = server.publish("ada", 1, &[]).await;
    let bearer = server.bearer(ROOM, "viewer", Rights::Watch);
    let offering = Offering::player(1).await;
    let answer = server.offer("/sfu/whep/ada", &bearer, &offering.offer).await.text().await.unwrap();
    let extensions = answer.lines().filter(|l| l.starts_with("a=extmap:"));
    assert!(extensions.clone().all(|l| l.ends_with("sdes:mid")), "{:?}", extensions.collect::<Vec<_>>());
    assert_eq!(answer.matches("a=msid:stream ").count(), 2);
}

#[tokio::test]
async fn a_stream_that_has_not_started_is_a_conflict_and_an_unknown_one_not_found() {
    let server = Server::start().await;
    let viewer = server.bearer(ROOM, "viewer", Rights::Watch);
    let _soon = server.bearer(ROOM, "soon", Rights::WatchAndPublish);
    let offering = Offering::player(1).await;
    for (stream, status) in [("soon", 409), ("never", 404), ("%2e%2e", 404)] {
        let path = format!("/sfu/whep/{stream}");
        let response = server.offer(&path, &viewer, &offering.offer).await;
        assert_eq!(response.status().as_u16(), status, "{stream}");
        assert_eq!(response.headers().contains_key("retry-after"), status == 409);
    }
}

#[tokio::test]
async fn candidates_trickle_under_the_current_entity_tag_only() {
    let server = Server::start().await;
    let ada = server.publish("ada", 1, &[]).await;
    let candidate = "a=candidate:1 1 udp 2122260223 127.0.0.1 9 typ host\r\n";
    let patch = |tag: Option<&str>, kind: &str, body: &str| {
        let mut request = server.request(Method::PATCH, &ada.url, &ada.bearer);
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        request.header("content-type", kind).body(body.to_owned()).send()
    };
    let tag = ada.etag.as_str();
    for (tag, kind, body, status) in [
        (Some(tag), FRAGMENT, candidate, 204),
        (None, FRAGMENT, candidate, 428),
        (Some("\"old\""), FRAGMENT, candidate, 412),
        (Some("W/\"weak\""), FRAGMENT, candidate, 412),
        (Some(tag), "application/sdp", candidate, 415),
        (Some(tag), FRAGMENT, "junk", 400),
        (Some("*"), FRAGMENT, candidate, 400),
        (Some(tag), FRAGMENT, &candidate.repeat(40), 429),
    ] {
        let response = patch(tag, kind, body).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{tag:?} {kind} {body:.40}");
    }
}

#[tokio::test]
async fn an_ice_restart_gives_new_credentials_and_a_new_tag() {
    let server = Server::start().await;
    let ada = server.publish("ada", 1, &[]).await;
    let restart = "a=ice-ufrag:newu\r\na=ice-pwd:newpasswordnewpassword\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n";
    let response = server
        .request(Method::PATCH, &ada.url, &ada.bearer)
        .header("if-match", "*")
        .header("content-type", FRAGMENT)
        .body(restart)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], FRAGMENT);
    assert_ne!(response.headers()["etag"].to_str().unwrap(), ada.etag);
    let body = response.text().await.unwrap();
    for needed in ["a=ice-ufrag:", "a=ice-pwd:", "a=candidate:", "a=mid:"] {
        assert_eq!(body.matches(needed).count(), 1, "{needed} in {body}");
    }
}

#[tokio::test]
async fn sessions_belong_to_whoever_opened_them() {
    let server = Server::start().await;
    let ada = server.publish("ada", 1, &[]).await;
    let eve = server.bearer(ROOM, "eve", Rights::WatchAndPublish);
    let stolen = server.request(Method::DELETE, &ada.url, &eve).send().await.unwrap();
    assert_eq!(stolen.status(), StatusCode::NOT_FOUND);
    let own = || server.request(Method::DELETE, &ada.url, &ada.bearer).send();
    assert_eq!(own().await.unwrap().status(), StatusCode::OK);
    assert_eq!(own().await.unwrap().status(), StatusCode::NOT_FOUND);
    ada.peer.until("goodbye", |s| s.closed).await;
}

#[tokio::test]
async fn a_revoked_identity_is_out_at_once() {
    let server = Server::start().await;
    let ada = server.publish("ada", 1, &[]).await;
    let viewer = server.play("viewer", "ada").await;
    let video = viewer.peer.mids[1].clone();
    viewer.peer.until("video", |s| s.in_slot(&video).count() > 5).await;
    server.sfu.revoke(ROOM, &name("viewer"));
    viewer.peer.until("goodbye", |s| s.closed).await;
    let request = server.request(Method::DELETE, &viewer.url, &viewer.bearer);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let stats = server.sfu.stats().await.unwrap();
    assert_eq!((stats.publishers, stats.players), (1, 0));
    server.sfu.end_room(ROOM);
    ada.peer.until("goodbye", |s| s.closed).await;
}

#[tokio::test]
async fn stopping_says_goodbye_and_frees_the_port() {
    let server = Server::start().await;
    let ada = server.publish("ada", 1, &[]).await;
    let address = server.sfu.local_addr();
    server.sfu.stop().await;
    ada.peer.until("goodbye", |s| s.closed).await;
    assert!(server.sfu.stats().await.is_err());
    let offering = Offering::publisher(&[]).await;
    let response = server.offer("/sfu/whip", &ada.bearer, &offering.offer).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(tokio::net::UdpSocket::bind(address).await.is_ok());
}
