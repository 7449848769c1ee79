//! One remote track: packets into complete sealed frames.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use incamera_media::rtp::{
    AUDIO_CLOCK_HZ, ReassembledFrame, ReassemblerConfig, ReassemblerEvent, RtpPacket, SequenceUnwrapper,
    VIDEO_CLOCK_HZ, Vp8Reassembler,
};
use incamera_types::{FrameBuf, MediaKind, Mono};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use super::keyframes::KeyFrameThrottle;
use super::player::PlayerHandle;
use super::reports::ReportBook;
use crate::sink::Sink;
use crate::{Clock, ReceivedFrame, SfuEvent};

/// RTP sources of one track that are put together side by side; a server that sends more loses the oldest.
const MAX_SOURCES: usize = 4;

/// Largest audio payload that is taken: an Opus packet of 60 ms at full rate, sealed and padded.
const MAX_AUDIO_BYTES: usize = 4_096;

/// How often key frames of one track are asked for, at most.
const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(250);

/// A packet that has not come by then was lost on its way at least twice: a key frame is asked for meanwhile, so that
/// it is there when the packet is given up. Most packets come within a tenth of it.
const KEY_FRAME_AFTER: Duration = Duration::from_millis(280);

/// How often reception is reported.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Sleep when nothing is due.
const IDLE: Duration = Duration::from_secs(60);

/// Numbers the RTP sources of this process.
static NEXT_SOURCE: AtomicU64 = AtomicU64::new(1);

/// Reads one remote track until it ends.
pub(super) struct TrackReceiver {
    pub(super) mid: String,
    pub(super) kind: MediaKind,
    pub(super) track: Arc<dyn TrackRemote>,
    pub(super) player: PlayerHandle,
    pub(super) ask: Arc<Notify>,
    pub(super) reports: Arc<ReportBook>,
    pub(super) sink: Sink,
    pub(super) clock: Clock,
}

impl TrackReceiver {
    pub(super) async fn run(self) {
        let mut reception = Reception::new(self.kind);
        let mut report = interval(REPORT_INTERVAL);
        report.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let pause = reception.next_wake(self.clock.now());
            tokio::select! {
                event = self.track.poll() => match event {
                    Some(TrackRemoteEvent::OnRtpPacket(packet)) => {
                        reception.take(self.clock.now(), packet);
                    }
                    Some(TrackRemoteEvent::OnEnded) | None => return,
                    Some(_) => {}
                },
                () = self.ask.notified() => reception.want_key_frame(),
                () = sleep(pause) => {}
                _ = report.tick() => self.report(&mut reception),
            }
            self.deliver(&mut reception).await;
        }
    }

    async fn deliver(&self, reception: &mut Reception) {
        while let Some(frame) = reception.poll(self.clock.now()) {
            let clock_hz = if self.kind == MediaKind::Audio { AUDIO_CLOCK_HZ } else { VIDEO_CLOCK_HZ };
            self.sink.frame(ReceivedFrame {
                payload: frame.payload,
                kind: self.kind,
                rtp_timestamp: frame.timestamp,
                arrival: frame.arrival,
                stream: self.player.stream(&self.mid),
                source: frame.source,
                sender_time_us: self.reports.sender_time_us(frame.ssrc, frame.timestamp, clock_hz),
            });
        }
        if let Some(ssrc) = reception.poll_key_frame(Instant::now()) {
            self.sink.counters.key_frames_asked.fetch_add(1, Relaxed);
            // Janus drops a lone request from an SSRC that it does not know.
            let request = PictureLossIndication { sender_ssrc: ssrc, media_ssrc: ssrc };
            if let Err(error) = self.track.write_rtcp(vec![Box::new(request)]).await {
                tracing::debug!(%error, "a key-frame request was not sent");
            }
        }
    }

    fn report(&self, reception: &mut Reception) {
        let Tally { received, late, lost, incomplete } = reception.take_tally();
        if received == 0 && lost == 0 {
            return;
        }
        self.sink.counters.packets_late.fetch_add(u64::from(late), Relaxed);
        self.sink.counters.packets_lost.fetch_add(u64::from(lost), Relaxed);
        self.sink.counters.frames_incomplete.fetch_add(u64::from(incomplete), Relaxed);
        let stream = self.player.stream(&self.mid);
        self.sink.hint(SfuEvent::Reception { stream, kind: self.kind, received, late, lost, incomplete });
    }
}

/// A complete frame.
struct CompleteFrame {
    payload: FrameBuf,
    timestamp: u32,
    arrival: Mono,
    source: u64,
    ssrc: u32,
}

/// Packets since the last report.
#[derive(Clone, Copy, Default)]
struct Tally {
    received: u32,
    late: u32,
    lost: u32,
    incomplete: u32,
}

/// The sources of a track, without IO.
struct Reception {
    kind: MediaKind,
    sources: HashMap<u32, Source>,
    latest: Option<u32>,
    tally: Tally,
    throttle: KeyFrameThrottle,
    /// A key frame is missing here.
    wanted: bool,
    /// Somebody else says so.
    asked: bool,
}

struct Source {
    number: u64,
    unwrapper: SequenceUnwrapper,
    highest: u64,
    media: SourceMedia,
}

enum SourceMedia {
    /// Each packet is a frame.
    Audio(Vec<CompleteFrame>),
    Video {
        reassembler: Box<Vp8Reassembler<Bytes>>,
        /// Nothing that comes can be decoded until a key frame does.
        awaiting_key_frame: bool,
        /// The gap for which a key frame was asked for already, by when it was seen.
        asked_for_gap: Option<Mono>,
    },
}

impl Reception {
    fn new(kind: MediaKind) -> Self {
        Self {
            kind,
            sources: HashMap::new(),
            latest: None,
            tally: Tally::default(),
            throttle: KeyFrameThrottle::new(KEY_FRAME_INTERVAL),
            wanted: false,
            asked: false,
        }
    }

    fn take(&mut self, now: Mono, packet: rtp::Packet) {
        let ssrc = packet.header.ssrc;
        self.make_room_for(ssrc);
        let kind = self.kind;
        let source = self.sources.entry(ssrc).or_insert_with(|| Source::new(kind));
        self.latest = Some(ssrc);
        self.tally.received += 1;
        let sequence = source.unwrapper.unwrap(packet.header.sequence_number);
        if source.highest != 0 && kind == MediaKind::Audio {
            // Audio is never sent again, so a gap is a loss, and a late packet takes one back.
            let gap = sequence.saturating_sub(source.highest + 1).min(1_000);
            self.tally.lost = self.tally.lost.saturating_add(u32::try_from(gap).unwrap_or(0));
            if sequence < source.highest {
                self.tally.lost = self.tally.lost.saturating_sub(1);
            }
        }
        if sequence < source.highest {
            self.tally.late = self.tally.late.saturating_add(1);
        }
        source.highest = source.highest.max(sequence);
        source.take(now, sequence, ssrc, packet);
    }

    /// The next complete frame of any source.
    fn poll(&mut self, now: Mono) -> Option<CompleteFrame> {
        for (ssrc, source) in &mut self.sources {
            let number = source.number;
            match &mut source.media {
                SourceMedia::Audio(frames) => {
                    if let Some(frame) = frames.pop() {
                        return Some(frame);
                    }
                }
                SourceMedia::Video { reassembler, awaiting_key_frame, asked_for_gap } => {
                    while let Some(event) = reassembler.poll(now) {
                        match event {
                            ReassemblerEvent::Frame(frame) => {
                                *awaiting_key_frame &= !looks_like_key_frame(frame.frame.as_slice());
                                // A key frame that waited behind the gap is what was wanted.
                                self.wanted = *awaiting_key_frame;
                                return Some(complete(frame, number, *ssrc));
                            }
                            ReassemblerEvent::Lost { missing_packets } => {
                                *awaiting_key_frame = true;
                                self.wanted = true;
                                self.tally.lost = self.tally.lost.saturating_add(missing_packets);
                                self.tally.incomplete += 1;
                            }
                        }
                    }
                    let gap = reassembler.missing_since();
                    let overdue = gap.filter(|since| now.since(*since) >= KEY_FRAME_AFTER);
                    if overdue.is_some() && overdue != *asked_for_gap {
                        *asked_for_gap = overdue;
                        self.wanted = true;
                    }
                }
            }
        }
        None
    }

    fn want_key_frame(&mut self) {
        self.asked = self.kind == MediaKind::Video;
    }

    /// The source to ask for a key frame now.
    fn poll_key_frame(&mut self, now: Instant) -> Option<u32> {
        let ssrc = self.latest?;
        let wanted = core::mem::take(&mut self.wanted) | core::mem::take(&mut self.asked);
        let ask = if wanted { self.throttle.request(now) } else { self.throttle.poll(now) };
        ask.then_some(ssrc)
    }

    fn take_tally(&mut self) -> Tally {
        core::mem::take(&mut self.tally)
    }

    /// How long until something is due.
    fn next_wake(&self, now: Mono) -> Duration {
        let frames = self.sources.values().filter_map(|source| match &source.media {
            SourceMedia::Audio(_) => None,
            SourceMedia::Video { reassembler, asked_for_gap, .. } => {
                let gap = reassembler.missing_since().filter(|since| Some(*since) != *asked_for_gap);
                let ask = gap.map(|since| since.plus(KEY_FRAME_AFTER)).filter(|at| *at > now);
                ask.into_iter().chain(reassembler.poll_timeout()).min()
            }
        });
        let request = self.throttle.deadline().map(|at| at.saturating_duration_since(Instant::now()));
        frames.map(|at| at.since(now)).chain(request).min().unwrap_or(IDLE)
    }

    fn make_room_for(&mut self, ssrc: u32) {
        if self.sources.len() >= MAX_SOURCES
            && !self.sources.contains_key(&ssrc)
            && let Some(oldest) =
                self.sources.iter().min_by_key(|(_, source)| source.number).map(|(ssrc, _)| *ssrc)
        {
            self.sources.remove(&oldest);
        }
    }
}

impl Source {
    fn new(kind: MediaKind) -> Self {
        let media = match kind {
            MediaKind::Audio => SourceMedia::Audio(Vec::new()),
            MediaKind::Video => SourceMedia::Video {
                reassembler: Box::new(Vp8Reassembler::new(ReassemblerConfig::default())),
                awaiting_key_frame: true,
                asked_for_gap: None,
            },
        };
        let number = NEXT_SOURCE.fetch_add(1, Relaxed);
        Self { number, unwrapper: SequenceUnwrapper::new(), highest: 0, media }
    }

    fn take(&mut self, now: Mono, sequence: u64, ssrc: u32, packet: rtp::Packet) {
        let rtp::Packet { header, payload } = packet;
        match &mut self.media {
            SourceMedia::Audio(frames) => {
                if !payload.is_empty() && payload.len() <= MAX_AUDIO_BYTES {
                    frames.push(CompleteFrame {
                        payload: FrameBuf::from_slice(&payload),
                        timestamp: header.timestamp,
                        arrival: now,
                        source: self.number,
                        ssrc,
                    });
                }
            }
            SourceMedia::Video { reassembler, .. } => {
                let (timestamp, marker) = (header.timestamp, header.marker);
                reassembler.handle_packet(now, RtpPacket { sequence, timestamp, marker, payload });
            }
        }
    }
}

fn complete(frame: ReassembledFrame, source: u64, ssrc: u32) -> CompleteFrame {
    CompleteFrame {
        payload: frame.frame,
        timestamp: frame.timestamp,
        arrival: frame.last_arrival,
        source,
        ssrc,
    }
}

/// Reads the synthetic prefix (wire.md §2): P = 0 in the VP8 frame tag. Unauthenticated: only decides whether to go on asking.
fn looks_like_key_frame(sealed: &[u8]) -> bool {
    sealed.first().is_some_and(|tag| tag & 1 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use incamera_media::rtp::Vp8Packetizer;

    fn packets(first_sequence: u16, ssrc: u32, frame: &[u8]) -> Vec<rtp::Packet> {
        let parts = Vp8Packetizer::new(1);
        let mut parts = parts;
        let mut sequence = first_sequence;
        parts
            .packetize(frame, None)
            .map(|part| {
                let mut payload = part.descriptor().to_vec();
                payload.extend_from_slice(part.chunk());
                let mut packet = rtp::Packet { payload: payload.into(), ..rtp::Packet::default() };
                packet.header.ssrc = ssrc;
                packet.header.sequence_number = sequence;
                packet.header.marker = part.marker;
                sequence += 1;
                packet
            })
            .collect()
    }

    fn at(ms: u64) -> Mono {
        Mono::from_micros(ms * 1_000)
    }

    #[test]
    fn key_frame_is_asked_for_until_one_came_and_again_after_a_loss() {
        let mut reception = Reception::new(MediaKind::Video);
        let start = Instant::now();
        for packet in packets(10, 1, &[0x11, 1, 2]) {
            reception.take(at(0), packet);
        }
        assert!(reception.poll(at(40)).is_some());
        assert_eq!(reception.poll_key_frame(start), Some(1));
        for packet in packets(11, 1, &[0x10, 1, 2]) {
            reception.take(at(50), packet);
        }
        assert!(reception.poll(at(50)).is_some());
        assert_eq!(reception.poll_key_frame(start + Duration::from_secs(1)), None);
        for packet in packets(13, 1, &[0x11, 1, 2]) {
            reception.take(at(60), packet);
        }
        assert!(reception.poll(at(60)).is_none());
        assert!(reception.poll(at(1_000)).is_some());
        assert_eq!(reception.poll_key_frame(start + Duration::from_secs(2)), Some(1));
        let tally = reception.take_tally();
        assert_eq!((tally.received, tally.late, tally.lost, tally.incomplete), (3, 0, 1, 1));
    }

    #[test]
    fn key_frame_is_asked_for_while_a_packet_is_overdue_and_ends_the_gap() {
        let mut reception = Reception::new(MediaKind::Video);
        let start = Instant::now();
        let receive = |reception: &mut Reception, ms, sequence, tag| {
            for packet in packets(sequence, 1, &[tag, 1, 2]) {
                reception.take(at(ms), packet);
            }
            core::iter::from_fn(|| reception.poll(at(ms))).count()
        };
        assert_eq!(receive(&mut reception, 0, 10, 0x10), 1);
        assert_eq!(receive(&mut reception, 66, 12, 0x11), 0);
        assert_eq!(reception.next_wake(at(66)), KEY_FRAME_AFTER);
        assert_eq!(receive(&mut reception, 345, 13, 0x11), 0);
        assert_eq!(reception.poll_key_frame(start), None);
        assert_eq!(receive(&mut reception, 346, 14, 0x11), 0);
        assert_eq!(reception.poll_key_frame(start), Some(1));
        assert_eq!(receive(&mut reception, 400, 15, 0x10), 0);
        assert_eq!(reception.poll_key_frame(start + Duration::from_secs(1)), None, "asked once for one gap");
        assert_eq!(receive(&mut reception, 566, 16, 0x11), 5, "the packet was given up");
        assert_eq!(reception.poll_key_frame(start + Duration::from_secs(2)), None, "the key frame was there");
    }

    #[test]
    fn packet_that_comes_late_is_counted_and_nothing_is_lost() {
        let mut reception = Reception::new(MediaKind::Video);
        for sequence in [10, 12, 11] {
            for packet in packets(sequence, 1, &[0x10, 1, 2]) {
                reception.take(at(0), packet);
            }
        }
        assert_eq!(core::iter::from_fn(|| reception.poll(at(0))).count(), 3);
        let tally = reception.take_tally();
        assert_eq!((tally.received, tally.late, tally.lost, tally.incomplete), (3, 1, 0, 0));
    }

    #[test]
    fn audio_packets_are_frames_and_gaps_are_losses_until_filled() {
        let mut reception = Reception::new(MediaKind::Audio);
        for sequence in [5, 8, 6] {
            let mut packet = rtp::Packet { payload: Bytes::from_static(b"opus"), ..rtp::Packet::default() };
            packet.header.sequence_number = sequence;
            reception.take(at(0), packet);
            assert_eq!(reception.poll(at(0)).unwrap().payload.as_slice(), b"opus");
        }
        assert_eq!(reception.take_tally().lost, 1);
    }

    #[test]
    fn sources_of_a_track_are_bounded() {
        let mut reception = Reception::new(MediaKind::Video);
        for ssrc in 0..100 {
            for packet in packets(1, ssrc, &[0x10]) {
                reception.take(at(0), packet);
            }
        }
        assert_eq!(reception.sources.len(), MAX_SOURCES);
    }
}
