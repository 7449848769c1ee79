//! The uncompressed start of a VP8 frame (RFC 6386 §9.1).

/// What a VP8 frame says of itself before its compressed part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameHeader {
    /// A key frame of this size in pixels (14 bits each), scaling hints dropped.
    Key {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// A frame that refers to earlier ones.
    Delta,
}

/// Bytes that do not begin a VP8 frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Fewer bytes than the header has.
    #[error("the VP8 frame is cut off")]
    Truncated,
    /// A key frame without its start code `9d 01 2a`.
    #[error("the VP8 key frame has no start code")]
    NoStartCode,
}

impl FrameHeader {
    /// Reads the first bytes of an encoded frame.
    ///
    /// # Errors
    /// [`HeaderError`]; any bytes give one or the other.
    pub fn parse(frame: &[u8]) -> Result<Self, HeaderError> {
        let (tag, rest) = frame.split_first_chunk::<3>().ok_or(HeaderError::Truncated)?;
        let [first, ..] = tag;
        if first & 1 == 1 {
            return Ok(Self::Delta);
        }
        let (start_code, rest) = rest.split_first_chunk::<3>().ok_or(HeaderError::Truncated)?;
        if start_code != &[0x9d, 0x01, 0x2a] {
            return Err(HeaderError::NoStartCode);
        }
        let ([width_low, width_high, height_low, height_high], _) =
            rest.split_first_chunk::<4>().ok_or(HeaderError::Truncated)?;
        // The two top bits of each are a scaling hint for the display.
        let size = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
        Ok(Self::Key { width: size(*width_low, *width_high), height: size(*height_low, *height_high) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_frames_give_their_size_without_scaling_hints() {
        let frame = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x42, 0x68, 0xc1, 0];
        assert_eq!(FrameHeader::parse(&frame), Ok(FrameHeader::Key { width: 640, height: 360 }));
        for cut in 0..10 {
            assert_eq!(FrameHeader::parse(&frame[..cut]), Err(HeaderError::Truncated));
        }
    }

    #[test]
    fn key_frames_without_start_code_are_refused() {
        let frame = [0x10, 0, 0, 0x9d, 0x01, 0x2b, 0x80, 2, 0x68, 1];
        assert_eq!(FrameHeader::parse(&frame), Err(HeaderError::NoStartCode));
    }

    #[test]
    fn odd_first_bytes_are_delta_frames() {
        assert_eq!(FrameHeader::parse(&[0x11, 0, 0]), Ok(FrameHeader::Delta));
    }
}
