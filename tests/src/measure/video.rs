//! Matching the pictures of a take to those of its source.

use std::collections::BTreeMap;
use std::io::BufRead;

use incamera_devices::y4m::Y4mReader;
use incamera_devices::{DeviceError, read_frame_number};
use incamera_media::picture::Picture;
use serde::Serialize;

use super::picture::psnr;

/// How a received picture finds the one that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matching {
    /// By the number that the test pattern carries.
    Number,
    /// By likeness, going forward only: among the next `ahead` pictures of the source.
    Likeness {
        /// Pictures of the source that may be missing in a row.
        ahead: usize,
    },
}

/// A received picture and the one it is a copy of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PictureMatch {
    /// Position in the take.
    pub received: usize,
    /// Position in the source.
    pub sent: usize,
    /// Ratio of luma in decibels.
    pub luma_db: f64,
    /// Ratio of all planes in decibels.
    pub weighted_db: f64,
}

/// A whole take compared with its source.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct VideoLikeness {
    /// Received pictures that were matched, in order.
    pub matches: Vec<PictureMatch>,
    /// Received pictures without a counterpart.
    pub strangers: usize,
    /// Different pictures of the source that arrived.
    pub distinct: usize,
}

impl VideoLikeness {
    /// The mean ratio of luma in decibels; `None` without matches.
    #[must_use]
    pub fn mean_luma_db(&self) -> Option<f64> {
        self.mean(|found| found.luma_db)
    }

    /// The mean ratio of all planes in decibels; `None` without matches.
    #[must_use]
    pub fn mean_weighted_db(&self) -> Option<f64> {
        self.mean(|found| found.weighted_db)
    }

    fn mean(&self, value: impl Fn(&PictureMatch) -> f64) -> Option<f64> {
        let sum: f64 = self.matches.iter().map(value).sum();
        (!self.matches.is_empty()).then(|| sum / self.matches.len() as f64)
    }
}

/// Compares the take `received` with its source `sent`, which is kept in memory as a whole.
///
/// # Errors
/// One of the files cannot be read.
pub fn compare_video(
    mut sent: Y4mReader<impl BufRead>,
    mut received: Y4mReader<impl BufRead>,
    matching: Matching,
) -> Result<VideoLikeness, DeviceError> {
    let sent = read_all(&mut sent)?;
    let numbers: BTreeMap<u32, usize> = sent
        .iter()
        .enumerate()
        .filter_map(|(index, picture)| Some((read_frame_number(&picture.view())?, index)))
        .collect();
    let mut likeness = VideoLikeness::default();
    let mut picture = received.format().size.black();
    let mut from = 0;
    for position in 0.. {
        if !received.read_picture(&mut picture)? {
            break;
        }
        let found = match matching {
            Matching::Number => {
                let number = read_frame_number(&picture.view());
                number.and_then(|number| numbers.get(&number)).copied()
            }
            Matching::Likeness { ahead } => most_alike(&sent, from, ahead, &picture),
        };
        let compared =
            found.and_then(|index| Some((index, psnr(&sent.get(index)?.view(), &picture.view())?)));
        let Some((index, ratio)) = compared else {
            likeness.strangers += 1;
            continue;
        };
        from = index;
        likeness.matches.push(PictureMatch {
            received: position,
            sent: index,
            luma_db: ratio.luma_db,
            weighted_db: ratio.weighted_db,
        });
    }
    let mut arrived: Vec<usize> = likeness.matches.iter().map(|found| found.sent).collect();
    arrived.sort_unstable();
    arrived.dedup();
    likeness.distinct = arrived.len();
    Ok(likeness)
}

fn read_all(reader: &mut Y4mReader<impl BufRead>) -> Result<Vec<Picture>, DeviceError> {
    let mut pictures = Vec::new();
    loop {
        let mut picture = reader.format().size.black();
        if !reader.read_picture(&mut picture)? {
            return Ok(pictures);
        }
        pictures.push(picture);
    }
}

/// The picture of `sent` from position `from` on that is most like `picture`; earlier ones win ties.
fn most_alike(sent: &[Picture], from: usize, ahead: usize, picture: &Picture) -> Option<usize> {
    let candidates = sent.iter().enumerate().skip(from).take(ahead.saturating_add(1));
    candidates
        .filter_map(|(index, candidate)| Some((index, psnr(&candidate.view(), &picture.view())?.luma_db)))
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use incamera_devices::{
        FrameRate, PatternSource, SenderMark, VideoFormat, VideoFrame, VideoSize, VideoSource,
    };
    use incamera_types::Mono;

    /// The pattern's pictures with these numbers as a file, each sample raised by `noise`.
    fn take(numbers: &[u64], noise: u8) -> Vec<u8> {
        let format =
            VideoFormat { size: VideoSize::new(160, 96).unwrap(), rate: FrameRate::new(30, 1).unwrap() };
        let mut source = PatternSource::new(format, SenderMark::new(1));
        let mut frame = VideoFrame::black(format);
        let mut bytes = b"YUV4MPEG2 W160 H96 F30:1\n".to_vec();
        for number in 0..=*numbers.last().unwrap() {
            source.poll_frame(Mono::default().plus(format.rate.time_of(number)), &mut frame).unwrap();
            for _ in numbers.iter().filter(|&&wanted| wanted == number) {
                bytes.extend(b"FRAME\n");
                bytes.extend(frame.picture.as_packed().iter().map(|sample| sample.saturating_add(noise)));
            }
        }
        bytes
    }

    fn compare(received: &[u64], matching: Matching) -> VideoLikeness {
        let sent = take(&(0..30).collect::<Vec<_>>(), 0);
        let received = take(received, 2);
        let open = |bytes: Vec<u8>| Y4mReader::new(std::io::Cursor::new(bytes)).unwrap();
        compare_video(open(sent), open(received), matching).unwrap()
    }

    #[test]
    fn lost_and_repeated_pictures_are_matched_either_way() {
        for matching in [Matching::Number, Matching::Likeness { ahead: 10 }] {
            let likeness = compare(&[3, 4, 4, 9, 10], matching);
            let sent: Vec<usize> = likeness.matches.iter().map(|found| found.sent).collect();
            assert_eq!(sent, [3, 4, 4, 9, 10], "{matching:?}");
            assert_eq!((likeness.distinct, likeness.strangers), (4, 0));
            let expected = 20.0 * (255.0_f64 / 2.0).log10();
            assert!((likeness.mean_luma_db().unwrap() - expected).abs() < 1e-9);
        }
    }

    #[test]
    fn pictures_that_were_never_sent_are_strangers() {
        let likeness = compare(&[29, 31, 40], Matching::Number);
        assert_eq!((likeness.matches.len(), likeness.strangers), (1, 2));
    }
}
