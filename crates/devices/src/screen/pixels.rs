//! From the pixels of X11 (blue, green, red and a byte without meaning) to I420 of limited range (ITU-R BT.601).

use incamera_media::picture::Picture;

use crate::video::VideoSize;

/// Bytes of a pixel.
pub(super) const PIXEL: usize = 4;

/// Turns rows of pixels without gaps into a picture; `None` when there are too few.
pub(super) fn convert(pixels: &[u8], size: VideoSize, picture: &mut Picture) -> Option<()> {
    picture.resize(size.width(), size.height()).ok()?;
    let (width, height) = (size.width() as usize, size.height() as usize);
    let pixels = pixels.get(..PIXEL * width * height)?;
    let [luma, blue, red] = picture.planes_mut();
    for (pixel, luma) in pixels.chunks_exact(PIXEL).zip(luma) {
        *luma = luma_of(pixel);
    }
    let chroma_width = width.div_ceil(2);
    let chroma = blue.chunks_exact_mut(chroma_width).zip(red.chunks_exact_mut(chroma_width));
    for (rows, (blue, red)) in pixels.chunks(2 * PIXEL * width).zip(chroma) {
        // The last row and column of an odd size count twice.
        let (upper, lower) = rows.split_at(PIXEL * width);
        let lower = if lower.is_empty() { upper } else { lower };
        let fours = upper.chunks(2 * PIXEL).zip(lower.chunks(2 * PIXEL));
        for ((upper, lower), (blue, red)) in fours.zip(blue.iter_mut().zip(red)) {
            (*blue, *red) = chroma_of(upper, lower);
        }
    }
    Some(())
}

fn luma_of(pixel: &[u8]) -> u8 {
    let [blue, green, red] = [0, 1, 2].map(|sample: usize| u32::from(pixel[sample]));
    // In steps of 1/65536; at most 235.
    (16 + ((6_416 * blue + 33_039 * green + 16_829 * red + 32_768) >> 16)) as u8
}

/// The mean colour of one or two pixels in each of two rows.
fn chroma_of(upper: &[u8], lower: &[u8]) -> (u8, u8) {
    let sum = |sample: usize| {
        let of = |row: &[u8]| {
            let first = i32::from(row[sample]);
            first + row.get(PIXEL + sample).map_or(first, |second| i32::from(*second))
        };
        of(upper) + of(lower)
    };
    let [blue, green, red] = [0, 1, 2].map(sum);
    // Sums of four: two bits more. Between 16 and 240.
    let of = |weighted: i32| (128 + ((weighted + 512) >> 10)) as u8;
    (of(112 * blue - 74 * green - 38 * red), of(-18 * blue - 94 * green + 112 * red))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blue, green, red, nothing.
    const WHITE: [u8; 4] = [255, 255, 255, 0];
    const RED: [u8; 4] = [0, 0, 255, 7];

    fn converted(pixels: &[[u8; 4]], width: u32, height: u32) -> Picture {
        let mut picture = Picture::default();
        convert(pixels.as_flattened(), VideoSize::new(width, height).unwrap(), &mut picture).unwrap();
        picture
    }

    #[test]
    fn colours_are_those_of_bt_601() {
        for (pixel, expected) in [
            (WHITE, [235, 128, 128]),
            ([0; 4], [16, 128, 128]),
            (RED, [81, 90, 240]),
            ([0, 255, 0, 0], [145, 54, 34]),
            ([255, 0, 0, 0], [41, 240, 110]),
        ] {
            let mut picture = converted(&[pixel; 16 * 16], 16, 16);
            let found = picture.planes_mut().map(|plane| (plane[0], plane[plane.len() - 1]));
            assert_eq!(found, expected.map(|sample| (sample, sample)), "{pixel:?}");
        }
    }

    #[test]
    fn odd_sizes_keep_their_last_row_and_column() {
        let mut pixels = [WHITE; 17 * 17];
        pixels[17 * 16..].fill(RED);
        (0..17).for_each(|row| pixels[17 * row + 16] = RED);
        let mut picture = converted(&pixels, 17, 17);
        let [luma, _, red] = picture.planes_mut();
        assert_eq!((luma[16], luma[15], luma[17 * 16]), (81, 235, 81));
        assert_eq!((red[8], red[7], red[9 * 8], red[0]), (240, 128, 240, 128));
    }

    #[test]
    fn too_few_pixels_make_no_picture() {
        let size = VideoSize::new(16, 16).unwrap();
        assert_eq!(convert(&[0; 4 * 16 * 16 - 1], size, &mut Picture::default()), None);
    }
}
