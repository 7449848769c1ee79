//! Reading the samples of a WAV file as a mono stream.

use std::fs::File;
use std::io::{self, BufReader, Chain, Cursor, Read, Take};
use std::path::Path;

use super::header::{MAX_HEADER_BYTES, SampleEncoding, WavError, WavFormat, parse_wav_header};
use crate::DeviceError;

/// Bytes read at first to find the samples; nearly every header fits.
const FIRST_READ_BYTES: usize = 4 * 1024;

/// Reads a WAV file as mono floating-point samples at the file's own rate; channels are averaged.
#[derive(Debug)]
pub struct WavReader<R> {
    /// The samples: those that were read together with the header, then the rest of the input.
    samples: Take<Chain<Cursor<Vec<u8>>, R>>,
    format: WavFormat,
    frame: Vec<u8>,
}

impl WavReader<BufReader<File>> {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// The file cannot be read or is no WAV file.
    pub fn open(path: &Path) -> Result<Self, DeviceError> {
        let file = File::open(path).map_err(|error| DeviceError::opening(&error))?;
        Self::new(BufReader::new(file))
    }
}

impl<R: Read> WavReader<R> {
    /// Reads the header from `input`.
    ///
    /// # Errors
    /// The input cannot be read or is no WAV file.
    pub fn new(mut input: R) -> Result<Self, DeviceError> {
        let mut start = Vec::new();
        let format = read_header(&mut input, &mut start)?;
        let first_samples = start.split_off(format.data_offset);
        let length = format.data_bytes.map_or(u64::MAX, u64::from);
        Ok(Self {
            samples: Cursor::new(first_samples).chain(input).take(length),
            frame: vec![0; format.frame_bytes()],
            format,
        })
    }

    /// What the header says.
    #[must_use]
    pub const fn format(&self) -> WavFormat {
        self.format
    }

    /// Fills `mono` with samples of full scale ±1 and says how many; fewer than asked only at the end. A last
    /// incomplete sample is dropped.
    ///
    /// # Errors
    /// [`DeviceError::Read`].
    pub fn read_mono(&mut self, mono: &mut [f32]) -> Result<usize, DeviceError> {
        let encoding = self.format.encoding;
        for (filled, sample) in mono.iter_mut().enumerate() {
            match self.samples.read_exact(&mut self.frame) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(filled),
                Err(error) => return Err(DeviceError::reading(&error)),
            }
            let channels = self.frame.chunks_exact(encoding.bytes());
            let sum: f32 = channels.map(|bytes| decode(encoding, bytes)).sum();
            *sample = sum / f32::from(self.format.channels);
        }
        Ok(mono.len())
    }
}

/// Reads until `start` holds the whole header (and perhaps more).
fn read_header(input: &mut impl Read, start: &mut Vec<u8>) -> Result<WavFormat, DeviceError> {
    let mut goal = FIRST_READ_BYTES;
    loop {
        let missing = (goal - start.len()) as u64;
        let read = input.take(missing).read_to_end(start).map_err(|error| DeviceError::reading(&error))?;
        match parse_wav_header(start) {
            Err(WavError::Truncated) if read as u64 == missing && goal < MAX_HEADER_BYTES => goal *= 2,
            result => return Ok(result?),
        }
    }
}

/// One little-endian sample as a number of full scale ±1; what is no number becomes silence.
fn decode(encoding: SampleEncoding, bytes: &[u8]) -> f32 {
    match (encoding, bytes) {
        (SampleEncoding::U8, &[a]) => (f32::from(a) - 128.0) / 128.0,
        (SampleEncoding::I16, &[a, b]) => f32::from(i16::from_le_bytes([a, b])) / 32_768.0,
        (SampleEncoding::I24, &[a, b, c]) => whole(i32::from_le_bytes([0, a, b, c])),
        (SampleEncoding::I32, &[a, b, c, d]) => whole(i32::from_le_bytes([a, b, c, d])),
        (SampleEncoding::F32, &[a, b, c, d]) => finite(f32::from_le_bytes([a, b, c, d])),
        (SampleEncoding::F64, &[a, b, c, d, e, f, g, h]) => {
            finite(f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32)
        }
        _ => 0.0,
    }
}

fn whole(sample: i32) -> f32 {
    sample as f32 / 2_147_483_648.0
}

fn finite(sample: f32) -> f32 {
    if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(tag: u8, bits: u8, channels: u8, data: &[u8]) -> Vec<u8> {
        let frame = channels * (bits / 8);
        let mut bytes = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
        bytes.extend([tag, 0, channels, 0, 0x80, 0xbb, 0, 0, 0, 0, 0, 0, frame, 0, bits, 0]);
        bytes.extend(b"data");
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(data);
        bytes
    }

    fn samples(file: &[u8]) -> Vec<f32> {
        let mut mono = [0.0; 16];
        let count = WavReader::new(file).unwrap().read_mono(&mut mono).unwrap();
        mono[..count].to_vec()
    }

    #[test]
    fn every_encoding_reaches_the_same_half_scale() {
        assert_eq!(samples(&wav(1, 8, 1, &[192])), [0.5]);
        assert_eq!(samples(&wav(1, 16, 1, &[0, 0x40])), [0.5]);
        assert_eq!(samples(&wav(1, 24, 1, &[0, 0, 0x40])), [0.5]);
        assert_eq!(samples(&wav(1, 32, 1, &[0, 0, 0, 0x40])), [0.5]);
        assert_eq!(samples(&wav(3, 32, 1, &0.5_f32.to_le_bytes())), [0.5]);
        assert_eq!(samples(&wav(3, 64, 1, &0.5_f64.to_le_bytes())), [0.5]);
    }

    #[test]
    fn channels_are_averaged_and_a_torn_last_sample_is_dropped() {
        let file = wav(1, 16, 2, &[0, 0x40, 0, 0, 0, 0xc0, 0, 0, 9]);
        assert_eq!(samples(&file), [0.25, -0.25]);
    }

    #[test]
    fn bytes_after_the_samples_are_not_played() {
        let mut file = wav(1, 16, 1, &[0, 0x40]);
        file.extend(b"LIST\x04\0\0\0abcd");
        assert_eq!(samples(&file), [0.5]);
    }

    #[test]
    fn what_is_no_number_becomes_silence() {
        assert_eq!(samples(&wav(3, 32, 1, &f32::NAN.to_le_bytes())), [0.0]);
        assert_eq!(samples(&wav(3, 32, 1, &f32::INFINITY.to_le_bytes())), [0.0]);
    }

    #[test]
    fn header_longer_than_the_first_read_is_found() {
        let mut file = b"RIFF\0\0\0\0WAVEjunk".to_vec();
        file.extend(20_000_u32.to_le_bytes());
        file.resize(file.len() + 20_000, 0);
        file.extend(&wav(1, 16, 1, &[0, 0x40])[12..]);
        assert_eq!(samples(&file), [0.5]);
    }

    #[test]
    fn cut_header_is_an_error() {
        let error = WavReader::new(&b"RIFF\0\0\0\0WAVEfmt "[..]).unwrap_err();
        assert_eq!(error, DeviceError::Wav(WavError::Truncated));
    }
}
