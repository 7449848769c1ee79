//! Tickets: how a member reaches the SFU (wire.md §8).

use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::limits::{ICE_SERVERS, ICE_URLS, ICE_USERNAME, SECRET_TEXT, URL};
use crate::wire::{Reader, Writer};
use crate::{ResumeSecret, TicketIdentity, WireError};

/// Which kind of SFU carries a room's media, and so which adapter a client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SfuKind {
    /// The small one that runs inside the relay: WHIP and WHEP with slots.
    Embedded = 0,
    /// A third party's server that speaks WHIP and WHEP, one connection per stream.
    Whip = 1,
    /// A Janus VideoRoom over WebSocket.
    Janus = 2,
}

impl SfuKind {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        match reader.u8("sfu")? {
            0 => Ok(Self::Embedded),
            1 => Ok(Self::Whip),
            2 => Ok(Self::Janus),
            _ => Err(WireError::Invalid("sfu")),
        }
    }
}

/// A bearer, credential or pin in printable ASCII: never shown, zeroised when dropped (SEC-14).
#[derive(Clone, Default, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct TextSecret(String);

impl TextSecret {
    /// Wraps a secret text; at most 1,024 printable ASCII characters can be sent.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, to be sent to the server that it is for.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TextSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// A Janus VideoRoom. Who comes first creates it with this number and pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JanusRoom {
    /// Random room number, below 2^53 so that JSON keeps it exact.
    pub number: u64,
    /// Pin that Janus asks for when joining.
    pub pin: TextSecret,
}

/// A STUN or TURN server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceServer {
    /// `stun:` and `turn:` URLs; at most 8 of 512 bytes.
    pub urls: Vec<String>,
    /// TURN user name: expiry and the ticket's identity, nothing of the person.
    pub username: String,
    /// TURN credential; empty for STUN.
    pub credential: TextSecret,
}

/// Right to use the SFU for a short time under a random identity.
///
/// URLs that begin with `/` are at the relay's own origin, with its TLS trust (pin). In `subscribe_url` the text
/// `{stream}` stands for the identity of the member to subscribe to; without it, it is one endpoint for all
/// (slots).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The stream id of its holder.
    pub identity: TicketIdentity,
    /// Which adapter to use.
    pub sfu: SfuKind,
    /// WHIP endpoint, `{stream}` standing for the stream to publish; or the WebSocket address of Janus.
    pub publish_url: String,
    /// WHEP endpoint, `{stream}` standing for the stream to watch; empty for Janus.
    pub subscribe_url: String,
    /// Sent as `Authorization: Bearer …`, or as the token of Janus; empty when the SFU wants none.
    pub bearer: TextSecret,
    /// For Janus only.
    pub janus: Option<JanusRoom>,
    /// STUN and TURN servers; at most 8.
    pub ice_servers: Vec<IceServer>,
    /// Until when it opens new sessions, milliseconds since the Unix epoch on the relay's clock.
    pub valid_until_unix_ms: u64,
    /// Proves in [`crate::Request::RequestTicket`] that a renewal comes from the holder.
    pub renewal: ResumeSecret,
}

impl Ticket {
    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.array(&self.identity.0);
        writer.u8(self.sfu as u8);
        writer.text("publish url", URL, &self.publish_url);
        writer.text("subscribe url", URL, &self.subscribe_url);
        writer.text("bearer", SECRET_TEXT, self.bearer.expose());
        writer.option(self.janus.as_ref(), |w, janus| {
            w.u64(janus.number);
            w.text("pin", SECRET_TEXT, janus.pin.expose());
        });
        writer.list("ice servers", ICE_SERVERS, &self.ice_servers, |w, server| server.write(w));
        writer.u64(self.valid_until_unix_ms);
        writer.array(self.renewal.expose());
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            identity: TicketIdentity(reader.array("identity")?),
            sfu: SfuKind::read(reader)?,
            publish_url: reader.text("publish url", URL)?,
            subscribe_url: reader.text("subscribe url", URL)?,
            bearer: TextSecret(reader.text("bearer", SECRET_TEXT)?),
            janus: reader.option("janus", |r| {
                Ok(JanusRoom { number: r.u64("janus room")?, pin: TextSecret(r.text("pin", SECRET_TEXT)?) })
            })?,
            ice_servers: reader.list("ice servers", ICE_SERVERS, IceServer::read)?,
            valid_until_unix_ms: reader.u64("valid until")?,
            renewal: ResumeSecret::new(reader.array("renewal")?),
        })
    }
}

impl IceServer {
    fn write(&self, writer: &mut Writer) {
        writer.list("ice urls", ICE_URLS, &self.urls, |w, url| w.text("ice urls", URL, url));
        writer.text("ice username", ICE_USERNAME, &self.username);
        writer.text("ice credential", SECRET_TEXT, self.credential.expose());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            urls: reader.list("ice urls", ICE_URLS, |r| r.text("ice urls", URL))?,
            username: reader.text("ice username", ICE_USERNAME)?,
            credential: TextSecret(reader.text("ice credential", SECRET_TEXT)?),
        })
    }
}
