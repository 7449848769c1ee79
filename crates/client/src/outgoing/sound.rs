//! Blocks of sound become Opus frames, on the audio capture thread.

use std::sync::Arc;

use incamera_devices::AudioBlock;
use incamera_media::audio::{BLOCK_SAMPLES, SILENCE};
use incamera_media::opus::{Encoder, EncoderConfig, OpusError, Signal};
use incamera_sframe::{FrameKind, MediaFrame, MediaTime, Padding, TemporalLayer};
use incamera_types::{Context, FrameBuf};

use super::controls::SoundControls;
use super::sealing::SealingHandle;

/// Room for the largest Opus packet of 20 ms (RFC 6716 §3.4).
const PACKET_CAPACITY: usize = 1_275;

/// Encodes what one source gives and hands it on to be sealed.
pub(crate) struct SoundEncoder {
    encoder: Encoder,
    blocks: u64,
    controls: Arc<SoundControls>,
    sealing: SealingHandle,
}

impl SoundEncoder {
    pub(crate) fn new(
        signal: Signal,
        controls: Arc<SoundControls>,
        sealing: SealingHandle,
    ) -> Result<Self, OpusError> {
        let config = EncoderConfig { bitrate_kbps: controls.kbps(), signal, ..EncoderConfig::default() };
        Ok(Self { encoder: Encoder::new(&config)?, blocks: 0, controls, sealing })
    }

    /// Encodes one block. A muted microphone sends silence, so that muting and pausing look alike to servers.
    pub(crate) fn block(&mut self, block: &AudioBlock) -> Result<(), OpusError> {
        let samples = if self.controls.microphone_is_on() { &block.samples } else { &SILENCE };
        let mut buf = FrameBuf::with_capacity(PACKET_CAPACITY);
        self.encoder.encode(samples, &mut buf)?;
        let media_time = MediaTime(self.blocks * BLOCK_SAMPLES as u64);
        self.blocks += 1;
        let frame = MediaFrame {
            buf,
            kind: FrameKind::Opus,
            media_time,
            temporal_layer: TemporalLayer::BASE,
            capture: block.captured,
            padding: Padding::None,
        };
        self.sealing.frame(Context::Microphone, frame);
        Ok(())
    }
}
