//! Messages between members, sealed by the group: where bytes meet the domain types (docs/wire.md, "Meeting
//! messages").
//!
//! ```text
//! u8 version = 1 | u8 kind | body
//! ```
//! Unknown versions are a named error; unknown kinds of a known version are ignored, so that a newer client can
//! add one.

use tls_codec::{DeserializeBytes, Serialize as _};
use zeroize::Zeroizing;

use crate::chat::ChatText;
use crate::heartbeat::Heartbeat;
use crate::secrets::RoomSecrets;
use crate::streams::Announcement;

/// Version of the messages between members.
pub const MESSAGE_VERSION: u8 = 1;

/// Longest message between members in bytes, before sealing: a committer's heartbeat in a full room.
pub const MAX_MESSAGE: usize = 16 * 1_024;

const HEARTBEAT: u8 = 1;
const CHAT: u8 = 2;
const STREAMS: u8 = 3;
const SECRETS: u8 = 4;
const KEY_MISSING: u8 = 5;
const LEAVING: u8 = 6;
const ENDED: u8 = 7;

/// A message between members.
#[derive(Clone, PartialEq, Eq)]
pub enum MeetingMessage {
    /// I am here, and this is what I see.
    Heartbeat(Heartbeat),
    /// A chat line.
    Chat(ChatText),
    /// What I send.
    Streams(Announcement),
    /// Secrets of the room that every member needs (the relay capability).
    Secrets(RoomSecrets),
    /// Media of this member does not open for me; please repair it.
    KeyMissing(KeyMissing),
    /// I leave; remove my leaf.
    Leaving,
    /// The meeting is over for everybody; believed from hosts alone.
    Ended,
}

/// Whose media does not open for the sender of the message.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    tls_codec::TlsSerialize,
    tls_codec::TlsDeserializeBytes,
    tls_codec::TlsSize,
)]
pub struct KeyMissing {
    /// `MemberId` of the member that cannot be heard.
    pub member: [u8; 16],
}

/// Why a message between members was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Too long, cut short, or with something after its end.
    #[error("a meeting message has the wrong length")]
    Length,
    /// A version that this build does not know.
    #[error("a meeting message has version {0}")]
    Version(u8),
    /// A kind that this build does not know.
    #[error("a meeting message has the unknown kind {0}")]
    Kind(u8),
    /// A field outside its range.
    #[error("a meeting message has a field outside its range")]
    Range,
}

/// A value that only counts when its fields are within their ranges.
pub(crate) trait Bounded {
    /// Whether every field is within its documented range.
    fn is_bounded(&self) -> bool;
}

impl Bounded for KeyMissing {
    fn is_bounded(&self) -> bool {
        true
    }
}

impl MeetingMessage {
    /// The bytes to be sealed; erased when they are dropped, for they may be secrets (SEC-14).
    ///
    /// # Errors
    /// [`WireError::Range`] for a message that no peer would accept.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, WireError> {
        let (kind, body) = match self {
            Self::Heartbeat(body) => (HEARTBEAT, body.tls_serialize_detached()),
            Self::Chat(body) => (CHAT, body.tls_serialize_detached()),
            Self::Streams(body) => (STREAMS, body.tls_serialize_detached()),
            Self::Secrets(body) => (SECRETS, body.tls_serialize_detached()),
            Self::KeyMissing(body) => (KEY_MISSING, body.tls_serialize_detached()),
            Self::Leaving => (LEAVING, Ok(Vec::new())),
            Self::Ended => (ENDED, Ok(Vec::new())),
        };
        let body = Zeroizing::new(body.map_err(|_| WireError::Range)?);
        let bytes = Zeroizing::new([&[MESSAGE_VERSION, kind], body.as_slice()].concat());
        if bytes.len() > MAX_MESSAGE { Err(WireError::Range) } else { Ok(bytes) }
    }

    /// Parses an opened message strictly.
    ///
    /// # Errors
    /// A [`WireError`]; nothing is guessed.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > MAX_MESSAGE {
            return Err(WireError::Length);
        }
        let ([version, kind], body) = bytes.split_first_chunk::<2>().ok_or(WireError::Length)?;
        if *version != MESSAGE_VERSION {
            return Err(WireError::Version(*version));
        }
        match *kind {
            HEARTBEAT => exact(body).map(Self::Heartbeat),
            CHAT => exact(body).map(Self::Chat),
            STREAMS => exact(body).map(Self::Streams),
            SECRETS => exact(body).map(Self::Secrets),
            KEY_MISSING => exact(body).map(Self::KeyMissing),
            LEAVING => empty(body).map(|()| Self::Leaving),
            ENDED => empty(body).map(|()| Self::Ended),
            unknown => Err(WireError::Kind(unknown)),
        }
    }
}

/// Parses `body` to its end and checks its ranges.
pub(crate) fn exact<T: DeserializeBytes + Bounded>(body: &[u8]) -> Result<T, WireError> {
    let value = T::tls_deserialize_exact_bytes(body).map_err(|_| WireError::Length)?;
    if value.is_bounded() { Ok(value) } else { Err(WireError::Range) }
}

fn empty(body: &[u8]) -> Result<(), WireError> {
    if body.is_empty() { Ok(()) } else { Err(WireError::Length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_truncation_and_extension_of_a_message_is_refused() {
        let message = MeetingMessage::KeyMissing(KeyMissing { member: [7; 16] });
        let bytes = message.to_bytes().unwrap();
        assert!(MeetingMessage::parse(&bytes) == Ok(message));
        for end in 0..bytes.len() {
            assert!(MeetingMessage::parse(&bytes[..end]).is_err(), "{end}");
        }
        assert!(MeetingMessage::parse(&[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn unknown_versions_and_kinds_are_named() {
        assert!(MeetingMessage::parse(&[2, 1]).err() == Some(WireError::Version(2)));
        assert!(MeetingMessage::parse(&[1, 99]).err() == Some(WireError::Kind(99)));
        assert!(MeetingMessage::parse(&[1, LEAVING]).ok() == Some(MeetingMessage::Leaving));
        assert!(MeetingMessage::parse(&[1, LEAVING, 0]).err() == Some(WireError::Length));
    }

    #[test]
    fn oversized_messages_are_refused_before_they_are_parsed() {
        assert!(MeetingMessage::parse(&vec![1; MAX_MESSAGE + 1]).err() == Some(WireError::Length));
    }
}
