//! What can go wrong on the way to a server, and whose doing it is.

use std::time::Duration;

use incamera_types::{Blame, Fault, Retry};

/// A connection to an SFU could not be made or used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SfuError {
    /// The ticket's address is not one this adapter can use.
    #[error("the SFU's address cannot be used: {0}")]
    Address(&'static str),
    /// The address would send the ticket without TLS where that is not allowed.
    #[error(
        "the SFU's address has no encryption (TLS) and is neither on this computer nor in a private network"
    )]
    Cleartext,
    /// No connection to the server's signalling port.
    #[error("the SFU does not answer: {0}")]
    Unreachable(String),
    /// The certificate is not the pinned one, or no authority vouches for it.
    #[error("the SFU's certificate was refused")]
    Certificate,
    /// The ticket was refused.
    #[error("the SFU refused the ticket")]
    Ticket,
    /// The server is full or throttles us.
    #[error("the SFU takes no more connections at the moment")]
    Busy,
    /// Its answer breaks the protocol.
    #[error("the SFU's answer was not understood: {0}")]
    Protocol(&'static str),
    /// It refused with a status or error code of its own.
    #[error("the SFU refused with code {0}")]
    Refused(u32),
    /// It accepted no codec of ours.
    #[error("the SFU accepted neither VP8 nor Opus")]
    Codecs,
    /// It takes Opus alone.
    #[error("the SFU takes no VP8: nobody sees the pictures that are sent from here")]
    NoPictures,
    /// It takes VP8 alone.
    #[error("the SFU takes no Opus: nobody hears what is said here")]
    NoSound,
    /// Signalling worked, but no packets came through.
    #[error("the SFU was reached, but no media connection came about")]
    NoMediaPath,
    /// More streams were wanted than can be received at once.
    #[error("at most {0} people are heard and seen at once over this SFU; those who came last are not")]
    TooManyStreams(u8),
    /// More pictures were wanted than can be received at once.
    #[error(
        "at most {0} pictures are received at once over this SFU; of those who came last only the sound is"
    )]
    TooManyPictures(u8),
    /// The publish plan is contradictory.
    #[error("the tracks to publish are contradictory: {0}")]
    Plan(&'static str),
    /// A socket could not be made or the WebRTC stack refused an operation of ours.
    #[error("the media connection could not be set up: {0}")]
    Local(String),
    /// It was closed by us.
    #[error("the connection was closed")]
    Closed,
}

impl Fault for SfuError {
    fn code(&self) -> &'static str {
        match self {
            Self::Address(_) => "transport.sfu.address",
            Self::Cleartext => "transport.sfu.cleartext",
            Self::Unreachable(_) => "transport.sfu.unreachable",
            Self::Certificate => "transport.sfu.certificate",
            Self::Ticket => "transport.sfu.ticket",
            Self::Busy => "transport.sfu.busy",
            Self::Protocol(_) => "transport.sfu.protocol",
            Self::Refused(_) => "transport.sfu.refused",
            Self::Codecs => "transport.sfu.codecs",
            Self::NoPictures => "transport.sfu.no_pictures",
            Self::NoSound => "transport.sfu.no_sound",
            Self::NoMediaPath => "transport.sfu.no_media_path",
            Self::TooManyStreams(_) => "transport.sfu.too_many_streams",
            Self::TooManyPictures(_) => "transport.sfu.too_many_pictures",
            Self::Plan(_) => "transport.sfu.plan",
            Self::Local(_) => "transport.sfu.local",
            Self::Closed => "transport.sfu.closed",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Address(_) | Self::Cleartext | Self::Ticket => Blame::Relay,
            Self::Unreachable(_) | Self::NoMediaPath => Blame::Network,
            Self::Certificate
            | Self::Busy
            | Self::Protocol(_)
            | Self::Refused(_)
            | Self::Codecs
            | Self::NoPictures
            | Self::NoSound => Blame::Sfu,
            Self::TooManyStreams(_) | Self::TooManyPictures(_) => Blame::Policy,
            Self::Plan(_) | Self::Local(_) | Self::Closed => Blame::Us,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Unreachable(_)
            | Self::NoMediaPath
            | Self::Refused(_)
            | Self::Protocol(_)
            | Self::Codecs
            | Self::Local(_) => Retry::Automatic,
            Self::Busy => Retry::After(Duration::from_secs(2)),
            _ => Retry::Never,
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::Address(_) | Self::Cleartext => "Ask whoever runs the relay to correct the SFU's address.",
            Self::Unreachable(_) => "Check the network connection; the meeting goes on when the SFU is back.",
            Self::Certificate => {
                "Do not go on if you expected a valid certificate; ask whoever runs the SFU."
            }
            Self::Ticket => "A new ticket is asked for by itself; if this stays, leave and join again.",
            Self::Busy => "Wait a moment.",
            Self::Protocol(_) | Self::Refused(_) | Self::Codecs => {
                "Ask whoever runs the SFU; its version may not fit."
            }
            Self::NoPictures | Self::NoSound => "Use a media server that takes VP8 and Opus.",
            Self::NoMediaPath => "A firewall may block UDP; try another network or ask for a TURN server.",
            Self::TooManyStreams(_) => "Use a media server with slots, such as the embedded one.",
            Self::TooManyPictures(_) => "Nothing is wrong; choose whose pictures are shown.",
            Self::Plan(_) | Self::Local(_) => "Report this as a defect.",
            Self::Closed => "Join the meeting again.",
        }
    }
}

/// The connection to the relay could not be made or kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    /// The address is not one of a relay.
    #[error("the relay's address cannot be used: {0}")]
    Address(&'static str),
    /// Without TLS only loopback addresses are allowed, and only when configured.
    #[error("the relay's address has no encryption (TLS) and is not on this computer")]
    Cleartext,
    /// No connection to its port, or its name is unknown.
    #[error("the relay does not answer: {0}")]
    Unreachable(String),
    /// The certificate is not the one pinned in the link, or no authority vouches for it.
    #[error(
        "the relay's certificate is neither the one that the invite names nor one that this computer trusts"
    )]
    Certificate,
    /// What answers is no Incamera relay.
    #[error("what answers at the relay's address is no Incamera relay (HTTP {0})")]
    NotARelay(u16),
    /// Nothing came for too long.
    #[error("the relay fell silent")]
    Silent,
    /// It ended the connection.
    #[error("the relay ended the connection")]
    ClosedByRelay,
    /// A message was too long or not binary.
    #[error("the relay sent a message that breaks the protocol")]
    Protocol,
    /// There is no connection at the moment.
    #[error("there is no connection to the relay at the moment")]
    NotConnected,
    /// The outgoing queue is full.
    #[error("too much waits to be sent to the relay")]
    QueueFull,
    /// It was closed by us.
    #[error("the connection to the relay was closed")]
    Closed,
}

impl Fault for RelayError {
    fn code(&self) -> &'static str {
        match self {
            Self::Address(_) => "transport.relay.address",
            Self::Cleartext => "transport.relay.cleartext",
            Self::Unreachable(_) => "transport.relay.unreachable",
            Self::Certificate => "transport.relay.certificate",
            Self::NotARelay(_) => "transport.relay.not_a_relay",
            Self::Silent => "transport.relay.silent",
            Self::ClosedByRelay => "transport.relay.closed_by_relay",
            Self::Protocol => "transport.relay.protocol",
            Self::NotConnected => "transport.relay.not_connected",
            Self::QueueFull => "transport.relay.queue_full",
            Self::Closed => "transport.relay.closed",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Address(_) | Self::Cleartext => Blame::Input,
            Self::Unreachable(_) | Self::Silent | Self::NotConnected | Self::QueueFull => Blame::Network,
            Self::Certificate | Self::NotARelay(_) | Self::ClosedByRelay | Self::Protocol => Blame::Relay,
            Self::Closed => Blame::Us,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Unreachable(_)
            | Self::Silent
            | Self::ClosedByRelay
            | Self::Protocol
            | Self::NotARelay(_)
            | Self::NotConnected => Retry::Automatic,
            Self::QueueFull => Retry::After(Duration::from_secs(1)),
            Self::Address(_) | Self::Cleartext | Self::Certificate | Self::Closed => Retry::Never,
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::Address(_) | Self::Cleartext => "Check the invite link.",
            Self::Unreachable(_) | Self::Silent | Self::NotConnected | Self::QueueFull => {
                "Check the network connection; the meeting goes on when the relay is back."
            }
            Self::Certificate => {
                "Somebody may stand between you and the relay. Ask the host for a new invite."
            }
            Self::NotARelay(_) => "Check the invite link, or ask the host whether the relay is running.",
            Self::ClosedByRelay | Self::Protocol => {
                "It is tried again; if it stays, ask whoever runs the relay."
            }
            Self::Closed => "Join the meeting again.",
        }
    }
}
