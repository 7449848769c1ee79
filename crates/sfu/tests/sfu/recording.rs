//! Recordings hold what publishers sent, bit for bit.

use incamera_sfu::{Layer, SfuConfig, read_recording};

use crate::harness::Server;
use crate::media::{AUDIO, check, encoding};

#[tokio::test]
async fn every_payload_is_recorded_with_its_sender() {
    let path = std::env::temp_dir().join(format!("incamera-sfu-recording-{}", std::process::id()));
    let config = SfuConfig { recording: Some(path.clone()), ..SfuConfig::default() };
    let server = Server::with(config).await;
    let _ada = server.publish("ada", 1, &["h", "l"]).await;
    let viewer = server.play("viewer", "ada").await;
    let video = viewer.peer.mids[1].clone();
    viewer.peer.until("video", |s| s.in_slot(&video).count() > 20).await;
    server.sfu.stop().await;
    let packets = read_recording(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(packets.len() > 20);
    assert!(packets.iter().any(|p| p.layer == Some(Layer::High)));
    for packet in packets {
        let tag = check(&packet.payload, packet.layer.is_some()).unwrap();
        assert_eq!((packet.stream.as_str(), tag.who), ("ada", 1));
        let expected =
            packet.layer.map_or(AUDIO, |l| if l == Layer::High { encoding(l) } else { tag.encoding });
        assert_eq!(tag.encoding, expected);
    }
}
