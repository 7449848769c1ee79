//! What servers see of a meeting: no name, no word, no media that anybody could recognise (SEC-01, SEC-12).

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use incamera_relay::RecordedSender;
use incamera_relay_proto::{Blob, ClientMessage, Request, ServerMessage};
use incamera_sfu::read_recording;
use incamera_tests::stage::{Cast, PATIENCE, Stage};
use incamera_types::Invite;
use ring::digest::{SHA256, digest};
use serde_json::Value;

/// Long enough that they appear nowhere by chance.
const NAME: &str = "Canary-Zeisig-4711";
const GUEST: &str = "Canary-Stieglitz-1234";
const CHAT: &str = "Canary-Kernbeisser: the file is under the third stone";

/// Bytes of a sealed frame of sound in front of what is encrypted: SFrame header, and nothing else.
const HEADER: usize = 8;

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// The ways in which `secret` may have been written: itself, its digits, UTF-16 in both orders, and Base64 at every
/// offset in three bytes, without the ends that depend on what is beside it.
fn encodings(secret: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let wide = |order: fn(u16) -> [u8; 2]| secret.iter().flat_map(|byte| order(u16::from(*byte))).collect();
    let mut all = vec![secret.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
    all.extend([wide(u16::to_le_bytes), wide(u16::to_be_bytes)]);
    for skipped in 0..3 {
        let inner = secret.get(skipped..).unwrap_or_default();
        let inner = &inner[..inner.len() / 3 * 3];
        all.extend([b"+/", b"-_"].map(|last| base64(inner, *last)));
    }
    all
}

/// Base64 of whole groups of three bytes, with these two last digits.
fn base64(bytes: &[u8], last: [u8; 2]) -> Vec<u8> {
    let digits: Vec<u8> = (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').chain(last).collect();
    let group = |three: &[u8]| {
        let bits = three.iter().fold(0_usize, |bits, byte| (bits << 8) | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| digits[(bits >> shift) & 63])
    };
    bytes.chunks_exact(3).flat_map(group).collect()
}

/// None of the secrets is in `seen`, however it is written.
fn assert_nothing_of(secrets: &[&[u8]], seen: &[u8], by: &str) {
    for secret in secrets {
        // Shorter ones may be there by chance.
        for written in encodings(secret).into_iter().filter(|written| written.len() >= 6) {
            assert!(!holds(seen, &written), "{by} saw {}", String::from_utf8_lossy(&written));
        }
    }
}

/// The blobs of a message.
fn blobs(sender: RecordedSender, message: &[u8]) -> Vec<Blob> {
    match sender {
        RecordedSender::Client => match ClientMessage::parse(message).expect("clients send messages").request
        {
            Request::Knock { blob, .. } | Request::Reply { blob, .. } | Request::Append { blob, .. } => {
                vec![blob]
            }
            _ => Vec::new(),
        },
        RecordedSender::Relay => match ServerMessage::parse(message).expect("a relay sends messages") {
            ServerMessage::Knocked { blob, .. }
            | ServerMessage::Replied { blob, .. }
            | ServerMessage::Entry { blob, .. } => vec![blob],
            _ => Vec::new(),
        },
    }
}

#[test]
fn a_relay_is_told_no_name_no_word_and_no_size() {
    // SEC-12
    let stage = Stage::for_meeting();
    let (messages, media) = (stage.path("messages"), stage.path("media"));
    let path = |path: &Path| path.to_str().expect("a path in ASCII").to_owned();
    let settings = format!("recording = '{}'\n[media]\nrecording = '{}'", path(&messages), path(&media));
    let relay = stage.relay_with(&settings);
    let more = ["--lobby"];
    let (mut host, link) = stage.host_on(relay.address, &relay.pin, &more, &Cast::named(NAME));
    let mut guest = stage.join(&link, &Cast::named(GUEST));
    host.wait_for("knocked", PATIENCE, |knocked| knocked["name"] == GUEST);
    assert!(stage.ask(NAME, &["admit", GUEST]).status.success());
    guest.wait_for_pictures(1);
    host.wait_for_pictures(1);
    assert!(stage.ask(NAME, &["say", CHAT]).status.success());
    let chat = guest.wait_for("chat_received", PATIENCE, |_| true);
    assert_eq!(chat["line"]["text"], CHAT);
    guest.watch_for(Duration::from_secs(2));
    assert_eq!(guest.leave().code, Some(0));
    assert_eq!(host.leave().code, Some(0));

    let invite = Invite::parse(&link).expect("a good link");
    let secrets: Vec<&[u8]> = [NAME, GUEST, CHAT, "Canary", "Zeisig", "Stieglitz", "Kernbeisser"]
        .map(str::as_bytes)
        .into_iter()
        .chain([&invite.secret.expose()[..]])
        .collect();
    let seen = std::fs::read(&messages).expect("the relay recorded");
    assert_nothing_of(&secrets, &seen, "the relay");
    assert_nothing_of(&secrets, &std::fs::read(&media).expect("the SFU recorded"), "the SFU");
    // The log knows neither people nor rooms nor addresses.
    let room = &invite.room.0[..];
    let room_hash = digest(&SHA256, room);
    let log = relay.log();
    assert_nothing_of(&[&secrets[..], &[room, room_hash.as_ref()]].concat(), log.as_bytes(), "the log");
    let addresses = log.matches("127.0.0.1").count();
    assert_eq!(addresses, 2, "the relay's own addresses and no other:\n{log}");

    let recorded = incamera_relay::read_recording(&messages).expect("the relay recorded");
    let blobs: Vec<Blob> = recorded.iter().flat_map(|(sender, message)| blobs(*sender, message)).collect();
    assert!(blobs.len() > 20, "only {} blobs", blobs.len());
    for sender in [RecordedSender::Client, RecordedSender::Relay] {
        assert!(recorded.iter().any(|(by, message)| *by == sender && message.len() > 512), "{sender:?}");
    }
    assert!(blobs.iter().all(|blob| blob.as_bytes().len().is_multiple_of(512)));
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
    let mut ben = stage.join(&link, &Cast { audio: "silence", ..Cast::named(GUEST) });
    ben.wait_for_pictures(1);
    host.wait_for_pictures(1);
    ben.watch_for(Duration::from_secs(2));
    assert_eq!(ben.leave().code, Some(0));
    assert_eq!(host.leave().code, Some(0));

    let packets = read_recording(&recording).expect("the SFU recorded");
    let raw = std::fs::read(&recording).expect("the recording is a file");
    let canaries = [NAME, GUEST, "Canary", "Stieglitz"].map(str::as_bytes);
    assert_nothing_of(&canaries, &raw, "the SFU");
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

#[test]
fn what_servers_are_said_to_have_got_is_what_they_got() {
    // SEC-12: the security panel shows these figures.
    let stage = Stage::for_meeting();
    let (messages, media) = (stage.path("messages"), stage.path("media"));
    let path = |path: &Path| path.to_str().expect("a path in ASCII").to_owned();
    let settings = format!("recording = '{}'\n[media]\nrecording = '{}'", path(&messages), path(&media));
    let relay = stage.relay_with(&settings);
    let (mut host, link) = stage.host_on(relay.address, &relay.pin, &[], &Cast::named(NAME));
    // As long as nobody else is there, every message to the relay is the host's.
    let alone =
        host.wait_for("statistics", PATIENCE, |said| number(said, "/servers/relay/messages_sent") > 2);
    let mut guest = stage.join(&link, &Cast::named(GUEST));
    guest.wait_for_pictures(1);
    host.wait_for_pictures(1);
    let many = |said: &Value| number(said, "/servers/media/packets_sent") > 200;
    let said = guest.wait_for("statistics", PATIENCE, many);
    assert_eq!(guest.leave().code, Some(0));
    assert_eq!(host.leave().code, Some(0));

    for (pointer, wanted) in
        [("/servers/relay/address", relay.address), ("/servers/media/address", relay.address)]
    {
        assert_eq!(said.pointer(pointer), Some(&Value::String(wanted.to_string())), "{pointer}");
    }
    assert_eq!(said.pointer("/servers/media/kind"), Some(&Value::String("embedded".to_owned())));

    let recorded = incamera_relay::read_recording(&messages).expect("the relay recorded");
    for (by, way) in [(RecordedSender::Client, "sent"), (RecordedSender::Relay, "received")] {
        let count = number(&alone, &format!("/servers/relay/messages_{way}"));
        let got = recorded.iter().filter(|(sender, _)| *sender == by).take(count);
        let bytes: usize = got.map(|(_, message)| message.len()).sum();
        assert_eq!(bytes, number(&alone, &format!("/servers/relay/bytes_{way}")), "{way}");
    }

    // Sound overtakes pictures between the counter and the SFU: by a few packets.
    let packets = read_recording(&media).expect("the SFU recorded");
    let count = number(&said, "/servers/media/packets_sent");
    let claimed = number(&said, "/servers/media/payload_bytes_sent");
    let streams: HashSet<_> = packets.iter().map(|packet| &packet.stream).collect();
    let got = |stream| {
        let own = packets.iter().filter(|packet| &packet.stream == stream).take(count);
        own.map(|packet| packet.payload.len()).collect::<Vec<_>>()
    };
    let close =
        |sizes: &Vec<usize>| sizes.len() == count && sizes.iter().sum::<usize>().abs_diff(claimed) < 6_000;
    let all: Vec<_> = streams.into_iter().map(got).collect();
    assert!(
        all.iter().any(close),
        "{claimed} bytes of {count} packets, got {:?}",
        all.iter().map(|sizes| { (sizes.len(), sizes.iter().sum::<usize>()) }).collect::<Vec<_>>()
    );
}

/// A figure of an event.
fn number(event: &Value, pointer: &str) -> usize {
    event
        .pointer(pointer)
        .and_then(Value::as_u64)
        .and_then(|number| usize::try_from(number).ok())
        .unwrap_or(0)
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
    let secret = b"Canary-Zeisig";
    for beside in ["", "x", "xx"] {
        let whole = [beside.as_bytes(), secret, b"yyyyy"].concat();
        let written = base64(&whole[..whole.len() / 3 * 3], *b"-_");
        assert!(encodings(secret).iter().any(|known| holds(&written, known)), "{beside}");
    }
    assert!(encodings(secret).contains(&b"C\0a\0n\0a\0r\0y\0-\0Z\0e\0i\0s\0i\0g\0".to_vec()));
    let even: Vec<u8> = (0..=255).cycle().take(65_536).collect();
    assert!(looks_random(&even));
    let uneven: Vec<u8> = even.iter().map(|byte| byte & 0xfe).collect();
    assert!(!looks_random(&uneven));
}
