//! A WHIP or WHEP session: offer, answer or counter-offer, and the end.

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

/// An open session.
#[derive(Clone)]
pub(super) struct Session {
    /// Where it was opened: what is named relative to nothing else is relative to this.
    opened_at: Endpoint,
    /// `None` at a server that names none, which then notices the end by silence.
    resource: Option<Endpoint>,
    etag: Option<String>,
    bearer: TextSecret,
    settings: SfuSettings,
    links: Vec<Link>,
    /// Our or the server's description that was last, as agreed.
    pub(super) agreed: String,
}

/// What came of an offer.
enum Outcome {
    Answered(Session),
    /// The server would rather offer itself; the answer goes to the session's resource.
    CounterOffer(Session),
}

/// Opens sessions at one endpoint.
pub(super) struct Opening<'a> {
    pub(super) endpoint: Endpoint,
    pub(super) bearer: TextSecret,
    pub(super) shared: &'a Shared,
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

impl Opening<'_> {
    /// Sends the peer's offer and gives it the answer.
    pub(super) async fn open(&self, peer: &PeerSignalling) -> Result<Opened, SfuError> {
        let offer = peer.offer().await?;
        match self.post(offer).await? {
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

    async fn post(&self, offer: String) -> Result<Outcome, SfuError> {
        let mut endpoint = self.endpoint.clone();
        for _ in 0..=MAX_REDIRECTS {
            let answer = http::send(Request {
                method: Method::POST,
                endpoint: &endpoint,
                bearer: &self.bearer,
                content_type: Some(SDP),
                accept: Some(SDP),
                if_match: None,
                body: offer.clone(),
                limit: None,
            })
            .await?;
            let is_description = answer.is(SDP) || answer.body.starts_with("v=0");
            match answer.status {
                // 201 in RFC 9725; 200 at some servers.
                200 | 201 if is_description => {
                    return Ok(Outcome::Answered(self.session(&endpoint, answer)?));
                }
                // draft-ietf-wish-whep: the server's own offer instead of an answer.
                406 if is_description && answer.header("location").is_some() => {
                    return Ok(Outcome::CounterOffer(self.session(&endpoint, answer)?));
                }
                200 | 201 => return Err(SfuError::Protocol("a session without a description")),
                307 | 308 => endpoint = self.elsewhere(&endpoint, &answer)?,
                _ => return Err(http::refusal(&answer)),
            }
        }
        Err(SfuError::Protocol("too many redirects"))
    }

    /// Where a `Location` points. Cleartext and pins are judged anew: a redirect must not lead the ticket out of TLS.
    fn elsewhere(&self, from: &Endpoint, answer: &Answer) -> Result<Endpoint, SfuError> {
        let location = answer.header("location").ok_or(SfuError::Protocol("a redirect to nowhere"))?;
        resolve(from, location, &self.shared.settings)
    }

    fn session(&self, endpoint: &Endpoint, answer: Answer) -> Result<Session, SfuError> {
        let settings = &self.shared.settings;
        let resource = answer.header("location").map(|location| resolve(endpoint, location, settings));
        let resource = resource.transpose()?;
        let values = answer.headers.get_all("link").iter().filter_map(|value| value.to_str().ok());
        let links = link::parse(values);
        self.shared.note_ice_servers(links.iter().filter_map(Link::ice_server).collect());
        Ok(Session {
            opened_at: endpoint.clone(),
            resource,
            etag: answer.header("etag").map(str::to_owned),
            bearer: self.bearer.clone(),
            settings: settings.clone(),
            links,
            agreed: answer.body,
        })
    }
}

impl Session {
    /// Answers a counter-offer.
    pub(super) async fn answer(&mut self, peer: &PeerSignalling, offer: &str) -> Result<(), SfuError> {
        let resource = self.resource.as_ref().ok_or(SfuError::Protocol("an offer without a location"))?;
        let body = peer.answer(offer).await?;
        let answer = http::send(Request {
            method: Method::PATCH,
            endpoint: resource,
            bearer: &self.bearer,
            content_type: Some(SDP),
            accept: None,
            if_match: self.etag.as_deref(),
            body,
            limit: None,
        })
        .await?;
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
        let Some(resource) = &self.resource else { return };
        if let Err(error) = self.request(Method::DELETE, resource, String::new()).await {
            tracing::debug!(%error, "a session was not ended");
        }
    }

    /// A JSON request to a resource of the session.
    pub(super) async fn request(
        &self,
        method: Method,
        resource: &Endpoint,
        body: String,
    ) -> Result<Answer, SfuError> {
        http::send(Request {
            method,
            endpoint: resource,
            bearer: &self.bearer,
            content_type: (!body.is_empty()).then_some(JSON),
            accept: None,
            if_match: None,
            body,
            limit: None,
        })
        .await
    }

    pub(super) fn bearer(&self) -> &TextSecret {
        &self.bearer
    }

    fn related(&self, relation: &str) -> Option<Endpoint> {
        let link = self.links.iter().find(|link| link.has_relation(relation))?;
        resolve(self.resource.as_ref().unwrap_or(&self.opened_at), &link.target, &self.settings).ok()
    }
}

fn resolve(from: &Endpoint, reference: &str, settings: &SfuSettings) -> Result<Endpoint, SfuError> {
    let url = from.url.join(reference).map_err(|_| SfuError::Protocol("an address that is none"))?;
    ticket::endpoint(url.as_str(), settings)
}

/// A description in which every line was refused is a refusal of our codecs.
fn check_lines(description: &str) -> Result<(), SfuError> {
    let accepted = media_lines(description).iter().any(|line| line.kind.is_some() && line.active);
    accepted.then_some(()).ok_or(SfuError::Codecs)
}
