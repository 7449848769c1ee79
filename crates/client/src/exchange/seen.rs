//! What is seen of us: the present camera, or nothing.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use incamera_devices::{DeviceError, Polled, VideoFormat, VideoFrame, VideoSource};
use incamera_types::Mono;
use tokio::sync::mpsc::UnboundedSender;

use super::{Exchange, Order};
use crate::event::{Device, Event, LocalEvent, Source};
use crate::outgoing::PictureControls;

/// How soon to look again whether there is a camera.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A camera that may be exchanged. A recording that has come to its end stays with its last picture, for whoever comes later
/// too. Pictures have the size of the present camera, whatever the format says.
pub(crate) struct Seen {
    exchange: Exchange<dyn VideoSource>,
    format: VideoFormat,
    controls: Arc<PictureControls>,
    /// What is drawn into belongs to another camera.
    is_new: bool,
}

impl Seen {
    /// Begins with `source`; with none, a camera is expected.
    pub(crate) fn new(
        format: VideoFormat,
        source: Option<Box<dyn VideoSource>>,
        controls: Arc<PictureControls>,
        events: UnboundedSender<Event>,
    ) -> (Self, Sender<Order<dyn VideoSource>>) {
        let (exchange, orders) = Exchange::new(Device::Camera, source, events);
        (Self { exchange, format, controls, is_new: false }, orders)
    }
}

impl VideoSource for Seen {
    fn format(&self) -> VideoFormat {
        self.format
    }

    fn poll_frame(&mut self, now: Mono, frame: &mut VideoFrame) -> Result<Polled, DeviceError> {
        let Some(source) = self.exchange.at(now) else {
            self.is_new = true;
            // What is drawn into still has the last picture.
            if self.exchange.has_ended && self.controls.wants_key_frame() {
                frame.captured = now;
                return Ok(Polled::Ready);
            }
            return Ok(Polled::NotBefore(now.plus(LOOK_EVERY)));
        };
        if std::mem::take(&mut self.is_new) {
            *frame = VideoFrame::black(source.format());
        }
        match source.poll_frame(now, frame) {
            Ok(Polled::Ended) => {
                self.exchange.present = None;
                self.exchange.has_ended = true;
                self.exchange.tell(LocalEvent::SourceEnded { source: Source::Video });
            }
            Ok(polled) => return Ok(polled),
            Err(error) => self.exchange.lost(now, error)?,
        }
        Ok(Polled::NotBefore(now))
    }
}
