//! How servers are reached: trust, addresses and what applies to every connection.

use core::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// SHA-256 of a server's `SubjectPublicKeyInfo`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TlsPin(pub [u8; 32]);

impl fmt::Debug for TlsPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, ..] = self.0;
        write!(f, "TlsPin({a:02x}{b:02x}…)")
    }
}

/// Whose certificate a server may present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsTrust {
    /// One that chains to a public certificate authority.
    #[default]
    Public,
    /// One with exactly this key, whoever signed it and whatever it names (wire.md §10).
    Pinned(TlsPin),
}

/// Whether connections without TLS are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cleartext {
    /// Never.
    #[default]
    Refused,
    /// To loopback addresses only.
    LoopbackOnly,
    /// Anywhere: for an SFU inside an organisation's network. Media is sealed and its transport is encrypted
    /// (DTLS-SRTP) either way; the ticket is not.
    Anywhere,
}

impl Cleartext {
    /// Whether a server named `host` may be spoken to without TLS.
    pub(crate) fn allows(self, host: &str) -> bool {
        match self {
            Self::Refused => false,
            Self::LoopbackOnly => is_loopback(host),
            Self::Anywhere => true,
        }
    }
}

pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Which of our addresses the SFU may learn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IcePolicy {
    /// Every address that works.
    #[default]
    All,
    /// Only that of the TURN server (wire.md §7, strict mode).
    RelayOnly,
}

/// Which candidate lines the descriptions we send and accept carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Candidates {
    /// All of them.
    #[default]
    Offered,
    /// None of our own, and those of the server replaced by this address, so that every packet passes through what
    /// listens there (an impairment relay in tests). Remote port by direction: see [`Through`].
    Through(Through),
}

/// Addresses that stand for the SFU's media address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Through {
    /// For the publishing connection.
    pub publish: SocketAddr,
    /// For the playing connection.
    pub play: SocketAddr,
}

/// How much of others can be received at once on an SFU with slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// Whose sound; 1 to 99.
    pub audio: u8,
    /// Whose picture; 1 to 32.
    pub video: u8,
}

impl Default for Slots {
    fn default() -> Self {
        // Everybody is heard in the largest meeting that has media, a hundred people; nine pictures fill a screen.
        Self { audio: 99, video: 9 }
    }
}

/// What applies to every connection to an SFU.
#[derive(Clone, Debug)]
pub struct SfuSettings {
    /// `https://host:port` of the relay, against which ticket URLs beginning with `/` are resolved.
    pub relay_origin: Option<String>,
    /// Whose certificate the relay may present. Holds for URLs at [`SfuSettings::relay_origin`] only; other servers
    /// need a publicly trusted one.
    pub relay_trust: TlsTrust,
    /// Whether signalling without TLS is accepted.
    pub cleartext: Cleartext,
    /// Which addresses may be used.
    pub ice_policy: IcePolicy,
    /// Local address to bind; `None` chooses by the server's address (loopback for a loopback server, else every
    /// interface).
    pub bind: Option<IpAddr>,
    /// Which candidate lines go into descriptions.
    pub candidates: Candidates,
    /// What can be received at once on an SFU with slots.
    pub slots: Slots,
    /// Where the bandwidth estimate begins, in bit/s.
    pub start_bandwidth_bps: u32,
    /// How long without any packet until a connection counts as lost.
    pub silence_limit: Duration,
}

impl Default for SfuSettings {
    fn default() -> Self {
        Self {
            relay_origin: None,
            relay_trust: TlsTrust::Public,
            cleartext: Cleartext::LoopbackOnly,
            ice_policy: IcePolicy::All,
            bind: None,
            candidates: Candidates::Offered,
            slots: Slots::default(),
            start_bandwidth_bps: 1_000_000,
            // Noticed within 2 s, the granularity of the check (ICE_KEEPALIVE) and a busy machine included.
            silence_limit: Duration::from_millis(1_250),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_may_be_reached_without_tls_unless_configured() {
        assert!(Cleartext::LoopbackOnly.allows("127.0.0.1"));
        assert!(Cleartext::LoopbackOnly.allows("[::1]"));
        assert!(Cleartext::LoopbackOnly.allows("localhost"));
        assert!(!Cleartext::LoopbackOnly.allows("10.0.0.1"));
        assert!(!Cleartext::LoopbackOnly.allows("localhost.example"));
        assert!(!Cleartext::Refused.allows("127.0.0.1"));
        assert!(Cleartext::Anywhere.allows("sfu.example"));
    }
}
