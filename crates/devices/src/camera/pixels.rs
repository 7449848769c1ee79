//! From the layouts in which cameras give pictures to I420. What a camera says about its buffers is checked: a
//! picture that is too short is dropped (SEC-15).

use std::io::Cursor;

use incamera_media::picture::Picture;
use pipewire::spa;
use spa::buffer::{ChunkFlags, Data};
use spa::param::format::{MediaSubtype, MediaType};
use spa::param::format_utils::parse_format;
use spa::param::video::{VideoFormat as SpaFormat, VideoInfoRaw};
use spa::pod::Pod;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::schedule::FrameRate;
use crate::video::{VideoFormat, VideoSize};

/// How the samples of a picture lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// Three planes.
    I420,
    /// Luma, then both chroma planes interleaved.
    Nv12,
    /// Two pixels in four bytes: Y U Y V.
    Yuy2,
    /// A JPEG picture.
    Jpeg,
}

/// What was agreed with a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Agreed {
    layout: Layout,
    format: VideoFormat,
}

impl Agreed {
    /// Reads the format that PipeWire decided on; `None` for one that was not asked for.
    pub(super) fn read(format: &Pod) -> Option<Self> {
        let (kind, subtype) = parse_format(format).ok()?;
        if kind != MediaType::Video {
            return None;
        }
        let mut info = VideoInfoRaw::new();
        let layout = match subtype {
            MediaSubtype::Mjpg => {
                read_jpeg_format(format, &mut info)?;
                Layout::Jpeg
            }
            MediaSubtype::Raw => {
                info.parse(format).ok()?;
                match info.format() {
                    SpaFormat::I420 => Layout::I420,
                    SpaFormat::NV12 => Layout::Nv12,
                    SpaFormat::YUY2 => Layout::Yuy2,
                    _ => return None,
                }
            }
            _ => return None,
        };
        let size = VideoSize::new(info.size().width, info.size().height)?;
        let rate = FrameRate::new(info.framerate().num, info.framerate().denom);
        Some(Self { layout, format: VideoFormat { size, rate: rate.unwrap_or(FrameRate::VIDEO_30) } })
    }

    /// Size and rate.
    pub(super) const fn format(self) -> VideoFormat {
        self.format
    }
}

/// Size and rate of JPEG pictures lie where those of raw ones do.
fn read_jpeg_format(format: &Pod, info: &mut VideoInfoRaw) -> Option<()> {
    use spa::param::format::FormatProperties;
    let object = format.as_object().ok()?;
    let of = |key: FormatProperties| object.find_prop(spa::utils::Id(key.as_raw())).map(|prop| prop.value());
    info.set_size(of(FormatProperties::VideoSize)?.get_rectangle().ok()?);
    if let Some(rate) = of(FormatProperties::VideoFramerate).and_then(|rate| rate.get_fraction().ok()) {
        info.set_framerate(rate);
    }
    Some(())
}

/// One plane of samples in memory.
#[derive(Clone, Copy)]
struct Samples<'a> {
    data: &'a [u8],
    stride: usize,
}

impl<'a> Samples<'a> {
    /// Rows of `width` bytes each; `None` when there are fewer than `height`.
    fn rows(self, width: usize, height: usize) -> Option<impl Iterator<Item = &'a [u8]>> {
        let needed = self.stride.checked_mul(height.checked_sub(1)?)?.checked_add(width)?;
        let fits = width <= self.stride && needed <= self.data.len();
        let (data, stride) = (self.data, self.stride);
        fits.then(|| data.chunks(stride).take(height).filter_map(move |row| row.get(..width)))
    }

    /// What follows `rows` rows of this plane, in rows of `stride` bytes.
    fn after(self, rows: usize, stride: usize) -> Option<Self> {
        Some(Samples { data: self.data.get(self.stride.checked_mul(rows)?..)?, stride })
    }
}

/// Converts pictures; keeps its working memory.
#[derive(Default)]
pub(super) struct Converter {
    decoded: Vec<u8>,
}

impl Converter {
    /// Turns what `buffers` hold into a picture; `None` when that is no whole one.
    pub(super) fn convert(
        &mut self,
        agreed: Agreed,
        buffers: &mut [Data],
        picture: &mut Picture,
    ) -> Option<()> {
        let size = agreed.format.size;
        picture.resize(size.width(), size.height()).ok()?;
        let mut planes = [None; 3];
        for (plane, data) in planes.iter_mut().zip(buffers) {
            *plane = Some(samples(data)?);
        }
        let (width, height) = (size.width() as usize, size.height() as usize);
        let (chroma_width, chroma_height) = (width.div_ceil(2), height.div_ceil(2));
        let mut first = planes[0]?;
        if first.stride == 0 {
            // Rows without gaps, from sources that do not say so.
            first.stride = if agreed.layout == Layout::Yuy2 { 4 * chroma_width } else { width };
        }
        match agreed.layout {
            Layout::I420 => {
                let chroma = first.stride.div_ceil(2);
                let u = planes[1].or_else(|| first.after(height, chroma))?;
                let v = planes[2].or_else(|| u.after(chroma_height, chroma))?;
                let sizes = [(width, height), (chroma_width, chroma_height), (chroma_width, chroma_height)];
                for ((plane, from), (width, height)) in
                    picture.planes_mut().into_iter().zip([first, u, v]).zip(sizes)
                {
                    copy(from, width, height, plane)?;
                }
                Some(())
            }
            Layout::Nv12 => {
                let [luma, u, v] = picture.planes_mut();
                copy(first, width, height, luma)?;
                let chroma = planes[1].or_else(|| first.after(height, first.stride))?;
                let rows = chroma.rows(2 * chroma_width, chroma_height)?;
                let pairs = rows.flat_map(|row| row.chunks_exact(2));
                for (pair, (u, v)) in pairs.zip(u.iter_mut().zip(v)) {
                    (*u, *v) = (pair[0], pair[1]);
                }
                Some(())
            }
            Layout::Yuy2 => from_yuy2(first, (width, height), picture),
            Layout::Jpeg => self.decode_jpeg(first.data, (width, height), picture),
        }
    }

    fn decode_jpeg(
        &mut self,
        data: &[u8],
        (width, height): (usize, usize),
        picture: &mut Picture,
    ) -> Option<()> {
        let options = DecoderOptions::default()
            .set_max_width(width)
            .set_max_height(height)
            .jpeg_set_out_colorspace(ColorSpace::YCbCr);
        let mut decoder = JpegDecoder::new_with_options(Cursor::new(data), options);
        decoder.decode_headers().ok()?;
        if decoder.dimensions() != Some((width, height)) {
            return None;
        }
        self.decoded.resize(decoder.output_buffer_size()?, 0);
        decoder.decode_into(&mut self.decoded).ok()?;
        let pixels = Samples { data: &self.decoded, stride: 3 * width };
        let [luma, u, v] = picture.planes_mut();
        let rows = pixels.rows(3 * width, height)?;
        for (pixel, luma) in rows.flat_map(|row| row.chunks_exact(3)).zip(luma) {
            *luma = narrow(pixel[0], 219, 0);
        }
        // Chroma of the upper left pixel of each four: JPEG cameras have no more of it than that.
        let rows = pixels.rows(3 * width, height)?.step_by(2);
        let pixels = rows.flat_map(|row| row.chunks_exact(3).step_by(2));
        for (pixel, (u, v)) in pixels.zip(u.iter_mut().zip(v)) {
            (*u, *v) = (narrow(pixel[1], 224, 128), narrow(pixel[2], 224, 128));
        }
        Some(())
    }
}

/// The bytes of a buffer that hold something.
fn samples<'a>(data: &'a mut Data) -> Option<Samples<'a>> {
    if data.as_raw().chunk.is_null() {
        return None;
    }
    let chunk = data.chunk();
    if chunk.flags().contains(ChunkFlags::CORRUPTED) {
        return None;
    }
    let (offset, size) = (chunk.offset() as usize, chunk.size() as usize);
    let stride = usize::try_from(chunk.stride()).ok()?;
    let data = data.data()?.get(offset..offset.checked_add(size)?)?;
    (!data.is_empty()).then_some(Samples { data, stride })
}

fn copy(from: Samples<'_>, width: usize, height: usize, to: &mut [u8]) -> Option<()> {
    for (row, to) in from.rows(width, height)?.zip(to.chunks_exact_mut(width)) {
        to.copy_from_slice(row);
    }
    Some(())
}

fn from_yuy2(from: Samples<'_>, (width, height): (usize, usize), picture: &mut Picture) -> Option<()> {
    let chroma_width = width.div_ceil(2);
    let [luma, u, v] = picture.planes_mut();
    for (row, luma) in from.rows(4 * chroma_width, height)?.zip(luma.chunks_exact_mut(width)) {
        for (sample, luma) in row.iter().step_by(2).zip(luma) {
            *luma = *sample;
        }
    }
    // Every second row has its own chroma too; the picture has no room for it.
    let rows = from.rows(4 * chroma_width, height)?.step_by(2);
    for (pixels, (u, v)) in rows.flat_map(|row| row.chunks_exact(4)).zip(u.iter_mut().zip(v)) {
        (*u, *v) = (pixels[1], pixels[3]);
    }
    Some(())
}

/// From the full range of JPEG (JFIF 1.02) to that of video (ITU-R BT.601), around `centre`.
fn narrow(sample: u8, range: i32, centre: i32) -> u8 {
    let base = if centre == 0 { 16 } else { centre };
    let narrowed = base + ((i32::from(sample) - centre) * range + 127).div_euclid(255);
    narrowed.clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes() -> [(usize, usize); 3] {
        [(16, 16), (17, 19), (640, 360)]
    }

    fn picture((width, height): (usize, usize)) -> Picture {
        Picture::black(width as u32, height as u32).unwrap()
    }

    #[test]
    fn pixels_of_yuy2_keep_their_luma_and_the_chroma_of_every_second_row() {
        for (width, height) in sizes() {
            let mut data = Vec::new();
            for row in 0..height {
                for pair in 0..width.div_ceil(2) {
                    let own = row as u8;
                    data.extend_from_slice(&[own.wrapping_add(pair as u8), own, own, 255 - own]);
                }
            }
            let from = Samples { data: &data, stride: 4 * width.div_ceil(2) };
            let mut picture = picture((width, height));
            from_yuy2(from, (width, height), &mut picture).unwrap();
            let [luma, u, v] = picture.planes_mut();
            assert_eq!(luma[width + 2], 2, "row 1, pixel 2");
            assert_eq!((u[0], v[0]), (0, 255));
            assert_eq!((u[width.div_ceil(2)], v[width.div_ceil(2)]), (2, 253), "row 2");
        }
    }

    #[test]
    fn buffers_that_are_too_short_give_no_picture() {
        let mut target = picture((16, 16));
        for (length, stride) in [(0, 32), (511, 32), (512, 31), (512, 0)] {
            let data = vec![0; length];
            let from = Samples { data: &data, stride };
            assert!(from_yuy2(from, (16, 16), &mut target).is_none(), "{length} bytes, {stride} a row");
        }
        let mut converter = Converter::default();
        for bad in [&b""[..], b"\xff\xd8\xff", &[0xff; 4_096]] {
            assert!(converter.decode_jpeg(bad, (16, 16), &mut target).is_none());
        }
    }

    #[test]
    fn full_range_becomes_the_range_of_video() {
        assert_eq!([0, 128, 255].map(|sample| narrow(sample, 219, 0)), [16, 126, 235]);
        assert_eq!([0, 128, 255].map(|sample| narrow(sample, 224, 128)), [16, 128, 240]);
    }
}
