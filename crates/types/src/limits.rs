//! Sizes on which crates that do not know of each other have to agree.

/// Longest commit in bytes, before the relay's padding: an update path over a flat tree of 1,024 leaves with 128 usual
/// key packages fits.
pub const MAX_COMMIT_BYTES: usize = 255 * 1024;

/// Longest encoded frame in bytes, before it is sealed: a key frame of [`MAX_PICTURE_EDGE`] squared at a good quality.
pub const MAX_FRAME_BYTES: usize = 1 << 20;

/// Longest edge of a picture, in pixels: of what is announced, encoded and decoded.
pub const MAX_PICTURE_EDGE: u16 = 4_096;
