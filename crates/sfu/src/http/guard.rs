//! What every request must show before anything else is looked at.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use crate::command::Requester;
use crate::grant::{GrantId, Holder};
use crate::handle::Shared;
use crate::refusal::Refusal;

/// Longest bearer looked at; ours have 64 characters.
const MAX_BEARER: usize = 256;

/// A request whose bearer was valid when its headers came: enough to look at the rest of it. The machine decides by
/// the grant itself when it serves the request.
pub(super) struct Authorized {
    pub(super) from: Requester,
    pub(super) holder: Holder,
}

impl FromRequestParts<Arc<Shared>> for Authorized {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Self::Rejection> {
        let grant = grant(&parts.headers)?;
        let holder = holder(shared, grant)?;
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let address = address.map(|ConnectInfo(address)| address.ip());
        Ok(Self { from: Requester { grant, address }, holder })
    }
}

/// Who holds `grant` now.
pub(super) fn holder(shared: &Shared, grant: GrantId) -> Result<Holder, Refusal> {
    shared.grants.lock().holder(Instant::now(), grant).ok_or(Refusal::Unauthorized)
}

/// The grant of the request's bearer (RFC 6750 §2.1), whether or not there is one.
fn grant(headers: &HeaderMap) -> Result<GrantId, Refusal> {
    let value = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let (scheme, bearer) = value.and_then(|v| v.split_once(' ')).ok_or(Refusal::Unauthorized)?;
    if !scheme.eq_ignore_ascii_case("bearer") || bearer.len() > MAX_BEARER {
        return Err(Refusal::Unauthorized);
    }
    Ok(GrantId::of(bearer.trim()))
}

/// Whether the body is of this media type, parameters aside.
pub(super) fn require_content_type(headers: &HeaderMap, wanted: &str) -> Result<(), Refusal> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let essence = value.and_then(|v| v.split(';').next()).map(str::trim);
    let fits = essence.is_some_and(|e| e.eq_ignore_ascii_case(wanted));
    fits.then_some(()).ok_or(Refusal::ContentType)
}

/// Whether the client takes `application/sdp`. No `Accept` header means anything (RFC 9110 §12.5.1).
pub(super) fn require_accepts_sdp(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut values = headers.get_all(header::ACCEPT).iter().peekable();
    if values.peek().is_none() {
        return Ok(());
    }
    let takes = |range: &str| {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let refused = parts.any(|p| matches!(p, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        let names = ["*/*", "application/*", "application/sdp"];
        !refused && names.iter().any(|n| n.eq_ignore_ascii_case(name))
    };
    let accepted = values.filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).any(takes);
    accepted.then_some(()).ok_or(Refusal::NotAcceptable)
}
