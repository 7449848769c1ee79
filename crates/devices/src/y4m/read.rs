//! Reading the pictures of a Y4M stream.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use incamera_media::picture::Picture;

use super::header::{MAX_HEADER_BYTES, Y4mError, parse_frame_header, parse_y4m_header};
use crate::DeviceError;
use crate::video::VideoFormat;

/// Reads a Y4M stream picture by picture.
#[derive(Debug)]
pub struct Y4mReader<R> {
    input: R,
    format: VideoFormat,
    line: Vec<u8>,
}

impl Y4mReader<BufReader<File>> {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// The file cannot be read or is no Y4M file of a supported kind.
    pub fn open(path: &Path) -> Result<Self, DeviceError> {
        let file = File::open(path).map_err(|error| DeviceError::opening(&error))?;
        Self::new(BufReader::new(file))
    }
}

impl<R: BufRead> Y4mReader<R> {
    /// Reads the header from `input`.
    ///
    /// # Errors
    /// The input cannot be read or is no Y4M stream of a supported kind.
    pub fn new(mut input: R) -> Result<Self, DeviceError> {
        let mut line = Vec::new();
        if !read_line(&mut input, &mut line)? {
            return Err(Y4mError::NotY4m.into());
        }
        let format = parse_y4m_header(&line)?;
        Ok(Self { input, format, line })
    }

    /// Size and rate of the pictures.
    #[must_use]
    pub const fn format(&self) -> VideoFormat {
        self.format
    }

    /// Reads the next picture into `picture`, which takes on the size of the stream; `false` at the end.
    ///
    /// # Errors
    /// The input cannot be read, or ends inside of a picture.
    pub fn read_picture(&mut self, picture: &mut Picture) -> Result<bool, DeviceError> {
        if !read_line(&mut self.input, &mut self.line)? {
            return Ok(false);
        }
        parse_frame_header(&self.line)?;
        let size = self.format.size;
        picture.resize(size.width(), size.height()).map_err(|_| Y4mError::Size)?;
        for plane in picture.planes_mut() {
            self.input.read_exact(plane).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => Y4mError::CutPicture.into(),
                _ => DeviceError::reading(&error),
            })?;
        }
        Ok(true)
    }
}

/// Reads up to a newline, which is dropped; `false` when nothing is left.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> Result<bool, DeviceError> {
    line.clear();
    let mut bounded = input.take(MAX_HEADER_BYTES as u64);
    bounded.read_until(b'\n', line).map_err(|error| DeviceError::reading(&error))?;
    match line.pop() {
        None => Ok(false),
        Some(b'\n') => Ok(true),
        // A file of another kind is better named as such.
        Some(_) if !line.starts_with(b"YUV4MPEG2") && !line.starts_with(b"FRAME") => {
            Err(Y4mError::NotY4m.into())
        }
        Some(_) => Err(Y4mError::UnendedHeader.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::VideoSize;

    fn stream(pictures: &[u8]) -> Vec<u8> {
        let mut bytes = b"YUV4MPEG2 W17 H16 F30:1\n".to_vec();
        for &value in pictures {
            bytes.extend(b"FRAME\n");
            bytes.resize(bytes.len() + 17 * 16 + 2 * 9 * 8, value);
        }
        bytes
    }

    #[test]
    fn pictures_follow_each_other_until_the_end() {
        let bytes = stream(&[7, 9]);
        let mut reader = Y4mReader::new(&bytes[..]).unwrap();
        let mut picture = VideoSize::new(32, 32).unwrap().black();
        assert_eq!(reader.read_picture(&mut picture), Ok(true));
        assert_eq!((picture.width(), picture.height()), (17, 16));
        assert!(picture.as_packed().iter().all(|&sample| sample == 7));
        assert_eq!(reader.read_picture(&mut picture), Ok(true));
        assert!(picture.as_packed().iter().all(|&sample| sample == 9));
        assert_eq!(reader.read_picture(&mut picture), Ok(false));
    }

    #[test]
    fn cut_picture_is_an_error_and_not_an_end() {
        let bytes = stream(&[7]);
        let mut reader = Y4mReader::new(&bytes[..bytes.len() - 1]).unwrap();
        let mut picture = VideoSize::new(16, 16).unwrap().black();
        assert_eq!(reader.read_picture(&mut picture), Err(DeviceError::Y4m(Y4mError::CutPicture)));
    }

    #[test]
    fn header_without_an_end_is_refused_after_a_bounded_read() {
        let endless = [b"YUV4MPEG2 ".as_slice(), &[b'x'; 4_096]].concat();
        let error = Y4mReader::new(&endless[..]).unwrap_err();
        assert_eq!(error, DeviceError::Y4m(Y4mError::UnendedHeader));
        assert_eq!(Y4mReader::new(&[0_u8; 4_096][..]).unwrap_err(), DeviceError::Y4m(Y4mError::NotY4m));
        assert_eq!(Y4mReader::new(&[][..]).unwrap_err(), DeviceError::Y4m(Y4mError::NotY4m));
    }
}
