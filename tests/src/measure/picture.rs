//! Peak signal-to-noise ratio of two pictures.

use incamera_media::picture::{I420View, Plane};

/// Greatest ratio that is reported: equal pictures would have an infinite one, which no mean survives.
const MOST_DB: f64 = 100.0;

/// Peak signal-to-noise ratios in decibels, at most 100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PicturePsnr {
    /// Of luma alone.
    pub luma_db: f64,
    /// Of the mean of all planes, luma weighted six times as much as each chroma plane, as is usual for 4:2:0.
    pub weighted_db: f64,
}

/// Compares two pictures; `None` when their sizes differ.
#[must_use]
pub fn psnr(a: &I420View<'_>, b: &I420View<'_>) -> Option<PicturePsnr> {
    if (a.width(), a.height()) != (b.width(), b.height()) {
        return None;
    }
    let mut planes = a.planes().iter().zip(b.planes()).zip(a.plane_sizes());
    let mut next = || planes.next().map(|((a, b), size)| plane_db(a, b, size));
    let (luma_db, blue_db, red_db) = (next()?, next()?, next()?);
    Some(PicturePsnr { luma_db, weighted_db: (6.0 * luma_db + blue_db + red_db) / 8.0 })
}

fn plane_db(a: &Plane<'_>, b: &Plane<'_>, (width, height): (usize, usize)) -> f64 {
    let squares: u64 = (0..height)
        .flat_map(|row| a.row(row, width).iter().zip(b.row(row, width)))
        .map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2))
        .sum();
    let mean = squares as f64 / (width * height) as f64;
    (10.0 * (255.0 * 255.0 / mean).log10()).min(MOST_DB)
}

#[cfg(test)]
mod tests {
    use super::*;
    use incamera_media::picture::Picture;

    #[test]
    fn equal_pictures_reach_the_most_and_noise_follows_the_formula() {
        let a = Picture::black(16, 16).unwrap();
        let mut b = a.clone();
        let same = psnr(&a.view(), &b.view()).unwrap();
        assert_eq!((same.luma_db, same.weighted_db), (100.0, 100.0));
        b.planes_mut()[0].iter_mut().for_each(|sample| *sample += 5);
        let noisy = psnr(&a.view(), &b.view()).unwrap();
        let expected = 20.0 * (255.0_f64 / 5.0).log10();
        assert!((noisy.luma_db - expected).abs() < 1e-9);
        assert!((noisy.weighted_db - (6.0 * expected + 200.0) / 8.0).abs() < 1e-9);
        assert!(psnr(&a.view(), &Picture::black(16, 18).unwrap().view()).is_none());
    }
}
