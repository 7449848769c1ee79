//! A grant that ends takes with it whatever was begun under it (SEC-05).

use std::time::Duration;

use incamera_sfu::{Rights, SfuConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{ROOM, Server, name};
use crate::peer::{Offering, PATIENCE};

/// A request whose headers were sent and whose body was not.
struct Begun {
    stream: TcpStream,
}

impl Begun {
    /// Sends the headers of a POST with a body of `length`, and waits until the server asks for the body: it has
    /// accepted the bearer then.
    async fn post(server: &Server, path: &str, bearer: &str, length: usize) -> Self {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: sfu\r\nauthorization: Bearer {bearer}\r\n\
             content-type: application/sdp\r\ncontent-length: {length}\r\nexpect: 100-continue\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut begun = Self { stream };
        assert_eq!(begun.status().await, 100);
        begun
    }

    async fn finish(mut self, body: &str) -> u16 {
        self.stream.write_all(body.as_bytes()).await.unwrap();
        self.status().await
    }

    /// Reads the next status line, and headers until the empty line.
    async fn status(&mut self) -> u16 {
        let mut head = Vec::new();
        let reading = async {
            while !head.ends_with(b"\r\n\r\n") {
                head.push(self.stream.read_u8().await.unwrap());
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap();
        String::from_utf8(head).unwrap().split(' ').nth(1).unwrap().parse().unwrap()
    }
}

#[tokio::test]
async fn a_body_that_is_finished_after_the_revocation_opens_nothing() {
    let server = Server::start().await;
    let publisher = Offering::publisher(&[]).await.offer;
    let player = Offering::player(1).await.offer;
    for (path, offer) in [("/sfu/whip", &publisher), ("/sfu/whep", &player)] {
        let bearer = server.bearer(ROOM, "ada", Rights::WatchAndPublish);
        let begun = Begun::post(&server, path, &bearer, offer.len()).await;
        server.sfu.revoke(ROOM, &name("ada"));
        assert_eq!(begun.finish(offer).await, 401, "{path}");
    }
    let stats = server.sfu.stats().await.unwrap();
    assert_eq!((stats.publishers, stats.players), (0, 0));
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_awaited_for_ever() {
    let mut config = SfuConfig::default();
    config.limits.body_timeout = Duration::from_millis(50);
    let server = Server::with(config).await;
    let bearer = server.bearer(ROOM, "ada", Rights::WatchAndPublish);
    let mut begun = Begun::post(&server, "/sfu/whip", &bearer, 1_000).await;
    begun.stream.write_all(b"v=0\r\n").await.unwrap();
    assert_eq!(begun.status().await, 408);
}
