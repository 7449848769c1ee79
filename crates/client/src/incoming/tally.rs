//! Counts of what came from one participant, for the statistics.

use std::time::Duration;

use incamera_devices::VideoSize;
use incamera_media::audio::BlockSamples;
use incamera_media::mix::level_dbov;
use incamera_types::{Context, Mono};

/// Sound below this is not counted as audible.
const AUDIBLE_DBOV: i8 = -50;

/// Latencies above this are those of different clocks on different machines.
const PLAUSIBLE_LATENCY: Duration = Duration::from_secs(10);

/// Latencies kept between two readings: a second of pictures.
const LATENCIES: usize = 240;

/// What came from one participant.
#[derive(Clone, Debug)]
pub(crate) struct RemoteTally {
    pub(crate) camera: PictureTally,
    /// `None` while none is shared.
    pub(crate) screen: Option<PictureTally>,
    /// Bytes of everything that was opened since the last reading.
    pub(crate) recent_bytes: u64,
}

/// Everything counted since the first picture of a camera or screen; the `recent_…` values since the last reading.
#[derive(Clone, Debug, Default)]
pub(crate) struct PictureTally {
    pub(crate) pictures: u64,
    pub(crate) recent_pictures: u64,
    pub(crate) layer: u8,
    pub(crate) size: (u16, u16),
    latencies_us: Vec<u64>,
}

impl PictureTally {
    /// A picture was decoded.
    pub(crate) fn picture(&mut self, context: Context, size: VideoSize, captured: Mono, decoded: Mono) {
        self.pictures += 1;
        self.recent_pictures += 1;
        self.layer = layer_of(context);
        self.size = (side(size.width()), side(size.height()));
        let comparable = captured <= decoded && decoded.since(captured) < PLAUSIBLE_LATENCY;
        if comparable && self.latencies_us.len() < LATENCIES {
            self.latencies_us.push(decoded.since(captured).as_micros().try_into().unwrap_or(u64::MAX));
        }
    }

    /// The counts so far; begins the next `recent_…` values.
    pub(crate) fn read(&mut self) -> Self {
        let read = self.clone();
        self.recent_pictures = 0;
        self.latencies_us.clear();
        read
    }

    /// Median of the latencies since the last reading, in milliseconds.
    pub(crate) fn latency_ms_p50(&self) -> Option<f64> {
        let mut sorted = self.latencies_us.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).map(|us| *us as f64 / 1_000.0)
    }
}

/// Sound of one participant that was decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SoundTally {
    pub(crate) decoded_blocks: u64,
    pub(crate) audible_blocks: u64,
    pub(crate) concealed_blocks: u64,
}

impl SoundTally {
    /// A block was decoded from a packet.
    pub(crate) fn decoded(&mut self, samples: &BlockSamples) {
        self.decoded_blocks += 1;
        if level_dbov(samples) > AUDIBLE_DBOV {
            self.audible_blocks += 1;
        }
    }
}

/// 0 for the largest layer of camera or screen, 2 for the smallest.
pub(crate) fn layer_of(context: Context) -> u8 {
    match context {
        Context::CameraMedium | Context::ScreenMedium => 1,
        Context::CameraLow | Context::ScreenLow => 2,
        _ => 0,
    }
}

/// At most 4,096.
fn side(pixels: u32) -> u16 {
    pixels.try_into().unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_is_the_median_and_other_machines_have_none() {
        let mut tally = PictureTally::default();
        for (captured, decoded) in [(0, 9_000), (0, 5_000), (0, 7_000), (0, 60_000_000), (8, 3)] {
            let (captured, decoded) = (Mono::from_micros(captured), Mono::from_micros(decoded));
            tally.picture(Context::CameraHigh, VideoSize::new(640, 360).unwrap(), captured, decoded);
        }
        assert_eq!(tally.read().latency_ms_p50(), Some(7.0));
        assert_eq!(tally.latency_ms_p50(), None);
    }

    #[test]
    fn silence_is_decoded_but_not_audible() {
        let mut tally = SoundTally::default();
        tally.decoded(&[0; 960]);
        tally.decoded(&[8_000; 960]);
        assert_eq!((tally.decoded_blocks, tally.audible_blocks), (2, 1));
    }
}
