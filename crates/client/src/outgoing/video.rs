//! Pictures become VP8 frames in up to three layers, on the video capture thread.

use std::sync::Arc;

use incamera_devices::{VideoFormat, VideoFrame};
use incamera_media::vp8::{
    EncodeError, EncodedFrame, Layer, LayerRate, Quality, SimulcastConfig, SimulcastEncoder, TemporalLayers,
};
use incamera_sframe::{FrameKind, MediaFrame, MediaTime, Padding, PictureSize, TemporalLayer};
use incamera_types::{Context, FrameBuf, Mono};

use super::controls::SendControls;
use super::sealing::SealingHandle;

/// Ticks of the RTP clock of video in a microsecond are 90 / 1000.
const RTP_VIDEO_KHZ: u64 = 90;

/// What the camera sends: its layers with their sizes and most bitrates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CameraPlan {
    /// Format of the source.
    pub(crate) format: VideoFormat,
    /// What the pictures show.
    pub(crate) quality: Quality,
    /// Most kbit/s of each layer, largest first; 0: never sent.
    pub(crate) layer_kbps: [u32; 3],
}

impl CameraPlan {
    /// A plan of `layers` (1 to 3) sizes of which the largest takes `top_kbps`. Halving both sides leaves about a
    /// third of the bits for the same look.
    pub(crate) fn new(format: VideoFormat, quality: Quality, layers: u8, top_kbps: u32) -> Self {
        let mut layer_kbps = [top_kbps, 0, 0];
        for layer in [Layer::Medium, Layer::Low] {
            let fits = layer.size_of(format.size.width(), format.size.height()).is_some();
            if usize::from(layers) > layer.index() && fits {
                layer_kbps[layer.index()] = (layer_kbps[layer.index() - 1] / 3).max(50);
            }
        }
        Self { format, quality, layer_kbps }
    }

    /// Layers that may be sent, with their sizes and most bitrates.
    pub(crate) fn layers(&self) -> impl Iterator<Item = (Layer, (u32, u32), u32)> {
        let (width, height) = (self.format.size.width(), self.format.size.height());
        Layer::ALL
            .into_iter()
            .zip(self.layer_kbps)
            .filter(|(_, kbps)| *kbps > 0)
            .filter_map(move |(layer, kbps)| Some((layer, layer.size_of(width, height)?, kbps)))
    }
}

/// The context of a camera layer.
pub(crate) const fn camera_context(layer: Layer) -> Context {
    match layer {
        Layer::High => Context::CameraHigh,
        Layer::Medium => Context::CameraMedium,
        Layer::Low => Context::CameraLow,
    }
}

/// Encodes what one source gives and hands it on to be sealed.
pub(crate) struct VideoEncoder {
    encoder: SimulcastEncoder,
    kbps: [u32; 3],
    started: Option<Mono>,
    controls: Arc<SendControls>,
    sealing: SealingHandle,
}

impl VideoEncoder {
    pub(crate) fn new(
        plan: &CameraPlan,
        controls: Arc<SendControls>,
        sealing: SealingHandle,
    ) -> Result<Self, EncodeError> {
        let kbps = controls.layer_kbps();
        let encoder = SimulcastEncoder::new(SimulcastConfig {
            width: plan.format.size.width(),
            height: plan.format.size.height(),
            frames_per_second: plan.format.rate.per_second().round() as u32,
            quality: plan.quality,
            temporal_layers: TemporalLayers::One,
            rates: kbps.map(rate),
        })?;
        Ok(Self { encoder, kbps, started: None, controls, sealing })
    }

    /// Encodes one picture in every layer that is on.
    pub(crate) fn picture(&mut self, frame: &VideoFrame) -> Result<(), EncodeError> {
        if !self.controls.camera_is_on() {
            return Ok(());
        }
        self.follow_rates()?;
        for layer in self.controls.take_key_frame_requests() {
            self.encoder.request_key_frame(layer);
        }
        let since_start = frame.captured.since(*self.started.get_or_insert(frame.captured));
        let ticks = u64::try_from(since_start.as_micros()).unwrap_or(u64::MAX) / 100 * RTP_VIDEO_KHZ / 10;
        let (captured, sealing) = (frame.captured, &self.sealing);
        self.encoder.encode(&frame.picture.view(), captured, &mut |layer, encoded, buf| {
            if let Some(frame) = media_frame(encoded, buf, MediaTime(ticks), captured) {
                sealing.frame(camera_context(layer), frame);
            }
        })
    }

    fn follow_rates(&mut self) -> Result<(), EncodeError> {
        let kbps = self.controls.layer_kbps();
        if kbps == self.kbps {
            return Ok(());
        }
        for (layer, kbps) in Layer::ALL.into_iter().zip(kbps) {
            self.encoder.set_rate(layer, rate(kbps))?;
        }
        self.kbps = kbps;
        Ok(())
    }
}

const fn rate(kbps: u32) -> LayerRate {
    if kbps == 0 { LayerRate::Off } else { LayerRate::Kbps(kbps) }
}

/// Takes the encoded bytes out of the encoder's buffer; `None` for a size that no frame can have.
fn media_frame(
    encoded: EncodedFrame,
    buf: &mut FrameBuf,
    media_time: MediaTime,
    capture: Mono,
) -> Option<MediaFrame> {
    let kind = if encoded.key {
        FrameKind::Vp8Key(PictureSize::new(
            u16::try_from(encoded.width).ok()?,
            u16::try_from(encoded.height).ok()?,
        )?)
    } else {
        FrameKind::Vp8Delta
    };
    let capacity = buf.len() + buf.len() / 2;
    let buf = std::mem::replace(buf, FrameBuf::with_capacity(capacity));
    Some(MediaFrame {
        buf,
        kind,
        media_time,
        temporal_layer: TemporalLayer::BASE,
        capture,
        padding: Padding::None,
    })
}
