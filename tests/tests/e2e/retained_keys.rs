//! What people with modified clients, who keep every key that they were ever given, can open of everything that the
//! SFU received: a removed participant nothing that was sent after, a late one nothing that was sent before.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use incamera_media::rtp::Vp8Descriptor;
use incamera_sframe::{BaseKey, EpochKeyring, Safeguards, UnopenedFrame};
use incamera_sfu::{RecordedPacket, read_recording};
use incamera_tests::stage::{Cast, PATIENCE, Stage};
use incamera_types::{Epoch, FrameBuf, FrameSuite, MAX_LEAVES, MediaKind, Mono};
use zeroize::Zeroizing;

/// How long the meeting goes on before and after each change.
const A_WHILE: Duration = Duration::from_secs(3);

/// Latest frame that a removed participant may open, after the host's command (SEC-05, honest relay).
const OPENS_NO_LONGER_AFTER: Duration = Duration::from_secs(2);

/// Frames of which a part was on its way when their sender left.
const UNFINISHED: usize = 3;

/// A frame as the SFU received it.
struct RecordedFrame {
    /// Arrival of its first packet, microseconds since the Unix epoch.
    unix_us: u64,
    kind: MediaKind,
    bytes: Vec<u8>,
}

/// The frames of a recording: packets of sound are frames, those of pictures are put together.
fn frames(packets: Vec<RecordedPacket>) -> Vec<RecordedFrame> {
    let mut frames: Vec<RecordedFrame> = Vec::new();
    let mut growing = BTreeMap::new();
    for packet in packets {
        let unix_us = packet.unix_micros;
        let Some(layer) = packet.layer else {
            frames.push(RecordedFrame { unix_us, kind: MediaKind::Audio, bytes: packet.payload });
            continue;
        };
        let Ok((descriptor, part)) = Vp8Descriptor::parse(&packet.payload) else { continue };
        let source = (packet.stream.as_str().to_owned(), format!("{layer:?}"));
        if descriptor.starts_frame {
            growing.insert(source, frames.len());
            frames.push(RecordedFrame { unix_us, kind: MediaKind::Video, bytes: part.to_vec() });
        } else if let Some(frame) = growing.get(&source).and_then(|at| frames.get_mut(*at)) {
            frame.bytes.extend_from_slice(part);
        }
    }
    frames
}

/// Every key that somebody was ever given.
fn keyrings(file: &Path) -> Vec<EpochKeyring> {
    let text = std::fs::read_to_string(file).expect("keys were retained");
    let keyring = |line: &str| {
        let mut fields = line.split(' ');
        let suite = FrameSuite::from_number(fields.next()?.parse().ok()?)?;
        let epoch = Epoch(fields.next()?.parse().ok()?);
        let key = fields.next()?.as_bytes().chunks(2);
        let key: Option<Vec<u8>> =
            key.map(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()).collect();
        let base = BaseKey::new(suite, Zeroizing::new(key?))?;
        // A retransmitted packet was recorded twice.
        let again = Safeguards { skip_replay_window: true, ..Safeguards::default() };
        let keyring = EpochKeyring::new(base, epoch, MAX_LEAVES, Mono::from_micros(0));
        Some(keyring.with_safeguards(again))
    };
    text.lines().map(|line| keyring(line).expect("a line is a suite, an epoch and a key")).collect()
}

/// What somebody opened: by epoch how many frames, and when the last of them had arrived.
type Opened = BTreeMap<u64, (usize, u64)>;

fn open_all(frames: &[RecordedFrame], keys: &Path) -> Opened {
    let mut opened = Opened::new();
    for keyring in &mut keyrings(keys) {
        for frame in frames {
            let unopened = UnopenedFrame::parse(frame.kind, FrameBuf::from_slice(&frame.bytes));
            if unopened.is_ok_and(|frame| keyring.open(frame, Mono::from_micros(0)).is_ok()) {
                let (count, last_us) = opened.entry(keyring.epoch().0).or_default();
                *count += 1;
                *last_us = frame.unix_us.max(*last_us);
            }
        }
    }
    opened
}

fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is after 1970");
    since.as_micros().try_into().expect("a date of this age")
}

#[test]
#[ignore = "long: ./dev test --full"]
fn retained_keys_open_only_what_was_sent_while_their_owner_was_in() {
    // SEC-05, SEC-06
    let stage = Stage::for_meeting();
    let (recording, keys) = (stage.path("recording"), |name: &str| stage.path(&format!("{name}.keys")));
    let text = |path: &Path| path.to_str().expect("a path in ASCII").to_owned();
    let kept = ["Ada", "Ben", "Chloe"].map(|name| text(&keys(name)));
    let recorded = text(&recording);
    let environment =
        [("INCAMERA_SFU_RECORDING", recorded.as_str()), ("INCAMERA_RETAINED_KEYS", kept[0].as_str())];
    let (mut host, link) = stage.host(&Cast { environment: &environment, ..Cast::named("Ada") });
    let join = |name: &'static str, kept: &str| {
        stage.join(&link, &Cast { environment: &[("INCAMERA_RETAINED_KEYS", kept)], ..Cast::named(name) })
    };
    let mut ben = join("Ben", &kept[1]);
    ben.wait_for_pictures(1);
    ben.watch_for(A_WHILE);
    let mut chloe = join("Chloe", &kept[2]);
    chloe.wait_for_pictures(2);
    chloe.watch_for(A_WHILE);
    let removal_us = unix_us();
    assert!(stage.ask("Ada", &["remove", "Chloe"]).status.success());
    assert_eq!(chloe.outcome(PATIENCE).code, Some(13));
    ben.watch_for(A_WHILE);
    host.watch_for(Duration::from_millis(1));
    assert_eq!(ben.leave().code, Some(0));
    assert_eq!(host.leave().code, Some(0));

    let frames = frames(read_recording(&recording).expect("the SFU recorded"));
    let [by_ada, by_ben, by_chloe] = ["Ada", "Ben", "Chloe"].map(|name| open_all(&frames, &keys(name)));
    let told = format!("{} frames; opened by epoch: {by_ada:?}, {by_ben:?}, {by_chloe:?}", frames.len());
    // The control: whoever was in all the time opens all, and there is much of each time.
    let by_all: usize = by_ada.values().map(|(count, _)| count).sum();
    assert!(by_all + UNFINISHED >= frames.len(), "{told}");
    let last_of_chloe = *by_chloe.keys().last().expect("she was in for a while");
    let first_of_chloe = *by_chloe.keys().next().expect("she was in for a while");
    for (epoch, count) in &by_chloe {
        assert_eq!(by_ada.get(epoch), Some(count), "{told}");
    }
    let in_epochs = |opened: &Opened, fits: &dyn Fn(u64) -> bool| -> usize {
        opened.iter().filter(|(epoch, _)| fits(**epoch)).map(|(_, (count, _))| count).sum()
    };
    for opened in [&by_ada, &by_ben] {
        assert!(in_epochs(opened, &|epoch| epoch < first_of_chloe) > 200, "{told}");
        assert!(in_epochs(opened, &|epoch| epoch > last_of_chloe) > 200, "{told}");
    }
    assert!(in_epochs(&by_chloe, &|_| true) > 200, "{told}");
    let last_us = by_chloe.values().map(|(_, last_us)| *last_us).max().expect("she was in for a while");
    let too_late_us = removal_us + u64::try_from(OPENS_NO_LONGER_AFTER.as_micros()).expect("two seconds");
    assert!(last_us < too_late_us, "a frame came {} µs after the removal; {told}", last_us - removal_us);
}
