//! The endpoints that take offers.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{OriginalUri, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::body::Timely;
use super::guard::{Authorized, require_accepts_sdp, require_content_type};
use super::{ask, response};
use crate::command::{Action, Opened, Purpose, Requester};
use crate::handle::Shared;
use crate::pseudonym::Pseudonym;
use crate::refusal::Refusal;

/// Standard relation of the WHEP draft's layer resource.
const LAYER_RELATION: &str = "urn:ietf:params:whep:ext:core:layer";
/// Our relation: the slots of this session.
const SLOTS_RELATION: &str = "urn:incamera:slots";
/// Our relation: the room's streams.
const STREAMS_RELATION: &str = "urn:incamera:streams";

/// `POST /whip`: publish under one's own name (RFC 9725 §4.2).
pub(super) async fn publish(
    State(shared): State<Arc<Shared>>,
    uri: (OriginalUri, Uri),
    authorized: Authorized,
    headers: HeaderMap,
    Timely(offer): Timely<String>,
) -> Result<Response, Refusal> {
    let purpose = Purpose::Publish(authorized.holder.identity);
    open(&shared, &uri, authorized.from, &headers, offer, purpose).await
}

/// `POST /whip/{stream}`: publish one's own stream of this name.
pub(super) async fn publish_stream(
    State(shared): State<Arc<Shared>>,
    uri: (OriginalUri, Uri),
    authorized: Authorized,
    Path(stream): Path<String>,
    headers: HeaderMap,
    Timely(offer): Timely<String>,
) -> Result<Response, Refusal> {
    let purpose = Purpose::Publish(Pseudonym::parse(&stream).map_err(|_| Refusal::UnknownStream)?);
    open(&shared, &uri, authorized.from, &headers, offer, purpose).await
}

/// `POST /whep/{stream}`: play one stream, as any WHEP player does.
pub(super) async fn watch_stream(
    State(shared): State<Arc<Shared>>,
    uri: (OriginalUri, Uri),
    authorized: Authorized,
    Path(stream): Path<String>,
    headers: HeaderMap,
    Timely(offer): Timely<String>,
) -> Result<Response, Refusal> {
    let stream = Pseudonym::parse(&stream).map_err(|_| Refusal::UnknownStream)?;
    let room = authorized.holder.room;
    let purpose = Purpose::WatchStream(stream.clone());
    let opened = open(&shared, &uri, authorized.from, &headers, offer, purpose).await;
    match opened {
        // Somebody may publish it and has not begun: worth trying again soon.
        Err(Refusal::UnknownStream)
            if shared.grants.lock().may_be_published(Instant::now(), &room, &stream) =>
        {
            Err(Refusal::StreamNotLive)
        }
        other => other,
    }
}

/// `POST /whep`: slots.
pub(super) async fn watch_slots(
    State(shared): State<Arc<Shared>>,
    uri: (OriginalUri, Uri),
    authorized: Authorized,
    headers: HeaderMap,
    Timely(offer): Timely<String>,
) -> Result<Response, Refusal> {
    open(&shared, &uri, authorized.from, &headers, offer, Purpose::WatchSlots).await
}

async fn open(
    shared: &Shared,
    uri: &(OriginalUri, Uri),
    from: Requester,
    headers: &HeaderMap,
    offer: String,
    purpose: Purpose,
) -> Result<Response, Refusal> {
    require_content_type(headers, response::SDP)?;
    require_accepts_sdp(headers)?;
    let kind = purpose.clone();
    let opened = ask(shared, from, |reply| Action::Open { purpose, offer, reply }).await?;
    Ok(created(shared, uri, &kind, opened))
}

fn created(
    shared: &Shared,
    (OriginalUri(original), nested): &(OriginalUri, Uri),
    purpose: &Purpose,
    opened: Opened,
) -> Response {
    // The path under which the router is nested.
    let base = original.path().strip_suffix(nested.path()).unwrap_or_default();
    let location = format!("{base}/session/{}", opened.session);
    let tag = response::entity_tag(&opened.etag);
    let mut response = (StatusCode::CREATED, opened.answer).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(response::SDP));
    for (name, value) in [(header::LOCATION, &location), (header::ETAG, &tag)] {
        // Both are made of hexadecimal digits and a path that came as a URI.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    let accept_patch = HeaderValue::from_static(response::ICE_FRAGMENT);
    headers.insert(header::HeaderName::from_static("accept-patch"), accept_patch);
    for server in &shared.config.ice_servers {
        response::add_ice_server(headers, server);
    }
    if !matches!(purpose, Purpose::Publish(_)) {
        response::add_link(headers, &format!("{location}/layer"), LAYER_RELATION);
    }
    if *purpose == Purpose::WatchSlots {
        response::add_link(headers, &format!("{location}/slots"), SLOTS_RELATION);
    }
    response::add_link(headers, &format!("{base}/streams"), STREAMS_RELATION);
    response
}
