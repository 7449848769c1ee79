//! The parser of WAV headers (RIFF/WAVE, "Multimedia Programming Interface and Data Specifications 1.0").

/// Greatest number of bytes before the samples: room for the tag chunks of any recorder.
pub const MAX_HEADER_BYTES: usize = 256 * 1024;

/// Lowest sample rate in hertz that is accepted.
const MIN_RATE_HZ: u32 = 8_000;

/// Highest sample rate in hertz that is accepted.
const MAX_RATE_HZ: u32 = 192_000;

/// Most channels that are accepted.
const MAX_CHANNELS: u16 = 32;

/// Format tag of whole numbers.
const TAG_PCM: u16 = 1;

/// Format tag of IEEE floating point.
const TAG_FLOAT: u16 = 3;

/// Format tag that says: the real tag begins the sub-format at the end of the chunk.
const TAG_EXTENSIBLE: u16 = 0xFFFE;

/// The last 14 bytes of every sub-format that stands for a plain format tag.
const SUB_FORMAT_TAIL: [u8; 14] =
    [0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x80, 0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71];

/// How one sample is stored, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleEncoding {
    /// Unsigned 8 bits.
    U8,
    /// Signed 16 bits.
    I16,
    /// Signed 24 bits in three bytes.
    I24,
    /// Signed 32 bits.
    I32,
    /// 32-bit floating point, full scale ±1.
    F32,
    /// 64-bit floating point, full scale ±1.
    F64,
}

impl SampleEncoding {
    /// Bytes of one sample.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::I16 => 2,
            Self::I24 => 3,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    const fn from_tag(tag: u16, bits: u16) -> Option<Self> {
        match (tag, bits) {
            (TAG_PCM, 8) => Some(Self::U8),
            (TAG_PCM, 16) => Some(Self::I16),
            (TAG_PCM, 24) => Some(Self::I24),
            (TAG_PCM, 32) => Some(Self::I32),
            (TAG_FLOAT, 32) => Some(Self::F32),
            (TAG_FLOAT, 64) => Some(Self::F64),
            _ => None,
        }
    }
}

/// What a WAV header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WavFormat {
    /// How a sample is stored.
    pub encoding: SampleEncoding,
    /// Channels, interleaved: 1 to 32.
    pub channels: u16,
    /// Samples per second and channel: 8,000 to 192,000.
    pub rate_hz: u32,
    /// Bytes before the first sample.
    pub data_offset: usize,
    /// Bytes of samples; `None` when the writer did not know (a stream): until the end of the file.
    pub data_bytes: Option<u32>,
}

impl WavFormat {
    /// Bytes of one sample of every channel.
    #[must_use]
    pub fn frame_bytes(self) -> usize {
        self.encoding.bytes() * usize::from(self.channels)
    }
}

/// Why a WAV header is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    /// The file does not begin as a WAV file.
    #[error("it is not a WAV file")]
    NotWav,
    /// The file ends inside of its header.
    #[error("it ends inside of its header")]
    Truncated,
    /// The header is longer than [`MAX_HEADER_BYTES`].
    #[error("its header is too long")]
    HeaderTooLong,
    /// The format chunk is missing, too short, or contradicts itself.
    #[error("its format description is broken")]
    BrokenFormat,
    /// The samples are compressed or have an unusual width.
    #[error("its samples are stored in a way that is not supported")]
    Encoding,
    /// No channels, or more than 32.
    #[error("it has no channels or too many")]
    Channels,
    /// The sample rate is outside of 8,000 to 192,000 Hz or has too little in common with 48,000 Hz.
    #[error("its sample rate is not supported")]
    Rate,
    /// It ends before its first sample.
    #[error("it has no samples")]
    NoSamples,
}

/// Parses the header at the beginning of `bytes`.
///
/// `bytes` may be any prefix of the file; [`WavError::Truncated`] means that a longer one is needed or that the file
/// ends too early.
///
/// # Errors
/// See [`WavError`].
pub fn parse_wav_header(bytes: &[u8]) -> Result<WavFormat, WavError> {
    let (riff, rest) = bytes.split_at_checked(12).ok_or(WavError::Truncated)?;
    if !riff.starts_with(b"RIFF") || !riff.ends_with(b"WAVE") {
        return Err(WavError::NotWav);
    }
    let mut chunks = rest;
    let mut format = None;
    loop {
        let (name, size, body) = split_chunk_header(chunks)?;
        let data_offset = bytes.len() - body.len();
        if name == *b"data" {
            let format: WavFormat = format.ok_or(WavError::BrokenFormat)?;
            // Streaming writers leave the size zero or at its greatest value.
            let data_bytes = (size != 0 && size != u32::MAX).then_some(size);
            return Ok(WavFormat { data_offset, data_bytes, ..format });
        }
        // Chunks are padded to an even length.
        let padded = usize::try_from(size).unwrap_or(usize::MAX).saturating_add((size & 1) as usize);
        if data_offset.saturating_add(padded) > MAX_HEADER_BYTES {
            return Err(WavError::HeaderTooLong);
        }
        let (content, next) = body.split_at_checked(padded).ok_or(WavError::Truncated)?;
        if name == *b"fmt " {
            if format.is_some() {
                return Err(WavError::BrokenFormat);
            }
            format = Some(parse_format(content)?);
        }
        chunks = next;
    }
}

fn split_chunk_header(bytes: &[u8]) -> Result<([u8; 4], u32, &[u8]), WavError> {
    let (name, rest) = bytes.split_first_chunk::<4>().ok_or(WavError::Truncated)?;
    let (size, body) = rest.split_first_chunk::<4>().ok_or(WavError::Truncated)?;
    Ok((*name, u32::from_le_bytes(*size), body))
}

fn parse_format(content: &[u8]) -> Result<WavFormat, WavError> {
    let (&tag, rest) = content.split_first_chunk().ok_or(WavError::BrokenFormat)?;
    let (&channels, rest) = rest.split_first_chunk().ok_or(WavError::BrokenFormat)?;
    let (&rate, rest) = rest.split_first_chunk().ok_or(WavError::BrokenFormat)?;
    let (_bytes_per_second, rest) = rest.split_first_chunk::<4>().ok_or(WavError::BrokenFormat)?;
    let (&frame_bytes, rest) = rest.split_first_chunk().ok_or(WavError::BrokenFormat)?;
    let (&bits, rest) = rest.split_first_chunk().ok_or(WavError::BrokenFormat)?;
    let tag = match u16::from_le_bytes(tag) {
        TAG_EXTENSIBLE => parse_sub_format(rest)?,
        tag => tag,
    };
    let format = WavFormat {
        encoding: SampleEncoding::from_tag(tag, u16::from_le_bytes(bits)).ok_or(WavError::Encoding)?,
        channels: u16::from_le_bytes(channels),
        rate_hz: u32::from_le_bytes(rate),
        data_offset: 0,
        data_bytes: None,
    };
    if !(1..=MAX_CHANNELS).contains(&format.channels) {
        return Err(WavError::Channels);
    }
    if !(MIN_RATE_HZ..=MAX_RATE_HZ).contains(&format.rate_hz) {
        return Err(WavError::Rate);
    }
    if usize::from(u16::from_le_bytes(frame_bytes)) != format.frame_bytes() {
        return Err(WavError::BrokenFormat);
    }
    Ok(format)
}

/// The format tag inside the extension: size (2), valid bits (2), channel mask (4), sub-format (16).
fn parse_sub_format(extension: &[u8]) -> Result<u16, WavError> {
    let (_, sub_format) = extension.split_at_checked(8).ok_or(WavError::BrokenFormat)?;
    let (&tag, tail) = sub_format.split_first_chunk().ok_or(WavError::BrokenFormat)?;
    if !tail.starts_with(&SUB_FORMAT_TAIL) {
        return Err(WavError::Encoding);
    }
    Ok(u16::from_le_bytes(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(tag: u16, channels: u16, rate_hz: u32, bits: u16, data_bytes: u32) -> Vec<u8> {
        let frame_bytes = channels * (bits / 8);
        let mut bytes = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
        bytes.extend(tag.to_le_bytes());
        bytes.extend(channels.to_le_bytes());
        bytes.extend(rate_hz.to_le_bytes());
        bytes.extend((rate_hz * u32::from(frame_bytes)).to_le_bytes());
        bytes.extend(frame_bytes.to_le_bytes());
        bytes.extend(bits.to_le_bytes());
        bytes.extend(b"LIST\x03\0\0\0abc\0data");
        bytes.extend(data_bytes.to_le_bytes());
        bytes
    }

    #[test]
    fn plain_header_with_another_chunk_before_the_samples_is_read() {
        let bytes = header(TAG_PCM, 2, 44_100, 24, 600);
        let format = parse_wav_header(&bytes).unwrap();
        assert_eq!(format.encoding, SampleEncoding::I24);
        assert_eq!((format.channels, format.rate_hz), (2, 44_100));
        assert_eq!((format.data_offset, format.data_bytes), (bytes.len(), Some(600)));
    }

    #[test]
    fn streamed_files_of_unknown_length_are_accepted() {
        for size in [0, u32::MAX] {
            let format = parse_wav_header(&header(TAG_FLOAT, 1, 48_000, 32, size)).unwrap();
            assert_eq!((format.encoding, format.data_bytes), (SampleEncoding::F32, None));
        }
    }

    #[test]
    fn every_prefix_is_reported_as_truncated() {
        let bytes = header(TAG_PCM, 1, 48_000, 16, 960);
        for len in 0..bytes.len() {
            assert_eq!(parse_wav_header(&bytes[..len]), Err(WavError::Truncated), "{len} bytes");
        }
    }

    #[test]
    fn compressed_and_odd_formats_are_refused() {
        assert_eq!(parse_wav_header(&header(7, 1, 8_000, 8, 9)), Err(WavError::Encoding));
        assert_eq!(parse_wav_header(&header(TAG_PCM, 1, 8_000, 12, 9)), Err(WavError::Encoding));
        assert_eq!(parse_wav_header(&header(TAG_PCM, 0, 8_000, 16, 9)), Err(WavError::Channels));
        assert_eq!(parse_wav_header(&header(TAG_PCM, 33, 8_000, 16, 9)), Err(WavError::Channels));
        assert_eq!(parse_wav_header(&header(TAG_PCM, 1, 0, 16, 9)), Err(WavError::Rate));
        assert_eq!(parse_wav_header(b"OggS........"), Err(WavError::NotWav));
    }

    #[test]
    fn endless_chunks_before_the_samples_are_refused() {
        let mut bytes = b"RIFF\0\0\0\0WAVEjunk".to_vec();
        bytes.extend(u32::MAX.to_le_bytes());
        assert_eq!(parse_wav_header(&bytes), Err(WavError::HeaderTooLong));
    }

    #[test]
    fn extensible_header_is_resolved_to_its_sub_format() {
        let mut bytes = b"RIFF\0\0\0\0WAVEfmt \x28\0\0\0".to_vec();
        bytes.extend([0xfe, 0xff, 1, 0, 0x80, 0xbb, 0, 0, 0, 0, 0, 0, 4, 0, 32, 0]);
        bytes.extend([22, 0, 32, 0, 4, 0, 0, 0, 3, 0]);
        bytes.extend(SUB_FORMAT_TAIL);
        bytes.extend(b"data\0\0\0\0");
        assert_eq!(parse_wav_header(&bytes).unwrap().encoding, SampleEncoding::F32);
    }
}
