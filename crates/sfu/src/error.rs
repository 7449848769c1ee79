//! Errors of the embedding API. What HTTP clients see is in [`crate::refusal`].

use std::net::SocketAddr;

use incamera_types::{Blame, Fault, Retry};

/// Why the SFU could not be started or asked.
#[derive(Debug, thiserror::Error)]
pub enum SfuError {
    /// The configuration names no UDP address.
    #[error("no UDP address to listen on was configured")]
    NoAddress,
    /// A UDP address could not be bound.
    #[error("the UDP address {address} could not be opened: {source}")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// An advertised address cannot be an ICE candidate (unspecified, multicast or port 0).
    #[error("{address} cannot be advertised to clients")]
    UnusableAddress {
        /// The address.
        address: SocketAddr,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gave no random bytes")]
    NoRandomness,
    /// A room, identity or grant more than the limits allow.
    #[error("the SFU holds as many grants as its limits allow")]
    TooManyGrants,
    /// An identity with characters outside `A-Z a-z 0-9 - _` or not 1 to 64 characters long.
    #[error("an SFU identity is 1 to 64 letters, digits, hyphens and underscores")]
    BadPseudonym,
    /// The SFU was stopped.
    #[error("the SFU has stopped")]
    Stopped,
    /// The recording file could not be created.
    #[cfg(feature = "danger-record")]
    #[error("the recording file could not be created: {0}")]
    Recording(std::io::Error),
}

impl Fault for SfuError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoAddress => "sfu.config.no_address",
            Self::Bind { .. } => "sfu.config.bind",
            Self::UnusableAddress { .. } => "sfu.config.unusable_address",
            Self::NoRandomness => "sfu.entropy",
            Self::TooManyGrants => "sfu.grants.full",
            Self::BadPseudonym => "sfu.grants.bad_identity",
            Self::Stopped => "sfu.stopped",
            #[cfg(feature = "danger-record")]
            Self::Recording(_) => "sfu.recording",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::NoAddress | Self::UnusableAddress { .. } | Self::BadPseudonym => Blame::Input,
            Self::Bind { .. } | Self::NoRandomness => Blame::Device,
            Self::TooManyGrants => Blame::Policy,
            Self::Stopped => Blame::Us,
            #[cfg(feature = "danger-record")]
            Self::Recording(_) => Blame::Device,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::TooManyGrants => Retry::After(core::time::Duration::from_secs(30)),
            _ => Retry::Never,
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::NoAddress => "Configure at least one UDP address for the SFU.",
            Self::Bind { .. } => "Choose a free UDP port and an address of this machine.",
            Self::UnusableAddress { .. } => "Advertise an address that clients can reach.",
            Self::NoRandomness => "Check the operating system's random number source.",
            Self::TooManyGrants => "Wait until other meetings end, or raise the SFU's limits.",
            Self::BadPseudonym => "Use a random identity made of letters and digits.",
            Self::Stopped => "Start the SFU again.",
            #[cfg(feature = "danger-record")]
            Self::Recording(_) => "Choose a writable file for the recording.",
        }
    }
}
