//! The invite link (wire.md §10). A link is hostile input: it is parsed strictly and never acted on here.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{Blame, Fault, RoomId};

const SCHEME: &str = "incamera://";
const PAGE_SCHEME: &str = "https://";
const FORMAT: u8 = 1;
const FLAG_TLS_PIN: u8 = 1;
const FIXED_LEN: usize = 1 + 1 + 16 + 16 + 20;
/// Longest link that is looked at: a 253-byte host name, a port and the payload fit several times.
const MAX_LINK: usize = 1_024;

/// The secret part of a link: from it come the right to knock and the key that authenticates a knock.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct LinkSecret([u8; 16]);

impl LinkSecret {
    /// Wraps 16 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes, for key derivation only.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Host and port of a relay, reached by WebSocket over TLS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RelayAddress {
    host: String,
    port: u16,
}

impl RelayAddress {
    /// Port used when a link names none.
    pub const DEFAULT_PORT: u16 = 443;

    /// Parses `host`, `host:port`, `1.2.3.4:port` or `[v6]:port`.
    ///
    /// # Errors
    /// [`InviteError::Relay`] when it is not a plain host name or address with an optional port.
    pub fn parse(text: &str) -> Result<Self, InviteError> {
        let (host, port) = split_port(text).ok_or(InviteError::Relay)?;
        if !is_host(host) {
            return Err(InviteError::Relay);
        }
        Ok(Self { host: host.to_ascii_lowercase(), port })
    }

    /// Host name or IP address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for RelayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.port == Self::DEFAULT_PORT {
            f.write_str(&self.host)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

fn split_port(text: &str) -> Option<(&str, u16)> {
    let host_end = match text.rfind(']') {
        Some(bracket) => bracket.checked_add(1)?,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at_checked(host_end)?;
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Some((host, RelayAddress::DEFAULT_PORT)),
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) && !port.starts_with('0') => {
            Some((host, port.parse().ok()?))
        }
        _ => None,
    }
}

fn is_host(host: &str) -> bool {
    if let Some(v6) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return v6.parse::<core::net::Ipv6Addr>().is_ok();
    }
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    (1..=253).contains(&host.len()) && host.split('.').all(label)
}

/// Everything a link says. `Debug` shows neither the secret nor the room id.
#[derive(Clone, PartialEq, Eq)]
pub struct Invite {
    /// Where the room's relay is.
    pub relay: RelayAddress,
    /// The room at that relay.
    pub room: RoomId,
    /// Right to knock.
    pub secret: LinkSecret,
    /// First 20 bytes of SHA-256 of the room key: what a joiner's trust chains to (SEC-19).
    pub room_key_hash: [u8; 20],
    /// SHA-256 of the relay's TLS public key (SubjectPublicKeyInfo), for meetings hosted on somebody's own
    /// machine with a self-signed certificate. `None`: the certificate must be publicly trusted.
    pub tls_pin: Option<[u8; 32]>,
}

impl fmt::Debug for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invite")
            .field("relay", &self.relay)
            .field("pinned", &self.tls_pin.is_some())
            .finish_non_exhaustive()
    }
}

impl Invite {
    /// Parses `incamera://<relay>/#<payload>` or `https://<page>/j#<relay>/<payload>`.
    ///
    /// # Errors
    /// An [`InviteError`] that says which part is wrong. Nothing is guessed or repaired but surrounding
    /// white space, which mail programs add.
    pub fn parse(link: &str) -> Result<Self, InviteError> {
        let link = link.trim();
        if link.len() > MAX_LINK {
            return Err(InviteError::TooLong);
        }
        let (relay, payload) = match after_scheme(link, SCHEME) {
            Some(rest) => rest.split_once("/#").ok_or(InviteError::NoPayload)?,
            None => {
                let rest = after_scheme(link, PAGE_SCHEME).ok_or(InviteError::Scheme)?;
                let (_page, fragment) = rest.split_once("/j#").ok_or(InviteError::NoPayload)?;
                fragment.split_once('/').ok_or(InviteError::NoPayload)?
            }
        };
        Self::from_parts(RelayAddress::parse(relay)?, payload)
    }

    fn from_parts(relay: RelayAddress, payload: &str) -> Result<Self, InviteError> {
        let bytes = zeroize::Zeroizing::new(BASE64.decode(payload).map_err(|_| InviteError::Encoding)?);
        let mut rest: &[u8] = &bytes;
        let [format, flags] = take(&mut rest)?;
        if format != FORMAT {
            return Err(InviteError::Version(format));
        }
        if flags & !FLAG_TLS_PIN != 0 {
            return Err(InviteError::Version(format));
        }
        let room = RoomId(take(&mut rest)?);
        let secret = LinkSecret(take(&mut rest)?);
        let room_key_hash = take(&mut rest)?;
        let tls_pin = if flags & FLAG_TLS_PIN != 0 { Some(take(&mut rest)?) } else { None };
        if !rest.is_empty() {
            return Err(InviteError::Length);
        }
        Ok(Self { relay, room, secret, room_key_hash, tls_pin })
    }

    /// The link to hand out. It carries the secret: whoever has it may knock.
    #[must_use]
    pub fn to_link(&self) -> String {
        format!("{SCHEME}{}/#{}", self.relay, self.payload())
    }

    fn payload(&self) -> String {
        let flags = if self.tls_pin.is_some() { FLAG_TLS_PIN } else { 0 };
        let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(FIXED_LEN.saturating_add(32)));
        bytes.extend_from_slice(&[FORMAT, flags]);
        bytes.extend_from_slice(&self.room.0);
        bytes.extend_from_slice(self.secret.expose());
        bytes.extend_from_slice(&self.room_key_hash);
        bytes.extend_from_slice(self.tls_pin.as_ref().map_or(&[][..], |pin| &pin[..]));
        BASE64.encode(&bytes[..])
    }
}

/// What follows a scheme, in whatever case that is written (RFC 3986, section 3.1).
fn after_scheme<'a>(link: &'a str, scheme: &str) -> Option<&'a str> {
    let (begin, rest) = link.split_at_checked(scheme.len())?;
    begin.eq_ignore_ascii_case(scheme).then_some(rest)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], InviteError> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(InviteError::Length)?;
    *rest = tail;
    Ok(*head)
}

/// Why a link was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InviteError {
    /// Neither `incamera://` nor `https://`.
    #[error("this is not an Incamera link: it does not begin with incamera:// or https://")]
    Scheme,
    /// Longer than any link can be.
    #[error("this link is too long to be an Incamera link")]
    TooLong,
    /// The part after `#` is missing.
    #[error("this link is incomplete: the part after # is missing")]
    NoPayload,
    /// The relay's host name or port cannot be read.
    #[error("the address of the meeting server cannot be read")]
    Relay,
    /// Not base64url.
    #[error("this link is damaged: the part after # has characters that do not belong there")]
    Encoding,
    /// Cut short or too long.
    #[error("this link is damaged: a part of it is missing or was added")]
    Length,
    /// Made by a newer version.
    #[error("this link was made by another version of Incamera (link format {0})")]
    Version(u8),
}

impl Fault for InviteError {
    fn code(&self) -> &'static str {
        match self {
            Self::Scheme => "invite.scheme",
            Self::TooLong => "invite.too_long",
            Self::NoPayload => "invite.no_payload",
            Self::Relay => "invite.relay",
            Self::Encoding => "invite.encoding",
            Self::Length => "invite.length",
            Self::Version(_) => "invite.version",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Input
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::Version(_) => "Update Incamera and open the link again.",
            // That of the settings is parsed in the same way.
            Self::Relay => "Check the address, or the whole link.",
            _ => "Copy the whole link again, or ask for a new one.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invite(tls_pin: Option<[u8; 32]>) -> Invite {
        Invite {
            relay: RelayAddress::parse("meet.court.example:7443").unwrap(),
            room: RoomId([7; 16]),
            secret: LinkSecret::new([9; 16]),
            room_key_hash: [3; 20],
            tls_pin,
        }
    }

    #[test]
    fn links_round_trip_with_and_without_a_pin() {
        for pin in [None, Some([5; 32])] {
            let invite = invite(pin);
            assert_eq!(Invite::parse(&invite.to_link()).unwrap(), invite);
            let page = format!("https://join.example/j#{}/{}", invite.relay, invite.payload());
            assert_eq!(Invite::parse(&page).unwrap(), invite);
            assert_eq!(Invite::parse(&format!("  {}\n", invite.to_link())).unwrap(), invite);
        }
    }

    #[test]
    fn scheme_and_relay_are_read_in_any_case() {
        let invite = invite(None);
        let (relay, payload) = (invite.relay.to_string().to_ascii_uppercase(), invite.payload());
        for link in [
            format!("INCAMERA://{relay}/#{payload}"),
            format!("Incamera://{relay}/#{payload}"),
            format!("HTTPS://join.example/j#{relay}/{payload}"),
        ] {
            assert_eq!(Invite::parse(&link).as_ref(), Ok(&invite), "{link}");
        }
        for link in ["incamera:/", "incamerä://x/#AA", "https:/ä"] {
            assert_eq!(Invite::parse(link), Err(InviteError::Scheme), "{link}");
        }
    }

    #[test]
    fn every_truncation_of_a_link_is_refused() {
        let link = invite(Some([5; 32])).to_link();
        for end in 0..link.len() {
            assert!(Invite::parse(&link[..end]).is_err(), "{end}");
        }
        assert!(Invite::parse(&format!("{link}AAAA")).is_err());
    }

    #[test]
    fn unknown_versions_and_flags_are_named() {
        let link = invite(None).to_link();
        let (head, payload) = link.split_once('#').unwrap();
        let mut bytes = BASE64.decode(payload).unwrap();
        bytes[0] = 2;
        let newer = format!("{head}#{}", BASE64.encode(&bytes));
        assert_eq!(Invite::parse(&newer), Err(InviteError::Version(2)));
        bytes[0] = 1;
        bytes[1] = 0x80;
        let flagged = format!("{head}#{}", BASE64.encode(&bytes));
        assert_eq!(Invite::parse(&flagged), Err(InviteError::Version(1)));
    }

    #[test]
    fn odd_relays_are_refused() {
        for bad in [
            "",
            "a b",
            "host:",
            "host:0",
            "host:99999",
            "host:+1",
            "-a.b",
            "a..b",
            "[::g]",
            "[::1]x",
            "u@h",
            "a/b",
            "ex\u{e4}mple.org",
            "h:1:2",
        ] {
            assert_eq!(RelayAddress::parse(bad), Err(InviteError::Relay), "{bad}");
        }
        for good in ["localhost:1", "127.0.0.1:8443", "[::1]:443", "A.Example", "xn--exmple-cua.org"] {
            assert!(RelayAddress::parse(good).is_ok(), "{good}");
        }
        assert_eq!(RelayAddress::parse("[::1]:9").unwrap().host(), "::1");
    }

    #[test]
    /// SEC-14.
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", invite(None));
        assert!(!shown.contains('9') && !shown.contains("[7"), "{shown}");
    }
}
