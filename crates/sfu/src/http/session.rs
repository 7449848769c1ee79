//! Session resources: trickle ICE and restarts, end, layers and slots.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::body::Timely;
use super::guard::{Authorized, require_content_type};
use super::{ask, response};
use crate::command::{Action, Condition, LayerSelection, SlotBindings, SlotState, Trickled};
use crate::handle::Shared;
use crate::refusal::Refusal;
use crate::trickle::IceFragment;

/// `PATCH /session/{id}`: candidates, or an ICE restart (RFC 9725 §4.3).
pub(super) async fn trickle(
    State(shared): State<Arc<Shared>>,
    authorized: Authorized,
    Path(session): Path<String>,
    headers: HeaderMap,
    Timely(body): Timely<String>,
) -> Result<Response, Refusal> {
    require_content_type(&headers, response::ICE_FRAGMENT)?;
    let condition = condition(&headers)?;
    let fragment = IceFragment::parse(&body)?;
    let trickled =
        ask(&shared, authorized.from, |reply| Action::Trickle { session, condition, fragment, reply })
            .await?;
    Ok(match trickled {
        Trickled::Added => StatusCode::NO_CONTENT.into_response(),
        Trickled::Restarted { etag, fragment } => {
            let tag = (header::ETAG, response::entity_tag(&etag));
            let kind = (header::CONTENT_TYPE, response::ICE_FRAGMENT.to_owned());
            (StatusCode::OK, [tag, kind], fragment).into_response()
        }
    })
}

/// The `If-Match` header: without it 428, as RFC 9725 §4.3.1 asks.
fn condition(headers: &HeaderMap) -> Result<Condition, Refusal> {
    let value = headers.get(header::IF_MATCH).ok_or(Refusal::PreconditionRequired)?;
    let value = value.to_str().map_err(|_| Refusal::PreconditionFailed)?.trim();
    if value == "*" {
        return Ok(Condition::Any);
    }
    let tag = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    // Weak tags and lists never match here (RFC 9110 §13.1.1).
    Ok(Condition::Tag(tag.unwrap_or_default().to_owned()))
}

/// `DELETE /session/{id}`.
pub(super) async fn close(
    State(shared): State<Arc<Shared>>,
    authorized: Authorized,
    Path(session): Path<String>,
) -> Result<StatusCode, Refusal> {
    ask(&shared, authorized.from, |reply| Action::Close { session, reply }).await?;
    Ok(StatusCode::OK)
}

/// `POST /session/{id}/layer`: layer selection of the WHEP draft.
pub(super) async fn select_layer(
    State(shared): State<Arc<Shared>>,
    authorized: Authorized,
    Path(session): Path<String>,
    headers: HeaderMap,
    Timely(body): Timely<Bytes>,
) -> Result<StatusCode, Refusal> {
    let selection: LayerSelection = read_json(&headers, &body)?;
    ask(&shared, authorized.from, |reply| Action::SelectLayer { session, selection, reply }).await?;
    Ok(StatusCode::OK)
}

/// The body of the answers.
#[derive(Serialize)]
pub(super) struct SlotsResponse {
    slots: Vec<SlotState>,
}

/// `PUT /session/{id}/slots`: binds slots to streams; takes effect at once, with no new offer.
pub(super) async fn bind(
    State(shared): State<Arc<Shared>>,
    authorized: Authorized,
    Path(session): Path<String>,
    headers: HeaderMap,
    Timely(body): Timely<Bytes>,
) -> Result<Json<SlotsResponse>, Refusal> {
    let SlotBindings { slots } = read_json(&headers, &body)?;
    // One entry per m-line at the most makes sense.
    let limits = &shared.config.limits;
    if slots.len() > limits.audio_slots + limits.video_slots {
        return Err(Refusal::MalformedRequest);
    }
    let slots = ask(&shared, authorized.from, |reply| Action::Bind { session, slots, reply }).await?;
    Ok(Json(SlotsResponse { slots }))
}

/// `GET /session/{id}/slots`.
pub(super) async fn slots(
    State(shared): State<Arc<Shared>>,
    authorized: Authorized,
    Path(session): Path<String>,
) -> Result<Json<SlotsResponse>, Refusal> {
    let slots = ask(&shared, authorized.from, |reply| Action::Slots { session, reply }).await?;
    Ok(Json(SlotsResponse { slots }))
}

fn read_json<T: for<'de> Deserialize<'de>>(headers: &HeaderMap, body: &[u8]) -> Result<T, Refusal> {
    require_content_type(headers, response::JSON)?;
    serde_json::from_slice(body).map_err(|_| Refusal::MalformedRequest)
}
