//! Opening: from bytes of the network to a frame that a decoder may see.

use incamera_types::{Context, FrameBuf, Kid, LeafIndex, MediaKind, Mono};

use crate::counter::MAX_FRAMES_PER_KEY;
use crate::format::{AssociatedData, STAMP_BYTES, TAG_BYTES, fixed_bytes, read_end};
use crate::header::EncodedHeader;
use crate::keys::FrameKey;
use crate::prefix::{ClearPrefix, MAX_PREFIX_BYTES};
use crate::replay::ReplayWindow;
use crate::{
    FormatError, FrameKind, FrameNumber, Header, MAX_FRAME_BYTES, MAX_HEADER_BYTES, OpenError, PictureSize,
    Safeguards,
};

/// Fewest bytes of ciphertext and tag: a frame of one byte.
const MIN_SEALED_BYTES: usize = 1 + STAMP_BYTES + TAG_BYTES;

/// Most bytes that can be a sealed frame.
const MAX_SEALED_BYTES: usize =
    MAX_PREFIX_BYTES + MAX_HEADER_BYTES + MAX_FRAME_BYTES + 4 + STAMP_BYTES + TAG_BYTES;

/// Frames that a sender may be ahead of what its key's age explains: 60 s, the time after which a silent
/// member is removed, at [`FRAMES_PER_SECOND`]; a member can learn of an epoch that much later.
const HEAD_START_FRAMES: u64 = 60 * FRAMES_PER_SECOND;

/// Twice the frames that the fastest stream sends in a second.
const FRAMES_PER_SECOND: u64 = 120;

/// Received bytes with the shape of a sealed frame; nothing in it is authenticated yet.
pub struct UnopenedFrame {
    buf: FrameBuf,
    kid: Kid,
    counter: u32,
    prefix: ClearPrefix,
    kind: FrameKind,
    body_at: usize,
}

impl UnopenedFrame {
    /// Parses what came on a track of `track` kind.
    ///
    /// # Errors
    /// [`FormatError`] for everything that no sender of format 1 writes, so also for what SFUs make up.
    #[inline]
    pub fn parse(track: MediaKind, buf: FrameBuf) -> Result<Self, FormatError> {
        let bytes = buf.as_slice();
        let prefix = ClearPrefix::parse(track, bytes)?;
        let (header, header_len) = Header::parse(bytes.get(prefix.len()..).unwrap_or_default())?;
        let kid = Kid::from_wire(header.kid).map_err(|_| FormatError::Kid)?;
        let context = kid.context();
        if context.kind() != track {
            return Err(FormatError::WrongTrack);
        }
        let kind = match (prefix, context.attests()) {
            (ClearPrefix::Vp8Key(_), Some(_)) => return Err(FormatError::Prefix),
            (_, Some(_)) => FrameKind::Attestation,
            (ClearPrefix::None, None) => FrameKind::Opus,
            (ClearPrefix::Vp8Key(size), None) => FrameKind::Vp8Key(size),
            (ClearPrefix::Vp8Delta, None) => FrameKind::Vp8Delta,
        };
        let counter = u32::try_from(header.counter).map_err(|_| FormatError::Counter)?;
        if counter >= MAX_FRAMES_PER_KEY {
            return Err(FormatError::Counter);
        }
        let body_at = prefix.len().saturating_add(header_len);
        if bytes.len() < body_at.saturating_add(MIN_SEALED_BYTES) || bytes.len() > MAX_SEALED_BYTES {
            return Err(FormatError::Size);
        }
        Ok(Self { buf, kid, counter, prefix, kind, body_at })
    }

    /// The key that it says it was sealed with.
    #[inline]
    #[must_use]
    pub const fn kid(&self) -> Kid {
        self.kid
    }

    /// The number that it says it has under that key.
    #[inline]
    #[must_use]
    pub const fn counter(&self) -> u32 {
        self.counter
    }

    /// Bytes as received.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buf.len()
    }

    /// Never: a parsed frame has bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buf.is_empty()
    }
}

/// The key of one key id with its replay window.
pub(crate) struct ReceivingKey {
    window: ReplayWindow,
    fixed: [u8; 3],
    key: FrameKey,
}

impl ReceivingKey {
    pub(crate) fn new(context: Context, key: FrameKey) -> Self {
        Self { window: ReplayWindow::default(), fixed: fixed_bytes(context), key }
    }

    /// Replay window, opening in place, and only then the window's advance. `age` is how long the key exists.
    #[inline(always)]
    pub(crate) fn open(
        &mut self,
        frame: UnopenedFrame,
        age: core::time::Duration,
        safeguards: Safeguards,
    ) -> Result<OpenedFrame, OpenError> {
        let counter = u64::from(frame.counter);
        let ceiling = age.as_secs().saturating_mul(FRAMES_PER_SECOND).saturating_add(HEAD_START_FRAMES);
        if safeguards.refuses_replays() {
            self.window.check(counter, ceiling)?;
        }
        let UnopenedFrame { mut buf, kid, counter, prefix, kind, body_at } = frame;

        // The shortest form is the only one that parses, so encoding again gives the bytes that came.
        let aad = AssociatedData::new(EncodedHeader::new(kid, counter), self.fixed, prefix);
        buf.trim_front(body_at);
        #[cfg(feature = "danger-sabotage")]
        let plaintext = if safeguards.skip_authentication {
            self.key.open_unchecked(counter, buf.as_mut_slice())?
        } else {
            self.key.open(counter, aad.as_slice(), buf.as_mut_slice())?
        };
        #[cfg(not(feature = "danger-sabotage"))]
        let plaintext = self.key.open(counter, aad.as_slice(), buf.as_mut_slice())?;
        let end = read_end(plaintext);
        let first_of_key = self.window.is_untouched();
        self.window.commit(u64::from(counter));
        let (stamp, len) = end?;
        buf.truncate(len);
        Ok(OpenedFrame {
            buf,
            kid,
            counter,
            kind,
            capture_micros: stamp.capture_micros,
            number: stamp.number,
            first_of_key,
        })
    }
}

/// A frame that was sealed by a member of the group under the key that its key id names.
///
/// Made only by [`crate::EpochKeyring::open`], and the only thing that decoders take from remote.
pub struct OpenedFrame {
    buf: FrameBuf,
    kid: Kid,
    counter: u32,
    kind: FrameKind,
    capture_micros: u32,
    number: FrameNumber,
    first_of_key: bool,
}

impl OpenedFrame {
    /// The encoded frame.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.buf.as_slice()
    }

    /// The key that opened it.
    #[inline]
    #[must_use]
    pub const fn kid(&self) -> Kid {
        self.kid
    }

    /// The leaf that sent it.
    #[must_use]
    pub const fn leaf(&self) -> LeafIndex {
        self.kid.leaf()
    }

    /// The stream it belongs to.
    #[must_use]
    pub fn context(&self) -> Context {
        self.kid.context()
    }

    /// What it is to a decoder.
    #[must_use]
    pub const fn kind(&self) -> FrameKind {
        self.kind
    }

    /// The picture size that a key frame announces.
    #[must_use]
    pub const fn picture_size(&self) -> Option<PictureSize> {
        match self.kind {
            FrameKind::Vp8Key(size) => Some(size),
            _ => None,
        }
    }

    /// Its number under its key.
    #[must_use]
    pub const fn counter(&self) -> u32 {
        self.counter
    }

    /// Its number in its context over all epochs, modulo 64.
    #[must_use]
    pub const fn number(&self) -> FrameNumber {
        self.number
    }

    /// When the sender captured it, given any time on the sender's clock within 35 minutes of it.
    ///
    /// The frame carries the low 32 bits of the microseconds.
    #[inline]
    #[must_use]
    pub const fn capture_near(&self, reference: Mono) -> Mono {
        let reference = reference.as_micros();
        let ahead = self.capture_micros.wrapping_sub(reference as u32) as i32;
        Mono::from_micros(reference.saturating_add_signed(ahead as i64))
    }

    /// Whether it is the first frame opened with its key.
    #[inline]
    #[must_use]
    pub const fn is_first_of_key(&self) -> bool {
        self.first_of_key
    }

    /// Where it stands among the frames of its context.
    #[must_use]
    pub const fn position(&self) -> FramePosition {
        FramePosition { kid: self.kid, counter: self.counter, number: self.number }
    }

    /// The buffer, to be used again.
    #[inline]
    #[must_use]
    pub fn into_buffer(self) -> FrameBuf {
        self.buf
    }
}

/// Where an opened frame stands among the frames of its context; kept to notice gaps after the frame is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FramePosition {
    kid: Kid,
    counter: u32,
    number: FrameNumber,
}

impl FramePosition {
    /// Frames between `earlier` and this one that did not come; `None` when this one is not the later.
    ///
    /// Exact under one key; over a change of keys, where the counter starts anew, modulo 64.
    #[must_use]
    pub fn missing_since(self, earlier: Self) -> Option<u32> {
        if earlier.kid == self.kid {
            return self.counter.checked_sub(earlier.counter)?.checked_sub(1);
        }
        u32::from(self.number.since(earlier.number)).checked_sub(1)
    }
}
