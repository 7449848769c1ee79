//! VP8 frames in, pictures out.

use super::error::DecodeError;
use super::header::FrameHeader;
use super::sys::{RawDecoder, VpxError};
use crate::picture::{I420View, check_size};

/// One VP8 decoder for one remote stream. All layers of a simulcast stream go through the same decoder: they are
/// switched on key frames.
///
/// It shows nothing that refers to a missing frame: after [`Self::note_loss`] and after any error only a key frame is
/// decoded. No bytes make it panic; pictures above [`crate::picture::MAX_DIMENSION`] are refused before libvpx sees
/// them (SEC-15).
pub struct Decoder {
    raw: RawDecoder,
    awaiting_key_frame: bool,
}

impl Decoder {
    /// A decoder that waits for a key frame.
    ///
    /// # Errors
    /// [`DecodeError::Codec`] when libvpx has no memory.
    pub fn new() -> Result<Self, DecodeError> {
        let raw = RawDecoder::new(1).map_err(codec)?;
        Ok(Self { raw, awaiting_key_frame: true })
    }

    /// Whether only a key frame gives the next picture: the caller asks for one.
    #[must_use]
    pub fn is_awaiting_key_frame(&self) -> bool {
        self.awaiting_key_frame
    }

    /// A frame before the next one is lost (or was not opened).
    pub fn note_loss(&mut self) {
        self.awaiting_key_frame = true;
    }

    /// Decodes one complete frame. The picture is borrowed until the next call; `None` when the frame is not to be
    /// shown.
    ///
    /// # Errors
    /// [`DecodeError::KeyFrameNeeded`] while waiting, else what is wrong with the frame; the decoder then waits for a
    /// key frame.
    pub fn decode(&mut self, frame: &[u8]) -> Result<Option<I420View<'_>>, DecodeError> {
        let awaiting = core::mem::replace(&mut self.awaiting_key_frame, true);
        match FrameHeader::parse(frame)? {
            FrameHeader::Key { width, height } => check_size(width, height)?,
            FrameHeader::Delta if awaiting => return Err(DecodeError::KeyFrameNeeded),
            FrameHeader::Delta => {}
        }
        self.raw.decode(frame).map_err(codec)?;
        let picture = self.raw.picture()?;
        self.awaiting_key_frame = false;
        Ok(picture)
    }
}

fn codec(error: VpxError) -> DecodeError {
    DecodeError::Codec(error.0)
}
