//! What can be wrong with a key, a signature or a credential.

use incamera_types::{Blame, Fault};

/// Why a key, a signature, a name or a credential was refused. Everything checked here was sent by another
/// participant, except a name typed by the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// A key that is not 32 bytes or one of the small-order points, under which anything verifies.
    #[error("a public key is malformed or of small order")]
    Key,
    /// A signature does not belong to the key and message.
    #[error("a signature does not verify")]
    Signature,
    /// An HMAC does not belong to the key and message.
    #[error("an authentication code does not verify")]
    Mac,
    /// A display name that is empty, too long, or contains control or direction-changing characters.
    #[error("the display name is empty, too long, or contains characters that cannot be shown safely")]
    Name,
    /// A credential with a format version this build does not know.
    #[error("the credential has format version {0}, which this version of Incamera does not know")]
    Version(u8),
    /// A credential with missing, additional or impossible bytes.
    #[error("the credential is malformed")]
    Malformed,
    /// More output was asked of HKDF than it can give (255 blocks of 32 bytes).
    #[error("too many bytes were asked of the key derivation")]
    OutputTooLong,
}

impl Fault for IdentityError {
    fn code(&self) -> &'static str {
        match self {
            Self::Key => "identity.key",
            Self::Signature => "identity.signature",
            Self::Mac => "identity.mac",
            Self::Name => "identity.name",
            Self::Version(_) => "identity.version",
            Self::Malformed => "identity.malformed",
            Self::OutputTooLong => "identity.output_too_long",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Name => Blame::Input,
            Self::OutputTooLong => Blame::Us,
            _ => Blame::Peer,
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::Name => "Choose a name of 1 to 128 bytes without control characters.",
            Self::Version(_) => "Everybody in the meeting should use the same version of Incamera.",
            Self::OutputTooLong => "Report this as a defect.",
            _ => "Do not trust this participant until it joined again with intact data.",
        }
    }
}
