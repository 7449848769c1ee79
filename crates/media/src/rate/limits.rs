//! What a layer needs.

use crate::vp8::Layer;

/// Bitrates between which a layer is worth sending, kbit/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerLimits {
    /// Below this its picture is worse than that of the next smaller layer scaled up.
    pub min_kbps: u32,
    /// More than this is not seen.
    pub max_kbps: u32,
}

/// A pixel is worth this many thousandths of a bit at the most: 2.5 Mbit/s for 720p at 30 pictures a second.
const MILLIBITS_PER_PIXEL: u64 = 90;

impl LayerLimits {
    /// Limits of one size and frame rate, by its number of pixels a second.
    #[must_use]
    pub fn for_size(width: u32, height: u32, frames_per_second: u32) -> Self {
        let pixels_per_second =
            u64::from(width).saturating_mul(u64::from(height)).saturating_mul(u64::from(frames_per_second));
        let max = pixels_per_second.saturating_mul(MILLIBITS_PER_PIXEL).div_euclid(1_000_000);
        let max_kbps = u32::try_from(max).unwrap_or(u32::MAX).clamp(60, 20_000);
        Self { min_kbps: max_kbps.div_euclid(4).max(30), max_kbps }
    }

    /// Limits of the layers of one source, by [`Layer::index`]; `None` where its size does not allow the layer.
    #[must_use]
    pub fn for_layers(width: u32, height: u32, frames_per_second: u32) -> [Option<Self>; 3] {
        Layer::ALL.map(|layer| {
            layer
                .size_of(width, height)
                .map(|(width, height)| Self::for_size(width, height, frames_per_second))
        })
    }
}
