//! Opaque bytes that the relay stores and passes on, padded so that their size tells little (SEC-12).

use core::fmt;
use std::sync::Arc;

use crate::WireError;
use crate::limits::{BLOB, BLOB_STEP};
use crate::wire::{Reader, Writer};

const LENGTH_LEN: usize = 4;

/// `length(u32) || payload || zeros`, a multiple of 512 bytes, at most 1 MiB. Cheap to clone.
///
/// The payload is expected to be ciphertext: nothing here hides it. The relay treats a blob as opaque and checks
/// only its size; whoever opens it checks the padding with [`Blob::unpad`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Blob(Arc<[u8]>);

impl Blob {
    /// Largest payload that fits into a blob.
    pub const MAX_PAYLOAD: usize = BLOB - LENGTH_LEN;

    /// Pads `payload`.
    ///
    /// # Errors
    /// [`WireError::TooLong`] when it is longer than [`Blob::MAX_PAYLOAD`].
    pub fn pad(payload: &[u8]) -> Result<Self, WireError> {
        let too_long = WireError::TooLong("blob");
        if payload.len() > Self::MAX_PAYLOAD {
            return Err(too_long);
        }
        let len = u32::try_from(payload.len()).map_err(|_| too_long)?;
        let padded = payload.len().saturating_add(LENGTH_LEN).next_multiple_of(BLOB_STEP);
        let mut bytes = Vec::with_capacity(padded);
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend_from_slice(payload);
        bytes.resize(padded, 0);
        Ok(Self(bytes.into()))
    }

    /// The payload.
    ///
    /// # Errors
    /// [`WireError::Invalid`] when the length inside does not fit or a padding byte is not zero.
    pub fn unpad(&self) -> Result<&[u8], WireError> {
        let invalid = WireError::Invalid("blob");
        let (len, rest) = self.0.split_first_chunk::<LENGTH_LEN>().ok_or(invalid)?;
        let len = usize::try_from(u32::from_be_bytes(*len)).map_err(|_| invalid)?;
        let (payload, padding) = rest.split_at_checked(len).ok_or(invalid)?;
        if padding.iter().any(|&byte| byte != 0) {
            return Err(invalid);
        }
        Ok(payload)
    }

    /// The padded bytes, as sent and stored. Two blobs are the same entry when these are equal.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Takes padded bytes from elsewhere (a store, a test).
    ///
    /// # Errors
    /// [`WireError::TooLong`] over 1 MiB; [`WireError::Invalid`] unless a positive multiple of 512 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > BLOB {
            return Err(WireError::TooLong("blob"));
        }
        if bytes.is_empty() || !bytes.len().is_multiple_of(BLOB_STEP) {
            return Err(WireError::Invalid("blob"));
        }
        Ok(Self(bytes.into()))
    }

    pub(crate) fn read(reader: &mut Reader<'_>, limit: usize) -> Result<Self, WireError> {
        Self::from_bytes(reader.bytes("blob", limit)?)
    }

    pub(crate) fn write(&self, writer: &mut Writer, limit: usize) {
        writer.bytes("blob", limit, &self.0);
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_are_multiples_of_512_and_give_their_payload_back() {
        for len in [0, 1, 507, 508, 509, 1_020, 1_021, 70_000, Blob::MAX_PAYLOAD] {
            let payload = vec![0xa5; len];
            let blob = Blob::pad(&payload).unwrap();
            assert_eq!(blob.as_bytes().len() % BLOB_STEP, 0, "{len}");
            assert!(blob.as_bytes().len() < len + 4 + BLOB_STEP, "{len}");
            assert_eq!(blob.unpad().unwrap(), payload);
        }
        assert_eq!(Blob::pad(&vec![0; Blob::MAX_PAYLOAD + 1]), Err(WireError::TooLong("blob")));
    }

    #[test]
    fn dirty_padding_and_impossible_lengths_are_refused() {
        let mut bytes = Blob::pad(b"payload").unwrap().as_bytes().to_vec();
        bytes[511] = 1;
        assert_eq!(Blob::from_bytes(&bytes).unwrap().unpad(), Err(WireError::Invalid("blob")));
        bytes[511] = 0;
        bytes[2] = 0xff;
        assert_eq!(Blob::from_bytes(&bytes).unwrap().unpad(), Err(WireError::Invalid("blob")));
        assert_eq!(Blob::from_bytes(&[]), Err(WireError::Invalid("blob")));
        assert_eq!(Blob::from_bytes(&[0; 513]), Err(WireError::Invalid("blob")));
    }

    #[test]
    fn debug_shows_only_the_size() {
        assert_eq!(format!("{:?}", Blob::pad(b"secret").unwrap()), "Blob(512 bytes)");
    }
}
