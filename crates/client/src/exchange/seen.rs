//! What is seen of us: the present camera, or nothing.

use std::sync::mpsc::Sender;
use std::time::Duration;

use incamera_devices::{DeviceError, Polled, VideoFormat, VideoFrame, VideoSource};
use incamera_types::Mono;
use tokio::sync::mpsc::UnboundedSender;

use super::{Exchange, Order};
use crate::event::{Device, Event, LocalEvent, Source};

/// How soon to look again whether there is a camera.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A camera that may be exchanged; nothing follows a recording that has come to its end. Its pictures have the size of the present camera, whatever the format says.
pub(crate) struct Seen {
    exchange: Exchange<dyn VideoSource>,
    format: VideoFormat,
    /// What is drawn into belongs to another camera.
    is_new: bool,
}

impl Seen {
    /// Begins with `source`; with none, a camera is expected.
    pub(crate) fn new(
        format: VideoFormat,
        source: Option<Box<dyn VideoSource>>,
        events: UnboundedSender<Event>,
    ) -> (Self, Sender<Order<dyn VideoSource>>) {
        let (exchange, orders) = Exchange::new(Device::Camera, source, events);
        (Self { exchange, format, is_new: false }, orders)
    }
}

impl VideoSource for Seen {
    fn format(&self) -> VideoFormat {
        self.format
    }

    fn poll_frame(&mut self, now: Mono, frame: &mut VideoFrame) -> Result<Polled, DeviceError> {
        let Some(source) = self.exchange.at(now) else {
            self.is_new = true;
            return Ok(Polled::NotBefore(now.plus(LOOK_EVERY)));
        };
        if std::mem::take(&mut self.is_new) {
            *frame = VideoFrame::black(source.format());
        }
        match source.poll_frame(now, frame) {
            Ok(Polled::Ended) => {
                self.exchange.present = None;
                self.exchange.tell(LocalEvent::SourceEnded { source: Source::Video });
            }
            Ok(polled) => return Ok(polled),
            Err(error) => self.exchange.lost(now, error)?,
        }
        Ok(Polled::NotBefore(now))
    }
}
