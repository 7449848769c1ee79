//! How alike two pictures are.

use super::I420View;

/// Peak signal-to-noise ratio over all samples of the three planes, in dB; infinite for equal pictures, `None` when
/// the sizes differ.
#[must_use]
pub fn psnr_db(a: &I420View<'_>, b: &I420View<'_>) -> Option<f64> {
    if (a.width(), a.height()) != (b.width(), b.height()) {
        return None;
    }
    let mut squares = 0_u64;
    let mut samples = 0_u64;
    for ((plane_a, plane_b), (width, height)) in a.planes().iter().zip(b.planes()).zip(a.plane_sizes()) {
        for row in 0..height {
            let pairs = plane_a.row(row, width).iter().zip(plane_b.row(row, width));
            let sum: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
            squares = squares.saturating_add(sum);
        }
        samples = samples.saturating_add((width as u64).saturating_mul(height as u64));
    }
    let mean_square = squares as f64 / samples as f64;
    Some(10.0 * (255.0 * 255.0 / mean_square).log10())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Picture;

    #[test]
    fn psnr_matches_the_formula() {
        let a = Picture::black(8, 8).unwrap();
        let mut b = a.clone();
        for plane in b.planes_mut() {
            plane.iter_mut().for_each(|sample| *sample += 5);
        }
        let psnr = psnr_db(&a.view(), &b.view()).unwrap();
        assert!((psnr - 20.0 * (255.0_f64 / 5.0).log10()).abs() < 1e-9);
        assert_eq!(psnr_db(&a.view(), &a.view()), Some(f64::INFINITY));
        assert_eq!(psnr_db(&a.view(), &Picture::black(8, 9).unwrap().view()), None);
    }
}
