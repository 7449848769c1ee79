//! Reads a relay's ticket: which adapter, which addresses.

use incamera_relay_proto::{IceServer, SfuKind, TextSecret, Ticket};
use url::Url;
use webrtc::peer_connection::RTCIceServer;

use crate::{OwnStream, SfuError, SfuSettings, StreamId, TlsTrust};

/// Stands in a ticket's address or bearer for the stream that is meant.
const STREAM_PLACEHOLDER: &str = "{stream}";

/// An address and whose certificate it may present.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) url: Url,
    pub(crate) trust: TlsTrust,
}

/// Where streams are played from.
#[derive(Clone, Debug)]
pub(crate) enum PlayEndpoint {
    /// An address for each stream; its template.
    PerStream(String),
    /// One address with slots.
    Slots(Endpoint),
}

/// Resolves a ticket's address. Those beginning with `/` are at the relay's origin, with its trust.
pub(crate) fn endpoint(address: &str, settings: &SfuSettings) -> Result<Endpoint, SfuError> {
    let origin = settings.relay_origin.as_deref().map(Url::parse).transpose();
    let origin = origin.map_err(|_| SfuError::Address("the relay's own address"))?;
    let url = if address.starts_with('/') {
        let origin = origin.as_ref().ok_or(SfuError::Address("relative, but no relay is known"))?;
        origin.join(address).map_err(|_| SfuError::Address("not a path"))?
    } else {
        Url::parse(address).map_err(|_| SfuError::Address("not a URL"))?
    };
    let host = url.host_str().ok_or(SfuError::Address("no host"))?;
    match url.scheme() {
        "https" | "wss" => {}
        "http" | "ws" if settings.cleartext.allows(host) => {}
        "http" | "ws" => return Err(SfuError::Cleartext),
        _ => return Err(SfuError::Address("neither https: nor wss:")),
    }
    let at_relay = origin.is_some_and(|origin| origin.origin() == url.origin());
    let trust = if at_relay { settings.relay_trust } else { TlsTrust::Public };
    Ok(Endpoint { url, trust })
}

/// The server that carries media, as a ticket names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaServer {
    /// What it is.
    pub kind: SfuKind,
    /// Its host, with the port where that is not the usual one.
    pub address: String,
    /// Whether others on the way can read what is said to it about connections; media is sealed all the same.
    pub is_cleartext: bool,
}

/// Which server a ticket is for.
///
/// # Errors
/// [`SfuError::Address`] or [`SfuError::Cleartext`] for a ticket whose address cannot be used.
pub fn media_server(ticket: &Ticket, settings: &SfuSettings) -> Result<MediaServer, SfuError> {
    let id = published_id(ticket, OwnStream::Person)?;
    let url = publish_endpoint(ticket, OwnStream::Person, &id, settings)?.url;
    let host = url.host_str().unwrap_or_default();
    let address = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Ok(MediaServer { kind: ticket.sfu, address, is_cleartext: matches!(url.scheme(), "http" | "ws") })
}

/// Where a ticket's holder plays from.
pub(crate) fn play_endpoint(ticket: &Ticket, settings: &SfuSettings) -> Result<PlayEndpoint, SfuError> {
    let address = &ticket.subscribe_url;
    if address.contains(STREAM_PLACEHOLDER) || ticket.bearer.expose().contains(STREAM_PLACEHOLDER) {
        // Tried with some id, so that a bad template fails now and not when the first person joins.
        endpoint(&address.replace(STREAM_PLACEHOLDER, "a"), settings)?;
        Ok(PlayEndpoint::PerStream(address.clone()))
    } else {
        Ok(PlayEndpoint::Slots(endpoint(address, settings)?))
    }
}

/// The address of one stream.
pub(crate) fn stream_endpoint(
    template: &str,
    stream: &StreamId,
    settings: &SfuSettings,
) -> Result<Endpoint, SfuError> {
    endpoint(&template.replace(STREAM_PLACEHOLDER, stream.as_str()), settings)
}

/// What a request about one stream shows. Some servers have one address for all streams and tell them apart by this.
pub(crate) fn stream_bearer(ticket: &Ticket, stream: &StreamId) -> TextSecret {
    TextSecret::new(ticket.bearer.expose().replace(STREAM_PLACEHOLDER, stream.as_str()))
}

/// The id of a ticket's holder, under which it publishes sound and camera.
pub(crate) fn own_stream(ticket: &Ticket) -> StreamId {
    StreamId::from_identity(ticket.identity)
}

/// The id under which a ticket's holder publishes a stream.
pub(crate) fn published_id(ticket: &Ticket, stream: OwnStream) -> Result<StreamId, SfuError> {
    let own = own_stream(ticket);
    match stream {
        OwnStream::Person => Ok(own),
        OwnStream::Screen => own.screen().ok_or(SfuError::Address("no name for a screen")),
    }
}

/// Whether `id` is one of those under which a ticket's holder publishes.
pub(crate) fn is_own(ticket: &Ticket, id: &StreamId) -> bool {
    let own = own_stream(ticket);
    *id == own || own.screen().as_ref() == Some(id)
}

/// Where a ticket's holder publishes the stream with this id.
pub(crate) fn publish_endpoint(
    ticket: &Ticket,
    stream: OwnStream,
    id: &StreamId,
    settings: &SfuSettings,
) -> Result<Endpoint, SfuError> {
    let address = &ticket.publish_url;
    let tells_streams_apart =
        address.contains(STREAM_PLACEHOLDER) || ticket.bearer.expose().contains(STREAM_PLACEHOLDER);
    if stream == OwnStream::Screen && !tells_streams_apart {
        // It would take the screen for another beginning of sound and camera.
        return Err(SfuError::Address("one for all streams, so none for a screen"));
    }
    stream_endpoint(address, id, settings)
}

/// A STUN or TURN server as the WebRTC stack wants it.
pub(crate) fn webrtc_server(server: &IceServer) -> RTCIceServer {
    RTCIceServer {
        urls: server.urls.clone(),
        username: server.username.clone(),
        credential: server.credential.expose().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use incamera_relay_proto::{ResumeSecret, TicketIdentity};

    use super::*;
    use crate::{Cleartext, TlsPin};

    fn settings() -> SfuSettings {
        SfuSettings {
            relay_origin: Some("https://10.0.0.7:7443".to_owned()),
            relay_trust: TlsTrust::Pinned(TlsPin([7; 32])),
            cleartext: Cleartext::LoopbackOnly,
            ..SfuSettings::default()
        }
    }

    #[test]
    fn relative_addresses_are_the_relays_with_its_pin_and_others_are_not() {
        let own = endpoint("/sfu/whip", &settings()).unwrap();
        assert_eq!(own.url.as_str(), "https://10.0.0.7:7443/sfu/whip");
        assert_eq!(own.trust, TlsTrust::Pinned(TlsPin([7; 32])));
        let other = endpoint("https://sfu.example/whip", &settings()).unwrap();
        assert_eq!(other.trust, TlsTrust::Public);
    }

    #[test]
    fn addresses_without_tls_are_refused_unless_loopback() {
        assert!(endpoint("ws://127.0.0.1:8188", &settings()).is_ok());
        assert_eq!(endpoint("http://sfu.example/", &settings()).unwrap_err(), SfuError::Cleartext);
        assert!(matches!(endpoint("ftp://sfu.example/", &settings()), Err(SfuError::Address(_))));
        let lost = SfuSettings { relay_origin: None, ..settings() };
        assert!(matches!(endpoint("/sfu", &lost), Err(SfuError::Address(_))));
    }

    #[test]
    fn bearer_may_name_the_stream_where_one_address_serves_all() {
        let ticket = Ticket {
            identity: TicketIdentity([1; 16]),
            sfu: SfuKind::Whip,
            publish_url: "https://box.example/api/whip".to_owned(),
            subscribe_url: "https://box.example/api/whep".to_owned(),
            bearer: TextSecret::new("room-{stream}".to_owned()),
            janus: None,
            ice_servers: Vec::new(),
            valid_until_unix_ms: u64::MAX,
            renewal: ResumeSecret::new([0; 16]),
        };
        assert!(matches!(play_endpoint(&ticket, &settings()), Ok(PlayEndpoint::PerStream(_))));
        let bearer = stream_bearer(&ticket, &StreamId::parse("ada").unwrap());
        assert_eq!(bearer.expose(), "room-ada");
        let server = media_server(&ticket, &settings()).unwrap();
        assert_eq!((server.kind, server.address.as_str()), (SfuKind::Whip, "box.example"));
        assert!(!server.is_cleartext);
        let plain = Ticket { bearer: TextSecret::default(), ..ticket };
        assert!(matches!(play_endpoint(&plain, &settings()), Ok(PlayEndpoint::Slots(_))));
    }

    #[test]
    fn protocol_relative_addresses_do_not_inherit_the_pin() {
        let elsewhere = endpoint("//evil.example/whip", &settings()).unwrap();
        assert_eq!(elsewhere.trust, TlsTrust::Public);
    }
}
