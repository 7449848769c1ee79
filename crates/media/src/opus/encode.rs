//! Blocks in, Opus packets out.

use incamera_types::FrameBuf;
use opusic_c::{Application, Bitrate, Channels, InbandFec, SampleRate};

use super::MAX_PACKET_BYTES;
use super::error::OpusError;
use crate::audio::{BlockSamples, to_float};

/// Whether packets vary in size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitrateMode {
    /// Sizes follow the sound. They tell an observer something about what is said (wire.md §7).
    Variable,
    /// Every packet has the same size: strict metadata mode.
    Constant,
}

/// What is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Speech from a microphone.
    Voice,
    /// A recording or music: as close to the input as the bitrate allows.
    Music,
}

/// What an encoder is made with. Discontinuous transmission is always off: pauses would show who speaks when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderConfig {
    /// Target in kbit/s, limited to `6..=128`; 32 to 64 suit speech and music.
    pub bitrate_kbps: u32,
    /// Constant or variable sizes.
    pub mode: BitrateMode,
    /// What is encoded.
    pub signal: Signal,
    /// Share of packets expected to be lost, percent, limited to 100: how much of the rate goes to forward
    /// error correction.
    pub expected_loss_percent: u8,
}

impl Default for EncoderConfig {
    /// 40 kbit/s of voice, variable, prepared for 10 % loss.
    fn default() -> Self {
        Self {
            bitrate_kbps: 40,
            mode: BitrateMode::Variable,
            signal: Signal::Voice,
            expected_loss_percent: 10,
        }
    }
}

/// Encoding effort of libopus, `0..=10`: 0.25 ms a block.
const COMPLEXITY: u8 = 9;

/// One Opus encoder for one mono stream.
pub struct Encoder {
    raw: opusic_c::Encoder,
}

impl Encoder {
    /// An encoder.
    ///
    /// # Errors
    /// [`OpusError::Codec`] when libopus refuses.
    pub fn new(config: &EncoderConfig) -> Result<Self, OpusError> {
        let (application, signal) = match config.signal {
            Signal::Voice => (Application::Voip, opusic_c::Signal::Voice),
            Signal::Music => (Application::Audio, opusic_c::Signal::Music),
        };
        let mut raw = opusic_c::Encoder::new(Channels::Mono, SampleRate::Hz48000, application)?;
        raw.set_signal(signal)?;
        raw.set_complexity(COMPLEXITY)?;
        raw.set_dtx(false)?;
        raw.set_vbr(config.mode == BitrateMode::Variable)?;
        // Mode 2 leaves music in the transform codec, which carries no redundancy, instead of switching it to
        // the speech codec.
        raw.set_inband_fec(match config.signal {
            Signal::Voice => InbandFec::Mode1,
            Signal::Music => InbandFec::Mode2,
        })?;
        let mut encoder = Self { raw };
        encoder.set_bitrate(config.bitrate_kbps)?;
        encoder.set_expected_loss(config.expected_loss_percent)?;
        Ok(encoder)
    }

    /// Changes the target, kbit/s, limited to `6..=128`.
    ///
    /// # Errors
    /// [`OpusError::Codec`] when libopus refuses.
    pub fn set_bitrate(&mut self, kbps: u32) -> Result<(), OpusError> {
        let bits_per_second = kbps.clamp(6, 128).saturating_mul(1_000);
        Ok(self.raw.set_bitrate(Bitrate::Value(bits_per_second))?)
    }

    /// Changes the share of packets expected to be lost, percent.
    ///
    /// # Errors
    /// [`OpusError::Codec`] when libopus refuses.
    pub fn set_expected_loss(&mut self, percent: u8) -> Result<(), OpusError> {
        Ok(self.raw.set_packet_loss(percent.min(100))?)
    }

    /// Samples by which decoded sound lags behind the input.
    ///
    /// # Errors
    /// [`OpusError::Codec`] when libopus refuses.
    pub fn lookahead_samples(&mut self) -> Result<u32, OpusError> {
        Ok(self.raw.get_look_ahead()?)
    }

    /// Encodes one block and writes the packet into `out` (cleared first).
    ///
    /// # Errors
    /// [`OpusError::Codec`] when libopus fails; `out` is then empty.
    pub fn encode(&mut self, block: &BlockSamples, out: &mut FrameBuf) -> Result<(), OpusError> {
        out.clear();
        let samples = block.map(to_float);
        out.extend_zeroed(MAX_PACKET_BYTES);
        let result = self.raw.encode_float_to_slice(&samples, out.as_mut_slice());
        out.truncate(result.unwrap_or(0));
        result?;
        Ok(())
    }
}
