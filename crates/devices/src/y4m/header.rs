//! The parser of Y4M headers (the YUV4MPEG2 format of mjpegtools, `yuv4mpeg(5)`).

use crate::schedule::FrameRate;
use crate::video::{VideoFormat, VideoSize};

/// Greatest length of a stream or frame header, newline included.
pub const MAX_HEADER_BYTES: usize = 512;

/// What every file begins with.
const MAGIC: &str = "YUV4MPEG2";

/// What every picture begins with.
const FRAME_MAGIC: &str = "FRAME";

/// Why a Y4M stream is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Y4mError {
    /// It does not begin as a Y4M stream.
    #[error("it is not a Y4M file")]
    NotY4m,
    /// It ends inside of a header, or a header is longer than [`MAX_HEADER_BYTES`].
    #[error("a header does not end")]
    UnendedHeader,
    /// A field of a header is missing, doubled or unreadable.
    #[error("a header is broken")]
    BrokenHeader,
    /// The picture is smaller than 16×16 or larger than 4096×4096.
    #[error("its picture size is out of range")]
    Size,
    /// The rate is below 1 or above 240 pictures per second.
    #[error("its frame rate is out of range")]
    Rate,
    /// The colour is not 4:2:0 with 8 bits.
    #[error("its colour format is not 4:2:0 with 8 bits")]
    Colour,
    /// The pictures are interlaced.
    #[error("its pictures are interlaced")]
    Interlaced,
    /// It ends inside of a picture.
    #[error("it ends inside of a picture")]
    CutPicture,
    /// It ends before its first picture.
    #[error("it has no picture")]
    NoPicture,
}

/// Parses the header line of a stream, without its newline.
///
/// Fields that say nothing about the layout of the pictures (aspect ratio, comments) are ignored.
///
/// # Errors
/// See [`Y4mError`].
pub fn parse_y4m_header(line: &[u8]) -> Result<VideoFormat, Y4mError> {
    if line.len() > MAX_HEADER_BYTES {
        return Err(Y4mError::UnendedHeader);
    }
    let line = str::from_utf8(line).map_err(|_| Y4mError::NotY4m)?;
    let mut words = line.split(' ');
    if words.next() != Some(MAGIC) {
        return Err(Y4mError::NotY4m);
    }
    let (mut width, mut height, mut rate) = (None, None, None);
    for word in words.filter(|word| !word.is_empty()) {
        let mut letters = word.chars();
        let field = letters.next();
        let value = letters.as_str();
        match field {
            Some('W') => set(&mut width, parse_number(value)?)?,
            Some('H') => set(&mut height, parse_number(value)?)?,
            Some('F') => set(&mut rate, parse_rate(value)?)?,
            Some('I') if !matches!(value, "p" | "?") => return Err(Y4mError::Interlaced),
            Some('C') if !is_420(value) => return Err(Y4mError::Colour),
            _ => {}
        }
    }
    let (Some(width), Some(height), Some(rate)) = (width, height, rate) else {
        return Err(Y4mError::BrokenHeader);
    };
    let size = VideoSize::new(width, height).ok_or(Y4mError::Size)?;
    Ok(VideoFormat { size, rate })
}

/// Checks the header line of a picture, without its newline.
///
/// # Errors
/// [`Y4mError::BrokenHeader`], or [`Y4mError::Interlaced`] when the picture says so of itself.
pub fn parse_frame_header(line: &[u8]) -> Result<(), Y4mError> {
    let line = str::from_utf8(line).map_err(|_| Y4mError::BrokenHeader)?;
    let mut words = line.split(' ');
    if words.next() != Some(FRAME_MAGIC) {
        return Err(Y4mError::BrokenHeader);
    }
    // The first letter after `I` says how the picture is presented; `1`, `2` and `3` are progressive.
    let interlaced =
        words.filter_map(|word| word.strip_prefix('I')).any(|value| !value.starts_with(['1', '2', '3']));
    if interlaced { Err(Y4mError::Interlaced) } else { Ok(()) }
}

fn set<T>(field: &mut Option<T>, value: T) -> Result<(), Y4mError> {
    if field.replace(value).is_some() { Err(Y4mError::BrokenHeader) } else { Ok(()) }
}

fn parse_number(digits: &str) -> Result<u32, Y4mError> {
    // The standard parser also takes a plus sign.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Y4mError::BrokenHeader);
    }
    digits.parse().map_err(|_| Y4mError::BrokenHeader)
}

fn parse_rate(value: &str) -> Result<FrameRate, Y4mError> {
    let (numerator, denominator) = value.split_once(':').ok_or(Y4mError::BrokenHeader)?;
    FrameRate::new(parse_number(numerator)?, parse_number(denominator)?).ok_or(Y4mError::Rate)
}

/// The 8-bit 4:2:0 layouts; they differ only in where chroma is sampled, which no codec here looks at.
fn is_420(colour: &str) -> bool {
    matches!(colour, "420" | "420jpeg" | "420mpeg2" | "420paldv")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_of_a_common_converter_is_read() {
        let line = b"YUV4MPEG2 W640 H360 F30000:1001 Ip A1:1 C420jpeg XYSCSS=420JPEG XCOLORRANGE=LIMITED";
        let format = parse_y4m_header(line).unwrap();
        assert_eq!((format.size.width(), format.size.height()), (640, 360));
        assert_eq!(format.rate, FrameRate::new(30_000, 1_001).unwrap());
    }

    #[test]
    fn colour_may_be_left_out() {
        assert!(parse_y4m_header(b"YUV4MPEG2 W16 H16 F25:1").is_ok());
    }

    #[test]
    fn other_colours_depths_and_interlacing_are_refused() {
        for colour in ["422", "444", "mono", "420p10", "420jpegx", ""] {
            let line = format!("YUV4MPEG2 W16 H16 F25:1 C{colour}");
            assert_eq!(parse_y4m_header(line.as_bytes()), Err(Y4mError::Colour), "{colour}");
        }
        assert_eq!(parse_y4m_header(b"YUV4MPEG2 W16 H16 F25:1 It"), Err(Y4mError::Interlaced));
    }

    #[test]
    fn broken_headers_have_their_own_reasons() {
        let cases: [(&[u8], Y4mError); 9] = [
            (b"RIFF", Y4mError::NotY4m),
            (b"YUV4MPEG2\xff", Y4mError::NotY4m),
            (b"YUV4MPEG2 W16 H16", Y4mError::BrokenHeader),
            (b"YUV4MPEG2 W16 W16 H16 F1:1", Y4mError::BrokenHeader),
            (b"YUV4MPEG2 W+16 H16 F1:1", Y4mError::BrokenHeader),
            (b"YUV4MPEG2 W99999999999 H16 F1:1", Y4mError::BrokenHeader),
            (b"YUV4MPEG2 W15 H16 F1:1", Y4mError::Size),
            (b"YUV4MPEG2 W4097 H16 F1:1", Y4mError::Size),
            (b"YUV4MPEG2 W16 H16 F0:0", Y4mError::Rate),
        ];
        for (line, reason) in cases {
            assert_eq!(parse_y4m_header(line), Err(reason), "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn frame_headers_are_checked() {
        assert_eq!(parse_frame_header(b"FRAME"), Ok(()));
        assert_eq!(parse_frame_header(b"FRAME I1p0 Xcomment"), Ok(()));
        assert_eq!(parse_frame_header(b"FRAME It"), Err(Y4mError::Interlaced));
        assert_eq!(parse_frame_header(b"FRAMES"), Err(Y4mError::BrokenHeader));
        assert_eq!(parse_frame_header(b""), Err(Y4mError::BrokenHeader));
    }
}
