//! Sizes on which sender, sealer and receiver have to agree.

/// Longest encoded frame in bytes, before it is sealed: a key frame of [`MAX_PICTURE_EDGE`] squared at a good quality.
pub const MAX_FRAME_BYTES: usize = 1 << 20;

/// Longest edge of a picture, in pixels: of what is announced, encoded and decoded.
pub const MAX_PICTURE_EDGE: u16 = 4_096;
