//! Opus packets in, blocks out; missing ones concealed.

use opusic_c::{Channels, SampleRate};

use super::MAX_PACKET_BYTES;
use super::error::OpusError;
use crate::audio::{BLOCK_SAMPLES, BlockSamples, quantize};

/// Where the sound of a block comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// Its packet.
    Packet,
    /// The redundancy in the packet after it; plain concealment if that carries none.
    ForwardCorrection,
    /// Extrapolated from what came before.
    Concealment,
}

/// One Opus decoder for one remote stream. No bytes make it panic (SEC-15).
pub struct Decoder {
    raw: opusic_c::Decoder,
    samples: [f32; BLOCK_SAMPLES],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Redundancy {
    Ignore,
    Use,
}

impl Decoder {
    /// A decoder.
    ///
    /// # Errors
    /// [`OpusError::Codec`] when libopus has no memory.
    pub fn new() -> Result<Self, OpusError> {
        let raw = opusic_c::Decoder::new(Channels::Mono, SampleRate::Hz48000)?;
        Ok(Self { raw, samples: [0.0; BLOCK_SAMPLES] })
    }

    /// Decodes the packet of a block.
    ///
    /// # Errors
    /// [`OpusError::Malformed`] when it is no packet of 20 ms: conceal the block then.
    pub fn decode(&mut self, packet: &[u8], block: &mut BlockSamples) -> Result<Decoded, OpusError> {
        self.check(packet)?;
        self.run(packet, Redundancy::Ignore, block)?;
        Ok(Decoded::Packet)
    }

    /// Fills a block whose packet is lost from the redundancy in the packet after it. Decode that packet next.
    ///
    /// # Errors
    /// As [`Self::decode`].
    pub fn decode_previous(&mut self, next: &[u8], block: &mut BlockSamples) -> Result<Decoded, OpusError> {
        self.check(next)?;
        self.run(next, Redundancy::Use, block)?;
        Ok(Decoded::ForwardCorrection)
    }

    /// Fills a block whose packet is lost from what came before; a long loss falls off.
    ///
    /// # Errors
    /// [`OpusError::Codec`] when libopus fails; the block is then silent.
    pub fn conceal(&mut self, block: &mut BlockSamples) -> Result<Decoded, OpusError> {
        self.run(&[], Redundancy::Ignore, block)?;
        Ok(Decoded::Concealment)
    }

    /// Forgets what came before: the stream starts anew.
    ///
    /// # Errors
    /// [`OpusError::Codec`] when libopus refuses.
    pub fn reset(&mut self) -> Result<(), OpusError> {
        Ok(self.raw.reset()?)
    }

    fn check(&self, packet: &[u8]) -> Result<(), OpusError> {
        let sized = (1..=MAX_PACKET_BYTES).contains(&packet.len());
        if sized && self.raw.get_nb_samples(packet)? == BLOCK_SAMPLES {
            Ok(())
        } else {
            Err(OpusError::Malformed)
        }
    }

    fn run(
        &mut self,
        packet: &[u8],
        redundancy: Redundancy,
        block: &mut BlockSamples,
    ) -> Result<(), OpusError> {
        block.fill(0);
        let use_redundancy = redundancy == Redundancy::Use;
        let count = self.raw.decode_float_to_slice(packet, &mut self.samples, use_redundancy)?;
        for (target, sample) in block.iter_mut().zip(self.samples.iter().take(count)) {
            *target = quantize(*sample);
        }
        Ok(())
    }
}
