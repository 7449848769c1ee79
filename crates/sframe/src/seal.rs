//! Sealing: the one way to make what a transport sends (SEC-01).

use incamera_types::{Context, FrameBuf, Kid, MediaKind, Mono};

use crate::counter::FrameCounter;
use crate::format::{AssociatedData, Stamp, TAG_BYTES, append_end, fixed_bytes};
use crate::header::EncodedHeader;
use crate::keys::FrameKey;
use crate::prefix::ClearPrefix;
use crate::{FrameKind, FrameNumber, MAX_FRAME_BYTES, MediaFrame, MediaTime, SealError, TemporalLayer};

/// Seals the frames of one key id and owns their counter (SEC-17).
///
/// Taken once from [`crate::BaseKey::take_sender`]; cannot be cloned, and lives as long as its epoch: camera
/// off and on, or an encoder that restarts, go on with the same sender.
pub struct FrameSender {
    key: FrameKey,
    counter: FrameCounter,
    kid: Kid,
    context: Context,
    track: MediaKind,
    fixed: [u8; 3],
}

impl FrameSender {
    pub(crate) fn new(kid: Kid, key: FrameKey) -> Self {
        let context = kid.context();
        Self {
            key,
            counter: FrameCounter::new(),
            kid,
            context,
            track: context.kind(),
            fixed: fixed_bytes(context),
        }
    }

    /// The key id of the frames.
    #[must_use]
    pub const fn kid(&self) -> Kid {
        self.kid
    }

    /// Counters spent so far.
    #[must_use]
    pub const fn frames_sealed(&self) -> u32 {
        self.counter.spent()
    }

    /// Seals one frame in its own buffer. `number` counts the frames of the context over all epochs.
    ///
    /// Nothing is allocated or copied while the buffer has its head and tail room and [`crate::Padding`]
    /// fits into its capacity.
    ///
    /// # Errors
    /// [`SealError`]; the frame is dropped, and never sent in another way.
    #[inline]
    pub fn seal(&mut self, frame: MediaFrame, number: FrameNumber) -> Result<SealedFrame, SealError> {
        let MediaFrame { mut buf, kind, media_time, temporal_layer, capture, padding } = frame;
        if buf.is_empty() {
            return Err(SealError::EmptyFrame);
        }
        if buf.len() > MAX_FRAME_BYTES {
            return Err(SealError::TooLarge);
        }
        if !kind.belongs_in(self.context) {
            return Err(SealError::WrongKind);
        }
        // The counter is spent before anything can fail half-way (SEC-17).
        let counter = self.counter.reserve()?;
        self.seal_in_place(
            &mut buf,
            counter,
            kind,
            Stamp { capture_micros: low_bits(capture), number },
            padding,
        )?;
        Ok(SealedFrame { buf, context: self.context, kind, media_time, temporal_layer, capture, counter })
    }

    /// Lays everything out first, from prefix to room for the tag, so that nothing is left to do after encrypting.
    #[inline]
    fn seal_in_place(
        &self,
        buf: &mut FrameBuf,
        counter: u32,
        kind: FrameKind,
        stamp: Stamp,
        padding: crate::Padding,
    ) -> Result<(), SealError> {
        append_end(buf, stamp, padding)?;
        buf.extend(&[0; TAG_BYTES]);
        let header = EncodedHeader::new(self.kid, counter);
        let prefix = ClearPrefix::for_frame(self.track, kind);
        header.put_before(buf).ok_or(SealError::NoHeadroom)?;
        prefix.write(buf.grow_front(prefix.len()).ok_or(SealError::NoHeadroom)?);

        let aad = AssociatedData::new(header, self.fixed, prefix);
        let body_at = prefix.len().saturating_add(header.len());
        let body = buf.as_mut_slice().get_mut(body_at..).unwrap_or_default();
        self.key.seal(counter, aad.as_slice(), body)
    }
}

/// The low 32 bits of the capture time: they go round in 71 minutes, longer than keys live.
#[inline]
fn low_bits(capture: Mono) -> u32 {
    let [.., a, b, c, d] = capture.as_micros().to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// A sealed frame: the only thing that may leave the machine as media (SEC-01). Made by [`FrameSender::seal`].
pub struct SealedFrame {
    buf: FrameBuf,
    context: Context,
    kind: FrameKind,
    media_time: MediaTime,
    temporal_layer: TemporalLayer,
    capture: Mono,
    counter: u32,
}

impl SealedFrame {
    /// The bytes to put into RTP payloads.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.buf.as_slice()
    }

    /// The stream that the frame belongs to.
    #[must_use]
    pub const fn context(&self) -> Context {
        self.context
    }

    /// What the frame is to a decoder.
    #[must_use]
    pub const fn kind(&self) -> FrameKind {
        self.kind
    }

    /// When it is to be played, on the RTP clock of its stream.
    #[must_use]
    pub const fn media_time(&self) -> MediaTime {
        self.media_time
    }

    /// The temporal layer.
    #[must_use]
    pub const fn temporal_layer(&self) -> TemporalLayer {
        self.temporal_layer
    }

    /// When it was captured.
    #[must_use]
    pub const fn capture(&self) -> Mono {
        self.capture
    }

    /// Its number under its key.
    #[must_use]
    pub const fn counter(&self) -> u32 {
        self.counter
    }

    /// The buffer, to be used again once the frame is sent.
    #[inline]
    #[must_use]
    pub fn into_buffer(self) -> FrameBuf {
        self.buf
    }
}
