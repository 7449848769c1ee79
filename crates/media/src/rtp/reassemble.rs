//! RTP payloads put back together into sealed VP8 frames: the mirror image of `packetize.rs`.

mod window;

use core::time::Duration;

use incamera_types::{FrameBuf, Mono};

use super::descriptor::{TemporalLayer, Vp8Descriptor};
use window::{Piece, Placed, Slot, Window};

/// Largest sealed frame that is put together: the largest encoded one, its prefix, header and tag.
pub const MAX_SEALED_BYTES: usize = incamera_types::MAX_FRAME_BYTES + 128;

/// Largest RTP payload that is accepted: above any path MTU on the internet.
pub const MAX_PACKET_BYTES: usize = 2_048;

/// How long packets may be out of order before the very first frame: there is nothing to retransmit yet.
const START_WAIT: Duration = Duration::from_millis(30);

/// Frame buffers kept for re-use.
const SPARE_FRAMES: usize = 4;

/// How long one stream waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReassemblerConfig {
    /// How long a missing packet is waited for, from the moment that a later packet shows it missing. Covers a
    /// few retransmission rounds; longer means freezing instead of asking for a key frame.
    pub max_wait: Duration,
}

impl Default for ReassemblerConfig {
    /// 500 ms: servers repeat one packet seldom (Janus once in 200 ms), and two copies may be lost as well.
    fn default() -> Self {
        Self { max_wait: Duration::from_millis(500) }
    }
}

/// One received RTP packet of a VP8 stream. `P` is cheap to keep (`Bytes`, `Vec<u8>`): it is held until the
/// frame is complete.
#[derive(Clone, Debug)]
pub struct RtpPacket<P> {
    /// Sequence number extended by [`super::SequenceUnwrapper`].
    pub sequence: u64,
    /// RTP timestamp as received, 90 kHz.
    pub timestamp: u32,
    /// RTP marker bit.
    pub marker: bool,
    /// Payload with its VP8 descriptor, padding already removed.
    pub payload: P,
}

/// A complete sealed frame.
#[derive(Clone, Debug)]
pub struct ReassembledFrame {
    /// The sealed bytes, with head and tail room.
    pub frame: FrameBuf,
    /// RTP timestamp as received, 90 kHz.
    pub timestamp: u32,
    /// Extended sequence number of the first packet.
    pub first_sequence: u64,
    /// PictureID of the first packet. A hint: SFUs rewrite it, and its gaps are not loss.
    pub picture_id: Option<u16>,
    /// Temporal layer, if the sender uses them.
    pub temporal: Option<TemporalLayer>,
    /// When the earliest of its packets arrived.
    pub first_arrival: Mono,
    /// When the latest of its packets arrived.
    pub last_arrival: Mono,
}

/// What a [`Vp8Reassembler`] gives, in the order of sequence numbers.
#[derive(Clone, Debug)]
pub enum ReassemblerEvent {
    /// A frame is complete.
    Frame(ReassembledFrame),
    /// At least one frame was given up between the previous event and the next. Frames that follow may refer
    /// to it: stop decoding and ask for a key frame.
    Lost {
        /// Packets that never came; zero when what came did not make a frame, or the stream jumped.
        missing_packets: u32,
    },
}

/// Counters of one stream since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReassemblerStatistics {
    /// Frames delivered.
    pub frames: u64,
    /// Times that [`ReassemblerEvent::Lost`] was reported.
    pub losses: u64,
    /// Packets given up.
    pub missing_packets: u64,
    /// Packets whose place was taken.
    pub duplicates: u64,
    /// Packets that came after their place was delivered or given up (copies of delivered ones included).
    pub late: u64,
    /// Packets without a readable descriptor or of forbidden size.
    pub malformed: u64,
}

/// Puts the frames of one RTP stream (SSRC) together. Sans-IO: feed packets, then drain [`Self::poll`].
///
/// Packets may come in any order, any number of times; frames leave complete, once, in order. Loss is decided by
/// sequence numbers alone. Everything is bounded: 4,096 packets, [`MAX_SEALED_BYTES`] a frame,
/// [`ReassemblerConfig::max_wait`] of patience (SEC-15).
pub struct Vp8Reassembler<P> {
    config: ReassemblerConfig,
    window: Window<P>,
    /// Leading slots already examined: all of one frame whose end was not seen.
    scanned: usize,
    scanned_bytes: usize,
    gap: Option<Gap>,
    /// The previous frame was given up: its remaining pieces are dropped without another report.
    resyncing: bool,
    restarted: bool,
    spare: Vec<FrameBuf>,
    statistics: ReassemblerStatistics,
}

#[derive(Clone, Copy)]
struct Gap {
    sequence: u64,
    /// When a later packet showed it.
    shown: Mono,
    deadline: Mono,
}

/// Where the frame at the front of the window ends.
enum Scan {
    /// Nothing is missing so far and the end was not seen.
    Open,
    /// The slot at this index is missing.
    Missing(usize),
    /// The first slots, this many, are the frame.
    Complete(usize),
    /// The first slots, this many, do not make a frame.
    Broken(usize),
}

enum Step {
    Event(ReassemblerEvent),
    Again,
    Idle,
}

impl<P: AsRef<[u8]>> Vp8Reassembler<P> {
    /// A reassembler for one stream.
    #[must_use]
    pub fn new(config: ReassemblerConfig) -> Self {
        Self {
            config,
            window: Window::new(),
            scanned: 0,
            scanned_bytes: 0,
            gap: None,
            resyncing: false,
            restarted: false,
            spare: Vec::new(),
            statistics: ReassemblerStatistics::default(),
        }
    }

    /// Takes a packet. Never fails: what cannot be used is dropped and counted.
    pub fn handle_packet(&mut self, now: Mono, packet: RtpPacket<P>) {
        let Some(slot) = read_slot(now, packet.timestamp, packet.marker, packet.payload) else {
            self.statistics.malformed = self.statistics.malformed.saturating_add(1);
            return;
        };
        let base = self.window.base();
        match self.window.place(packet.sequence, slot) {
            Placed::Stored if self.window.base() != base => self.rescan(),
            Placed::Stored => {}
            Placed::Duplicate => self.statistics.duplicates = self.statistics.duplicates.saturating_add(1),
            Placed::Late => self.statistics.late = self.statistics.late.saturating_add(1),
            Placed::Restarted => {
                self.rescan();
                self.restarted = true;
            }
        }
    }

    /// The next event; `None` when nothing is ready. Call until `None` after every packet and at
    /// [`Self::poll_timeout`].
    pub fn poll(&mut self, now: Mono) -> Option<ReassemblerEvent> {
        if core::mem::take(&mut self.restarted) {
            return Some(self.lost(0));
        }
        loop {
            match self.step(now) {
                Step::Event(event) => return Some(event),
                Step::Again => {}
                Step::Idle => return None,
            }
        }
    }

    /// When [`Self::poll`] has to be called even if no packet comes. Valid after `poll` gave `None`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Mono> {
        self.gap.map(|gap| gap.deadline)
    }

    /// Since when the missing packet that holds everything up is known to be missing. Valid after `poll` gave `None`.
    #[must_use]
    pub fn missing_since(&self) -> Option<Mono> {
        self.gap.map(|gap| gap.shown)
    }

    /// Gives a frame's buffer back for re-use.
    pub fn recycle(&mut self, mut frame: FrameBuf) {
        if self.spare.len() < SPARE_FRAMES {
            frame.clear();
            self.spare.push(frame);
        }
    }

    /// Counters since the start.
    #[must_use]
    pub fn statistics(&self) -> ReassemblerStatistics {
        self.statistics
    }

    fn step(&mut self, now: Mono) -> Step {
        match self.window.slot(0) {
            None => {
                self.gap = None;
                Step::Idle
            }
            Some(Slot::Missing) => self.wait_for(now, 0),
            Some(Slot::Filler) => {
                self.window.discard(1);
                self.rescan();
                Step::Again
            }
            Some(Slot::Piece(piece)) if piece.descriptor.starts_frame => self.step_frame(now),
            Some(Slot::Piece(piece)) => {
                let (arrival, fresh) = (piece.arrival, self.window.is_fresh());
                self.step_headless(now, arrival, fresh)
            }
        }
    }

    fn step_frame(&mut self, now: Mono) -> Step {
        match self.scan() {
            Scan::Open => {
                self.gap = None;
                Step::Idle
            }
            Scan::Missing(index) => self.wait_for(now, index),
            Scan::Complete(count) => Step::Event(self.deliver(count)),
            Scan::Broken(count) => {
                self.window.discard(count);
                self.rescan();
                Step::Event(self.lost(0))
            }
        }
    }

    /// The front of the window is the middle of a frame.
    fn step_headless(&mut self, now: Mono, arrival: Mono, fresh: bool) -> Step {
        let deadline = arrival.plus(START_WAIT);
        if fresh && now < deadline {
            self.gap = Some(Gap { sequence: self.window.base(), shown: arrival, deadline });
            return Step::Idle;
        }
        self.window.discard(1);
        self.rescan();
        if self.resyncing { Step::Again } else { Step::Event(self.lost(0)) }
    }

    /// Looks for the end of the frame at the front, going on where the last look ended.
    fn scan(&mut self) -> Scan {
        let Some(Slot::Piece(first)) = self.window.slot(0) else { return Scan::Open };
        let timestamp = first.timestamp;
        loop {
            let index = self.scanned;
            match self.window.slot(index) {
                None => return Scan::Open,
                Some(Slot::Missing) => return Scan::Missing(index),
                Some(Slot::Filler) => {}
                // The marker of the last packet is missing, as some SFUs leave it.
                Some(Slot::Piece(piece)) if index > 0 && piece.descriptor.starts_frame => {
                    return Scan::Complete(index);
                }
                Some(Slot::Piece(piece)) if piece.timestamp != timestamp => return Scan::Broken(index),
                Some(Slot::Piece(piece)) => {
                    self.scanned_bytes = self.scanned_bytes.saturating_add(piece.chunk().len());
                    if self.scanned_bytes > MAX_SEALED_BYTES {
                        return Scan::Broken(index.saturating_add(1));
                    }
                    if piece.marker {
                        return Scan::Complete(index.saturating_add(1));
                    }
                }
            }
            self.scanned = index.saturating_add(1);
        }
    }

    /// Waits for the missing packet at `index`, or gives its frame up.
    fn wait_for(&mut self, now: Mono, index: usize) -> Step {
        let sequence = self.window.base().saturating_add(u64::try_from(index).unwrap_or(u64::MAX));
        let gap = match self.gap {
            Some(gap) if gap.sequence == sequence => gap,
            _ => {
                let shown = self.first_arrival_after(index).unwrap_or(now);
                Gap { sequence, shown, deadline: shown.plus(self.config.max_wait) }
            }
        };
        self.gap = Some(gap);
        if now < gap.deadline {
            return Step::Idle;
        }
        let next_start = (index..self.window.len()).find(
            |index| matches!(self.window.slot(*index), Some(Slot::Piece(p)) if p.descriptor.starts_frame),
        );
        let missing = self.window.discard(next_start.unwrap_or(self.window.len()));
        self.rescan();
        Step::Event(self.lost(missing))
    }

    fn first_arrival_after(&self, index: usize) -> Option<Mono> {
        (index..self.window.len()).find_map(|index| match self.window.slot(index) {
            Some(Slot::Piece(piece)) => Some(piece.arrival),
            _ => None,
        })
    }

    fn deliver(&mut self, count: usize) -> ReassemblerEvent {
        let mut out = ReassembledFrame {
            frame: self.spare.pop().unwrap_or_else(|| FrameBuf::with_capacity(self.scanned_bytes)),
            timestamp: 0,
            first_sequence: self.window.base(),
            picture_id: None,
            temporal: None,
            first_arrival: Mono::from_micros(u64::MAX),
            last_arrival: Mono::default(),
        };
        self.window.take(count, |slot| {
            let Slot::Piece(piece) = slot else { return };
            if out.frame.is_empty() {
                out.timestamp = piece.timestamp;
                out.picture_id = piece.descriptor.picture_id;
                out.temporal = piece.descriptor.temporal;
            }
            out.frame.extend(piece.chunk());
            out.first_arrival = out.first_arrival.min(piece.arrival);
            out.last_arrival = out.last_arrival.max(piece.arrival);
        });
        self.rescan();
        self.resyncing = false;
        self.statistics.frames = self.statistics.frames.saturating_add(1);
        ReassemblerEvent::Frame(out)
    }

    fn lost(&mut self, missing_packets: u32) -> ReassemblerEvent {
        self.resyncing = true;
        self.statistics.losses = self.statistics.losses.saturating_add(1);
        self.statistics.missing_packets =
            self.statistics.missing_packets.saturating_add(u64::from(missing_packets));
        ReassemblerEvent::Lost { missing_packets }
    }

    /// The front of the window changed.
    fn rescan(&mut self) {
        self.scanned = 0;
        self.scanned_bytes = 0;
        self.gap = None;
    }
}

/// Reads one payload; `None` when it is malformed.
fn read_slot<P: AsRef<[u8]>>(arrival: Mono, timestamp: u32, marker: bool, payload: P) -> Option<Slot<P>> {
    let bytes = payload.as_ref();
    if bytes.is_empty() {
        return Some(Slot::Filler);
    }
    if bytes.len() > MAX_PACKET_BYTES {
        return None;
    }
    let (descriptor, chunk) = Vp8Descriptor::parse(bytes).ok()?;
    if chunk.is_empty() {
        return None;
    }
    let descriptor_len = bytes.len().saturating_sub(chunk.len());
    Some(Slot::Piece(Piece { arrival, timestamp, marker, descriptor, descriptor_len, payload }))
}
