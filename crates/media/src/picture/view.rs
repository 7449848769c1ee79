//! Borrowed I420 planes.

use incamera_types::{Blame, Fault};

use super::MAX_DIMENSION;

/// A picture that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// Width or height is zero or above [`MAX_DIMENSION`].
    #[error("a picture of {width}×{height} is not supported")]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// A plane holds fewer bytes than its size and stride need.
    #[error("the picture's data is shorter than its size needs")]
    TooShort,
}

impl Fault for PictureError {
    fn code(&self) -> &'static str {
        match self {
            Self::Size { .. } => "media.picture.size",
            Self::TooShort => "media.picture.too_short",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Device
    }

    fn advice(&self) -> &'static str {
        "Choose another source or a smaller picture size."
    }
}

/// One plane of 8-bit samples.
#[derive(Clone, Copy)]
pub struct Plane<'a> {
    /// Rows, each `stride` bytes apart; the last row may end with its last sample.
    pub data: &'a [u8],
    /// Bytes from one row to the next, at least the row's width.
    pub stride: usize,
}

impl<'a> Plane<'a> {
    /// The samples of row `row` of a plane `width` samples wide; empty when there is no such row.
    #[must_use]
    pub fn row(&self, row: usize, width: usize) -> &'a [u8] {
        let start = row.saturating_mul(self.stride);
        self.data.get(start..start.saturating_add(width)).unwrap_or_default()
    }

    fn holds(&self, width: usize, height: usize) -> bool {
        let before_last = height.saturating_sub(1).checked_mul(self.stride);
        let needed = before_last.and_then(|bytes| bytes.checked_add(width));
        self.stride >= width && needed.is_some_and(|needed| self.data.len() >= needed)
    }
}

/// A borrowed I420 picture: full-size luma, two chroma planes of half the width and height, rounded up.
#[derive(Clone, Copy)]
pub struct I420View<'a> {
    width: u32,
    height: u32,
    planes: [Plane<'a>; 3],
}

impl core::fmt::Debug for I420View<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "I420View({}×{})", self.width, self.height)
    }
}

impl<'a> I420View<'a> {
    /// A picture over three planes.
    ///
    /// # Errors
    /// [`PictureError`] when the size is not supported or a plane is too short for it.
    pub fn new(width: u32, height: u32, planes: [Plane<'a>; 3]) -> Result<Self, PictureError> {
        check_size(width, height)?;
        let view = Self { width, height, planes };
        let enough = planes.iter().zip(view.plane_sizes()).all(|(plane, (w, h))| plane.holds(w, h));
        if enough { Ok(view) } else { Err(PictureError::TooShort) }
    }

    /// A picture over `data` that holds luma, then the two chroma planes, rows without gaps, as in Y4M.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn from_packed(width: u32, height: u32, data: &'a [u8]) -> Result<Self, PictureError> {
        check_size(width, height)?;
        let [(luma_width, luma_height), (chroma_width, chroma_height), _] = plane_sizes(width, height);
        let luma_len = luma_width.saturating_mul(luma_height);
        let chroma_len = chroma_width.saturating_mul(chroma_height);
        let (luma, rest) = data.split_at_checked(luma_len).ok_or(PictureError::TooShort)?;
        let (u, v) = rest.split_at_checked(chroma_len).ok_or(PictureError::TooShort)?;
        let chroma = |data| Plane { data, stride: chroma_width };
        Self::new(width, height, [Plane { data: luma, stride: luma_width }, chroma(u), chroma(v)])
    }

    /// A picture over planes that are known to be long enough.
    pub(super) fn trusted(width: u32, height: u32, planes: [Plane<'a>; 3]) -> Self {
        Self { width, height, planes }
    }

    /// Width in pixels, `1..=4096`.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels, `1..=4096`.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Luma, blue and red difference.
    #[must_use]
    pub fn planes(&self) -> &[Plane<'a>; 3] {
        &self.planes
    }

    /// Width and height of each plane in samples.
    #[must_use]
    pub fn plane_sizes(&self) -> [(usize, usize); 3] {
        plane_sizes(self.width, self.height)
    }
}

pub(crate) fn check_size(width: u32, height: u32) -> Result<(), PictureError> {
    let fits = |side| (1..=MAX_DIMENSION).contains(&side);
    if fits(width) && fits(height) { Ok(()) } else { Err(PictureError::Size { width, height }) }
}

pub(crate) fn plane_sizes(width: u32, height: u32) -> [(usize, usize); 3] {
    let size = |side: u32| usize::try_from(side).unwrap_or(usize::MAX);
    let luma = (size(width), size(height));
    let chroma = (size(width.div_ceil(2)), size(height.div_ceil(2)));
    [luma, chroma, chroma]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_sizes_round_chroma_up() {
        let data = [0; 5 * 3 + 2 * 3 * 2];
        let view = I420View::from_packed(5, 3, &data).unwrap();
        assert_eq!(view.plane_sizes(), [(5, 3), (3, 2), (3, 2)]);
        assert_eq!(I420View::from_packed(5, 3, &data[1..]).err(), Some(PictureError::TooShort));
    }

    /// SEC-15
    #[test]
    fn sizes_outside_the_limits_are_refused() {
        for (width, height) in [(0, 4), (4, 0), (4_097, 4), (4, u32::MAX)] {
            assert_eq!(
                I420View::from_packed(width, height, &[]).err(),
                Some(PictureError::Size { width, height })
            );
        }
    }

    #[test]
    fn a_stride_below_the_width_is_refused() {
        let plane = |stride| Plane { data: &[0; 64], stride };
        assert!(I420View::new(4, 4, [plane(3), plane(2), plane(2)]).is_err());
        assert!(I420View::new(4, 4, [plane(16), plane(2), plane(8)]).is_ok());
    }
}
