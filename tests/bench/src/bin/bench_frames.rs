//! What sealing and opening a frame cost, as multiples of what ring needs in the same run. With `--json` the last
//! line is one JSON object.
//!
//! Two comparisons: with ring sealing the bare frame, without anything around it, and with ring sealing and opening
//! the *same input*, that is the frame with the five bytes that format 1 puts after it, and its associated data.
//! Below the second no implementation of the format on ring gets.
//!
//! The contestants take turns in short batches, so that a busy machine slows all of them alike; each figure is
//! the median of the quotients of neighbouring batches. What is timed is what the client calls:
//! [`FrameSealer::seal`], and [`FrameReceiver::handle_frame`] with [`FrameReceiver::poll_output`], so parsing,
//! rights, key lookup, replay window, freshness and delivery among 50 members are in it. Frames are there before
//! the clock starts, as they are when an encoder or the network hands them over.

#![allow(clippy::print_stdout, reason = "a program that reports to its caller")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use incamera_meeting::frames::{FrameOutput, FrameReceiver, FrameSealer};
use incamera_meeting::{EpochKeys, KeyHolder};
use incamera_sframe::{FrameKind, MediaFrame, MediaTime, OpenedFrame, Padding, SealedFrame, TemporalLayer};
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

const SENDER: LeafIndex = LeafIndex(37);
const RECEIVER: LeafIndex = LeafIndex(3);
const MEMBERS: u32 = 50;

/// One line of the report. A ratio without another word is to ring sealing the bare frame.
#[derive(Serialize)]
struct Row {
    suite: String,
    size: usize,
    ring_seal_ns: f64,
    seal_ratio: f64,
    open_ratio: f64,
    sframe_crate_seal_ratio: f64,
    /// ring sealing the same input.
    ring_same_input_ratio: f64,
    /// Sealing, to ring sealing the same input.
    seal_same_input_ratio: f64,
    /// Opening, to ring opening the same input.
    open_same_input_ratio: f64,
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
    println!("               to ring, bare frame               to ring, same input");
    println!("suite    size  ring ns  seal  open  sframe crate  seal  open  (itself to bare)");
    for row in &rows {
        println!(
            "{} {:>7} {:>8.0}  {:.2}  {:.2}  {:.2}          {:.2}  {:.2}  {:.2}",
            row.suite,
            row.size,
            row.ring_seal_ns,
            row.seal_ratio,
            row.open_ratio,
            row.sframe_crate_seal_ratio,
            row.seal_same_input_ratio,
            row.open_same_input_ratio,
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
    /// As many bytes as format 1 authenticates beside the frame.
    associated_data: Vec<u8>,
    sealer: FrameSealer,
    receiver: FrameReceiver,
    sframe_key: EncryptionKey,
    sframe_counter: MonotonicCounter,
    sframe_out: Vec<u8>,
}

/// The time that each contestant needed for the same frames, one after the other.
struct Round {
    ring: Duration,
    ring_seal_same: Duration,
    ring_open_same: Duration,
    seal: Duration,
    open: Duration,
    sframe_crate: Duration,
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
        // A header with a counter of two bytes; version, kind and codec; a camera has a clear prefix too.
        let (context, associated) =
            if size < 1_000 { (Context::Microphone, 8) } else { (Context::CameraHigh, 10) };
        Self {
            suite,
            size,
            context,
            now,
            frames: (0..batch).map(|_| FrameBuf::from_slice(&vec![0x5a; size])).collect(),
            ring_key,
            nonces: 0,
            associated_data: vec![0x5a; associated],
            sealer,
            receiver,
            sframe_key: EncryptionKey::derive_from(cipher_suite, 68_000_u64, &secret)
                .expect("key material is well formed"),
            sframe_counter: MonotonicCounter::default(),
            sframe_out: Vec::new(),
        }
    }

    fn run(mut self) -> Row {
        let rounds: Vec<Round> = (0..ROUNDS).map(|_| self.round()).collect();
        let allocations = |count: u64, frames: usize| count as f64 / frames as f64;
        let frames = self.frames.len();
        let (mut sealed, mut opened) = (Vec::with_capacity(frames), Vec::with_capacity(frames));
        let encoded = self.encoded();
        let seals = allocation_counter::measure(|| _ = self.seal_batch(encoded, &mut sealed)).count_total;
        let received = sealed.into_iter().map(SealedFrame::into_buffer).collect();
        let opens = allocation_counter::measure(|| _ = self.open_batch(received, &mut opened)).count_total;
        let ratio = |of: fn(&Round) -> Duration, to: fn(&Round) -> Duration| {
            median(rounds.iter().map(|round| of(round).as_secs_f64() / to(round).as_secs_f64()).collect())
        };
        let ring_nanos = rounds.iter().map(|round| round.ring.as_secs_f64() * 1e9 / frames as f64).collect();
        Row {
            suite: format!("0x{:04x}", self.suite.number()),
            size: self.size,
            ring_seal_ns: median(ring_nanos),
            seal_ratio: ratio(|round| round.seal, |round| round.ring),
            open_ratio: ratio(|round| round.open, |round| round.ring),
            sframe_crate_seal_ratio: ratio(|round| round.sframe_crate, |round| round.ring),
            ring_same_input_ratio: ratio(|round| round.ring_seal_same, |round| round.ring),
            seal_same_input_ratio: ratio(|round| round.seal, |round| round.ring_seal_same),
            open_same_input_ratio: ratio(|round| round.open, |round| round.ring_open_same),
            allocs_per_seal: allocations(seals, frames),
            allocs_per_open: allocations(opens, frames),
        }
    }

    fn round(&mut self) -> Round {
        let ring = self.ring_seal_batch(&[]);
        self.frames.iter_mut().for_each(|frame| frame.truncate(self.size));

        let associated_data = self.associated_data.clone();
        self.frames.iter_mut().for_each(|frame| frame.extend(&STAMP));
        let ring_seal_same = self.ring_seal_batch(&associated_data);
        let ring_open_same = self.ring_open_batch(&associated_data);
        self.frames.iter_mut().for_each(|frame| frame.truncate(self.size));

        let batch = self.frames.len();
        let (mut sealed, mut opened) = (Vec::with_capacity(batch), Vec::with_capacity(batch));
        let encoded = self.encoded();
        let seal = self.seal_batch(encoded, &mut sealed);
        let received = sealed.into_iter().map(SealedFrame::into_buffer).collect();
        let open = self.open_batch(received, &mut opened);
        self.frames = opened.into_iter().map(OpenedFrame::into_buffer).collect();
        let all_opened = self.frames.iter().all(|frame| frame.len() == self.size);
        assert!(all_opened, "a frame did not open");
        Round { ring, ring_seal_same, ring_open_same, seal, open, sframe_crate: self.sframe_crate_batch() }
    }

    /// ring alone, as any program would call it: the frame is sealed in place and its tag put after it.
    fn ring_seal_batch(&mut self, associated_data: &[u8]) -> Duration {
        let begin = Instant::now();
        for frame in &mut self.frames {
            self.nonces += 1;
            let aad = Aad::from(associated_data);
            let tag = self.ring_key.seal_in_place_separate_tag(nonce(self.nonces), aad, frame.as_mut_slice());
            frame.extend(tag.expect("frames are short enough").as_ref());
        }
        begin.elapsed()
    }

    /// Opens what [`Self::ring_seal_batch`] sealed.
    fn ring_open_batch(&mut self, associated_data: &[u8]) -> Duration {
        let mut number = self.nonces - self.frames.len() as u64;
        let begin = Instant::now();
        for frame in &mut self.frames {
            number += 1;
            let aad = Aad::from(associated_data);
            let opened = self.ring_key.open_in_place(nonce(number), aad, frame.as_mut_slice());
            black_box(opened.expect("the frame is authentic"));
        }
        begin.elapsed()
    }

    /// The frames as an encoder hands them over.
    fn encoded(&mut self) -> Vec<MediaFrame> {
        let kind = match self.context.kind() {
            MediaKind::Audio => FrameKind::Opus,
            MediaKind::Video => FrameKind::Vp8Delta,
        };
        self.now = self.now.plus(FRAME_EVERY.saturating_mul(MAX_BATCH));
        let frames = std::mem::take(&mut self.frames).into_iter().map(|buf| MediaFrame {
            buf,
            kind,
            media_time: MediaTime::default(),
            temporal_layer: TemporalLayer::BASE,
            capture: self.now.mono,
            padding: Padding::None,
        });
        frames.collect()
    }

    fn seal_batch(&mut self, encoded: Vec<MediaFrame>, sealed: &mut Vec<SealedFrame>) -> Duration {
        let begin = Instant::now();
        for frame in encoded {
            sealed.push(self.sealer.seal(self.now, self.context, frame).expect("the sealer has keys"));
        }
        begin.elapsed()
    }

    fn open_batch(&mut self, received: Vec<FrameBuf>, opened: &mut Vec<OpenedFrame>) -> Duration {
        let begin = Instant::now();
        for frame in received {
            self.receiver.handle_frame(self.now, self.context.kind(), frame);
            while let Some(output) = self.receiver.poll_output() {
                if let FrameOutput::Frame(delivered) = output {
                    opened.push(delivered.frame);
                }
            }
        }
        begin.elapsed()
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

fn nonce(number: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
