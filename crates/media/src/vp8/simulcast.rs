//! One source in up to three sizes (wire.md §2: contexts of the layers; §3: each its own RTP stream).

use incamera_types::{FrameBuf, Mono};

use super::encode::{EncodedFrame, Encoder, EncoderConfig, KeyFrame, Quality, TemporalLayers};
use super::error::EncodeError;
use crate::picture::{I420View, Picture, Scaler, check_size};

/// A simulcast layer, from the largest to the smallest: the order of [`incamera_types::Context::CAMERA`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// The source's size.
    High,
    /// Half its width and height.
    Medium,
    /// A quarter of its width and height.
    Low,
}

impl Layer {
    /// Every layer, largest first.
    pub const ALL: [Self; 3] = [Self::High, Self::Medium, Self::Low];

    /// Position in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The size of this layer of a source, in pixels; `None` when a side would fall below 16, the size of a
    /// macroblock. The high layer always exists.
    #[must_use]
    pub fn size_of(self, width: u32, height: u32) -> Option<(u32, u32)> {
        let shift = match self {
            Self::High => return Some((width, height)),
            Self::Medium => 1,
            Self::Low => 2,
        };
        let size = (width >> shift, height >> shift);
        (size.0.min(size.1) >= 16).then_some(size)
    }
}

/// Whether a layer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerRate {
    /// Not encoded.
    Off,
    /// Encoded with this target in kbit/s.
    Kbps(u32),
}

/// What a simulcast encoder is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimulcastConfig {
    /// Width of the source in pixels.
    pub width: u32,
    /// Height of the source in pixels.
    pub height: u32,
    /// Nominal pictures a second.
    pub frames_per_second: u32,
    /// What the pictures show.
    pub quality: Quality,
    /// Temporal layers of every layer.
    pub temporal_layers: TemporalLayers,
    /// Initial rates, by [`Layer::index`]. Layers that the size does not allow stay off.
    pub rates: [LayerRate; 3],
}

/// Encodes one source in up to three sizes. Encoders are made when their layer is first switched on.
pub struct SimulcastEncoder {
    config: SimulcastConfig,
    scaler: Scaler,
    layers: [LayerState; 3],
}

struct LayerState {
    rate: LayerRate,
    encoder: Option<Encoder>,
    key_frame: KeyFrame,
    scaled: Picture,
    frame: FrameBuf,
}

impl SimulcastEncoder {
    /// An encoder with the configured layers on.
    ///
    /// # Errors
    /// [`EncodeError`] when the size is not supported or libvpx refuses.
    pub fn new(config: SimulcastConfig) -> Result<Self, EncodeError> {
        check_size(config.width, config.height)?;
        let layers = Layer::ALL.map(|_| LayerState {
            rate: LayerRate::Off,
            encoder: None,
            key_frame: KeyFrame::Forced,
            scaled: Picture::default(),
            frame: FrameBuf::default(),
        });
        let mut encoder = Self { config, scaler: Scaler::new(), layers };
        for (layer, rate) in Layer::ALL.into_iter().zip(config.rates) {
            encoder.set_rate(layer, rate)?;
        }
        Ok(encoder)
    }

    /// Switches a layer on or off or changes its bitrate. A layer that comes on begins with a key frame.
    ///
    /// # Errors
    /// [`EncodeError::Codec`] when libvpx refuses; the layer then stays as it was.
    pub fn set_rate(&mut self, layer: Layer, rate: LayerRate) -> Result<(), EncodeError> {
        let Some((width, height)) = layer.size_of(self.config.width, self.config.height) else {
            return Ok(());
        };
        let config = self.config;
        let Some(state) = self.layers.get_mut(layer.index()) else { return Ok(()) };
        if let LayerRate::Kbps(bitrate_kbps) = rate {
            match &mut state.encoder {
                Some(encoder) => encoder.set_bitrate(bitrate_kbps)?,
                None => {
                    state.encoder = Some(Encoder::new(EncoderConfig {
                        width,
                        height,
                        frames_per_second: config.frames_per_second,
                        bitrate_kbps,
                        quality: config.quality,
                        temporal_layers: config.temporal_layers,
                    })?);
                }
            }
            if state.rate == LayerRate::Off {
                state.key_frame = KeyFrame::Forced;
            }
        }
        state.rate = rate;
        Ok(())
    }

    /// Whether a layer is sent, and its target.
    #[must_use]
    pub fn rate(&self, layer: Layer) -> LayerRate {
        self.layers.get(layer.index()).map_or(LayerRate::Off, |state| state.rate)
    }

    /// The next frame of this layer will be a key frame.
    pub fn request_key_frame(&mut self, layer: Layer) {
        if let Some(state) = self.layers.get_mut(layer.index()) {
            state.key_frame = KeyFrame::Forced;
        }
    }

    /// Encodes one picture in every layer that is on and hands each frame to `deliver`, largest layer first. The frame
    /// may be sealed in place; its buffer is used again for the next picture.
    ///
    /// # Errors
    /// As [`Encoder::encode`]; frames delivered before it are valid.
    pub fn encode(
        &mut self,
        picture: &I420View<'_>,
        captured: Mono,
        deliver: &mut dyn FnMut(Layer, EncodedFrame, &mut FrameBuf),
    ) -> Result<(), EncodeError> {
        // Each layer is scaled from the next larger one that was scaled: halving twice costs less than quartering.
        let mut larger: Option<&Picture> = None;
        for (layer, state) in Layer::ALL.into_iter().zip(&mut self.layers) {
            let LayerState { rate: LayerRate::Kbps(_), encoder: Some(encoder), key_frame, scaled, frame } =
                state
            else {
                continue;
            };
            let view = if layer == Layer::High {
                *picture
            } else {
                let source = larger.map_or(*picture, Picture::view);
                self.scaler.scale(&source, encoder.config().width, encoder.config().height, scaled)?;
                larger = Some(scaled);
                scaled.view()
            };
            let wanted = core::mem::replace(key_frame, KeyFrame::WhenDue);
            match encoder.encode(&view, captured, wanted, frame) {
                Ok(Some(encoded)) => deliver(layer, encoded, frame),
                Ok(None) => *key_frame = wanted,
                Err(error) => {
                    *key_frame = KeyFrame::Forced;
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}
