//! Screens and windows, as X11 shows them: display → shared memory → frames.

mod display;
mod list;
mod pixels;

use incamera_types::{Mono, Pii};

use crate::DeviceError;
use crate::audio::Polled;
use crate::host::{DeviceChoice, DeviceId};
use crate::schedule::{FrameRate, Schedule};
use crate::video::{VideoFormat, VideoFrame, VideoSize, VideoSource};
use display::{Display, Glimpse, Target};

/// What a [`ScreenInfo`] stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScreenKind {
    /// Everything on one monitor.
    Monitor,
    /// One window, whatever covers it.
    Window,
}

/// A screen or window to choose from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScreenInfo {
    /// What to open it by: the name of a monitor, or the number of a window.
    pub id: DeviceId,
    /// Screen or window.
    pub kind: ScreenKind,
    /// What to show; the title of a window often tells what is in it.
    pub title: Pii<String>,
    /// Its size at present.
    pub size: VideoSize,
}

/// The screens there are now, the main one first, then the windows that can be seen, without our own.
///
/// # Errors
/// There is no X11 display, or it does not answer.
pub fn screens() -> Result<Vec<ScreenInfo>, DeviceError> {
    list::list(&Display::open()?)
}

/// A screen or window that is captured. Dropping it ends that.
pub struct Screen {
    display: Display,
    target: Target,
    format: VideoFormat,
    schedule: Schedule,
    number: u64,
}

impl core::fmt::Debug for Screen {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Screen").field("format", &self.format).field("number", &self.number).finish()
    }
}

impl Screen {
    /// Begins to capture a screen or window; the default is the main screen.
    ///
    /// # Errors
    /// There is no X11 display, it has no usable format, or what was chosen does not exist.
    pub fn open(choice: &DeviceChoice) -> Result<Self, DeviceError> {
        let display = Display::open()?;
        let (target, size) = list::find(&display, choice)?;
        display.prepare(target)?;
        let format = VideoFormat { size, rate: FrameRate::SCREEN_10 };
        Ok(Self { display, target, format, schedule: Schedule::new(format.rate), number: 0 })
    }
}

impl VideoSource for Screen {
    fn format(&self) -> VideoFormat {
        self.format
    }

    fn poll_frame(&mut self, now: Mono, frame: &mut VideoFrame) -> Result<Polled, DeviceError> {
        let due = self.schedule.due(now);
        if now < due {
            return Ok(Polled::NotBefore(due));
        }
        self.schedule.advance();
        match self.display.look(self.target, &mut frame.picture)? {
            Glimpse::Picture => {
                frame.captured = due;
                frame.number = self.number;
                self.number += 1;
                Ok(Polled::Ready)
            }
            Glimpse::Hidden => Ok(Polled::NotBefore(self.schedule.due(now))),
            Glimpse::Gone => Ok(Polled::Ended),
        }
    }
}
