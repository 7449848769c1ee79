//! One remote audio stream: jitter buffer and decoder together.

use incamera_types::{FrameBuf, Mono};

use super::buffer::{Inserted, JitterBuffer, JitterStatistics, Playout};
use super::delay::DelayLimits;
use crate::audio::{BLOCK_SAMPLES, BlockSamples, SILENCE};
use crate::opus::{Decoder, OpusError};

/// Media ticks of one block.
const BLOCK_TICKS: u64 = BLOCK_SAMPLES as u64;

/// Where the sound of a played block comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockOrigin {
    /// A packet.
    Packet,
    /// Two packets merged, to shorten the delay.
    Merged,
    /// The redundancy of the packet after it.
    ForwardCorrection,
    /// Concealment of a loss or of a wait.
    Concealment,
    /// Nothing plays.
    Silence,
}

/// What was played for 20 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlayedBlock {
    /// Media time of the (first) block; `None` when media time stood still.
    pub timestamp: Option<u64>,
    /// Where the sound comes from.
    pub origin: BlockOrigin,
}

/// Plays one remote audio stream: packets in, a block every 20 ms out.
pub struct AudioReceiver {
    buffer: JitterBuffer<FrameBuf>,
    decoder: Decoder,
    malformed: u64,
    /// The last block was not silence by decision: silence after it has to fade in.
    sounding: bool,
}

impl AudioReceiver {
    /// A receiver that has heard nothing.
    ///
    /// # Errors
    /// [`OpusError::Codec`] when libopus has no memory.
    pub fn new(limits: DelayLimits) -> Result<Self, OpusError> {
        Ok(Self {
            buffer: JitterBuffer::new(limits),
            decoder: Decoder::new()?,
            malformed: 0,
            sounding: false,
        })
    }

    /// Takes an opened Opus packet whose block begins at `timestamp` (48 kHz, extended to 64
    /// bits).
    pub fn handle_packet(&mut self, now: Mono, timestamp: u64, packet: FrameBuf) -> Inserted {
        self.buffer.insert(now, timestamp, packet)
    }

    /// Fills `block` with the next 20 ms. `tap` is handed every block of media time once, in order, before two are
    /// merged: what a recording by media time writes.
    ///
    /// # Errors
    /// [`OpusError::Codec`] when libopus fails; the block is then silent. A malformed packet is concealed and counted.
    pub fn pull(
        &mut self,
        now: Mono,
        block: &mut BlockSamples,
        tap: &mut dyn FnMut(u64, &BlockSamples),
    ) -> Result<PlayedBlock, OpusError> {
        block.fill(0);
        let decoder = &mut self.decoder;
        let (timestamp, origin) = match self.buffer.pull(now) {
            Playout::Idle if !self.sounding => {
                return Ok(PlayedBlock { timestamp: None, origin: BlockOrigin::Silence });
            }
            Playout::Idle => {
                self.sounding = false;
                decoder.conceal(block)?;
                cross_fade(block, &SILENCE);
                return Ok(PlayedBlock { timestamp: None, origin: BlockOrigin::Concealment });
            }
            Playout::Hold => {
                decoder.conceal(block)?;
                return Ok(PlayedBlock { timestamp: None, origin: BlockOrigin::Concealment });
            }
            Playout::Packet { timestamp, payload } => {
                let origin = decode(decoder, &payload, block, &mut self.malformed)?;
                tap(timestamp, block);
                (timestamp, origin)
            }
            Playout::Lost { timestamp, following } => {
                let origin = recover(decoder, following, block)?;
                tap(timestamp, block);
                (timestamp, origin)
            }
            Playout::Merge { timestamp, first, second } => {
                decode(decoder, &first, block, &mut self.malformed)?;
                tap(timestamp, block);
                let mut later = [0; BLOCK_SAMPLES];
                decode(decoder, &second, &mut later, &mut self.malformed)?;
                tap(timestamp.saturating_add(BLOCK_TICKS), &later);
                cross_fade(block, &later);
                (timestamp, BlockOrigin::Merged)
            }
        };
        self.sounding = true;
        Ok(PlayedBlock { timestamp: Some(timestamp), origin })
    }

    /// Whether no packet waits to be played.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Counters of the jitter buffer.
    #[must_use]
    pub fn statistics(&self) -> JitterStatistics {
        self.buffer.statistics()
    }

    /// Packets that were authentic but no Opus packets of 20 ms.
    #[must_use]
    pub fn malformed_packets(&self) -> u64 {
        self.malformed
    }

    /// The delay that the jitter buffer works towards.
    #[must_use]
    pub fn target_delay(&self) -> core::time::Duration {
        self.buffer.target_delay()
    }
}

fn decode(
    decoder: &mut Decoder,
    packet: &FrameBuf,
    block: &mut BlockSamples,
    malformed: &mut u64,
) -> Result<BlockOrigin, OpusError> {
    match decoder.decode(packet.as_slice(), block) {
        Ok(_) => Ok(BlockOrigin::Packet),
        Err(_) => {
            *malformed = malformed.saturating_add(1);
            decoder.conceal(block)?;
            Ok(BlockOrigin::Concealment)
        }
    }
}

fn recover(
    decoder: &mut Decoder,
    following: Option<&FrameBuf>,
    block: &mut BlockSamples,
) -> Result<BlockOrigin, OpusError> {
    if let Some(packet) = following
        && decoder.decode_previous(packet.as_slice(), block).is_ok()
    {
        return Ok(BlockOrigin::ForwardCorrection);
    }
    decoder.conceal(block)?;
    Ok(BlockOrigin::Concealment)
}

/// Fades from `block` to `later` within one block.
fn cross_fade(block: &mut BlockSamples, later: &BlockSamples) {
    for (index, (sample, later)) in block.iter_mut().zip(later).enumerate() {
        let share = index as f32 / BLOCK_SAMPLES as f32;
        let mixed = f32::from(*sample) * (1.0 - share) + f32::from(*later) * share;
        *sample = mixed.round() as i16;
    }
}
