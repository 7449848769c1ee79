//! HTTP requests of WHIP and WHEP, with our TLS trust and without surprises.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use incamera_relay_proto::TextSecret;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, IF_MATCH};
use reqwest::{Client, Method, Response};

use crate::peer::MAX_DESCRIPTION;
use crate::ticket::Endpoint;
use crate::{Cleartext, SfuError, TlsPin, TlsTrust, tls};

pub(super) const SDP: &str = "application/sdp";
pub(super) const JSON: &str = "application/json";

/// Time to reach the server: a dead one must not hold up the next attempt.
const CONNECT_LIMIT: Duration = Duration::from_millis(2_000);

/// Time for a whole request.
const REQUEST_LIMIT: Duration = Duration::from_millis(5_000);

/// Time that a connection is kept for the next request. Short: what happens in a session happens together, and a
/// connection that has been idle may be dead without our knowing.
const IDLE_LIMIT: Duration = Duration::from_secs(5);

/// A request.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) endpoint: &'a Endpoint,
    pub(super) bearer: &'a TextSecret,
    pub(super) content_type: Option<&'static str>,
    pub(super) accept: Option<&'static str>,
    /// The session as it was when this was made (RFC 9725 §4.3.1).
    pub(super) if_match: Option<&'a str>,
    pub(super) body: String,
    /// `None`: [`REQUEST_LIMIT`].
    pub(super) limit: Option<Duration>,
}

impl<'a> Request<'a> {
    /// A request without body.
    pub(super) fn new(method: Method, endpoint: &'a Endpoint, bearer: &'a TextSecret) -> Self {
        let (content_type, accept, if_match, limit) = (None, None, None, None);
        Self { method, endpoint, bearer, content_type, accept, if_match, body: String::new(), limit }
    }
}

/// A response with its body read.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    /// A header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the body is of this type.
    pub(super) fn is(&self, content_type: &str) -> bool {
        let essence = self.header("content-type").and_then(|value| value.split(';').next());
        essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(content_type))
    }
}

/// The HTTP client of each kind of trust, made when it is first needed: requests that follow one another share a
/// connection.
pub(crate) struct Clients {
    cleartext: Cleartext,
    made: Mutex<Vec<(TlsTrust, Client)>>,
}

impl Clients {
    pub(crate) fn new(cleartext: Cleartext) -> Self {
        Self { cleartext, made: Mutex::default() }
    }

    fn client(&self, endpoint: &Endpoint) -> Result<Client, SfuError> {
        let without_tls = endpoint.url.scheme() == "http";
        // Without TLS nobody is trusted, and the system's certificates need not be read.
        let trust = if without_tls { TlsTrust::Pinned(TlsPin([0; 32])) } else { endpoint.trust };
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = made.iter().find(|(known, _)| *known == trust) {
            return Ok(client.clone());
        }
        let mut building = Client::builder()
            .tls_backend_preconfigured(tls::client_config(trust).map_err(crate::peer::local)?)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_LIMIT)
            .pool_idle_timeout(IDLE_LIMIT)
            .no_proxy();
        if without_tls {
            building = building.dns_resolver(Arc::new(NearNames(self.cleartext)));
        }
        let client = building.build().map_err(crate::peer::local)?;
        made.push((trust, client.clone()));
        Ok(client)
    }
}

/// Finds the addresses of a name that may be spoken to without TLS.
struct NearNames(Cleartext);

impl Resolve for NearNames {
    fn resolve(&self, name: Name) -> Resolving {
        let cleartext = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let near: Vec<SocketAddr> = found.filter(|address| cleartext.permits(address.ip())).collect();
            if near.is_empty() {
                return Err(SfuError::Cleartext.into());
            }
            let addresses: Addrs = Box::new(near.into_iter());
            Ok(addresses)
        })
    }
}

/// Sends a request. Redirects are not followed; any status is an answer.
pub(super) async fn send(clients: &Clients, request: Request<'_>) -> Result<Answer, SfuError> {
    let client = clients.client(request.endpoint)?;
    let mut building = client
        .request(request.method, request.endpoint.url.clone())
        .timeout(request.limit.unwrap_or(REQUEST_LIMIT))
        .body(request.body);
    if !request.bearer.expose().is_empty() {
        let value = zeroize::Zeroizing::new(format!("Bearer {}", request.bearer.expose()));
        let mut value = HeaderValue::from_str(&value).map_err(|_| SfuError::Ticket)?;
        value.set_sensitive(true);
        building = building.header(AUTHORIZATION, value);
    }
    if let Some(content_type) = request.content_type {
        building = building.header(CONTENT_TYPE, content_type);
    }
    if let Some(accept) = request.accept {
        building = building.header(ACCEPT, accept);
    }
    if let Some(tag) = request.if_match {
        building = building.header(IF_MATCH, tag);
    }
    let response = building.send().await.map_err(unreachable)?;
    read(response).await
}

/// The error that a refusing status means.
pub(super) fn refusal(answer: &Answer) -> SfuError {
    match answer.status {
        401 | 403 => SfuError::Ticket,
        406 => SfuError::Codecs,
        429 | 503 => SfuError::Busy,
        status => SfuError::Refused(u32::from(status)),
    }
}

/// Reads the body, no further than a description may be long (SEC-15).
async fn read(mut response: Response) -> Result<Answer, SfuError> {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > MAX_DESCRIPTION {
            return Err(SfuError::Protocol("a response that is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    let body = String::from_utf8(body).map_err(|_| SfuError::Protocol("a response that is no text"))?;
    Ok(Answer { status, headers, body })
}

fn unreachable(error: reqwest::Error) -> SfuError {
    if tls::is_certificate_refusal(&error) {
        return SfuError::Certificate;
    }
    if leads_far(&error) {
        return SfuError::Cleartext;
    }
    // The address is in the ticket; the log needs only what happened.
    let mut text = error.without_url().to_string();
    text.truncate(200);
    SfuError::Unreachable(text)
}

/// Whether a request failed because its name leads to nothing that may be spoken to without TLS.
fn leads_far(error: &(dyn core::error::Error + 'static)) -> bool {
    let causes = core::iter::successors(Some(error), |error| error.source());
    causes.into_iter().any(|cause| matches!(cause.downcast_ref(), Some(SfuError::Cleartext)))
}
