//! Which kind of media a frame carries, and the SFrame key id built from it (wire.md §2).

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{Epoch, LeafIndex, MAX_LEAVES};

/// What a decoder does with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// Opus.
    Audio,
    /// VP8.
    Video,
}

/// The fixed stream contexts of wire.md §2: part of every key id, so a swap of camera and screen by an SFU
/// does not open. Contexts 16–63 are reserved and do not parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
#[serde(rename_all = "snake_case")]
pub enum Context {
    /// Microphone.
    Microphone = 0,
    /// Camera, largest layer.
    CameraHigh = 1,
    /// Camera, middle layer.
    CameraMedium = 2,
    /// Camera, smallest layer.
    CameraLow = 3,
    /// Screen, largest layer.
    ScreenHigh = 4,
    /// Screen, middle layer.
    ScreenMedium = 5,
    /// Screen, smallest layer.
    ScreenLow = 6,
    /// Audio of a shared screen.
    ScreenAudio = 7,
    /// Attestation of [`Context::Microphone`] (wire.md §6), and so on up to 15.
    MicrophoneAttestation = 8,
    /// Attestation of [`Context::CameraHigh`].
    CameraHighAttestation = 9,
    /// Attestation of [`Context::CameraMedium`].
    CameraMediumAttestation = 10,
    /// Attestation of [`Context::CameraLow`].
    CameraLowAttestation = 11,
    /// Attestation of [`Context::ScreenHigh`].
    ScreenHighAttestation = 12,
    /// Attestation of [`Context::ScreenMedium`].
    ScreenMediumAttestation = 13,
    /// Attestation of [`Context::ScreenLow`].
    ScreenLowAttestation = 14,
    /// Attestation of [`Context::ScreenAudio`].
    ScreenAudioAttestation = 15,
}

impl Context {
    /// Every context, in numeric order.
    pub const ALL: [Self; 16] = [
        Self::Microphone,
        Self::CameraHigh,
        Self::CameraMedium,
        Self::CameraLow,
        Self::ScreenHigh,
        Self::ScreenMedium,
        Self::ScreenLow,
        Self::ScreenAudio,
        Self::MicrophoneAttestation,
        Self::CameraHighAttestation,
        Self::CameraMediumAttestation,
        Self::CameraLowAttestation,
        Self::ScreenHighAttestation,
        Self::ScreenMediumAttestation,
        Self::ScreenLowAttestation,
        Self::ScreenAudioAttestation,
    ];

    /// The camera layers from the largest to the smallest.
    pub const CAMERA: [Self; 3] = [Self::CameraHigh, Self::CameraMedium, Self::CameraLow];

    /// The screen layers from the largest to the smallest.
    pub const SCREEN: [Self; 3] = [Self::ScreenHigh, Self::ScreenMedium, Self::ScreenLow];

    /// The context with this number; `None` for reserved ones.
    #[inline]
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The number in the key id.
    #[inline]
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The context whose frames this one attests, if it is an attestation context.
    #[inline]
    #[must_use]
    pub fn attests(self) -> Option<Self> {
        self.number().checked_sub(8).and_then(Self::from_number)
    }

    /// What a decoder does with the frames of this context. Attestations travel on the track of what they
    /// attest and have its kind.
    #[inline]
    #[must_use]
    pub fn kind(self) -> MediaKind {
        match self.attests().unwrap_or(self) {
            Self::Microphone | Self::ScreenAudio => MediaKind::Audio,
            _ => MediaKind::Video,
        }
    }
}

/// An SFrame key id: `context << 16 | leaf << 6 | (epoch mod 64)` (wire.md §2; E = 6, S = 10).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kid(u64);

/// A key id that no Incamera client can have sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the frame's key id {0:#x} has a reserved context or too many bits")]
pub struct KidError(pub u64);

impl Kid {
    /// The key id of a member's stream in an epoch; `None` when the leaf does not fit.
    #[must_use]
    pub const fn new(context: Context, leaf: LeafIndex, epoch: Epoch) -> Option<Self> {
        if leaf.0 >= MAX_LEAVES {
            return None;
        }
        Some(Self(((context as u64) << 16) | ((leaf.0 as u64) << 6) | (epoch.0 & 0x3f)))
    }

    /// Reads a key id from the wire.
    ///
    /// # Errors
    /// [`KidError`] for a reserved context or bits above it.
    #[inline]
    pub fn from_wire(value: u64) -> Result<Self, KidError> {
        let context = u8::try_from(value >> 16).ok().and_then(Context::from_number);
        context.map(|_| Self(value)).ok_or(KidError(value))
    }

    /// The value on the wire.
    #[inline]
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The stream context.
    #[inline]
    #[must_use]
    pub fn context(self) -> Context {
        // Both constructors refuse reserved contexts.
        u8::try_from(self.0 >> 16).ok().and_then(Context::from_number).unwrap_or(Context::Microphone)
    }

    /// The sender's leaf.
    #[inline]
    #[must_use]
    pub const fn leaf(self) -> LeafIndex {
        LeafIndex(((self.0 >> 6) & 0x3ff) as u32)
    }

    /// The epoch modulo 64.
    #[inline]
    #[must_use]
    pub const fn epoch_bits(self) -> u8 {
        (self.0 & 0x3f) as u8
    }
}

impl fmt::Debug for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kid({:?} leaf {} epoch%64 {})", self.context(), self.leaf().0, self.epoch_bits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kid_round_trips_every_part() {
        let kid = Kid::new(Context::ScreenLowAttestation, LeafIndex(1_023), Epoch(130)).unwrap();
        let read = Kid::from_wire(kid.value()).unwrap();
        assert_eq!(read.context(), Context::ScreenLowAttestation);
        assert_eq!(read.leaf(), LeafIndex(1_023));
        assert_eq!(read.epoch_bits(), 2);
    }

    #[test]
    fn leaf_1024_has_no_kid() {
        assert!(Kid::new(Context::Microphone, LeafIndex(1_024), Epoch(0)).is_none());
    }

    #[test]
    fn reserved_contexts_do_not_parse() {
        assert!(Kid::from_wire(15 << 16).is_ok());
        assert!(Kid::from_wire(16 << 16).is_err());
        assert!(Kid::from_wire(u64::MAX).is_err());
        assert!(Kid::from_wire(1 << 40).is_err());
    }

    #[test]
    fn attestations_share_the_kind_of_what_they_attest() {
        assert_eq!(Context::MicrophoneAttestation.kind(), MediaKind::Audio);
        assert_eq!(Context::CameraLowAttestation.kind(), MediaKind::Video);
        assert_eq!(Context::ScreenAudioAttestation.attests(), Some(Context::ScreenAudio));
        assert_eq!(Context::ScreenAudio.attests(), None);
    }
}
