//! What sealing and opening a frame cost, as multiples of what ring needs to seal the same bytes in the same
//! run. With `--json` the last line is one JSON object.
//!
//! The contestants take turns in short batches, so that a busy machine slows all of them alike; each figure is
//! the median of its batches. What is timed is what the client calls: [`FrameSealer::seal`], and
//! [`FrameReceiver::handle_frame`] with [`FrameReceiver::poll_output`], so parsing, rights, key lookup, replay
//! window, freshness and delivery among 50 members are in it.

#![allow(clippy::print_stdout, reason = "a program that reports to its caller")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use incamera_meeting::frames::{FrameOutput, FrameReceiver, FrameSealer};
use incamera_meeting::{EpochKeys, KeyHolder};
use incamera_sframe::{FrameKind, MediaFrame, MediaTime, Padding, TemporalLayer};
use incamera_types::{Context, Epoch, FrameBuf, FrameSuite, LeafIndex, MediaKind, MemberId, Mono, Now};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde::Serialize;
use sframe::CipherSuite;
use sframe::frame::{MediaFrameView, MonotonicCounter};
use sframe::key::EncryptionKey;
use zeroize::Zeroizing;

/// Frame sizes in bytes: an Opus packet to a large key frame.
const SIZES: [usize; 5] = [120, 1_200, 5_000, 20_000, 100_000];

/// Batches of each contestant.
const ROUNDS: usize = 1_500;

/// Frames of a batch at most.
const MAX_BATCH: u32 = 64;

/// Bytes that a batch works on, so that batches are short and stay in the cache.
const BATCH_BYTES: usize = 64 * 1_024;

/// Time for a frame: 100 a second, below what a receiver believes at most. Passes between batches.
const FRAME_EVERY: Duration = Duration::from_millis(10);

/// Bytes that format 1 puts after a frame: capture time and flags.
const STAMP: [u8; 5] = [0; 5];

/// As many bytes as format 1 authenticates beside a frame of a camera.
const ASSOCIATED_DATA: [u8; 10] = [0; 10];

const SENDER: LeafIndex = LeafIndex(37);
const RECEIVER: LeafIndex = LeafIndex(3);
const MEMBERS: u32 = 50;

/// One line of the report.
#[derive(Serialize)]
struct Row {
    suite: String,
    size: usize,
    ring_seal_ns: f64,
    seal_ratio: f64,
    open_ratio: f64,
    sframe_crate_seal_ratio: f64,
    /// ring with what format 1 authenticates and seals beside the frame: below this no implementation gets.
    ring_same_input_ratio: f64,
    allocs_per_seal: f64,
    allocs_per_open: f64,
}

#[derive(Serialize)]
struct Report {
    rows: Vec<Row>,
}

fn main() {
    let cases = FrameSuite::ALL.into_iter().flat_map(|suite| SIZES.map(|size| (suite, size)));
    let rows: Vec<Row> = cases.map(|(suite, size)| Bench::new(suite, size).run()).collect();
    println!("suite    size   ring ns   seal  open  sframe crate  ring, same input");
    for row in &rows {
        println!(
            "{} {:>7} {:>9.0}   {:.2}  {:.2}  {:.2}          {:.2}",
            row.suite,
            row.size,
            row.ring_seal_ns,
            row.seal_ratio,
            row.open_ratio,
            row.sframe_crate_seal_ratio,
            row.ring_same_input_ratio
        );
    }
    if std::env::args().any(|argument| argument == "--json") {
        println!("{}", serde_json::to_string(&Report { rows }).unwrap_or_default());
    }
}

/// All contestants for one suite and frame size.
struct Bench {
    suite: FrameSuite,
    size: usize,
    context: Context,
    now: Now,
    frames: Vec<FrameBuf>,
    ring_key: LessSafeKey,
    nonces: u64,
    sealer: FrameSealer,
    receiver: FrameReceiver,
    sframe_key: EncryptionKey,
    sframe_counter: MonotonicCounter,
    sframe_out: Vec<u8>,
}

impl Bench {
    fn new(suite: FrameSuite, size: usize) -> Self {
        let now = Now { mono: Mono::from_micros(1_000_000), unix_ms: 0 };
        let mut sealer = FrameSealer::new();
        let mut receiver = FrameReceiver::new();
        sealer.install(&epoch_keys(suite, SENDER, now)).expect("keys are well formed");
        receiver.install(now, epoch_keys(suite, RECEIVER, now)).expect("keys are well formed");
        sealer.start();
        receiver.start();
        let (algorithm, cipher_suite) = match suite {
            FrameSuite::Aes128GcmSha256 => (&AES_128_GCM, CipherSuite::AesGcm128Sha256),
            FrameSuite::Aes256GcmSha512 => (&AES_256_GCM, CipherSuite::AesGcm256Sha512),
        };
        let secret = vec![7; suite.key_len()];
        let ring_key = LessSafeKey::new(UnboundKey::new(algorithm, &secret).expect("key has its length"));
        let batch = (BATCH_BYTES / size).clamp(2, MAX_BATCH as usize);
        Self {
            suite,
            size,
            context: if size < 1_000 { Context::Microphone } else { Context::CameraHigh },
            now,
            frames: vec![FrameBuf::from_slice(&vec![0x5a; size]); batch],
            ring_key,
            nonces: 0,
            sealer,
            receiver,
            sframe_key: EncryptionKey::derive_from(cipher_suite, 68_000_u64, &secret)
                .expect("key material is well formed"),
            sframe_counter: MonotonicCounter::default(),
            sframe_out: Vec::new(),
        }
    }

    fn run(mut self) -> Row {
        let mut ring = Vec::with_capacity(ROUNDS);
        let mut same_input = Vec::with_capacity(ROUNDS);
        let mut seal = Vec::with_capacity(ROUNDS);
        let mut open = Vec::with_capacity(ROUNDS);
        let mut crate_seal = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            ring.push(self.ring_batch(&[]));
            self.frames.iter_mut().for_each(|frame| frame.extend(&STAMP));
            same_input.push(self.ring_batch(&ASSOCIATED_DATA));
            self.frames.iter_mut().for_each(|frame| frame.truncate(self.size));
            seal.push(self.seal_batch());
            open.push(self.open_batch());
            crate_seal.push(self.sframe_crate_batch());
        }
        let seals = allocation_counter::measure(|| {
            self.seal_batch();
        })
        .count_total;
        let opens = allocation_counter::measure(|| {
            self.open_batch();
        })
        .count_total;
        let per_frame = |count: u64| count as f64 / self.frames.len() as f64;
        let batch = self.frames.len() as f64;
        let ring = median(ring);
        Row {
            suite: format!("0x{:04x}", self.suite.number()),
            size: self.size,
            ring_seal_ns: ring / batch,
            seal_ratio: median(seal) / ring,
            open_ratio: median(open) / ring,
            sframe_crate_seal_ratio: median(crate_seal) / ring,
            ring_same_input_ratio: median(same_input) / ring,
            allocs_per_seal: per_frame(seals),
            allocs_per_open: per_frame(opens),
        }
    }

    /// ring alone, as any program would call it.
    fn ring_batch(&mut self, associated_data: &[u8]) -> Duration {
        let begin = Instant::now();
        for frame in &mut self.frames {
            self.nonces += 1;
            let mut nonce = [0; 12];
            nonce[4..].copy_from_slice(&self.nonces.to_be_bytes());
            let nonce = Nonce::assume_unique_for_key(nonce);
            let text = frame.as_mut_slice();
            black_box(
                self.ring_key.seal_in_place_separate_tag(nonce, Aad::from(associated_data), text).is_ok(),
            );
        }
        begin.elapsed()
    }

    /// Leaves the sealed frames in place for [`Self::open_batch`].
    fn seal_batch(&mut self) -> Duration {
        let kind = match self.context.kind() {
            MediaKind::Audio => FrameKind::Opus,
            MediaKind::Video => FrameKind::Vp8Delta,
        };
        self.now = self.now.plus(FRAME_EVERY.saturating_mul(MAX_BATCH));
        let begin = Instant::now();
        for frame in &mut self.frames {
            let media = MediaFrame {
                buf: std::mem::take(frame),
                kind,
                media_time: MediaTime::default(),
                temporal_layer: TemporalLayer::BASE,
                capture: self.now.mono,
                padding: Padding::None,
            };
            let sealed = self.sealer.seal(self.now, self.context, media);
            *frame = sealed.expect("the sealer has keys").into_buffer();
        }
        begin.elapsed()
    }

    fn open_batch(&mut self) -> Duration {
        let begin = Instant::now();
        for frame in &mut self.frames {
            self.receiver.handle_frame(self.now, self.context.kind(), std::mem::take(frame));
            while let Some(output) = self.receiver.poll_output() {
                if let FrameOutput::Frame(delivered) = output {
                    *frame = delivered.frame.into_buffer();
                }
            }
        }
        let elapsed = begin.elapsed();
        let all_opened = self.frames.iter().all(|frame| frame.len() == self.size);
        assert!(all_opened, "a frame did not open");
        elapsed
    }

    fn sframe_crate_batch(&mut self) -> Duration {
        let begin = Instant::now();
        for frame in &self.frames {
            let view = MediaFrameView::try_new(&mut self.sframe_counter, frame.as_slice());
            let view = view.expect("the counter has room");
            black_box(view.encrypt_into(&self.sframe_key, &mut self.sframe_out).is_ok());
        }
        begin.elapsed()
    }
}

fn epoch_keys(suite: FrameSuite, own_leaf: LeafIndex, now: Now) -> EpochKeys {
    let others = (0..MEMBERS).map(LeafIndex).filter(|leaf| *leaf != own_leaf);
    EpochKeys {
        epoch: Epoch(9),
        suite,
        base_key: Zeroizing::new(vec![3; suite.key_len()]),
        authenticator: [1; 32],
        own_leaf,
        own_contexts: vec![Context::Microphone, Context::CameraHigh],
        members: others
            .map(|leaf| KeyHolder {
                leaf,
                member: MemberId([leaf.0.to_le_bytes()[0]; 16]),
                contexts: vec![Context::Microphone, Context::CameraHigh],
            })
            .collect(),
        switch_at: now.mono,
        made_after: now.mono,
    }
}

/// The median in nanoseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |time| time.as_nanos() as f64)
}
