//! A video source that plays a Y4M file or pipe.

use std::io::{self, BufRead, BufReader};
use std::path::Path;

use incamera_media::picture::Picture;
use incamera_types::Mono;

use super::header::Y4mError;
use super::read::Y4mReader;
use crate::DeviceError;
use crate::audio::Polled;
use crate::read_ahead::{Next, POLL_INTERVAL, ReadAhead};
use crate::schedule::Schedule;
use crate::video::{VideoFormat, VideoFrame, VideoSource};

/// Pictures read ahead of their time.
const READ_AHEAD: usize = 2;

/// Plays a Y4M stream at its own rate; paced by its driver.
///
/// Pictures that come late from a pipe are stamped when they come.
#[derive(Debug)]
pub struct Y4mSource {
    format: VideoFormat,
    schedule: Schedule,
    number: u64,
    pictures: ReadAhead<Picture>,
    waiting: Option<Picture>,
}

impl Y4mSource {
    /// Plays the file at `path`.
    ///
    /// # Errors
    /// The file cannot be read, is no Y4M file of a supported kind, or has not one whole picture.
    pub fn open(path: &Path) -> Result<Self, DeviceError> {
        Self::start(Y4mReader::open(path)?)
    }

    /// Plays what comes in on standard input. Waits for the first picture.
    ///
    /// # Errors
    /// The input cannot be read, is no Y4M stream of a supported kind, or has not one whole picture.
    pub fn standard_input() -> Result<Self, DeviceError> {
        Self::start(Y4mReader::new(BufReader::new(io::stdin()))?)
    }

    /// Plays the rest of `reader`. Waits for its first picture: a stream that breaks there is refused before
    /// anybody expects to see something.
    ///
    /// # Errors
    /// [`DeviceError::Thread`], or the first picture cannot be read.
    pub fn start<R: BufRead + Send + 'static>(mut reader: Y4mReader<R>) -> Result<Self, DeviceError> {
        let format = reader.format();
        let first = read_picture(&mut reader)?.ok_or(Y4mError::NoPicture)?;
        let pictures = ReadAhead::start("y4m-read", READ_AHEAD, move || read_picture(&mut reader))?;
        Ok(Self { format, schedule: Schedule::new(format.rate), number: 0, pictures, waiting: Some(first) })
    }
}

fn read_picture<R: BufRead>(reader: &mut Y4mReader<R>) -> Result<Option<Picture>, DeviceError> {
    let mut picture = reader.format().size.black();
    Ok(reader.read_picture(&mut picture)?.then_some(picture))
}

impl VideoSource for Y4mSource {
    fn format(&self) -> VideoFormat {
        self.format
    }

    fn poll_frame(&mut self, now: Mono, frame: &mut VideoFrame) -> Result<Polled, DeviceError> {
        if self.waiting.is_none() {
            match self.pictures.next()? {
                Next::Item(picture) => self.waiting = Some(picture),
                Next::NotYet => return Ok(Polled::NotBefore(now.plus(POLL_INTERVAL))),
                Next::Ended => return Ok(Polled::Ended),
            }
        }
        let due = self.schedule.due(now);
        if now < due {
            return Ok(Polled::NotBefore(due));
        }
        let Some(picture) = self.waiting.take() else { return Ok(Polled::NotBefore(due)) };
        self.schedule.advance();
        frame.captured = due;
        frame.number = self.number;
        frame.picture = picture;
        self.number += 1;
        Ok(Polled::Ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    use std::io::Cursor;
    use std::thread;

    fn stream(pictures: u8) -> Vec<u8> {
        let mut bytes = b"YUV4MPEG2 W16 H16 F25:1\n".to_vec();
        for value in 0..pictures {
            bytes.extend(b"FRAME\n");
            bytes.resize(bytes.len() + 384, value);
        }
        bytes
    }

    fn play(bytes: Vec<u8>) -> Result<Vec<(u64, u64, u8)>, DeviceError> {
        let mut source = Y4mSource::start(Y4mReader::new(Cursor::new(bytes))?)?;
        let mut frame = VideoFrame::black(source.format());
        let mut now = Mono::from_micros(0);
        let mut played = Vec::new();
        loop {
            match source.poll_frame(now, &mut frame)? {
                Polled::Ready => {
                    played.push((frame.number, frame.captured.as_micros(), frame.picture.as_packed()[0]));
                }
                Polled::NotBefore(due) if due.since(now) == Duration::from_millis(40) => now = due,
                // The reading thread is behind: virtual time stands still for it.
                Polled::NotBefore(_) => thread::yield_now(),
                Polled::Ended => return Ok(played),
            }
        }
    }

    #[test]
    fn pictures_come_at_the_rate_of_the_file() {
        let played = play(stream(4)).unwrap();
        assert_eq!(played, [(0, 0, 0), (1, 40_000, 1), (2, 80_000, 2), (3, 120_000, 3)]);
    }

    #[test]
    fn cut_file_ends_with_its_error() {
        let mut bytes = stream(2);
        bytes.pop();
        assert!(matches!(play(bytes), Err(DeviceError::Y4m(_))));
    }

    #[test]
    fn stream_without_a_whole_first_picture_is_refused_at_once() {
        let none = play(stream(0)).unwrap_err();
        assert_eq!(none, DeviceError::Y4m(Y4mError::NoPicture));
        let mut cut = stream(1);
        cut.pop();
        let reader = Y4mReader::new(Cursor::new(cut)).unwrap();
        assert_eq!(Y4mSource::start(reader).unwrap_err(), DeviceError::Y4m(Y4mError::CutPicture));
    }
}
