//! Sends packets again that did not arrive: those that the server asks for (RFC 4585 §6.2.1), and those that its
//! transport-wide feedback names as lost, without waiting to be asked.
//!
//! Servers ask seldom: Janus twice, and then gives the packet up for everybody. Where such a request or its answer
//! is lost too, the feedback is another chance. A copy too many is harmless: SRTP drops what came already.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use rtc::interceptor::{Attribute, AttributedPacket, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc::rtp;
use rtc::sansio::Protocol;
use rtc::shared::TransportContext;
use tokio::sync::mpsc;
use webrtc::error::Error;

use crate::sink::Counters;

/// Packets of one stream that are kept: at 2.5 Mbit/s over 4 s.
const KEPT: usize = 1_024;

/// Two requests within this time are one: no answer can have come in between on any path worth a call.
const SAME_REQUEST: Duration = Duration::from_millis(10);

/// What is older comes too late for every receiver of ours.
const TOO_OLD: Duration = Duration::from_millis(1_000);

/// Losses that may wait for the retransmitter: they are taken with the report that told them.
const LOSSES: usize = 256;

/// One transmission that did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LostTransmission {
    pub(super) ssrc: u32,
    pub(super) sequence: u16,
    pub(super) departure: Instant,
}

/// A queue from who reads the feedback to who sends again.
pub(super) fn losses() -> (mpsc::Sender<LostTransmission>, mpsc::Receiver<LostTransmission>) {
    mpsc::channel(LOSSES)
}

/// A packet that was sent.
struct Sent {
    packet: rtp::Packet,
    first: Instant,
    latest: Instant,
}

/// The latest packets of one stream, in the order of their numbers.
#[derive(Default)]
struct SentStream(VecDeque<Sent>);

impl SentStream {
    fn keep(&mut self, now: Instant, packet: rtp::Packet) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(Sent { packet, first: now, latest: now });
    }

    fn find(&mut self, sequence: u16) -> Option<&mut Sent> {
        let latest = self.0.back()?.packet.header.sequence_number;
        // Numbers follow each other without gaps, and wrap (RFC 3550 §5.1).
        let back = usize::from(latest.wrapping_sub(sequence));
        let index = self.0.len().checked_sub(back + 1)?;
        self.0.get_mut(index).filter(|sent| sent.packet.header.sequence_number == sequence)
    }
}

/// Interceptor of the publishing direction.
pub(super) struct Retransmitter {
    losses: mpsc::Receiver<LostTransmission>,
    counters: Arc<Counters>,
    streams: HashMap<u32, SentStream>,
    /// Number of the latest report: a gap means that a report was lost, and not the packets that it was about.
    report: Option<u8>,
    read: VecDeque<TaggedPacket>,
    write: VecDeque<TaggedPacket>,
}

impl Retransmitter {
    pub(super) fn new(losses: mpsc::Receiver<LostTransmission>, counters: Arc<Counters>) -> Self {
        Self {
            losses,
            counters,
            streams: HashMap::new(),
            report: None,
            read: VecDeque::new(),
            write: VecDeque::new(),
        }
    }

    fn asked(&mut self, now: Instant, request: &TransportLayerNack) {
        for sequence in request.nacks.iter().flat_map(|pair| pair.packet_list()) {
            let Some(sent) = self.streams.get_mut(&request.media_ssrc).and_then(|sent| sent.find(sequence))
            else {
                continue;
            };
            if sent.latest == sent.first || now.saturating_duration_since(sent.latest) >= SAME_REQUEST {
                let copies = sent.again(now);
                self.send(copies);
            }
        }
    }

    /// Takes what the report told that has just passed the estimator, which is nearer to the wire.
    fn reported(&mut self, now: Instant, report: &TransportLayerCc) {
        let expected = self.report.replace(report.fb_pkt_count).map(|last| last.wrapping_add(1));
        let is_next = expected == Some(report.fb_pkt_count);
        while let Ok(lost) = self.losses.try_recv() {
            let sent = self.streams.get_mut(&lost.ssrc).and_then(|sent| sent.find(lost.sequence));
            let Some(sent) = sent.filter(|_| is_next) else { continue };
            // What was sent again since has its own report to come.
            if sent.latest <= lost.departure {
                let copies = sent.again(now);
                self.send(copies);
            }
        }
    }

    fn send(&mut self, copies: Vec<TaggedPacket>) {
        self.counters.packets_resent.fetch_add(copies.len() as u64, Relaxed);
        self.write.extend(copies);
    }
}

impl Sent {
    /// One copy, or two of what was sent again before: it may be the last chance.
    fn again(&mut self, now: Instant) -> Vec<TaggedPacket> {
        if now.saturating_duration_since(self.first) > TOO_OLD {
            return Vec::new();
        }
        let copies = if self.latest == self.first { 1 } else { 2 };
        self.latest = now;
        let packet = Packet::Rtp(self.packet.clone());
        // The estimator has to count it as new bytes on the way.
        let message = AttributedPacket::new(packet).with(Attribute::Retransmission);
        let copy = |message| TaggedPacket { now, transport: TransportContext::default(), message };
        core::iter::repeat_n(message, copies).map(copy).collect()
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Retransmitter {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, msg: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &msg.message.packet {
            for packet in packets.iter().map(|packet| packet.as_any()) {
                if let Some(request) = packet.downcast_ref::<TransportLayerNack>() {
                    self.asked(msg.now, request);
                } else if let Some(report) = packet.downcast_ref::<TransportLayerCc>() {
                    self.reported(msg.now, report);
                }
            }
        }
        self.read.push_back(msg);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.read.pop_front()
    }

    fn handle_write(&mut self, msg: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtp(packet) = &msg.message.packet
            && let Some(stream) = self.streams.get_mut(&packet.header.ssrc)
        {
            stream.keep(msg.now, packet.clone());
        }
        self.write.push_back(msg);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.write.pop_front()
    }
}

impl Interceptor for Retransmitter {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        // RFC 4585 §4.2: NACK without a parameter. Nobody asks for other streams, sound among them.
        if info.rtcp_feedback.iter().any(|kind| kind.typ == "nack" && kind.parameter.is_empty()) {
            self.streams.insert(info.ssrc, SentStream::default());
        }
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        self.streams.remove(&info.ssrc);
    }

    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc::interceptor::RTCPFeedback;
    use rtc::rtcp::transport_feedbacks::transport_layer_nack::nack_pairs_from_sequence_numbers;

    const SSRC: u32 = 7;

    struct Bench {
        retransmitter: Retransmitter,
        lost: mpsc::Sender<LostTransmission>,
        start: Instant,
        reports: u8,
    }

    impl Bench {
        /// Numbers 65,534, 65,535, 0, 1 … were sent 1 ms apart.
        fn after_sending(count: u16) -> Self {
            let (lost, losses) = losses();
            let mut retransmitter = Retransmitter::new(losses, Arc::default());
            let nack = RTCPFeedback { typ: "nack".to_owned(), parameter: String::new() };
            let info = StreamInfo { ssrc: SSRC, rtcp_feedback: vec![nack], ..StreamInfo::default() };
            retransmitter.bind_local_stream(&info);
            let mut bench = Self { retransmitter, lost, start: Instant::now(), reports: 254 };
            for number in 0..count {
                let mut packet = rtp::Packet::default();
                packet.header.ssrc = SSRC;
                packet.header.sequence_number = number.wrapping_sub(2);
                let message = bench.tagged(u64::from(number), Packet::Rtp(packet));
                bench.retransmitter.handle_write(message).unwrap();
            }
            assert_eq!(bench.written().len(), usize::from(count));
            bench.report(0, &[]);
            bench
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        fn tagged(&self, ms: u64, packet: Packet) -> TaggedPacket {
            let (now, message) = (self.at(ms), AttributedPacket::new(packet));
            TaggedPacket { now, transport: TransportContext::default(), message }
        }

        fn written(&mut self) -> Vec<u16> {
            std::iter::from_fn(|| self.retransmitter.poll_write())
                .filter_map(|tagged| match tagged.message.packet {
                    Packet::Rtp(packet) => Some(packet.header.sequence_number),
                    _ => None,
                })
                .collect()
        }

        fn ask(&mut self, ms: u64, numbers: &[u16]) -> Vec<u16> {
            let nacks = nack_pairs_from_sequence_numbers(numbers);
            let request = TransportLayerNack { sender_ssrc: 1, media_ssrc: SSRC, nacks };
            let message = self.tagged(ms, Packet::Rtcp(vec![Box::new(request)]));
            self.retransmitter.handle_read(message).unwrap();
            self.written()
        }

        /// A report that the transmissions of these numbers at these times were lost.
        fn report(&mut self, ms: u64, lost: &[(u16, u64)]) -> Vec<u16> {
            for (sequence, departure) in lost {
                let departure = self.at(*departure);
                self.lost.try_send(LostTransmission { ssrc: SSRC, sequence: *sequence, departure }).unwrap();
            }
            self.reports = self.reports.wrapping_add(1);
            let report = TransportLayerCc { fb_pkt_count: self.reports, ..TransportLayerCc::default() };
            let message = self.tagged(ms, Packet::Rtcp(vec![Box::new(report)]));
            self.retransmitter.handle_read(message).unwrap();
            self.written()
        }
    }

    #[test]
    fn packets_that_are_asked_for_are_sent_again_across_the_wrap() {
        let mut bench = Bench::after_sending(6);
        assert_eq!(bench.ask(20, &[65_534, 0, 2]), [65_534, 0, 2]);
        assert_eq!(bench.ask(21, &[0, 40_000, 4]), [0; 0], "asked twice at once, never sent, not sent yet");
        assert_eq!(bench.ask(40, &[0]), [0, 0], "the first copy or the request for it was lost");
        assert_eq!(bench.retransmitter.counters.packets_resent.load(Relaxed), 5);
    }

    #[test]
    fn packets_that_are_reported_lost_are_sent_again_without_being_asked_for() {
        let mut bench = Bench::after_sending(6);
        assert_eq!(bench.report(100, &[(65_535, 1), (1, 3)]), [65_535, 1]);
        assert_eq!(bench.report(200, &[(1, 100)]), [1, 1], "the copy was lost too");
        assert_eq!(bench.report(300, &[(1, 100)]), [0; 0], "what was sent since has its own report");
    }

    #[test]
    fn report_after_a_lost_one_is_no_word_about_packets() {
        let mut bench = Bench::after_sending(6);
        bench.reports = bench.reports.wrapping_add(1);
        assert_eq!(bench.report(100, &[(0, 2), (1, 3)]), [0; 0]);
        assert_eq!(bench.report(200, &[(2, 4)]), [2]);
    }

    #[test]
    fn old_packets_are_neither_kept_nor_sent() {
        let mut bench = Bench::after_sending(6);
        assert_eq!(bench.ask(1_100, &[0, 1]), [0; 0]);
        let mut bench = Bench::after_sending(1_100);
        assert_eq!(bench.retransmitter.streams[&SSRC].0.len(), KEPT);
        assert_eq!(bench.ask(1_101, &[1_000, 3]), [1_000]);
    }
}
