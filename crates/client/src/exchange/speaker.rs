//! Where the others are heard: the present speaker, or nowhere, so that sound goes on being decoded.

use std::sync::mpsc::Sender;
use std::time::Duration;

use incamera_devices::{AudioSink, BlockSamples, DeviceError, FrameRate, Polled, Schedule};
use incamera_types::Mono;
use tokio::sync::mpsc::UnboundedSender;

use super::{Exchange, Order};
use crate::event::{Device, Event};

/// A speaker that may be exchanged.
pub(crate) struct Loud {
    exchange: Exchange<dyn AudioSink>,
    /// The pace of playing while nobody listens.
    unheard: Schedule,
    delay: Duration,
    asked: Mono,
}

impl Loud {
    /// Begins with `sink`; with none, nobody listens until there is one.
    pub(crate) fn new(
        sink: Option<Box<dyn AudioSink>>,
        events: UnboundedSender<Event>,
    ) -> (Self, Sender<Order<dyn AudioSink>>) {
        let (exchange, orders) = Exchange::new(Device::Speaker, sink, events);
        let unheard = Schedule::new(FrameRate::AUDIO_BLOCKS);
        (Self { exchange, unheard, delay: Duration::ZERO, asked: Mono::default() }, orders)
    }
}

impl AudioSink for Loud {
    fn poll_wanted(&mut self, now: Mono) -> Result<Polled, DeviceError> {
        self.asked = now;
        if let Some(sink) = self.exchange.at(now) {
            match sink.poll_wanted(now) {
                Ok(polled) => {
                    self.delay = sink.delay();
                    self.unheard = Schedule::new(FrameRate::AUDIO_BLOCKS);
                    return Ok(polled);
                }
                Err(error) => self.exchange.lost(now, error)?,
            }
        }
        self.delay = Duration::ZERO;
        Ok(self.unheard.poll(now))
    }

    fn write_block(&mut self, samples: &BlockSamples) -> Result<(), DeviceError> {
        let Some(sink) = &mut self.exchange.present else {
            self.unheard.advance();
            return Ok(());
        };
        sink.write_block(samples).or_else(|error| self.exchange.lost(self.asked, error))
    }

    fn delay(&self) -> Duration {
        self.delay
    }
}
