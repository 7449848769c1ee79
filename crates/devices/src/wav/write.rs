//! Writing a WAV file that is valid at every moment.

use std::path::Path;

use crate::DeviceError;
use crate::audio::SAMPLE_RATE_HZ;
use crate::part_file::PartFile;

/// Bytes before the samples.
const HEADER_BYTES: u32 = 44;

/// Samples between two updates of the sizes in the header: one second.
const SAMPLES_BETWEEN_UPDATES: u32 = SAMPLE_RATE_HZ;

/// Most samples that the 32-bit sizes of the format can express: more than 12 hours.
const MAX_SAMPLES: u32 = (u32::MAX - HEADER_BYTES) / 2;

/// Writes mono 16-bit samples at 48 kHz to a WAV file.
///
/// The sizes in the header are brought up to date every second, so that a killed process leaves a readable
/// `NAME.part`; see [`PartFile`] for what happens on errors.
#[derive(Debug)]
pub struct WavWriter {
    file: PartFile,
    samples: u32,
    samples_in_header: u32,
}

impl WavWriter {
    /// Starts the file `target`.
    ///
    /// # Errors
    /// The file cannot be created or written.
    pub fn create(target: &Path) -> Result<Self, DeviceError> {
        let mut file = PartFile::create(target)?;
        file.append(&header(0))?;
        file.flush()?;
        Ok(Self { file, samples: 0, samples_in_header: 0 })
    }

    /// Appends `samples`.
    ///
    /// # Errors
    /// [`DeviceError::TooLong`] after 12 hours, and the errors of [`PartFile::append`].
    pub fn write(&mut self, samples: &[i16]) -> Result<(), DeviceError> {
        let total = u32::try_from(samples.len())
            .ok()
            .and_then(|count| self.samples.checked_add(count))
            .filter(|&total| total <= MAX_SAMPLES)
            .ok_or(DeviceError::TooLong)?;
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        self.file.append(&bytes)?;
        self.samples = total;
        if self.samples - self.samples_in_header >= SAMPLES_BETWEEN_UPDATES {
            self.update_header()?;
        }
        Ok(())
    }

    /// Samples written so far.
    #[must_use]
    pub const fn samples(&self) -> u32 {
        self.samples
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// Those of [`PartFile::finish`].
    pub fn finish(mut self) -> Result<(), DeviceError> {
        self.update_header()?;
        self.file.finish()
    }

    fn update_header(&mut self) -> Result<(), DeviceError> {
        // Samples first: the header never promises more than the file holds.
        self.file.flush()?;
        self.file.rewrite_start(&header(self.samples))?;
        self.samples_in_header = self.samples;
        Ok(())
    }
}

fn header(samples: u32) -> [u8; HEADER_BYTES as usize] {
    let data_bytes = samples * 2;
    let mut header = *b"RIFF____WAVEfmt ____________________data____";
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(4, &(data_bytes + HEADER_BYTES - 8).to_le_bytes());
    put(16, &16_u32.to_le_bytes());
    put(20, &1_u16.to_le_bytes());
    put(22, &1_u16.to_le_bytes());
    put(24, &SAMPLE_RATE_HZ.to_le_bytes());
    put(28, &(SAMPLE_RATE_HZ * 2).to_le_bytes());
    put(32, &2_u16.to_le_bytes());
    put(34, &16_u16.to_le_bytes());
    put(40, &data_bytes.to_le_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wav::{SampleEncoding, WavReader};
    use std::fs;

    #[test]
    fn written_file_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("ada.wav");
        let mut writer = WavWriter::create(&target).unwrap();
        writer.write(&[0, 16_384, -32_768]).unwrap();
        writer.finish().unwrap();
        let mut reader = WavReader::open(&target).unwrap();
        let format = reader.format();
        assert_eq!((format.encoding, format.channels, format.rate_hz), (SampleEncoding::I16, 1, 48_000));
        let mut mono = [0.0; 9];
        assert_eq!(reader.read_mono(&mut mono), Ok(3));
        assert_eq!(mono[..3], [0.0, 0.5, -1.0]);
    }

    #[test]
    fn unfinished_file_promises_only_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("ada.wav");
        let mut writer = WavWriter::create(&target).unwrap();
        for _ in 0..125 {
            writer.write(&[7; 960]).unwrap();
            let part = fs::read(folder.path().join("ada.wav.part")).unwrap();
            let promised = u32::from_le_bytes(part[40..44].try_into().unwrap());
            assert!(promised as usize <= part.len() - 44);
            assert!(writer.samples() - promised / 2 < SAMPLES_BETWEEN_UPDATES);
        }
    }
}
