//! What the relay refuses, and why.

use core::time::Duration;

use incamera_types::{Blame, Fault, Retry};

use crate::{ClientRef, WireError};

/// A refusal as the relay sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}")]
pub struct RelayFault {
    /// The request that was refused; `None`: the connection as a whole.
    pub in_reply_to: Option<ClientRef>,
    /// Why.
    pub code: RelayFaultCode,
    /// For [`RelayFaultCode::Busy`] and [`RelayFaultCode::TooFast`] milliseconds to wait, for
    /// [`RelayFaultCode::StaleOrder`] the counter of the last accepted order, for
    /// [`RelayFaultCode::Version`] the relay's version, for [`RelayFaultCode::FellBehind`] the oldest entry
    /// kept; else 0.
    pub detail: u64,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $code:literal, $text:literal, $advice:literal;)*) => {
        /// Why the relay refused. Unknown numbers of later versions are kept as [`RelayFaultCode::Other`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
        pub enum RelayFaultCode {
            $($(#[$doc])* #[error($text)] $name,)*
            /// A code of a later version.
            #[error("the meeting server refused for a reason that this version does not know ({0})")]
            Other(u16),
        }

        impl RelayFaultCode {
            /// Every code that this version knows.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The number on the wire.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$name => $number,)* Self::Other(number) => number }
            }

            /// The code with this number.
            #[must_use]
            pub const fn from_number(number: u16) -> Self {
                match number { $($number => Self::$name,)* other => Self::Other(other) }
            }

            const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* Self::Other(_) => "relay.other" }
            }

            const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)* Self::Other(_) => "Update Incamera." }
            }
        }
    };
}

codes! {
    /// Bytes that are no message.
    Malformed = 1, "relay.malformed", "the meeting server could not read a message of this client",
        "Update Incamera, and report the problem if it stays.";
    /// Another protocol version.
    Version = 2, "relay.version", "the meeting server speaks another version",
        "Update Incamera, or ask the operator of the meeting server to update it.";
    /// Not in the order the protocol prescribes (no Hello, no open room).
    OutOfTurn = 3, "relay.out_of_turn", "a message came before the one it needs",
        "Leave and join again.";
    /// No such room: never made, ended or expired.
    NoRoom = 4, "relay.room.unknown", "there is no such meeting at this server: it has ended, or the link is wrong",
        "Ask the host for a new link.";
    /// The room id is taken.
    RoomExists = 5, "relay.room.exists", "a meeting with this id exists already",
        "Start the meeting again: it gets another id.";
    /// The capability is not the current one.
    Denied = 6, "relay.denied", "the meeting server does not accept this link or membership any more",
        "Ask the host for a new link.";
    /// The connection's access does not cover the request.
    NotAllowed = 7, "relay.not_allowed", "this connection may not do that",
        "Leave and join again.";
    /// Creating rooms needs a token that was not given, or another one.
    CreateDenied = 8, "relay.create.denied", "this server lets only certain people start meetings",
        "Ask the operator of the meeting server for a token.";
    /// The relay has as many rooms as it allows.
    RoomsFull = 9, "relay.rooms_full", "the meeting server has no room for another meeting",
        "Try later, or use another server.";
    /// The room has as many connections as the relay allows.
    RoomFull = 10, "relay.room.full", "the meeting has as many connections as its server allows",
        "Try later.";
    /// Too many knocks wait.
    LobbyFull = 11, "relay.lobby_full", "too many people wait to be let in",
        "Try again in a moment.";
    /// A second knock on one connection.
    AlreadyKnocked = 12, "relay.already_knocked", "this client waits to be let in already",
        "Wait for an answer.";
    /// The knock is settled, withdrawn or expired, or never was.
    NoKnock = 13, "relay.no_knock", "this request to join is no longer waiting",
        "Ask to join again.";
    /// An append or ticket queue is full.
    Busy = 14, "relay.busy", "the meeting server is busy with earlier messages of this client",
        "Nothing: it is sent again by itself.";
    /// The connection sends more than allowed.
    TooFast = 15, "relay.too_fast", "this client sends more than the meeting server allows",
        "Nothing: it goes on more slowly by itself.";
    /// Wrong signature on an order.
    BadSignature = 16, "relay.order.signature", "an order for the meeting server is not signed by the meeting's hosts",
        "Leave and join again.";
    /// An order with a counter or incarnation that is not the next.
    StaleOrder = 17, "relay.order.stale", "another host's order came first",
        "Nothing: it is sent again by itself.";
    /// A card that does not parse, is for another room, is out of date or older than the last.
    BadCard = 18, "relay.card", "the meeting's card was refused by its server",
        "Check this computer's clock, then try again.";
    /// The SFU gave no ticket.
    SfuUnavailable = 19, "relay.sfu", "the media server does not answer the meeting server",
        "Try again in a moment; tell the operator if it stays.";
    /// The first wanted entry is no longer kept.
    FellBehind = 20, "relay.fell_behind", "this client was away for longer than the meeting server remembers",
        "Nothing: it joins again by itself.";
    /// Too many connections from one address.
    TooManyConnections = 21, "relay.connections", "too many connections from this network",
        "Close other meetings, or try later.";
    /// The relay stops.
    Stopping = 22, "relay.stopping", "the meeting server is being stopped",
        "Wait: the connection is made again by itself.";
    /// Said nothing for too long, or did not read what was sent.
    TimedOut = 23, "relay.timed_out", "the connection to the meeting server was silent for too long",
        "Nothing: the connection is made again by itself.";
    /// The renewed ticket is unknown, revoked or another's, or the room has as many as it may.
    NoTicket = 24, "relay.ticket", "the meeting server gave no access to the media server",
        "Leave and join again.";
}

impl RelayFault {
    /// A refusal of the request `in_reply_to`.
    #[must_use]
    pub const fn reply(in_reply_to: ClientRef, code: RelayFaultCode) -> Self {
        Self { in_reply_to: Some(in_reply_to), code, detail: 0 }
    }

    /// A refusal of the connection.
    #[must_use]
    pub const fn connection(code: RelayFaultCode) -> Self {
        Self { in_reply_to: None, code, detail: 0 }
    }

    /// The same refusal with a detail.
    #[must_use]
    pub const fn with_detail(self, detail: u64) -> Self {
        Self { detail, ..self }
    }
}

impl Fault for RelayFault {
    fn code(&self) -> &'static str {
        self.code.code()
    }

    fn blame(&self) -> Blame {
        match self.code {
            RelayFaultCode::Malformed | RelayFaultCode::OutOfTurn | RelayFaultCode::NotAllowed => Blame::Us,
            RelayFaultCode::NoRoom | RelayFaultCode::Denied => Blame::Input,
            RelayFaultCode::CreateDenied
            | RelayFaultCode::RoomsFull
            | RelayFaultCode::RoomFull
            | RelayFaultCode::LobbyFull
            | RelayFaultCode::TooManyConnections => Blame::Policy,
            RelayFaultCode::SfuUnavailable => Blame::Sfu,
            RelayFaultCode::TimedOut | RelayFaultCode::FellBehind => Blame::Network,
            _ => Blame::Relay,
        }
    }

    fn retry(&self) -> Retry {
        match self.code {
            RelayFaultCode::Busy
            | RelayFaultCode::TooFast
            | RelayFaultCode::StaleOrder
            | RelayFaultCode::FellBehind
            | RelayFaultCode::Stopping
            | RelayFaultCode::TimedOut => Retry::Automatic,
            RelayFaultCode::RoomsFull
            | RelayFaultCode::RoomFull
            | RelayFaultCode::LobbyFull
            | RelayFaultCode::TooManyConnections
            | RelayFaultCode::SfuUnavailable => Retry::After(Duration::from_secs(10)),
            _ => Retry::Never,
        }
    }

    fn advice(&self) -> &'static str {
        self.code.advice()
    }
}

impl Fault for WireError {
    fn code(&self) -> &'static str {
        match self {
            Self::Truncated(_) => "relay.wire.truncated",
            Self::Trailing => "relay.wire.trailing",
            Self::Format(_) => "relay.wire.format",
            Self::Kind(_) => "relay.wire.kind",
            Self::TooLong(_) => "relay.wire.too_long",
            Self::Invalid(_) => "relay.wire.invalid",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Relay
    }

    fn advice(&self) -> &'static str {
        "Update Incamera, and report the problem if it stays."
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_and_numbers_are_unique_and_read_back() {
        let numbers: HashSet<_> = RelayFaultCode::ALL.iter().map(|code| code.number()).collect();
        let names: HashSet<_> = RelayFaultCode::ALL.iter().map(|code| code.code()).collect();
        assert_eq!((numbers.len(), names.len()), (RelayFaultCode::ALL.len(), RelayFaultCode::ALL.len()));
        for code in RelayFaultCode::ALL {
            assert_eq!(RelayFaultCode::from_number(code.number()), *code);
        }
        assert_eq!(RelayFaultCode::from_number(9_999).number(), 9_999);
    }
}
