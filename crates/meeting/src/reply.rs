//! The reply to a knock, sealed to the key that came inside the knock: neither the relay nor other knockers
//! can read or forge it.

use incamera_group::MAX_WELCOME_LEN;
use incamera_group::hpke::{HpkePrivateKey, HpkePublicKey};
use incamera_types::{Entropy, RoomId};
use tls_codec::{Serialize as _, TlsDeserializeBytes, TlsSerialize, TlsSize};
use zeroize::Zeroizing;

use crate::error::MeetingError;
use crate::secrets::RoomSecrets;
use crate::wire::{Bounded, WireError, exact};

const INFO: &[u8] = b"Incamera 1.0 reply";
const ADMITTED: u8 = 1;
const DENIED: u8 = 2;

/// Why a knock was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// A host decided so.
    Host,
    /// The room is locked.
    Locked,
    /// The room is full, or too many wait.
    Full,
    /// The knock repeats an older one or the clocks are too far apart.
    Stale,
    /// The knock is of another version of the protocol.
    Version,
}

impl Denial {
    const fn number(self) -> u8 {
        match self {
            Self::Host => 0,
            Self::Locked => 1,
            Self::Full => 2,
            Self::Stale => 3,
            Self::Version => 4,
        }
    }

    /// Unknown reasons of a later version are the host's.
    const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Locked,
            2 => Self::Full,
            3 => Self::Stale,
            4 => Self::Version,
            _ => Self::Host,
        }
    }
}

/// What an admitted knocker gets.
#[derive(Clone, PartialEq, Eq, TlsSerialize, TlsDeserializeBytes, TlsSize)]
pub struct Admission {
    /// Place of the commit in the log: the joiner reads on from there.
    pub commit_seq: u64,
    /// The log's hash chain there, as the admitter has it.
    pub log_hash: [u8; 16],
    /// What it needs at the relay.
    pub secrets: RoomSecrets,
    /// The MLS Welcome; at most [`MAX_WELCOME_LEN`].
    pub welcome: Vec<u8>,
}

impl Bounded for Admission {
    fn is_bounded(&self) -> bool {
        (1..=MAX_WELCOME_LEN).contains(&self.welcome.len())
    }
}

/// A reply.
#[derive(Clone, PartialEq, Eq)]
pub enum Reply {
    /// Come in.
    Admitted(Admission),
    /// Stay out.
    Denied(Denial),
}

impl Reply {
    fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, MeetingError> {
        match self {
            Self::Admitted(admission) => {
                let body = admission.tls_serialize_detached().map_err(|_| MeetingError::Internal)?;
                let body = Zeroizing::new(body);
                Ok(Zeroizing::new([&[ADMITTED], body.as_slice()].concat()))
            }
            Self::Denied(denial) => Ok(Zeroizing::new(vec![DENIED, denial.number()])),
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        match bytes {
            [ADMITTED, body @ ..] => exact(body).map(Self::Admitted),
            [DENIED, number] => Ok(Self::Denied(Denial::from_number(*number))),
            [DENIED, ..] | [] => Err(WireError::Length),
            [kind, ..] => Err(WireError::Kind(*kind)),
        }
    }

    /// Seals the reply to the knock with this nonce.
    ///
    /// # Errors
    /// [`MeetingError::Internal`] when the knocker gave a key under which nothing is secret.
    pub(crate) fn seal(
        &self,
        room: RoomId,
        nonce: [u8; 16],
        reply_key: &HpkePublicKey,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, MeetingError> {
        let plain = self.to_bytes()?;
        reply_key.seal(entropy, &info(room, nonce), &[], &plain).map_err(|_| MeetingError::Internal)
    }

    /// Opens the reply to our knock.
    ///
    /// # Errors
    /// [`WireError::Length`] when it is not sealed to us, another [`WireError`] when it is malformed.
    pub(crate) fn open(
        room: RoomId,
        nonce: [u8; 16],
        reply_key: &HpkePrivateKey,
        sealed: &[u8],
    ) -> Result<Self, WireError> {
        Self::parse(&reply_key.open(&info(room, nonce), &[], sealed).map_err(|_| WireError::Length)?)
    }
}

fn info(room: RoomId, nonce: [u8; 16]) -> Vec<u8> {
    [INFO, &room.0, &nonce].concat()
}
