//! Why keys were not installed and why a frame was not sealed.

use incamera_sframe::SealError;
use incamera_types::{Blame, Fault, Retry};

/// Why the keys of an epoch were not installed. Keys installed before stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstallError {
    /// A later epoch is installed already.
    #[error("these keys belong to an epoch that is over")]
    StaleEpoch,
    /// Other keys of the same epoch took the place of these before; their counters are gone, so these keys
    /// never seal again (SEC-17).
    #[error("these keys were replaced before and cannot be used again")]
    SpentKeys,
    /// The base key is not as long as the suite's keys.
    #[error("the media key has the wrong length")]
    BaseKeyLength,
    /// No key of our own can be derived from the base key.
    #[error("the media key gives no key to send with")]
    Derivation,
    /// Our leaf has no place in a key id.
    #[error("the place in the group is out of range")]
    LeafOutOfRange,
}

impl Fault for InstallError {
    fn code(&self) -> &'static str {
        match self {
            Self::StaleEpoch => "frames.install.stale_epoch",
            Self::SpentKeys => "frames.install.spent_keys",
            Self::BaseKeyLength => "frames.install.base_key_length",
            Self::Derivation => "frames.install.derivation",
            Self::LeafOutOfRange => "frames.install.leaf_out_of_range",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Us
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::StaleEpoch => "Nothing is needed: newer keys are in use.",
            _ => "Leave and join again, and report this defect.",
        }
    }
}

/// Why a frame was not sealed. It is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameSealError {
    /// Media is stopped: not yet in the meeting, or the link was lost for too long (SEC-08, SEC-19).
    #[error("media is stopped")]
    Stopped,
    /// No keys were installed yet, or the newest could not be.
    #[error("there is no media key to seal with")]
    NoKeys,
    /// The rules do not let us send this (SEC-10).
    #[error("the rules of the meeting do not allow this stream")]
    NotPermitted,
    /// Sealing itself was refused.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl Fault for FrameSealError {
    fn code(&self) -> &'static str {
        match self {
            Self::Stopped => "frames.seal.stopped",
            Self::NoKeys => "frames.seal.no_keys",
            Self::NotPermitted => "frames.seal.not_permitted",
            Self::Seal(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Stopped => Blame::Network,
            Self::NoKeys => Blame::Us,
            Self::NotPermitted => Blame::Policy,
            Self::Seal(error) => error.blame(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Stopped | Self::NoKeys => Retry::Automatic,
            Self::NotPermitted => Retry::Never,
            Self::Seal(error) => error.retry(),
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::Stopped | Self::NoKeys => "Nothing is needed: sending goes on as soon as it is safe.",
            Self::NotPermitted => "Ask a host for the right to send this.",
            Self::Seal(error) => error.advice(),
        }
    }
}
