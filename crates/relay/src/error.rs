//! Why a relay does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use incamera_sfu::SfuError;
use incamera_types::{Blame, Fault, Retry};

/// Why a relay does not start. Each has a code that the program prints.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// A file named on the command line or in the configuration cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The configuration file is not valid.
    #[error("{path} is not a valid configuration: {reason}")]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        reason: String,
    },
    /// A setting contradicts another one or makes no sense.
    #[error("the setting {setting} is not valid: {reason}")]
    Setting {
        /// Its name in the configuration file.
        setting: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// The TCP port is taken by another program.
    #[error("{address} is in use by another program")]
    PortInUse {
        /// The address.
        address: SocketAddr,
    },
    /// The TCP address cannot be used.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Certificate and key cannot be used.
    #[error("the TLS certificate cannot be used: {reason}")]
    Certificate {
        /// Why.
        reason: String,
    },
    /// The embedded SFU does not start.
    #[error("the embedded SFU does not start: {0}")]
    Sfu(#[from] SfuError),
    /// The operating system gives no threads or signals.
    #[error("the operating system refused what a server needs: {source}")]
    Runtime {
        /// Why.
        source: io::Error,
    },
    /// The operating system gives no randomness.
    #[error("the operating system gives no random numbers")]
    NoRandomness,
}

impl Fault for RelayError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "relay.start.unreadable",
            Self::Config { .. } => "relay.start.config",
            Self::Setting { .. } => "relay.start.setting",
            Self::PortInUse { .. } => "relay.start.port_in_use",
            Self::Bind { .. } => "relay.start.bind",
            Self::Certificate { .. } => "relay.start.certificate",
            Self::Sfu(error) => error.code(),
            Self::Runtime { .. } => "relay.start.runtime",
            Self::NoRandomness => "relay.start.entropy",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::PortInUse { .. } | Self::Bind { .. } => Blame::Network,
            Self::Sfu(error) => error.blame(),
            Self::Runtime { .. } | Self::NoRandomness => Blame::Device,
            _ => Blame::Input,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Sfu(error) => error.retry(),
            _ => Retry::Never,
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "Check the path, and that the relay's user may read the file.",
            Self::Config { .. } | Self::Setting { .. } => {
                "Correct the configuration; `incamera-relay --check` tells whether it is valid."
            }
            Self::PortInUse { .. } => "Stop the other program, or choose another port in `listen`.",
            Self::Bind { .. } => {
                "Use an address of this machine; ports below 1024 need the right to bind them."
            }
            Self::Certificate { .. } => {
                "Give a PEM certificate chain and its own PEM private key, or set `tls = \"self_signed\"`."
            }
            Self::Sfu(error) => error.advice(),
            Self::Runtime { .. } => "Check the limits on threads and memory of the relay's user.",
            Self::NoRandomness => "Check the operating system's random number source.",
        }
    }
}
