//! How the WebRTC stack is set up: codecs, header extensions, timers and the chain of interceptors.

use std::sync::Arc;
use std::time::Duration;

use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::{
    CongestionControlBuilder, NackGeneratorBuilder, ReceiverReportBuilder, SenderReportBuilder, Slot,
    TwccReceiverBuilder, TwccSenderBuilder,
};
use rtc::peer_connection::transport::RTCDtlsRole;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use tokio::sync::{mpsc, watch};
use webrtc::error::Result;
use webrtc::peer_connection::{MediaEngine, Registry, SettingEngine, SettingEngineBuilder};

use super::PeerPlan;
use super::bandwidth::ReportingEstimator;
use super::feedback::{Feedback, FeedbackTap};
use super::retransmit::{Retransmitter, losses};
use super::rtx::RtxUnwrapper;
use crate::Direction;

/// Payload types of our offers: what every browser uses for them.
const VP8_PAYLOAD_TYPE: u8 = 96;
const RTX_PAYLOAD_TYPE: u8 = 97;
const OPUS_PAYLOAD_TYPE: u8 = 111;

/// RTP header extensions: RFC 8843 §15 (mid), RFC 8852 (rid), and transport-wide sequence numbers
/// (draft-holmer-rmcat-transport-wide-cc-extensions-01).
pub(super) const MID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
pub(super) const RID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
const TRANSPORT_WIDE_URI: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// The stack's default of 200 ms between connectivity checks is most of its time to connect; and what the other side
/// sends before we have nominated a pair is dropped, its first DTLS flight too. RFC 8445 §14.2 allows 5 ms.
const ICE_CHECK_INTERVAL: Duration = Duration::from_millis(10);

/// Checks of one candidate pair before it counts as failed: 5 s at the interval above.
const ICE_CHECKS: u16 = 500;

/// Consent checks (RFC 7675): several within any silence limit.
const ICE_KEEPALIVE: Duration = Duration::from_millis(300);

/// Wait for a better pair than one with a reflexive address. Ours are withheld or translated only where there is no
/// better one.
const ICE_REFLEXIVE_WAIT: Duration = Duration::from_millis(150);

/// Wait for a better pair than one through TURN.
const ICE_RELAY_WAIT: Duration = Duration::from_millis(500);

/// How long after disconnection the stack gives a connection up. We have reconnected long before.
const ICE_FAILED_AFTER: Duration = Duration::from_secs(5);

/// A missing packet is asked for at once, then at this interval, this often: as long as the reassembler waits for it.
/// Often, since a server may answer the same request only once in a while (Janus: every 200 ms), and the first
/// that it would answer may be lost.
const NACK_INTERVAL: Duration = Duration::from_millis(25);
const NACKS_PER_PACKET: u16 = 20;

/// Packets watched for gaps; a power of two. At 2.5 Mbit/s over 4 s.
const NACK_WINDOW: u16 = 1_024;

/// Limits of the bandwidth estimate in bit/s: speech and the smallest layer; three layers and a screen.
const LOWEST_BANDWIDTH: f64 = 80_000.0;
const HIGHEST_BANDWIDTH: f64 = 12_000_000.0;

/// Whether lost packets come back in a stream of their own (RFC 4588) or as plain copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retransmission {
    Plain,
    Rtx,
}

/// VP8 and Opus, nothing else: a server that prefers another codec is refused by negotiation.
pub(super) fn media_engine(direction: Direction, retransmission: Retransmission) -> Result<MediaEngine> {
    let mut engine = MediaEngine::default();
    let feedback = [("nack", ""), ("nack", "pli"), ("ccm", "fir"), ("goog-remb", ""), ("transport-cc", "")];
    let vp8 = codec("video/VP8", 90_000, 0, "", &feedback);
    engine.register_codec(parameters(vp8, VP8_PAYLOAD_TYPE), RtpCodecKind::Video)?;
    if retransmission == Retransmission::Rtx {
        let rtx = codec("video/rtx", 90_000, 0, &format!("apt={VP8_PAYLOAD_TYPE}"), &[]);
        engine.register_codec(parameters(rtx, RTX_PAYLOAD_TYPE), RtpCodecKind::Video)?;
    }
    let opus = codec("audio/opus", 48_000, 2, "minptime=10;useinbandfec=1", &[("transport-cc", "")]);
    engine.register_codec(parameters(opus, OPUS_PAYLOAD_TYPE), RtpCodecKind::Audio)?;
    for kind in [RtpCodecKind::Video, RtpCodecKind::Audio] {
        extension(&mut engine, MID_URI, kind)?;
        extension(&mut engine, TRANSPORT_WIDE_URI, kind)?;
    }
    if matches!(direction, Direction::Publish(_)) {
        extension(&mut engine, RID_URI, RtpCodecKind::Video)?;
    }
    Ok(engine)
}

fn codec(mime: &str, clock_rate: u32, channels: u16, fmtp: &str, feedback: &[(&str, &str)]) -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: mime.to_owned(),
        clock_rate,
        channels,
        sdp_fmtp_line: fmtp.to_owned(),
        rtcp_feedback: feedback
            .iter()
            .map(|(typ, parameter)| RTCPFeedback {
                typ: (*typ).to_owned(),
                parameter: (*parameter).to_owned(),
            })
            .collect(),
    }
}

/// The codec of a track that we send, as the stack wants it named.
pub(super) fn sent_codec(kind: RtpCodecKind) -> RTCRtpCodec {
    match kind {
        RtpCodecKind::Audio => codec("audio/opus", 48_000, 2, "minptime=10;useinbandfec=1", &[]),
        _ => codec("video/VP8", 90_000, 0, "", &[]),
    }
}

fn parameters(rtp_codec: RTCRtpCodec, payload_type: u8) -> RTCRtpCodecParameters {
    RTCRtpCodecParameters { rtp_codec, payload_type }
}

fn extension(engine: &mut MediaEngine, uri: &str, kind: RtpCodecKind) -> Result<()> {
    engine.register_header_extension(RTCRtpHeaderExtensionCapability { uri: uri.to_owned() }, kind, None)
}

/// Timers of ICE, and who begins the DTLS handshake where the SFU offers: the SFU does. It nominates the pair, and so
/// knows it last: our hello would come before it listens, and this stack repeats a lost flight only after a second.
///
/// SFUs are named by address. Names of the local network are not asked for: their socket cannot be had on a computer
/// without a network, whose meetings with itself would fail with it, and would let everybody nearby speak to us.
pub(super) fn settings(silence_limit: Duration) -> SettingEngine {
    SettingEngineBuilder::new()
        .with_ice_timeouts(Some(silence_limit), Some(ICE_FAILED_AFTER), Some(ICE_KEEPALIVE))
        .with_ice_connection_attempts(Some(ICE_CHECK_INTERVAL), Some(ICE_CHECKS))
        .with_srflx_acceptance_min_wait(Some(ICE_REFLEXIVE_WAIT))
        .with_prflx_acceptance_min_wait(Some(ICE_REFLEXIVE_WAIT))
        .with_relay_acceptance_min_wait(Some(ICE_RELAY_WAIT))
        .with_answering_dtls_role(RTCDtlsRole::Server)
        .with_include_loopback_candidate(true)
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .build()
}

/// The chain, wire-most first: estimate, transport-wide numbers, retransmission, unwrapping of RTX before gaps
/// are looked for, reports, and last our tap, which sees all RTCP.
pub(super) fn interceptors(
    plan: &PeerPlan,
    feedback: mpsc::Sender<Feedback>,
    bandwidth: watch::Sender<u32>,
) -> Registry {
    let registry = Registry::new()
        .with(
            Slot::NackGenerator,
            NackGeneratorBuilder::new()
                .with_size(NACK_WINDOW)
                .with_interval(NACK_INTERVAL)
                .with_max_nacks_per_packet(NACKS_PER_PACKET)
                .build(),
        )
        .with(Slot::ReceiverReport, ReceiverReportBuilder::new().build())
        .with(Slot::SenderReport, SenderReportBuilder::new().build())
        .with(Slot::from(LAST_SLOT), FeedbackTap::new(feedback));
    match plan.direction {
        Direction::Publish(_) => {
            let (lost, losses) = losses();
            let estimator = ReportingEstimator::new(LOWEST_BANDWIDTH..=HIGHEST_BANDWIDTH, bandwidth, lost);
            registry
                .with(Slot::CongestionControl, CongestionControlBuilder::new(estimator).build())
                .with(Slot::TwccSender, TwccSenderBuilder::new().build())
                .with(Slot::NackResponder, Retransmitter::new(losses, Arc::clone(&plan.counters)))
        }
        Direction::Play => registry
            .with(Slot::from(RTX_SLOT), RtxUnwrapper::default())
            .with(Slot::TwccReceiver, TwccReceiverBuilder::new().build()),
    }
}

/// Between the responder and the generator of NACKs (slots 4,000 and 7,000 of the stack).
const RTX_SLOT: usize = 6_500;

/// After everything else.
const LAST_SLOT: usize = 60_000;
