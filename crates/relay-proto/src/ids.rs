//! Numbers and random identifiers of the relay protocol.

use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::WireError;
use crate::wire::Reader;

/// Position of an entry in a room's log. The first entry has 1; numbers have no gaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

impl Seq {
    /// The first entry of every log.
    pub const FIRST: Self = Self(1);

    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One life of a room's log: random, drawn when the room is created at this relay. Sequence numbers of another
/// incarnation mean nothing (wire.md §5, "Host loss").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Incarnation(pub u64);

/// A client's own number for a request, echoed in the answer or the error to it. Unique per connection as far
/// as the client cares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientRef(pub u32);

/// A knock at one room; random, given by the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KnockId(pub [u8; 16]);

/// A member towards the SFU: a random stream id, unlinkable to anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TicketIdentity(pub [u8; 16]);

impl fmt::Display for TicketIdentity {
    /// 32 lower-case hex digits: how the identity is written in URLs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl TicketIdentity {
    /// Reads the form that `Display` writes; `None` for anything else.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let digit = |byte: &u8| match byte {
            b'0'..=b'9' => byte.checked_sub(b'0'),
            b'a'..=b'f' => byte.checked_sub(b'a').and_then(|low| low.checked_add(10)),
            _ => None,
        };
        let mut bytes = [0; 16];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(high)?.checked_shl(4)? | digit(low)?;
        }
        Some(Self(bytes))
    }
}

/// Whoever holds it may go on with its knock, or its ticket, from another connection. 16 random bytes.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct ResumeSecret([u8; 16]);

impl ResumeSecret {
    /// Wraps 16 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be hashed or written to the wire.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for ResumeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Lanes of a room's log. All share one sequence; commits are appended first (wire.md §5, "Order").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Lane {
    /// MLS commits.
    Commit = 0,
    /// Chat, heartbeats, stream announcements.
    Application = 1,
}

impl Lane {
    /// Every lane, in the order in which they are served.
    pub const ALL: [Self; 2] = [Self::Commit, Self::Application];

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        match reader.u8("lane")? {
            0 => Ok(Self::Commit),
            1 => Ok(Self::Application),
            _ => Err(WireError::Invalid("lane")),
        }
    }
}
