//! Pictures, sounds and randomness for the tests; the same in every run.

use incamera_media::audio::{BLOCK_SAMPLES, BlockSamples};
use incamera_media::picture::Picture;
use incamera_media::rtp::{RtpPacket, Vp8Packetizer};
use incamera_types::Mono;

/// A small seeded generator (xorshift64*).
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }

    pub(crate) fn happens(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

pub(crate) const fn ms(ms: u64) -> Mono {
    Mono::from_micros(ms * 1_000)
}

/// Frame `index` of a take: a textured background that pans, and a bright box that moves faster.
pub(crate) fn moving_picture(width: u32, height: u32, index: u32) -> Picture {
    let mut picture = Picture::black(width, height).unwrap();
    let [luma, u, v] = picture.planes_mut();
    for y in 0..height {
        for x in 0..width {
            let (px, py) = (x + index, y + index / 2);
            let texture = (f64::from(px) * 0.11).sin() * 30.0 + (f64::from(py) * 0.17).cos() * 30.0;
            let (box_x, box_y) = (index * 3 % width, height / 3);
            let inside = x.wrapping_sub(box_x) < width / 8 && y.wrapping_sub(box_y) < height / 4;
            luma[(y * width + x) as usize] = if inside { 220 } else { (110.0 + texture) as u8 };
        }
    }
    let chroma_width = width.div_ceil(2);
    for (i, (u, v)) in u.iter_mut().zip(v).enumerate() {
        let x = i as u32 % chroma_width;
        *u = (100 + (x + index) % 40) as u8;
        *v = (150 - (x + index) % 30) as u8;
    }
    picture
}

/// The packets of one frame, numbered from `sequence` on.
pub(crate) fn packets(
    packetizer: &mut Vp8Packetizer,
    sequence: &mut u64,
    timestamp: u32,
    frame: &[u8],
) -> Vec<RtpPacket<Vec<u8>>> {
    packetizer
        .packetize(frame, None)
        .map(|packet| {
            let mut payload = Vec::new();
            packet.write_to(&mut payload);
            *sequence += 1;
            RtpPacket { sequence: *sequence, timestamp, marker: packet.marker, payload }
        })
        .collect()
}

/// Block `index` of a voice-like sound: a gliding fundamental with harmonics, swelling four times a second.
pub(crate) fn voice(index: u64) -> BlockSamples {
    core::array::from_fn(|i| {
        let t = (index as usize * BLOCK_SAMPLES + i) as f64 / 48_000.0;
        let phase = core::f64::consts::TAU * (160.0 * t + 20.0 * (1.5 * t).sin());
        let tone =
            phase.sin() + 0.5 * (2.0 * phase).sin() + 0.35 * (3.0 * phase).sin() + 0.2 * (5.0 * phase).sin();
        let swell = 0.55 + 0.45 * (core::f64::consts::TAU * 4.0 * t).sin();
        (tone * swell * 6_000.0) as i16
    })
}

/// Normalised correlation of two signals at the best delay of `b` up to `max_delay` samples.
pub(crate) fn aligned_correlation(a: &[i16], b: &[i16], max_delay: usize) -> f64 {
    let correlation = |delay: usize| {
        let pairs = a.iter().zip(&b[delay.min(b.len())..]);
        let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
        for (a, b) in pairs {
            let (a, b) = (f64::from(*a), f64::from(*b));
            ab += a * b;
            aa += a * a;
            bb += b * b;
        }
        ab / (aa * bb).sqrt().max(1.0)
    };
    (0..=max_delay).map(correlation).fold(f64::MIN, f64::max)
}
