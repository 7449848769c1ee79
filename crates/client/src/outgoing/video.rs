//! Pictures become VP8 frames in up to three layers, on the video capture thread.

use std::sync::Arc;

use incamera_devices::{VideoFormat, VideoFrame};
use incamera_media::vp8::{
    EncodeError, EncodedFrame, Layer, LayerRate, Quality, SimulcastConfig, SimulcastEncoder, TemporalLayers,
};
use incamera_sframe::{FrameKind, MediaFrame, MediaTime, Padding, PictureSize, TemporalLayer};
use incamera_types::{Context, FrameBuf, Mono};

use super::controls::PictureControls;
use super::sealing::SealingHandle;

/// Ticks of the RTP clock of video in a microsecond are 90 / 1000.
const RTP_VIDEO_KHZ: u64 = 90;

/// What one source of pictures sends: its layers with their sizes and most bitrates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PicturePlan {
    /// The contexts of its layers, largest first.
    contexts: [Context; 3],
    /// Format of the source.
    pub(crate) format: VideoFormat,
    /// What the pictures show.
    quality: Quality,
    /// Most kbit/s of each layer, largest first; 0: never sent.
    layer_kbps: [u32; 3],
}

/// A screen of one million pixels that scrolls a page now and then, in kbit/s.
const SCREEN_KBPS_PER_MEGAPIXEL: u64 = 1_200;

/// Bounds of what a screen takes, in kbit/s: text stays readable in the smallest window, and a line to the internet is
/// not filled by the largest screen.
const SCREEN_KBPS: core::ops::RangeInclusive<u64> = 800..=4_000;

impl PicturePlan {
    /// A camera in `layers` (1 to 3) sizes of which the largest takes `top_kbps`. Halving both sides leaves about a
    /// third of the bits for the same look.
    pub(crate) fn camera(format: VideoFormat, quality: Quality, layers: u8, top_kbps: u32) -> Self {
        let mut layer_kbps = [top_kbps, 0, 0];
        for layer in [Layer::Medium, Layer::Low] {
            let fits = layer.size_of(format.size.width(), format.size.height()).is_some();
            if usize::from(layers) > layer.index() && fits {
                layer_kbps[layer.index()] = (layer_kbps[layer.index() - 1] / 3).max(50);
            }
        }
        Self { contexts: Context::CAMERA, format, quality, layer_kbps }
    }

    /// A screen, in its own size alone: text that was scaled is no longer sharp.
    pub(crate) fn screen(format: VideoFormat) -> Self {
        let pixels = u64::from(format.size.width()) * u64::from(format.size.height());
        let kbps =
            (pixels * SCREEN_KBPS_PER_MEGAPIXEL / 1_000_000).clamp(*SCREEN_KBPS.start(), *SCREEN_KBPS.end());
        let layer_kbps = [u32::try_from(kbps).unwrap_or(u32::MAX), 0, 0];
        Self { contexts: Context::SCREEN, format, quality: Quality::Screen, layer_kbps }
    }

    /// Most kbit/s of each layer, largest first; 0: never sent.
    pub(crate) const fn layer_kbps(&self) -> [u32; 3] {
        self.layer_kbps
    }

    /// The context of a layer.
    pub(crate) const fn context(&self, layer: Layer) -> Context {
        self.contexts[layer.index()]
    }

    /// The layer that has this context.
    pub(crate) fn layer(&self, context: Context) -> Option<Layer> {
        Layer::ALL.into_iter().find(|layer| self.context(*layer) == context)
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

    /// An encoder for pictures of this size.
    fn encoder(&self, (width, height): (u32, u32), kbps: [u32; 3]) -> Result<SimulcastEncoder, EncodeError> {
        SimulcastEncoder::new(SimulcastConfig {
            width,
            height,
            frames_per_second: self.format.rate.per_second().round() as u32,
            quality: self.quality,
            temporal_layers: TemporalLayers::One,
            rates: kbps.map(rate),
        })
    }
}

/// Encodes what one source gives and hands it on to be sealed.
pub(crate) struct VideoEncoder {
    plan: PicturePlan,
    encoder: SimulcastEncoder,
    size: (u32, u32),
    kbps: [u32; 3],
    started: Option<Mono>,
    controls: Arc<PictureControls>,
    sealing: SealingHandle,
}

impl VideoEncoder {
    pub(crate) fn new(
        plan: PicturePlan,
        controls: Arc<PictureControls>,
        sealing: SealingHandle,
    ) -> Result<Self, EncodeError> {
        let (kbps, size) = (controls.layer_kbps(), (plan.format.size.width(), plan.format.size.height()));
        let encoder = plan.encoder(size, kbps)?;
        Ok(Self { plan, encoder, size, kbps, started: None, controls, sealing })
    }

    /// Encodes one picture in every layer that is on.
    pub(crate) fn picture(&mut self, frame: &VideoFrame) -> Result<(), EncodeError> {
        if !self.controls.is_on() {
            return Ok(());
        }
        self.follow_size((frame.picture.width(), frame.picture.height()))?;
        self.follow_rates()?;
        for layer in self.controls.take_key_frame_requests() {
            self.encoder.request_key_frame(layer);
        }
        let since_start = frame.captured.since(*self.started.get_or_insert(frame.captured));
        let ticks = u64::try_from(since_start.as_micros()).unwrap_or(u64::MAX) / 100 * RTP_VIDEO_KHZ / 10;
        let (captured, sealing, plan) = (frame.captured, &self.sealing, &self.plan);
        self.encoder.encode(&frame.picture.view(), captured, &mut |layer, encoded, buf| {
            if let Some(frame) = media_frame(encoded, buf, MediaTime(ticks), captured) {
                sealing.frame(plan.context(layer), frame);
            }
        })
    }

    /// A window or another camera may have another size than before; decoders learn it from the key frame that follows.
    fn follow_size(&mut self, size: (u32, u32)) -> Result<(), EncodeError> {
        if size != self.size {
            self.encoder = self.plan.encoder(size, self.kbps)?;
            self.size = size;
        }
        Ok(())
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
