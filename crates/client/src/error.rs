//! Why a meeting could not be started or went wrong, by who is to blame.

use incamera_devices::DeviceError;
use incamera_types::{Blame, Fault, InviteError, Retry};

/// Everything that can go wrong in a client. Inner faults keep their codes.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The link cannot be read.
    #[error(transparent)]
    Invite(#[from] InviteError),
    /// A device or file failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The relay cannot be reached.
    #[error(transparent)]
    Relay(#[from] incamera_transport::RelayError),
    /// The SFU cannot be used.
    #[error(transparent)]
    Sfu(#[from] incamera_transport::SfuError),
    /// The meeting refused.
    #[error(transparent)]
    Meeting(#[from] incamera_meeting::MeetingError),
    /// The relay for a meeting hosted here could not be started.
    #[error(transparent)]
    Hosting(#[from] incamera_relay::RelayError),
    /// The name cannot be used.
    #[error(transparent)]
    Name(#[from] incamera_identity::IdentityError),
    /// Sound cannot be coded.
    #[error(transparent)]
    Opus(#[from] incamera_media::opus::OpusError),
    /// Pictures cannot be coded.
    #[error(transparent)]
    Vp8(#[from] incamera_media::vp8::EncodeError),
    /// A thread of this process could not be started.
    #[error("the operating system gave this program no more threads: {0}")]
    Thread(std::io::ErrorKind),
}

impl ClientError {
    fn inner(&self) -> Option<&dyn Fault> {
        match self {
            Self::Invite(fault) => Some(fault),
            Self::Device(fault) => Some(fault),
            Self::Relay(fault) => Some(fault),
            Self::Sfu(fault) => Some(fault),
            Self::Meeting(fault) => Some(fault),
            Self::Hosting(fault) => Some(fault),
            Self::Name(fault) => Some(fault),
            Self::Opus(fault) => Some(fault),
            Self::Vp8(fault) => Some(fault),
            Self::Thread(_) => None,
        }
    }
}

impl Fault for ClientError {
    fn code(&self) -> &'static str {
        self.inner().map_or("client.thread", Fault::code)
    }

    fn blame(&self) -> Blame {
        self.inner().map_or(Blame::Us, Fault::blame)
    }

    fn retry(&self) -> Retry {
        self.inner().map_or(Retry::Never, Fault::retry)
    }

    fn advice(&self) -> &'static str {
        self.inner().map_or("Close other programs and try again.", Fault::advice)
    }
}
