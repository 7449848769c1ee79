//! A WHIP or WHEP session: offer, answer or counter-offer, and the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use incamera_relay_proto::TextSecret;
use reqwest::Method;

use super::http::{self, Answer, JSON, Request, SDP};
use super::link::{self, Link};
use crate::peer::{PeerSignalling, media_lines};
use crate::shared::Shared;
use crate::ticket::{self, Endpoint};
use crate::{SfuError, SfuSettings};

/// Redirects that are followed (RFC 9725 §4.5: load balancing).
const MAX_REDIRECTS: usize = 4;

/// The session's relation to its slots, on our own SFU.
const SLOTS_RELATION: &str = "urn:incamera:slots";

/// The list of the room's streams, on our own SFU.
const STREAMS_RELATION: &str = "urn:incamera:streams";

/// An open session. It is ended at the server by [`Session::end`], or when nobody has it any more.
#[derive(Clone)]
pub(super) struct Session {
    open: Arc<OpenSession>,
    /// Our or the server's description that was last, as agreed.
    pub(super) agreed: String,
}

struct OpenSession {
    /// Where it was opened: what is named relative to nothing else is relative to this.
    opened_at: Endpoint,
    /// `None` at a server that names none, which then notices the end by silence.
    resource: Option<Endpoint>,
    etag: Option<String>,
    bearer: TextSecret,
    links: Vec<Link>,
    shared: Arc<Shared>,
    is_ended: AtomicBool,
}

/// What came of an offer.
enum Outcome {
    Answered(Session),
    /// The server would rather offer itself; the answer goes to the session's resource.
    CounterOffer(Session),
}

/// Opens sessions at one endpoint.
pub(super) struct Opening {
    pub(super) endpoint: Endpoint,
    pub(super) bearer: TextSecret,
    pub(super) shared: Arc<Shared>,
}

/// Whether the peer connection that made the offer was used, or the server's offer needs a fresh one.
pub(super) enum Opened {
    Session(Session),
    /// Take this offer with a connection that has made none, then call [`Session::answer`].
    CounterOffer {
        session: Session,
        offer: String,
    },
}

impl Opening {
    /// Sends the peer's offer and gives it the answer.
    pub(super) async fn open(self, peer: &PeerSignalling) -> Result<Opened, SfuError> {
        let offer = peer.offer().await?;
        // On a task of its own: when nobody waits for it any more, the session that comes of it is ended.
        let posting = tokio::spawn(self.post(offer));
        match posting.await.map_err(|_| SfuError::Closed)?? {
            Outcome::Answered(session) => {
                check_lines(&session.agreed)?;
                peer.accept(&session.agreed).await?;
                Ok(Opened::Session(session))
            }
            Outcome::CounterOffer(session) => {
                let offer = session.agreed.clone();
                check_lines(&offer)?;
                Ok(Opened::CounterOffer { session, offer })
            }
        }
    }

    async fn post(mut self, offer: String) -> Result<Outcome, SfuError> {
        for _ in 0..=MAX_REDIRECTS {
            let request = Request {
                content_type: Some(SDP),
                accept: Some(SDP),
                body: offer.clone(),
                ..Request::new(Method::POST, &self.endpoint, &self.bearer)
            };
            let answer = http::send(&self.shared.clients, request).await?;
            let is_description = answer.is(SDP) || answer.body.starts_with("v=0");
            match answer.status {
                // 201 in RFC 9725; 200 at some servers.
                200 | 201 if is_description => return Ok(Outcome::Answered(self.session(answer))),
                // draft-ietf-wish-whep: the server's own offer instead of an answer.
                406 if is_description && answer.header("location").is_some() => {
                    return Ok(Outcome::CounterOffer(self.session(answer)));
                }
                200 | 201 => return Err(SfuError::Protocol("a session without a description")),
                307 | 308 => self.follow(&answer)?,
                _ => return Err(http::refusal(&answer)),
            }
        }
        Err(SfuError::Protocol("too many redirects"))
    }

    /// Goes where a `Location` points. Cleartext and pins are judged anew: a redirect must not lead the ticket out of
    /// TLS. To another host the bearer does not go with it: whoever can make a server redirect would get it.
    fn follow(&mut self, answer: &Answer) -> Result<(), SfuError> {
        let location = answer.header("location").ok_or(SfuError::Protocol("a redirect to nowhere"))?;
        let target = resolve(&self.endpoint, location, &self.shared.settings)?;
        let is_as_safe = target.url.scheme() == "https" || self.endpoint.url.scheme() == "http";
        if target.url.host() != self.endpoint.url.host() || !is_as_safe {
            self.bearer = TextSecret::default();
        }
        self.endpoint = target;
        Ok(())
    }

    fn session(self, answer: Answer) -> Session {
        let Self { endpoint, bearer, shared } = self;
        let location = answer.header("location");
        let resource = location.and_then(|location| session_resource(&endpoint, location, &shared.settings));
        let values = answer.headers.get_all("link").iter().filter_map(|value| value.to_str().ok());
        let links = link::parse(values);
        shared.note_ice_servers(links.iter().filter_map(Link::ice_server).collect());
        let etag = answer.header("etag").map(str::to_owned);
        let is_ended = AtomicBool::new(false);
        let open = OpenSession { opened_at: endpoint, resource, etag, bearer, links, shared, is_ended };
        Session { open: Arc::new(open), agreed: answer.body }
    }
}

impl Session {
    /// Answers a counter-offer.
    pub(super) async fn answer(&self, peer: &PeerSignalling, offer: &str) -> Result<(), SfuError> {
        let resource = self.open.resource.as_ref();
        let resource = resource.ok_or(SfuError::Protocol("an offer without a location"))?;
        let body = peer.answer(offer).await?;
        let request = Request {
            content_type: Some(SDP),
            if_match: self.open.etag.as_deref(),
            body,
            ..Request::new(Method::PATCH, resource, &self.open.bearer)
        };
        let answer = self.send(request).await?;
        if matches!(answer.status, 200 | 201 | 204) { Ok(()) } else { Err(http::refusal(&answer)) }
    }

    /// The resource behind one of our own relations.
    pub(super) fn slots(&self) -> Option<Endpoint> {
        self.related(SLOTS_RELATION)
    }

    /// The list of the room's streams.
    pub(super) fn streams(&self) -> Option<Endpoint> {
        self.related(STREAMS_RELATION)
    }

    /// Ends the session at the server; best effort, since it would also notice by silence.
    pub(super) async fn end(&self) {
        if let Some(ending) = self.open.ending() {
            ending.await;
        }
    }

    /// A JSON request to a resource of the session.
    pub(super) async fn request(
        &self,
        method: Method,
        resource: &Endpoint,
        body: String,
    ) -> Result<Answer, SfuError> {
        let content_type = (!body.is_empty()).then_some(JSON);
        self.send(Request { content_type, body, ..Request::new(method, resource, &self.open.bearer) }).await
    }

    /// Asks for a resource whose answer may be held back for up to `limit`.
    pub(super) async fn poll(&self, resource: &Endpoint, limit: Duration) -> Result<Answer, SfuError> {
        self.send(Request { limit: Some(limit), ..Request::new(Method::GET, resource, &self.open.bearer) })
            .await
    }

    async fn send(&self, request: Request<'_>) -> Result<Answer, SfuError> {
        http::send(&self.open.shared.clients, request).await
    }

    /// Our own SFU has everything of a session at one origin, which alone gets the bearer.
    fn related(&self, relation: &str) -> Option<Endpoint> {
        let OpenSession { opened_at, resource, links, shared, .. } = &*self.open;
        let link = links.iter().find(|link| link.has_relation(relation))?;
        let from = resource.as_ref().unwrap_or(opened_at);
        let target = resolve(from, &link.target, &shared.settings).ok()?;
        (target.url.origin() == opened_at.url.origin()).then_some(target)
    }
}

impl OpenSession {
    /// What ends it; `None` when that was begun before, or the server named nothing that could be ended.
    fn ending(&self) -> Option<impl Future<Output = ()> + Send + use<>> {
        let resource = self.resource.clone().filter(|_| !self.is_ended.swap(true, Relaxed))?;
        let (bearer, shared) = (self.bearer.clone(), Arc::clone(&self.shared));
        Some(async move {
            let request = Request::new(Method::DELETE, &resource, &bearer);
            if let Err(error) = http::send(&shared.clients, request).await {
                tracing::debug!(%error, "a session was not ended");
            }
        })
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        if let (Some(ending), Ok(runtime)) = (self.ending(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(ending);
        }
    }
}

fn resolve(from: &Endpoint, reference: &str, settings: &SfuSettings) -> Result<Endpoint, SfuError> {
    let url = from.url.join(reference).map_err(|_| SfuError::Protocol("an address that is none"))?;
    ticket::endpoint(url.as_str(), settings)
}

/// Where a session is answered and ended. A server behind a proxy that ends TLS for it may call itself `http`: it is
/// spoken to as before. An address that cannot be used is as good as none.
fn session_resource(opened_at: &Endpoint, location: &str, settings: &SfuSettings) -> Option<Endpoint> {
    let mut url = opened_at.url.join(location).ok()?;
    if url.scheme() == "http" && opened_at.url.scheme() == "https" && url.host() == opened_at.url.host() {
        url.set_scheme("https").ok()?;
        url.set_port(opened_at.url.port()).ok()?;
    }
    ticket::endpoint(url.as_str(), settings).ok()
}

/// A description in which every line was refused is a refusal of our codecs.
fn check_lines(description: &str) -> Result<(), SfuError> {
    let accepted = media_lines(description).iter().any(|line| line.kind.is_some() && line.active);
    accepted.then_some(()).ok_or(SfuError::Codecs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_behind_a_proxy_that_ends_tls_is_ended_through_the_proxy() {
        let settings = SfuSettings::default();
        let opened_at = ticket::endpoint("https://sfu.example:8443/whip/a", &settings).unwrap();
        let resource =
            |location| session_resource(&opened_at, location, &settings).map(|at| at.url.to_string());
        let expected = Some("https://sfu.example:8443/session/1".to_owned());
        assert_eq!(resource("/session/1"), expected);
        assert_eq!(resource("http://sfu.example/session/1"), expected);
        assert_eq!(resource("http://sfu.example:8080/session/1"), expected);
        assert_eq!(resource("https://edge.example/1"), Some("https://edge.example/1".to_owned()));
        assert_eq!(resource("http://edge.example/1"), None);
        assert_eq!(resource("http://["), None);
    }
}
