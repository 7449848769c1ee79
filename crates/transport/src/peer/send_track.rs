//! A track that we send: RTP packets with their numbers, clocks and header extensions.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use incamera_media::rtp::{TemporalLayer, Vp8Packetizer};
use incamera_sframe::SealedFrame;
use incamera_types::{Context, MediaKind};
use rtc::media_stream::MediaStreamTrack;
use rtc::rtp;
use rtc::rtp_transceiver::rtp_sender::{RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::PeerConnection;
use webrtc::rtp_transceiver::RtpTransceiver;

use super::{engine, local};
use crate::{PublishPlan, SfuError, random};

/// What a track is to carry.
pub(super) struct TrackPlan {
    kind: MediaKind,
    /// One for audio, one to three for video, the largest first.
    contexts: Vec<Context>,
}

/// The tracks of a plan, or what is wrong with it.
pub(super) fn track_plans(plan: &PublishPlan) -> Result<Vec<TrackPlan>, SfuError> {
    let audio =
        plan.audio.iter().map(|audio| TrackPlan { kind: MediaKind::Audio, contexts: vec![audio.context] });
    let video = plan.video.iter().map(|video| TrackPlan {
        kind: MediaKind::Video,
        contexts: video.layers.iter().map(|layer| layer.context).collect(),
    });
    let plans: Vec<_> = audio.chain(video).collect();
    if plans.is_empty() {
        return Err(SfuError::Plan("nothing to publish"));
    }
    plans.iter().try_for_each(TrackPlan::check)?;
    Ok(plans)
}

impl TrackPlan {
    fn check(&self) -> Result<(), SfuError> {
        if !(1..=3).contains(&self.contexts.len()) {
            return Err(SfuError::Plan("a video track has one to three layers"));
        }
        if self.contexts.iter().any(|context| context.kind() != self.kind || context.attests().is_some()) {
            return Err(SfuError::Plan("a context on a track of another kind"));
        }
        let mut ordered = self.contexts.clone();
        ordered.dedup();
        if ordered.len() != self.contexts.len() || !ordered.is_sorted() {
            return Err(SfuError::Plan("layers have to go from the largest to the smallest"));
        }
        Ok(())
    }
}

/// The rid of a layer. Janus and our SFU take the first of the list, `h`, for the largest.
fn rid(context: Context) -> &'static str {
    match context {
        Context::CameraMedium | Context::ScreenMedium => "m",
        Context::CameraLow | Context::ScreenLow => "l",
        _ => "h",
    }
}

/// One RTP stream.
struct Stream {
    context: Context,
    rid: Option<&'static str>,
    ssrc: u32,
    sequence: u16,
    timestamp_base: u32,
    packetizer: Vp8Packetizer,
    temporal: TemporalIndex,
}

/// Counts frames of the base temporal layer, once there is another (RFC 7741 §4.2, TL0PICIDX).
#[derive(Default)]
struct TemporalIndex {
    used: bool,
    base: u8,
}

impl TemporalIndex {
    fn next(&mut self, layer: u8) -> Option<TemporalLayer> {
        self.used |= layer > 0;
        if layer == 0 {
            self.base = self.base.wrapping_add(1);
        }
        self.used.then_some(TemporalLayer { id: layer, base_index: self.base, layer_sync: false })
    }
}

/// Header extensions and payload type, known after negotiation.
struct Negotiated {
    payload_type: u8,
    mid: Option<(u8, Bytes)>,
    rid_extension: Option<u8>,
}

/// A track that we send, with its streams.
pub(super) struct SendTrack {
    kind: MediaKind,
    track: Arc<TrackLocalStaticRTP>,
    transceiver: Arc<dyn RtpTransceiver>,
    streams: Vec<Stream>,
    negotiated: Option<Negotiated>,
}

impl SendTrack {
    /// Adds the track to a connection. Sendonly, as WHIP demands (RFC 9725 §4.4).
    pub(super) async fn add(connection: &dyn PeerConnection, plan: &TrackPlan) -> Result<Self, SfuError> {
        let simulcast = plan.contexts.len() > 1;
        let streams: Vec<_> = plan.contexts.iter().map(|context| Stream::new(*context, simulcast)).collect();
        let kind = match plan.kind {
            MediaKind::Audio => RtpCodecKind::Audio,
            MediaKind::Video => RtpCodecKind::Video,
        };
        let encodings: Vec<_> = streams.iter().map(|stream| stream.encoding(kind)).collect();
        // Names in the description tell nothing: random, and the same for no two sessions.
        let [stream_name, track_name] = [random::u32(), random::u32()].map(|number| format!("{number:08x}"));
        let track =
            MediaStreamTrack::new(stream_name, track_name.clone(), track_name, kind, encodings.clone());
        let track = Arc::new(TrackLocalStaticRTP::new(track));
        let init = RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Sendonly,
            streams: Vec::new(),
            send_encodings: encodings,
        };
        let added = Arc::clone(&track) as Arc<dyn TrackLocal>;
        let transceiver = connection.add_transceiver_from_track(added, Some(init)).await.map_err(local)?;
        Ok(Self { kind: plan.kind, track, transceiver, streams, negotiated: None })
    }

    /// Learns what was negotiated.
    pub(super) async fn bind(&mut self) -> Result<(), SfuError> {
        let sender = self.transceiver.sender().await.map_err(local)?.ok_or(SfuError::Codecs)?;
        let parameters = sender.get_parameters().await.map_err(local)?.rtp_parameters;
        let wanted = if self.kind == MediaKind::Audio { "audio/opus" } else { "video/vp8" };
        let codec =
            parameters.codecs.iter().find(|codec| codec.rtp_codec.mime_type.eq_ignore_ascii_case(wanted));
        let id_of = |uri: &str| {
            let found = parameters.header_extensions.iter().find(|extension| extension.uri == uri);
            found.and_then(|extension| u8::try_from(extension.id).ok())
        };
        let mid = self.transceiver.mid().await.map_err(local)?;
        self.negotiated = Some(Negotiated {
            payload_type: codec.ok_or(SfuError::Codecs)?.payload_type,
            mid: id_of(engine::MID_URI).zip(mid.map(Bytes::from)),
            rid_extension: id_of(engine::RID_URI),
        });
        Ok(())
    }

    pub(super) fn kind(&self) -> MediaKind {
        self.kind
    }

    /// What is sent.
    pub(super) fn contexts(&self) -> impl Iterator<Item = Context> {
        self.streams.iter().map(|stream| stream.context)
    }

    /// The layer that is sent with this SSRC.
    pub(super) fn context_of(&self, ssrc: u32) -> Option<Context> {
        self.streams.iter().find(|stream| stream.ssrc == ssrc).map(|stream| stream.context)
    }

    /// Cuts a frame into packets. None when it does not belong on this track.
    pub(super) fn packets(&mut self, frame: &SealedFrame) -> Vec<rtp::Packet> {
        let context = crate::outbox::carrier(frame.context());
        let Some(negotiated) = &self.negotiated else { return Vec::new() };
        let Some(stream) = self.streams.iter_mut().find(|stream| stream.context == context) else {
            return Vec::new();
        };
        match self.kind {
            MediaKind::Audio => vec![stream.audio_packet(frame, negotiated)],
            MediaKind::Video => stream.video_packets(frame, negotiated),
        }
    }

    pub(super) async fn write(&self, packet: rtp::Packet) -> Result<(), SfuError> {
        self.track.write_rtp(packet).await.map_err(local)
    }
}

impl Stream {
    fn new(context: Context, simulcast: bool) -> Self {
        Self {
            context,
            rid: simulcast.then(|| rid(context)),
            ssrc: random::u32(),
            sequence: random::u16() & 0x7fff,
            timestamp_base: random::u32(),
            packetizer: Vp8Packetizer::new(random::u16()),
            temporal: TemporalIndex::default(),
        }
    }

    fn encoding(&self, kind: RtpCodecKind) -> RTCRtpEncodingParameters {
        RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters {
                rid: self.rid.unwrap_or_default().to_owned(),
                ssrc: Some(self.ssrc),
                ..RTCRtpCodingParameters::default()
            },
            active: true,
            codec: engine::sent_codec(kind),
            ..RTCRtpEncodingParameters::default()
        }
    }

    fn audio_packet(&mut self, frame: &SealedFrame, negotiated: &Negotiated) -> rtp::Packet {
        let mut packet = self.packet(frame, negotiated, Bytes::copy_from_slice(frame.payload()));
        packet.header.marker = false;
        packet
    }

    fn video_packets(&mut self, frame: &SealedFrame, negotiated: &Negotiated) -> Vec<rtp::Packet> {
        let temporal = self.temporal.next(frame.temporal_layer().number());
        let payloads: Vec<_> = self
            .packetizer
            .packetize(frame.payload(), temporal)
            .map(|part| {
                let mut payload = BytesMut::with_capacity(part.payload_len());
                payload.extend_from_slice(part.descriptor());
                payload.extend_from_slice(part.chunk());
                (payload.freeze(), part.marker)
            })
            .collect();
        let packet = |(payload, marker)| {
            let mut packet = self.packet(frame, negotiated, payload);
            packet.header.marker = marker;
            packet
        };
        payloads.into_iter().map(packet).collect()
    }

    fn packet(&mut self, frame: &SealedFrame, negotiated: &Negotiated, payload: Bytes) -> rtp::Packet {
        let mut packet = rtp::Packet { payload, ..rtp::Packet::default() };
        let header = &mut packet.header;
        header.version = 2;
        header.ssrc = self.ssrc;
        header.payload_type = negotiated.payload_type;
        header.sequence_number = self.sequence;
        // RTP timestamps wrap (RFC 3550 §5.1).
        header.timestamp = self.timestamp_base.wrapping_add(frame.media_time().0 as u32);
        self.sequence = self.sequence.wrapping_add(1);
        let rid =
            negotiated.rid_extension.zip(self.rid).map(|(id, rid)| (id, Bytes::from_static(rid.as_bytes())));
        // Without a rid, the SSRC in the description says enough.
        let mid = negotiated.mid.clone().filter(|_| self.rid.is_some());
        for (id, value) in mid.into_iter().chain(rid) {
            if let Err(error) = header.set_extension(id, value) {
                tracing::debug!(%error, "a header extension does not fit");
            }
        }
        packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AudioPlan, LayerPlan, VideoPlan};

    fn layer(context: Context) -> LayerPlan {
        LayerPlan { context, width: 640, height: 360, max_bitrate_bps: 500_000 }
    }

    fn check(audio: Option<Context>, video: &[Context]) -> Result<(), SfuError> {
        let layers: Vec<_> = video.iter().map(|context| layer(*context)).collect();
        let plan = PublishPlan {
            audio: audio.map(|context| AudioPlan { context }),
            video: (!layers.is_empty()).then_some(VideoPlan { layers }),
        };
        track_plans(&plan).map(drop)
    }

    #[test]
    fn plans_that_contradict_themselves_are_refused() {
        use Context::{CameraHigh, CameraLow, CameraMedium, Microphone, MicrophoneAttestation};
        assert!(check(Some(Microphone), &Context::CAMERA).is_ok());
        assert!(check(None, &[CameraLow]).is_ok());
        assert!(check(None, &[]).is_err());
        assert!(check(Some(CameraHigh), &[]).is_err());
        assert!(check(Some(MicrophoneAttestation), &[]).is_err());
        assert!(check(None, &[CameraMedium, CameraHigh]).is_err());
        assert!(check(None, &[CameraHigh, CameraHigh]).is_err());
        assert!(check(None, &[CameraHigh, CameraMedium, CameraLow, Context::ScreenHigh]).is_err());
    }

    #[test]
    fn temporal_fields_appear_with_the_first_higher_layer() {
        let mut index = TemporalIndex::default();
        assert_eq!(index.next(0), None);
        assert_eq!(index.next(1).map(|layer| (layer.id, layer.base_index)), Some((1, 1)));
        assert_eq!(index.next(0).map(|layer| (layer.id, layer.base_index)), Some((0, 2)));
    }
}
