//! What servers see of a meeting: no name, no media that anybody could recognise.

use std::collections::HashSet;

use incamera_sfu::read_recording;
use incamera_tests::stage::{Cast, Stage};

/// Long enough that it appears nowhere by chance.
const NAME: &str = "Canary-Zeisig-4711";

/// Bytes of a sealed frame of sound in front of what is encrypted: SFrame header, and nothing else.
const HEADER: usize = 8;

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn nothing_of_a_meeting_can_be_recognised_in_what_the_sfu_received() {
    let stage = Stage::for_meeting();
    let recording = stage.path("recording");
    let file = recording.to_str().expect("a path in ASCII");
    let more = ["--pattern-size", "320x180"];
    // Silence is the same few bytes again and again when it is encoded, so that one repetition gives it away.
    let (mut host, link) = stage.host(&Cast {
        audio: "silence",
        more: &more,
        environment: &[("INCAMERA_SFU_RECORDING", file)],
        ..Cast::named(NAME)
    });
    let mut ben = stage.join(&link, &Cast { audio: "silence", ..Cast::named("Ben-Canary-Stieglitz") });
    ben.wait_for_pictures(1);
    host.wait_for_pictures(1);
    ben.watch_for(std::time::Duration::from_secs(2));
    assert_eq!(ben.leave().code, Some(0));
    assert_eq!(host.leave().code, Some(0));

    let packets = read_recording(&recording).expect("the SFU recorded");
    let raw = std::fs::read(&recording).expect("the recording is a file");
    for canary in [NAME, "Canary", "Stieglitz"] {
        assert!(!holds(&raw, canary.as_bytes()), "{canary} reached the SFU");
    }
    let sound: Vec<&[u8]> =
        packets.iter().filter(|packet| packet.layer.is_none()).map(|packet| &packet.payload[..]).collect();
    assert!(sound.len() > 100, "only {} packets of sound", sound.len());
    let bodies: HashSet<&[u8]> = sound.iter().filter_map(|payload| payload.get(HEADER..HEADER + 8)).collect();
    assert_eq!(bodies.len(), sound.len(), "sealed silence repeats itself");

    let pictures: Vec<u8> = packets
        .iter()
        .filter(|packet| packet.layer.is_some())
        .flat_map(|packet| packet.payload.iter().skip(24).copied())
        .collect();
    assert!(pictures.len() > 10_000, "only {} bytes of pictures", pictures.len());
    assert!(looks_random(&pictures), "the pictures are not sealed");
}

/// Whether the bytes are spread as evenly as those of a cipher: χ² of 255 degrees of freedom, which exceeds 400
/// once in a hundred million times. Coded pictures exceed it by far.
fn looks_random(bytes: &[u8]) -> bool {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let expected = bytes.len() as f64 / 256.0;
    let spread: f64 = counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
    spread < 400.0
}

#[test]
fn the_search_finds_what_it_looks_for() {
    assert!(holds(b"xxCanaryxx", b"Canary"));
    assert!(!holds(b"xxCannaryxx", b"Canary"));
    let even: Vec<u8> = (0..=255).cycle().take(65_536).collect();
    assert!(looks_random(&even));
    let uneven: Vec<u8> = even.iter().map(|byte| byte & 0xfe).collect();
    assert!(!looks_random(&uneven));
}
