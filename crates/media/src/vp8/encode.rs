//! Pictures in, VP8 frames out.

use incamera_types::{FrameBuf, Mono};

use super::error::EncodeError;
use super::sys::{RawEncoder, RawEncoderSettings, VpxError};
use crate::picture::{I420View, check_size};
use crate::rtp::TemporalLayer;

/// What the pictures show and how the encoder may save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    /// A camera live: rate control may drop a picture rather than delay the next ones.
    Camera,
    /// A file: every picture is encoded, at lower quality if need be.
    File,
    /// A screen: still areas, sharp edges; a picture may be dropped.
    Screen,
}

/// How many temporal layers a stream has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemporalLayers {
    /// Every frame is needed by the next.
    One,
    /// Every second frame is referred to by none, so an SFU may leave it out: half the frame rate.
    Two,
}

/// What an encoder is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderConfig {
    /// Width in pixels, `1..=4096`.
    pub width: u32,
    /// Height in pixels, `1..=4096`.
    pub height: u32,
    /// Nominal pictures a second, `1..=120`: what rate control expects before it has seen any.
    pub frames_per_second: u32,
    /// Target in kbit/s, at least 10.
    pub bitrate_kbps: u32,
    /// What the pictures show.
    pub quality: Quality,
    /// Temporal layers.
    pub temporal_layers: TemporalLayers,
}

/// Whether a picture has to become a key frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFrame {
    /// Only if none was made for 3,000 frames.
    WhenDue,
    /// Now.
    Forced,
}

/// Key frames are made on demand; without any demand one comes after this many frames, 100 s at 30 a second.
const MAX_KEY_FRAME_DISTANCE: u32 = 3_000;

/// Least bitrate that libvpx's rate control handles sensibly, kbit/s.
const MIN_BITRATE_KBPS: u32 = 10;

/// Speed of real-time VP8: 720p in 7.5 ms (design measurements). Negative keeps it fixed whatever the load.
const CPU_USED: i32 = -6;

/// Above this many pixels one thread is too slow to keep the delay below a frame interval on weak machines.
const ONE_THREAD_PIXELS: u64 = 640 * 480;

/// What was encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodedFrame {
    /// Whether it is a key frame.
    pub key: bool,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// When the picture was captured.
    pub captured: Mono,
    /// Temporal fields for the packetizer; `None` with one layer.
    pub temporal: Option<TemporalLayer>,
}

/// One VP8 encoder for pictures of one size.
pub struct Encoder {
    config: EncoderConfig,
    raw: RawEncoder,
    last_pts_us: Option<i64>,
    frames_since_key: u32,
    base_index: u8,
}

impl Encoder {
    /// An encoder; its first frame is a key frame.
    ///
    /// # Errors
    /// [`EncodeError::Picture`] when the size is not supported, [`EncodeError::Codec`] when libvpx refuses.
    pub fn new(config: EncoderConfig) -> Result<Self, EncodeError> {
        check_size(config.width, config.height)?;
        let raw = RawEncoder::new(&settings(&config)).map_err(codec)?;
        Ok(Self { config, raw, last_pts_us: None, frames_since_key: 0, base_index: 0 })
    }

    /// What it was made for, with the present bitrate.
    #[must_use]
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// Changes the target from the next picture on; values below 10 kbit/s count as 10.
    ///
    /// # Errors
    /// [`EncodeError::Codec`] when libvpx refuses; the old target stays.
    pub fn set_bitrate(&mut self, kbps: u32) -> Result<(), EncodeError> {
        let kbps = kbps.max(MIN_BITRATE_KBPS);
        if kbps != self.config.bitrate_kbps {
            self.raw.set_bitrate(kbps).map_err(codec)?;
            self.config.bitrate_kbps = kbps;
        }
        Ok(())
    }

    /// Encodes one picture and writes the frame into `out` (cleared first). `None`: rate control dropped the picture,
    /// which [`Quality::File`] never does; `out` is then empty.
    ///
    /// # Errors
    /// [`EncodeError::WrongSize`], or [`EncodeError::Codec`] when libvpx fails.
    pub fn encode(
        &mut self,
        picture: &I420View<'_>,
        captured: Mono,
        key_frame: KeyFrame,
        out: &mut FrameBuf,
    ) -> Result<Option<EncodedFrame>, EncodeError> {
        out.clear();
        let (width, height) = (self.config.width, self.config.height);
        if (picture.width(), picture.height()) != (width, height) {
            return Err(EncodeError::WrongSize { expected_width: width, expected_height: height });
        }
        let interval_us = 1_000_000_u32.checked_div(self.config.frames_per_second).unwrap_or(33_333);
        let pts_us = self.next_pts(captured);
        let forced = key_frame == KeyFrame::Forced
            || self.last_pts_us.is_none()
            || self.frames_since_key >= MAX_KEY_FRAME_DISTANCE;
        let upper = !forced && self.is_upper_layer();
        let Some(frame) =
            self.raw.encode(picture, pts_us, interval_us, flags(forced, upper)).map_err(codec)?
        else {
            self.last_pts_us = Some(pts_us);
            return Ok(None);
        };
        out.extend(frame.data);
        let key = frame.key;
        self.last_pts_us = Some(pts_us);
        self.frames_since_key = if key { 1 } else { self.frames_since_key.saturating_add(1) };
        Ok(Some(EncodedFrame { key, width, height, captured, temporal: self.temporal(upper) }))
    }

    /// libvpx wants rising times; captured ones may repeat or step back when a source is changed.
    fn next_pts(&self, captured: Mono) -> i64 {
        let captured_us = i64::try_from(captured.as_micros()).unwrap_or(i64::MAX);
        self.last_pts_us.map_or(captured_us, |last| captured_us.max(last.saturating_add(1)))
    }

    fn is_upper_layer(&self) -> bool {
        self.config.temporal_layers == TemporalLayers::Two && self.frames_since_key & 1 == 1
    }

    fn temporal(&mut self, upper: bool) -> Option<TemporalLayer> {
        if self.config.temporal_layers == TemporalLayers::One {
            return None;
        }
        if !upper {
            self.base_index = self.base_index.wrapping_add(1);
        }
        // Upper frames refer to base frames only, so each is a point to switch up.
        Some(TemporalLayer { id: u8::from(upper), base_index: self.base_index, layer_sync: upper })
    }
}

fn codec(error: VpxError) -> EncodeError {
    EncodeError::Codec(error.0)
}

fn flags(forced: bool, upper: bool) -> u32 {
    if forced {
        vpx_sys::VPX_EFLAG_FORCE_KF
    } else if upper {
        vpx_sys::VP8_EFLAG_NO_UPD_LAST
            | vpx_sys::VP8_EFLAG_NO_UPD_GF
            | vpx_sys::VP8_EFLAG_NO_UPD_ARF
            | vpx_sys::VP8_EFLAG_NO_UPD_ENTROPY
    } else {
        0
    }
}

fn settings(config: &EncoderConfig) -> RawEncoderSettings {
    let pixels = u64::from(config.width).saturating_mul(u64::from(config.height));
    let screen = config.quality == Quality::Screen;
    RawEncoderSettings {
        width: config.width,
        height: config.height,
        threads: if pixels > ONE_THREAD_PIXELS { 2 } else { 1 },
        bitrate_kbps: config.bitrate_kbps.max(MIN_BITRATE_KBPS),
        min_quantizer: if screen { 12 } else { 2 },
        max_quantizer: if config.quality == Quality::File { 63 } else { 56 },
        drop_threshold: if config.quality == Quality::File { 0 } else { 30 },
        error_resilient: config.temporal_layers == TemporalLayers::Two,
        cpu_used: CPU_USED,
        // A key frame may take half of the optimal rate control buffer (600 ms): with 30 frames a second nine times
        // the share of a frame, never less than three.
        max_intra_percent: config.frames_per_second.saturating_mul(30).max(300),
        static_threshold: if screen { 100 } else { 1 },
        screen_content: u32::from(screen),
    }
}
