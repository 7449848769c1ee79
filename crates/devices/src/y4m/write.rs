//! Writing a Y4M file.

use std::path::Path;

use incamera_media::picture::I420View;

use crate::DeviceError;
use crate::part_file::PartFile;
use crate::schedule::FrameRate;
use crate::video::VideoFormat;

/// Length of the longest header, newline included: every header has it, so that another can be written in its place.
const HEADER_BYTES: usize = 64;

/// Writes pictures of one size to a Y4M file; see [`PartFile`] for what happens on errors.
#[derive(Debug)]
pub struct Y4mWriter {
    file: PartFile,
    format: VideoFormat,
}

impl Y4mWriter {
    /// Starts the file `target`.
    ///
    /// # Errors
    /// The file cannot be created or written.
    pub fn create(target: &Path, format: VideoFormat) -> Result<Self, DeviceError> {
        let mut file = PartFile::create(target)?;
        file.append(header(format).as_bytes())?;
        file.flush()?;
        Ok(Self { file, format })
    }

    /// Size and rate that the file was started with.
    #[must_use]
    pub const fn format(&self) -> VideoFormat {
        self.format
    }

    /// Appends a picture.
    ///
    /// # Errors
    /// [`DeviceError::PictureSize`] when the picture has another size than the file, and the errors of
    /// [`PartFile::append`].
    pub fn write(&mut self, picture: &I420View<'_>) -> Result<(), DeviceError> {
        let size = self.format.size;
        if (picture.width(), picture.height()) != (size.width(), size.height()) {
            return Err(DeviceError::PictureSize);
        }
        self.file.append(b"FRAME\n")?;
        for (plane, (width, height)) in picture.planes().iter().zip(picture.plane_sizes()) {
            for row in 0..height {
                self.file.append(plane.row(row, width))?;
            }
        }
        Ok(())
    }

    /// Says another rate than the one the file was started with.
    ///
    /// # Errors
    /// Those of [`PartFile::rewrite_start`].
    pub fn set_rate(&mut self, rate: FrameRate) -> Result<(), DeviceError> {
        self.format.rate = rate;
        self.file.rewrite_start(header(self.format).as_bytes())
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// Those of [`PartFile::finish`].
    pub fn finish(self) -> Result<(), DeviceError> {
        self.file.finish()
    }
}

/// The header, filled up by a comment.
fn header(format: VideoFormat) -> String {
    let (size, rate) = (format.size, format.rate);
    let fields = format!(
        "YUV4MPEG2 W{} H{} F{}:{} Ip A1:1 C420jpeg X",
        size.width(),
        size.height(),
        rate.numerator(),
        rate.denominator()
    );
    format!("{fields:-<width$}\n", width = HEADER_BYTES - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::VideoSize;
    use crate::y4m::Y4mReader;

    #[test]
    fn written_pictures_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("ada.y4m");
        let size = VideoSize::new(19, 17).unwrap();
        let format = VideoFormat { size, rate: FrameRate::VIDEO_30 };
        let mut picture = format.size.black();
        for (value, plane) in picture.planes_mut().into_iter().enumerate() {
            plane.fill(value as u8 + 40);
        }
        let mut writer = Y4mWriter::create(&target, format).unwrap();
        writer.write(&picture.view()).unwrap();
        let other = VideoSize::new(20, 17).unwrap().black();
        assert_eq!(writer.write(&other.view()), Err(DeviceError::PictureSize));
        let told = FrameRate::new(240_000, 1_001).unwrap();
        writer.set_rate(told).unwrap();
        writer.finish().unwrap();

        let mut reader = Y4mReader::open(&target).unwrap();
        assert_eq!(reader.format(), VideoFormat { size, rate: told });
        let mut read = format.size.black();
        assert_eq!(reader.read_picture(&mut read), Ok(true));
        assert_eq!(read, picture);
        assert_eq!(reader.read_picture(&mut read), Ok(false));
    }

    #[test]
    fn longest_header_is_as_long_as_every_other() {
        for (width, numerator, denominator) in [(16, 1, 1), (4_096, u32::MAX, u32::MAX)] {
            let size = VideoSize::new(width, width).unwrap();
            let rate = FrameRate::new(numerator, denominator).unwrap();
            assert_eq!(header(VideoFormat { size, rate }).len(), HEADER_BYTES);
        }
    }
}
