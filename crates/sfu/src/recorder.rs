//! A file of every RTP payload that publishers send, for canary searches and key tests. Adversary tests only.
//!
//! Each record: length of the rest (u32), microseconds since the Unix epoch (u64), length of the publisher's
//! identity (u8), identity, medium (u8: 0 audio, 1 low, 2 medium, 3 high layer), payload. Little-endian.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::SfuError;
use crate::forward::{Layer, Medium};
use crate::pseudonym::Pseudonym;

/// Bytes of a record's time, identity length and medium.
const FIXED: usize = 8 + 1 + 1;

/// Writes the recording.
pub(crate) struct Recorder {
    file: Option<BufWriter<File>>,
}

/// One recorded payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedPacket {
    /// Arrival, microseconds since the Unix epoch.
    pub unix_micros: u64,
    /// Who sent it.
    pub stream: Pseudonym,
    /// Its video layer; `None` for audio.
    pub layer: Option<Layer>,
    /// The RTP payload as received: for video it begins with the VP8 descriptor.
    pub payload: Vec<u8>,
}

impl Recorder {
    /// Starts a recording in a new file.
    pub(crate) fn create(path: &Path) -> Result<Self, SfuError> {
        let file = File::create(path).map_err(SfuError::Recording)?;
        Ok(Self { file: Some(BufWriter::new(file)) })
    }

    /// Appends one payload. A file that cannot be written is given up, with an error in the log.
    pub(crate) fn record(&mut self, stream: &Pseudonym, medium: Medium, payload: &[u8]) {
        let Some(file) = &mut self.file else {
            return;
        };
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let micros = u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX);
        let medium = match medium {
            Medium::Audio => 0,
            Medium::Video(layer) => 1 + layer.index() as u8,
        };
        let identity = stream.as_str().as_bytes();
        let mut record = Vec::with_capacity(4 + FIXED + identity.len() + payload.len());
        let length = FIXED + identity.len() + payload.len();
        record.extend_from_slice(&(length as u32).to_le_bytes());
        record.extend_from_slice(&micros.to_le_bytes());
        record.push(identity.len() as u8);
        record.extend_from_slice(identity);
        record.push(medium);
        record.extend_from_slice(payload);
        if let Err(error) = file.write_all(&record) {
            tracing::error!(%error, "the recording ends here");
            self.file = None;
        }
    }

    /// Hands everything to the operating system.
    pub(crate) fn flush(&mut self) {
        if let Some(Err(error)) = self.file.as_mut().map(Write::flush) {
            tracing::error!(%error, "the recording ends here");
            self.file = None;
        }
    }
}

/// Reads a recording; a record that is still being written ends it.
///
/// # Errors
/// When the file cannot be read, or is no recording ([`io::ErrorKind::InvalidData`]).
pub fn read_recording(path: &Path) -> io::Result<Vec<RecordedPacket>> {
    let bytes = std::fs::read(path)?;
    let mut rest = bytes.as_slice();
    let mut packets = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let Some((record, after)) = after.split_at_checked(u32::from_le_bytes(*length) as usize) else {
            break;
        };
        let packet = parse_record(record);
        packets.push(packet.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?);
        rest = after;
    }
    Ok(packets)
}

fn parse_record(record: &[u8]) -> Option<RecordedPacket> {
    let (micros, rest) = record.split_first_chunk::<8>()?;
    let (identity_length, rest) = rest.split_first()?;
    let (identity, rest) = rest.split_at_checked(usize::from(*identity_length))?;
    let (medium, payload) = rest.split_first()?;
    let layer = match medium {
        0 => None,
        1 => Some(Layer::Low),
        2 => Some(Layer::Medium),
        3 => Some(Layer::High),
        _ => return None,
    };
    Some(RecordedPacket {
        unix_micros: u64::from_le_bytes(*micros),
        stream: Pseudonym::parse(core::str::from_utf8(identity).ok()?).ok()?,
        layer,
        payload: payload.to_vec(),
    })
}
