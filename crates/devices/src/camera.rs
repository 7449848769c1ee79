//! Cameras, as PipeWire offers them: stream → newest picture → frames.

mod latest;
mod nodes;
mod offer;
mod pixels;
mod stream;

use std::sync::Arc;

use core::time::Duration;

use incamera_types::{Mono, Pii};

use crate::DeviceError;
use crate::audio::Polled;
use crate::clock::SystemClock;
use crate::host::{DeviceChoice, DeviceId};
use crate::silence::Silence;
use crate::video::{VideoFormat, VideoFrame, VideoSource};
use latest::Latest;
use stream::CameraStream;

/// How soon to look again when there is no new picture yet.
const POLL_INTERVAL: Duration = Duration::from_millis(4);

/// A camera to choose from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraInfo {
    /// What to open it by; survives restarts and unplugging.
    pub id: DeviceId,
    /// What to show.
    pub name: Pii<String>,
}

/// The cameras there are now, the one that the system prefers first.
///
/// # Errors
/// PipeWire cannot be reached or does not answer.
pub fn cameras() -> Result<Vec<CameraInfo>, DeviceError> {
    let info = |node: nodes::VideoNode| CameraInfo { id: node.id(), name: Pii::new(node.description) };
    Ok(nodes::list()?.into_iter().map(info).collect())
}

/// A camera in use. Dropping it closes the device.
pub struct Camera {
    _stream: CameraStream,
    latest: Arc<Latest>,
    format: VideoFormat,
    number: u64,
    silence: Silence,
}

impl core::fmt::Debug for Camera {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Camera").field("format", &self.format).field("number", &self.number).finish()
    }
}

impl Camera {
    /// Opens a camera and starts it, in the format that it offers nearest to `wanted`; waits until it has agreed to one.
    ///
    /// # Errors
    /// The camera does not exist, is forbidden, does not answer, or offers no usable format.
    pub fn open(choice: &DeviceChoice, wanted: VideoFormat) -> Result<Self, DeviceError> {
        let latest = Arc::new(Latest::default());
        let (stream, format) = CameraStream::open(choice.clone(), wanted, Arc::clone(&latest))?;
        Ok(Self { _stream: stream, latest, format, number: 0, silence: Silence::from(SystemClock.now()) })
    }
}

impl VideoSource for Camera {
    fn format(&self) -> VideoFormat {
        self.format
    }

    fn poll_frame(&mut self, now: Mono, frame: &mut VideoFrame) -> Result<Polled, DeviceError> {
        if let Some(captured) = self.latest.take(&mut frame.picture)? {
            frame.captured = captured;
            frame.number = self.number;
            self.number += 1;
            self.silence.broken(now);
            return Ok(Polled::Ready);
        }
        if self.silence.is_loss(now) {
            return Err(DeviceError::Lost);
        }
        Ok(Polled::NotBefore(now.plus(POLL_INTERVAL)))
    }
}
