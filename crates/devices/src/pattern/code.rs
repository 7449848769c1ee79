//! The machine-readable part of the pattern: 48 black and white cells.
//!
//! The lower quarter of the picture holds 4 rows of 12 cells, each a twelfth of the width and a sixteenth of the
//! height, so that they are found at any size. Bits, from the upper left cell row by row: mark (8), frame number (24),
//! CRC-16 of both (16). Cells are that large so that they outlive low bitrates and scaling to a quarter: at 160×90
//! one still covers 13×5 pixels.

use incamera_media::picture::{I420View, Picture};

use crate::mark::SenderMark;

/// Cells beside each other.
const COLUMNS: usize = 12;

/// Cells above each other.
const ROWS: usize = 4;

/// The cells' rows are counted in this many to the height of the picture; the last [`ROWS`] of them are used.
const ROWS_PER_PICTURE: usize = 16;

/// Luma of a cell that stands for 0 (ITU-R BT.601 black).
const BLACK: u8 = 16;

/// Luma of a cell that stands for 1 (ITU-R BT.601 white).
const WHITE: u8 = 235;

/// Chroma without colour.
const NEUTRAL: u8 = 128;

/// A cell darker than this is 0.
const DARK: u32 = 96;

/// A cell lighter than this is 1; in between the cell is unreadable.
const LIGHT: u32 = 155;

/// Bits of the frame number: more than six days at 30 pictures per second.
const NUMBER_BITS: u32 = 24;

/// What a picture of the pattern says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatternCode {
    /// Whose picture it is.
    pub mark: SenderMark,
    /// The frame number modulo 2^24.
    pub number: u32,
}

impl PatternCode {
    fn bits(self) -> u64 {
        let [_, high, middle, low] = self.number.to_be_bytes();
        let bytes = [self.mark.number(), high, middle, low];
        u64::from(u32::from_be_bytes(bytes)) << 16 | u64::from(crc16(&bytes))
    }

    fn from_bits(bits: u64) -> Option<Self> {
        let [_, _, mark, high, middle, low, check_high, check_low] = bits.to_be_bytes();
        let intact = crc16(&[mark, high, middle, low]) == u16::from_be_bytes([check_high, check_low]);
        let number = u32::from_be_bytes([0, high, middle, low]);
        intact.then_some(Self { mark: SenderMark::new(mark), number })
    }
}

/// CRC-16/IBM-3740: polynomial 0x1021, start 0xFFFF, so that a black or white picture carries no code.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, &byte| {
        (0..8).fold(
            crc ^ u16::from(byte) << 8,
            |crc, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
            },
        )
    })
}

/// The pixels of a cell as half-open ranges of columns and rows.
#[derive(Clone, Copy, Debug)]
struct Cell {
    columns: (usize, usize),
    rows: (usize, usize),
}

impl Cell {
    fn all(width: usize, height: usize) -> impl Iterator<Item = Self> {
        let edge = |index: usize, parts: usize, length: usize| index * length / parts;
        (ROWS_PER_PICTURE - ROWS..ROWS_PER_PICTURE).flat_map(move |row| {
            (0..COLUMNS).map(move |column| Self {
                columns: (edge(column, COLUMNS, width), edge(column + 1, COLUMNS, width)),
                rows: (edge(row, ROWS_PER_PICTURE, height), edge(row + 1, ROWS_PER_PICTURE, height)),
            })
        })
    }

    /// The middle of the cell, away from what scaling and coding blur: half of each side, at least a pixel.
    const fn core(self) -> Self {
        Self { columns: middle(self.columns), rows: middle(self.rows) }
    }
}

const fn middle((start, end): (usize, usize)) -> (usize, usize) {
    let quarter = (end - start) / 4;
    (start + quarter, end - quarter)
}

/// Writes `code` into the lower quarter of `picture`.
pub(super) fn draw_code(picture: &mut Picture, number: u64, mark: SenderMark) {
    let number = (number & ((1 << NUMBER_BITS) - 1)) as u32;
    let bits = PatternCode { mark, number }.bits();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let [luma, blue, red] = picture.planes_mut();
    for (index, cell) in Cell::all(width, height).enumerate() {
        let shift = COLUMNS * ROWS - 1 - index;
        let value = if bits >> shift & 1 == 1 { WHITE } else { BLACK };
        for row in cell.rows.0..cell.rows.1 {
            luma[row * width + cell.columns.0..row * width + cell.columns.1].fill(value);
        }
    }
    let first_row = (ROWS_PER_PICTURE - ROWS) * height / ROWS_PER_PICTURE;
    let first_chroma = first_row / 2 * width.div_ceil(2);
    for chroma in [blue, red] {
        chroma[first_chroma..].fill(NEUTRAL);
    }
}

/// Reads what a picture of the pattern says about itself; `None` when it is another picture or too damaged.
#[must_use]
pub fn read_code(picture: &I420View<'_>) -> Option<PatternCode> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let [luma, _, _] = picture.planes();
    let mut bits = 0_u64;
    for cell in Cell::all(width, height) {
        let Cell { columns, rows } = cell.core();
        let samples = (rows.0..rows.1).flat_map(|row| luma.row(row, width).get(columns.0..columns.1));
        let (sum, count) = samples
            .flatten()
            .fold((0_u32, 0_u32), |(sum, count), &sample| (sum + u32::from(sample), count + 1));
        let bit = match sum.checked_div(count)? {
            0..DARK => 0,
            LIGHT.. => 1,
            _ => return None,
        };
        bits = bits << 1 | bit;
    }
    PatternCode::from_bits(bits)
}

/// Reads the frame number (modulo 2^24) of a picture of the pattern; `None` when it is another picture or too damaged.
#[must_use]
pub fn read_frame_number(picture: &I420View<'_>) -> Option<u32> {
    read_code(picture).map(|code| code.number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::VideoSize;

    fn coded(width: u32, height: u32, number: u64) -> Picture {
        let mut picture = VideoSize::new(width, height).unwrap().black();
        draw_code(&mut picture, number, SenderMark::new(0xA7));
        picture
    }

    #[test]
    fn code_reads_back_at_every_size() {
        for (width, height) in [(96, 64), (176, 144), (321, 181), (640, 360), (1_280, 720), (1_920, 1_080)] {
            for number in [0, 1, 0x55_5555, 0xFF_FFFF, 0x0100_0002] {
                let code = read_code(&coded(width, height, number).view()).unwrap();
                assert_eq!(code.mark, SenderMark::new(0xA7));
                assert_eq!(u64::from(code.number), number & 0xFF_FFFF);
            }
        }
    }

    #[test]
    fn plain_pictures_carry_no_code() {
        let mut picture = VideoSize::new(640, 360).unwrap().black();
        for luma in [0, 16, 128, 235, 255] {
            picture.planes_mut()[0].fill(luma);
            assert_eq!(read_code(&picture.view()), None);
        }
    }

    #[test]
    fn one_wrong_cell_is_noticed() {
        let mut picture = coded(640, 360, 4_711);
        let (width, height) = (640, 360);
        for cell in Cell::all(width, height) {
            let intact = picture.clone();
            let inverted = 251 - picture.as_packed()[cell.rows.0 * width + cell.columns.0];
            for row in cell.rows.0..cell.rows.1 {
                picture.planes_mut()[0][row * width + cell.columns.0..row * width + cell.columns.1]
                    .fill(inverted);
            }
            assert_eq!(read_code(&picture.view()), None);
            picture = intact;
        }
    }
}
