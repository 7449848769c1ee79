//! SFrame cipher suites that Incamera uses.

use serde::{Deserialize, Serialize};

/// An SFrame cipher suite with full 16-byte tags (RFC 9605 §4.5); fixed when the room is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u16)]
pub enum FrameSuite {
    /// `0x0004` AES_128_GCM_SHA256_128.
    Aes128GcmSha256 = 0x0004,
    /// `0x0005` AES_256_GCM_SHA512_128, the default.
    #[default]
    Aes256GcmSha512 = 0x0005,
}

impl FrameSuite {
    /// Every suite.
    pub const ALL: [Self; 2] = [Self::Aes128GcmSha256, Self::Aes256GcmSha512];

    /// The suite with this IANA number, or `None` for one that Incamera does not use.
    #[must_use]
    pub const fn from_number(number: u16) -> Option<Self> {
        match number {
            0x0004 => Some(Self::Aes128GcmSha256),
            0x0005 => Some(Self::Aes256GcmSha512),
            _ => None,
        }
    }

    /// The IANA number of the suite.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// Nk: bytes of the AEAD key, and of the base key that MLS exports (RFC 9605 §5.2).
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128GcmSha256 => 16,
            Self::Aes256GcmSha512 => 32,
        }
    }
}
