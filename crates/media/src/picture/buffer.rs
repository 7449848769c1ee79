//! Owned I420 pictures and a pool of them.

use super::view::{I420View, PictureError, Plane, check_size, plane_sizes};

/// An owned I420 picture, rows without gaps. Its buffer is re-used when the size changes.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    data: Vec<u8>,
}

impl core::fmt::Debug for Picture {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Picture({}×{})", self.width, self.height)
    }
}

impl Default for Picture {
    /// One black pixel: the smallest picture, to be copied or scaled into.
    fn default() -> Self {
        Self { width: 1, height: 1, data: BLACK.to_vec() }
    }
}

/// Black: luma 16, chroma 128 (ITU-R BT.601).
const BLACK: [u8; 3] = [16, 128, 128];

impl Picture {
    /// A black picture.
    ///
    /// # Errors
    /// [`PictureError::Size`] when a side is zero or above [`super::MAX_DIMENSION`].
    pub fn black(width: u32, height: u32) -> Result<Self, PictureError> {
        let mut picture = Self { width, height, data: Vec::new() };
        picture.resize(width, height)?;
        for (plane, value) in picture.planes_mut().into_iter().zip(BLACK) {
            plane.fill(value);
        }
        Ok(picture)
    }

    /// A copy of `view`.
    #[must_use]
    pub fn from_view(view: &I420View<'_>) -> Self {
        let mut picture = Self { width: view.width(), height: view.height(), data: Vec::new() };
        picture.copy_from(view);
        picture
    }

    /// Takes over size and samples of `view`; allocates only when it is larger than any picture before.
    pub fn copy_from(&mut self, view: &I420View<'_>) {
        self.width = view.width();
        self.height = view.height();
        self.data.clear();
        for (plane, (width, height)) in view.planes().iter().zip(view.plane_sizes()) {
            for row in 0..height {
                self.data.extend_from_slice(plane.row(row, width));
            }
        }
    }

    /// Changes the size; the samples are unspecified afterwards.
    ///
    /// # Errors
    /// [`PictureError::Size`], and no change, when a side is zero or above [`super::MAX_DIMENSION`].
    pub fn resize(&mut self, width: u32, height: u32) -> Result<(), PictureError> {
        check_size(width, height)?;
        let samples = plane_sizes(width, height).iter().map(|(w, h)| w.saturating_mul(*h)).sum();
        self.data.resize(samples, 0);
        self.width = width;
        self.height = height;
        Ok(())
    }

    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// All samples: luma, then the two chroma planes, rows without gaps, as in Y4M.
    #[must_use]
    pub fn as_packed(&self) -> &[u8] {
        &self.data
    }

    /// The picture as planes.
    #[must_use]
    pub fn view(&self) -> I420View<'_> {
        let [(luma_width, luma_height), (chroma_width, chroma_height), _] =
            plane_sizes(self.width, self.height);
        let (luma, rest) = self.split(&self.data, luma_width, luma_height);
        let (u, v) = self.split(rest, chroma_width, chroma_height);
        let chroma = |data| Plane { data, stride: chroma_width };
        let planes = [Plane { data: luma, stride: luma_width }, chroma(u), chroma(v)];
        I420View::trusted(self.width, self.height, planes)
    }

    fn split<'a>(&self, data: &'a [u8], width: usize, height: usize) -> (&'a [u8], &'a [u8]) {
        data.split_at_checked(width.saturating_mul(height)).unwrap_or((data, &[]))
    }

    /// The three planes to be written, rows without gaps.
    pub fn planes_mut(&mut self) -> [&mut [u8]; 3] {
        let [(luma_width, luma_height), (chroma_width, chroma_height), _] =
            plane_sizes(self.width, self.height);
        let luma_len = luma_width.saturating_mul(luma_height).min(self.data.len());
        let (luma, rest) = self.data.split_at_mut(luma_len);
        let chroma_len = chroma_width.saturating_mul(chroma_height).min(rest.len());
        let (u, v) = rest.split_at_mut(chroma_len);
        [luma, u, v]
    }
}

/// Pictures to be re-used, so that steady playing allocates nothing.
#[derive(Debug)]
pub struct PicturePool {
    spare: Vec<Picture>,
    capacity: usize,
}

impl PicturePool {
    /// A pool that keeps at most `capacity` pictures.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { spare: Vec::with_capacity(capacity), capacity }
    }

    /// A picture that holds a copy of `view`.
    pub fn copy_of(&mut self, view: &I420View<'_>) -> Picture {
        match self.spare.pop() {
            Some(mut picture) => {
                picture.copy_from(view);
                picture
            }
            None => Picture::from_view(view),
        }
    }

    /// Gives a picture back; it is freed when the pool is full.
    pub fn recycle(&mut self, picture: Picture) {
        if self.spare.len() < self.capacity {
            self.spare.push(picture);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_drop_the_stride() {
        let data: Vec<u8> = (0..64).collect();
        let plane = |stride| Plane { data: &data, stride };
        let view = I420View::new(3, 2, [plane(8), plane(4), plane(5)]).unwrap();
        let picture = Picture::from_view(&view);
        assert_eq!(picture.as_packed(), [0, 1, 2, 8, 9, 10, 0, 1, 0, 1]);
        assert_eq!(Picture::from_view(&picture.view()), picture);
    }

    #[test]
    fn pool_gives_the_same_allocation_again() {
        let mut pool = PicturePool::new(1);
        let black = Picture::black(16, 16).unwrap();
        let copy = pool.copy_of(&black.view());
        let address = copy.as_packed().as_ptr();
        pool.recycle(copy);
        assert_eq!(pool.copy_of(&black.view()).as_packed().as_ptr(), address);
    }
}
