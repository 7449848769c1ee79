//! What is heard of us: the present microphone, or silence, so that the stream never stops.

use std::sync::mpsc::Sender;

use incamera_devices::{AudioBlock, AudioSource, DeviceError, Polled, SilenceSource, VoiceProcessing};
use incamera_types::Mono;
use tokio::sync::mpsc::UnboundedSender;

use super::{Exchange, Order};
use crate::event::{Device, Event, LocalEvent, Source};

/// A microphone that may be exchanged. A recording that has come to its end is followed by silence: a stream that
/// stops would look like a fault.
pub(crate) struct Heard {
    exchange: Exchange<dyn AudioSource>,
    /// Begins anew after every device, so that it does not catch up.
    silence: SilenceSource,
    voice: VoiceProcessing,
}

impl Heard {
    /// Begins with `source`; with none, a microphone is expected.
    pub(crate) fn new(
        source: Option<Box<dyn AudioSource>>,
        events: UnboundedSender<Event>,
    ) -> (Self, Sender<Order<dyn AudioSource>>) {
        let voice = source.as_ref().map_or(VoiceProcessing::Apply, |source| source.voice_processing());
        let (exchange, orders) = Exchange::new(Device::Microphone, source, events);
        (Self { exchange, silence: SilenceSource::new(), voice }, orders)
    }
}

impl AudioSource for Heard {
    fn poll_block(&mut self, now: Mono, block: &mut AudioBlock) -> Result<Polled, DeviceError> {
        let Some(source) = self.exchange.at(now) else { return self.silence.poll_block(now, block) };
        match source.poll_block(now, block) {
            Ok(Polled::Ended) => {
                self.exchange.present = None;
                self.exchange.tell(LocalEvent::SourceEnded { source: Source::Audio });
            }
            Ok(polled) => {
                if polled == Polled::Ready {
                    self.silence = SilenceSource::new();
                }
                return Ok(polled);
            }
            Err(error) => self.exchange.lost(now, error)?,
        }
        self.silence.poll_block(now, block)
    }

    fn voice_processing(&self) -> VoiceProcessing {
        self.voice
    }
}
