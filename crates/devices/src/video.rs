//! Video as the rest of Incamera sees it: pictures with a time and a number.

use incamera_media::picture::{MAX_DIMENSION, Picture};
use incamera_types::Mono;

use crate::DeviceError;
use crate::audio::Polled;
use crate::schedule::FrameRate;

/// Smallest width and height of a source: one macroblock of VP8.
const MIN_DIMENSION: u32 = 16;

/// Width and height of a picture in pixels, each 16 to 4,096.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VideoSize {
    width: u32,
    height: u32,
}

impl VideoSize {
    /// 640 by 360.
    pub const P360: Self = Self { width: 640, height: 360 };

    /// 1,280 by 720.
    pub const P720: Self = Self { width: 1_280, height: 720 };

    /// `None` when a side is out of range (SEC-15).
    #[must_use]
    pub fn new(width: u32, height: u32) -> Option<Self> {
        let fits = |side| (MIN_DIMENSION..=MAX_DIMENSION).contains(&side);
        (fits(width) && fits(height)).then_some(Self { width, height })
    }

    /// Width in pixels.
    #[must_use]
    pub const fn width(self) -> u32 {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub const fn height(self) -> u32 {
        self.height
    }

    /// A black picture of this size.
    ///
    /// # Panics
    /// Never: every size that can be made is one that pictures support.
    #[must_use]
    pub fn black(self) -> Picture {
        Picture::black(self.width, self.height).expect("the bounds of both types agree")
    }
}

/// What a source delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoFormat {
    /// Size of every picture.
    pub size: VideoSize,
    /// Pictures per second.
    pub rate: FrameRate,
}

/// A captured picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoFrame {
    /// When the picture was captured.
    pub captured: Mono,
    /// Counts the pictures of the source from 0.
    pub number: u64,
    /// The picture.
    pub picture: Picture,
}

impl VideoFrame {
    /// A black frame, to be filled by a source of `format`.
    #[must_use]
    pub fn black(format: VideoFormat) -> Self {
        Self { captured: Mono::default(), number: 0, picture: format.size.black() }
    }
}

/// Something that gives pictures. It reads no clock: whoever drives it says what time it is.
pub trait VideoSource: Send {
    /// Size and rate of the pictures; never changes. Only the pictures of a window have another size once the window has.
    fn format(&self) -> VideoFormat;

    /// Fills `frame` when the next picture is due and there. Never blocks for longer than a read from a disk.
    ///
    /// # Errors
    /// The device was lost or the file is unreadable. The source is of no use afterwards.
    fn poll_frame(&mut self, now: Mono, frame: &mut VideoFrame) -> Result<Polled, DeviceError>;
}

impl<T: VideoSource + ?Sized> VideoSource for Box<T> {
    fn format(&self) -> VideoFormat {
        (**self).format()
    }

    fn poll_frame(&mut self, now: Mono, frame: &mut VideoFrame) -> Result<Polled, DeviceError> {
        (**self).poll_frame(now, frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_allowed_size_has_a_picture() {
        for (width, height) in [(16, 16), (4_096, 16), (17, 4_096)] {
            let picture = VideoSize::new(width, height).unwrap().black();
            assert_eq!((picture.width(), picture.height()), (width, height));
        }
        assert!(VideoSize::new(15, 16).is_none());
        assert!(VideoSize::new(16, 4_097).is_none());
    }
}
