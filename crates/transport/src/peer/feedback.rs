//! What the other side says by RTCP and the stack would keep to itself: key-frame requests and sender reports.

use std::collections::VecDeque;
use std::time::Instant;

use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::sender_report::SenderReport;
use rtc::sansio::Protocol;
use tokio::sync::mpsc;
use webrtc::error::Error;

/// One thing that was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feedback {
    /// A key frame is needed of the stream that we send with this SSRC (RFC 4585 §6.3.1, RFC 5104 §4.3.1).
    KeyFrameWanted { ssrc: u32 },
    /// Where a received stream's clock stands (RFC 3550 §6.4.1).
    SenderReport(ClockReport),
}

/// A pair of readings of one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClockReport {
    pub(super) ssrc: u32,
    /// NTP time, 32.32 fixed point seconds since 1900.
    pub(super) ntp: u64,
    /// The same instant on the stream's RTP clock.
    pub(super) rtp: u32,
}

/// Last interceptor of the chain: passes everything on and tells what it saw. What does not fit into the queue is
/// dropped; both kinds repeat.
pub(super) struct FeedbackTap {
    feedback: mpsc::Sender<Feedback>,
    read: VecDeque<TaggedPacket>,
    write: VecDeque<TaggedPacket>,
}

impl FeedbackTap {
    pub(super) fn new(feedback: mpsc::Sender<Feedback>) -> Self {
        Self { feedback, read: VecDeque::new(), write: VecDeque::new() }
    }

    fn tell(&self, feedback: Feedback) {
        self.feedback.try_send(feedback).ok();
    }

    fn look_at(&self, packet: &dyn core::any::Any) {
        if let Some(request) = packet.downcast_ref::<PictureLossIndication>() {
            self.tell(Feedback::KeyFrameWanted { ssrc: request.media_ssrc });
        } else if let Some(request) = packet.downcast_ref::<FullIntraRequest>() {
            for entry in &request.fir {
                self.tell(Feedback::KeyFrameWanted { ssrc: entry.ssrc });
            }
        } else if let Some(report) = packet.downcast_ref::<SenderReport>() {
            let clock = ClockReport { ssrc: report.ssrc, ntp: report.ntp_time, rtp: report.rtp_time };
            self.tell(Feedback::SenderReport(clock));
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for FeedbackTap {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, msg: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &msg.message.packet {
            for packet in packets {
                self.look_at(packet.as_any());
            }
        }
        self.read.push_back(msg);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.read.pop_front()
    }

    fn handle_write(&mut self, msg: TaggedPacket) -> Result<(), Error> {
        self.write.push_back(msg);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.write.pop_front()
    }
}

impl Interceptor for FeedbackTap {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}
