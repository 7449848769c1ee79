//! The pattern as a video source.

use incamera_media::picture::Picture;
use incamera_types::Mono;

use super::code::draw_code;
use crate::DeviceError;
use crate::audio::Polled;
use crate::mark::SenderMark;
use crate::schedule::Schedule;
use crate::video::{VideoFormat, VideoFrame, VideoSource};

/// The moving square's side is the picture's height divided by this.
const SQUARE_DIVISOR: usize = 5;

/// Luma of the moving square.
const SQUARE_LUMA: u8 = 210;

/// Pixels that the square moves per picture, right and down.
const SPEED: (usize, usize) = (5, 3);

/// A gradient in the sender's colour, a square that bounces over it, and the code of the picture below; paced by
/// its driver.
#[derive(Clone, Debug)]
pub struct PatternSource {
    format: VideoFormat,
    mark: SenderMark,
    background: Picture,
    schedule: Schedule,
    number: u64,
}

impl PatternSource {
    /// The pattern of a sender.
    #[must_use]
    pub fn new(format: VideoFormat, mark: SenderMark) -> Self {
        Self {
            format,
            mark,
            background: background(format, mark),
            schedule: Schedule::new(format.rate),
            number: 0,
        }
    }

    fn draw(&self, picture: &mut Picture) {
        picture.copy_from(&self.background.view());
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let upper = height * 3 / 4;
        let side = (height / SQUARE_DIVISOR).min(width).min(upper);
        let number = self.number as usize;
        let left = bounce(number.wrapping_mul(SPEED.0), width - side);
        let top = bounce(number.wrapping_mul(SPEED.1), upper - side);
        let [luma, _, _] = picture.planes_mut();
        for row in top..top + side {
            luma[row * width + left..row * width + left + side].fill(SQUARE_LUMA);
        }
        draw_code(picture, self.number, self.mark);
    }
}

/// Where something is that moved `way` back and forth between 0 and `end`.
const fn bounce(way: usize, end: usize) -> usize {
    if end == 0 {
        return 0;
    }
    let phase = way % (2 * end);
    if phase < end { phase } else { 2 * end - phase }
}

fn background(format: VideoFormat, mark: SenderMark) -> Picture {
    let mut picture = format.size.black();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let [luma, blue, red] = picture.planes_mut();
    for (row, line) in luma.chunks_exact_mut(width).enumerate() {
        for (column, sample) in line.iter_mut().enumerate() {
            *sample = (48 + 64 * column / width + 64 * row / height) as u8;
        }
    }
    // Two independent hues from the two halves of the mark, kept away from grey and from the edges.
    blue.fill(64 + (mark.number() >> 4) * 8);
    red.fill(64 + (mark.number() & 0x0F) * 8);
    picture
}

impl VideoSource for PatternSource {
    fn format(&self) -> VideoFormat {
        self.format
    }

    fn poll_frame(&mut self, now: Mono, frame: &mut VideoFrame) -> Result<Polled, DeviceError> {
        let due = self.schedule.due(now);
        if now < due {
            return Ok(Polled::NotBefore(due));
        }
        self.schedule.advance();
        frame.captured = due;
        frame.number = self.number;
        self.draw(&mut frame.picture);
        self.number += 1;
        Ok(Polled::Ready)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{read_code, read_frame_number};
    use super::*;
    use crate::schedule::FrameRate;
    use crate::video::VideoSize;

    fn pattern(width: u32, height: u32) -> PatternSource {
        let format = VideoFormat {
            size: VideoSize::new(width, height).unwrap(),
            rate: FrameRate::new(30, 1).unwrap(),
        };
        PatternSource::new(format, SenderMark::new(9))
    }

    #[test]
    fn every_picture_differs_and_says_its_number() {
        let mut source = pattern(640, 360);
        let mut frame = VideoFrame::black(source.format());
        let mut last = frame.picture.clone();
        for number in 0..300_u64 {
            let now = Mono::from_micros(100).plus(source.format().rate.time_of(number));
            assert_eq!(source.poll_frame(now, &mut frame), Ok(Polled::Ready));
            assert_eq!((frame.number, frame.captured), (number, now));
            assert_eq!(read_frame_number(&frame.picture.view()), Some(number as u32));
            assert_ne!(frame.picture, last);
            last = frame.picture.clone();
        }
        assert_eq!(read_code(&last.view()).map(|code| code.mark), Some(SenderMark::new(9)));
    }

    #[test]
    fn smallest_and_odd_sizes_are_drawn() {
        for (width, height) in [(16, 16), (17, 33), (4_096, 16), (16, 4_096)] {
            let mut source = pattern(width, height);
            let mut frame = VideoFrame::black(source.format());
            for number in 0..100_u64 {
                source.draw(&mut frame.picture);
                source.number = number * 977;
            }
        }
    }
}
