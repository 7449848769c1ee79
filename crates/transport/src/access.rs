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
    /// To loopback, private and link-local addresses: for an SFU inside an organisation's network. Media is sealed and
    /// its transport is encrypted (DTLS-SRTP) either way; the ticket is not.
    PrivateNetworks,
}

impl Cleartext {
    /// Whether a server named `host` may be spoken to without TLS, as far as its name tells: where a name leads has to
    /// pass [`Cleartext::permits`] before anything is sent.
    pub(crate) fn allows(self, host: &str) -> bool {
        match (bare(host).parse::<IpAddr>(), self) {
            (Ok(address), _) => self.permits(address),
            (Err(_), Self::Refused) => false,
            (Err(_), Self::LoopbackOnly) => host == LOCALHOST,
            (Err(_), Self::PrivateNetworks) => true,
        }
    }

    /// Whether `address` may be spoken to without TLS.
    pub(crate) fn permits(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match self {
            Self::Refused => false,
            Self::LoopbackOnly => address.is_loopback(),
            Self::PrivateNetworks => address.is_loopback() || is_private(address),
        }
    }
}

const LOCALHOST: &str = "localhost";

pub(crate) fn is_loopback(host: &str) -> bool {
    host == LOCALHOST || bare(host).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A host without the brackets that URLs put around IPv6 addresses.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// RFC 1918 and 4193, and link-local.
const fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
    }
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
    }

    #[test]
    fn private_networks_are_reached_without_tls_and_public_addresses_are_not() {
        let cleartext = Cleartext::PrivateNetworks;
        for near in
            ["127.0.0.1", "10.99.0.2", "172.31.0.1", "192.168.1.5", "169.254.1.1", "[fd00::1]", "[fe80::1]"]
        {
            assert!(cleartext.allows(near), "{near}");
        }
        for far in ["8.8.8.8", "172.32.0.1", "100.64.0.1", "[2001:db8::1]", "[::ffff:8.8.8.8]", "0.0.0.0"] {
            assert!(!cleartext.allows(far), "{far}");
        }
        assert!(cleartext.allows("janus.lan"), "it is judged by where it leads");
        assert!(cleartext.permits("::ffff:10.0.0.1".parse().unwrap()));
    }
}
