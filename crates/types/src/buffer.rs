//! One frame's bytes with room before and after, so that sealing and opening never move or allocate.

/// Bytes kept free before an encoded frame: clear prefix (≤ 10) and SFrame header (≤ 17), rounded up.
pub const HEADROOM: usize = 32;

/// Bytes kept free after an encoded frame: padding length and flags (5) and the tag (16), rounded up.
/// Padding itself (wire.md §7) asks for more.
pub const TAILROOM: usize = 32;

/// A reusable buffer that holds one frame between head room and tail room.
///
/// The frame can grow at either end without being moved while the room lasts; growing at the front past the
/// head room is refused, growing at the back past the tail room allocates.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FrameBuf {
    bytes: Vec<u8>,
    start: usize,
}

impl core::fmt::Debug for FrameBuf {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "FrameBuf({} bytes)", self.len())
    }
}

impl FrameBuf {
    /// An empty buffer with head room and space for `capacity` bytes and tail room.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let mut buf = Self {
            bytes: Vec::with_capacity(capacity.saturating_add(HEADROOM).saturating_add(TAILROOM)),
            start: 0,
        };
        buf.clear();
        buf
    }

    /// A buffer that holds a copy of `frame`.
    #[must_use]
    pub fn from_slice(frame: &[u8]) -> Self {
        let mut buf = Self::with_capacity(frame.len());
        buf.extend(frame);
        buf
    }

    /// Empties the buffer and restores the head room; keeps the allocation.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.resize(HEADROOM, 0);
        self.start = HEADROOM;
    }

    /// Bytes of the frame.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.start)
    }

    /// Whether the frame has no bytes.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The frame.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// The frame, to be changed in place.
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..).unwrap_or_default()
    }

    /// Appends `bytes` at the end.
    #[inline]
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends `count` zero bytes at the end.
    pub fn extend_zeroed(&mut self, count: usize) {
        self.bytes.resize(self.bytes.len().saturating_add(count), 0);
    }

    /// Grows the frame at the front and gives the new first `count` bytes (their content is unspecified);
    /// `None`, and no change, when the head room is too small.
    #[inline]
    pub fn grow_front(&mut self, count: usize) -> Option<&mut [u8]> {
        let start = self.start.checked_sub(count)?;
        self.start = start;
        self.bytes.get_mut(start..start.saturating_add(count))
    }

    /// Drops the first `count` bytes of the frame; they become head room. At most the whole frame.
    #[inline]
    pub fn trim_front(&mut self, count: usize) {
        self.start = self.start.saturating_add(count.min(self.len()));
    }

    /// Shortens the frame to `len` bytes; no effect when it is shorter already.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        self.bytes.truncate(self.start.saturating_add(len));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_grows_at_both_ends_without_moving() {
        let mut buf = FrameBuf::from_slice(b"frame");
        let address = buf.as_slice().as_ptr();
        buf.grow_front(3).unwrap().copy_from_slice(b"hd:");
        buf.extend(b":tag");
        assert_eq!(buf.as_slice(), b"hd:frame:tag");
        assert_eq!(buf.as_slice()[3..].as_ptr(), address);
        buf.trim_front(3);
        buf.truncate(5);
        assert_eq!(buf.as_slice(), b"frame");
    }

    #[test]
    fn head_room_is_bounded_and_restored_by_clear() {
        let mut buf = FrameBuf::from_slice(b"x");
        assert!(buf.grow_front(HEADROOM).is_some());
        assert!(buf.grow_front(1).is_none());
        buf.clear();
        assert!(buf.is_empty());
        assert!(buf.grow_front(HEADROOM).is_some());
    }

    #[test]
    fn trimming_more_than_the_frame_leaves_it_empty() {
        let mut buf = FrameBuf::from_slice(b"abc");
        buf.trim_front(9);
        assert!(buf.is_empty());
        buf.truncate(4);
        assert!(buf.is_empty());
    }
}
