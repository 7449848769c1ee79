//! Scaling pictures.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::buffer::Picture;
use super::view::{I420View, PictureError};

/// Scales pictures of any size to any size: it averages when it shrinks and is bilinear when it enlarges. Keeps
/// its working memory, so that a scaler per stream allocates nothing for planes once the sizes are steady.
pub struct Scaler {
    resizer: Resizer,
    options: ResizeOptions,
    packed: Picture,
}

impl Default for Scaler {
    fn default() -> Self {
        Self::new()
    }
}

impl Scaler {
    /// A scaler without working memory yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            resizer: Resizer::new(),
            options: ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)),
            packed: Picture::default(),
        }
    }

    /// Scales `source` into `target`, which becomes `width`×`height`.
    ///
    /// # Errors
    /// [`PictureError::Size`] when the wanted size is not supported.
    pub fn scale(
        &mut self,
        source: &I420View<'_>,
        width: u32,
        height: u32,
        target: &mut Picture,
    ) -> Result<(), PictureError> {
        target.resize(width, height)?;
        if (source.width(), source.height()) == (width, height) {
            target.copy_from(source);
            return Ok(());
        }
        let tight = source.planes().iter().zip(source.plane_sizes()).all(|(plane, (w, _))| plane.stride == w);
        if tight {
            return resize_planes(&mut self.resizer, &self.options, source, target);
        }
        self.packed.copy_from(source);
        resize_planes(&mut self.resizer, &self.options, &self.packed.view(), target)
    }
}

fn resize_planes(
    resizer: &mut Resizer,
    options: &ResizeOptions,
    source: &I420View<'_>,
    target: &mut Picture,
) -> Result<(), PictureError> {
    let from_sizes = luma_and_chroma(source.width(), source.height());
    let to_sizes = luma_and_chroma(target.width(), target.height());
    let planes = source.planes().iter().zip(target.planes_mut());
    for ((from, to), ((from_w, from_h), (to_w, to_h))) in planes.zip(from_sizes.into_iter().zip(to_sizes)) {
        let from =
            ImageRef::new(from_w, from_h, from.data, PixelType::U8).map_err(|_| PictureError::TooShort)?;
        let mut to =
            Image::from_slice_u8(to_w, to_h, to, PixelType::U8).map_err(|_| PictureError::TooShort)?;
        resizer.resize(&from, &mut to, options).map_err(|_| PictureError::TooShort)?;
    }
    Ok(())
}

fn luma_and_chroma(width: u32, height: u32) -> [(u32, u32); 3] {
    let chroma = (width.div_ceil(2), height.div_ceil(2));
    [(width, height), chroma, chroma]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::psnr_db;

    fn gradient(width: u32, height: u32) -> Picture {
        let mut picture = Picture::black(width, height).unwrap();
        let [luma, u, v] = picture.planes_mut();
        for (index, sample) in luma.iter_mut().enumerate() {
            let (x, y) = (index as u32 % width, index as u32 / width);
            *sample = (16 + x * 100 / width + y * 100 / height) as u8;
        }
        u.fill(90);
        v.fill(160);
        picture
    }

    #[test]
    fn smooth_pictures_survive_halving_and_doubling() {
        let source = gradient(320, 180);
        let mut scaler = Scaler::new();
        let mut half = Picture::default();
        let mut back = Picture::default();
        scaler.scale(&source.view(), 160, 90, &mut half).unwrap();
        scaler.scale(&half.view(), 320, 180, &mut back).unwrap();
        assert!(psnr_db(&source.view(), &back.view()).unwrap() > 45.0);
    }

    #[test]
    fn odd_sizes_and_strides_scale() {
        let source = gradient(33, 17);
        let mut strided = vec![0; 40 * 17 + 2 * 20 * 9];
        for row in 0..17 {
            strided[row * 40..][..33].copy_from_slice(source.view().planes()[0].row(row, 33));
        }
        strided[40 * 17..].fill(90);
        let (luma, chroma) = strided.split_at(40 * 17);
        let chroma_plane = crate::picture::Plane { data: &chroma[..180], stride: 20 };
        let planes = [crate::picture::Plane { data: luma, stride: 40 }, chroma_plane, chroma_plane];
        let view = I420View::new(33, 17, planes).unwrap();
        let mut scaler = Scaler::new();
        let mut target = Picture::default();
        scaler.scale(&view, 15, 7, &mut target).unwrap();
        let mut wanted = Picture::default();
        scaler.scale(&source.view(), 15, 7, &mut wanted).unwrap();
        assert_eq!(target.view().planes()[0].data, wanted.view().planes()[0].data);
    }

    #[test]
    fn unsupported_sizes_are_refused() {
        let source = gradient(8, 8);
        let mut target = gradient(8, 8);
        let mut scaler = Scaler::new();
        assert!(scaler.scale(&source.view(), 0, 5, &mut target).is_err());
        assert_eq!(target, source);
    }
}
