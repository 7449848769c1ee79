//! A file of every message from and to clients, as it is inside TLS: everything that an operator could keep.
//! Adversary tests only.
//!
//! Each record: who sent it (u8: 0 a client, 1 the relay), length (u32, little-endian), the message.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

/// Who sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RecordedSender {
    /// A client.
    Client = 0,
    /// The relay.
    Relay = 1,
}

/// Writes the recording.
pub(crate) struct Recorder(File);

impl Recorder {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        File::create(path).map(Self)
    }

    pub(crate) fn record(&mut self, sender: RecordedSender, message: &[u8]) {
        let mut record = vec![sender as u8];
        record.extend_from_slice(&(message.len() as u32).to_le_bytes());
        record.extend_from_slice(message);
        if let Err(error) = self.0.write_all(&record) {
            tracing::error!(%error, "a message was not recorded");
        }
    }
}

/// Reads a recording; a record that is still being written ends it.
///
/// # Errors
/// When the file cannot be read.
pub fn read_recording(path: &Path) -> io::Result<Vec<(RecordedSender, Vec<u8>)>> {
    let bytes = std::fs::read(path)?;
    let (mut rest, mut messages) = (bytes.as_slice(), Vec::new());
    while let Some(([sender, length @ ..], after)) = rest.split_first_chunk::<5>() {
        let Some((message, after)) = after.split_at_checked(u32::from_le_bytes(*length) as usize) else {
            break;
        };
        let sender = if *sender == 0 { RecordedSender::Client } else { RecordedSender::Relay };
        messages.push((sender, message.to_vec()));
        rest = after;
    }
    Ok(messages)
}
