//! The HTTP resources: WHIP (RFC 9725), WHEP (draft-ietf-wish-whep), slots and the list of streams.

mod body;
mod guard;
mod open;
mod response;
mod session;
mod streams;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{any, get, post};
use tokio::sync::oneshot;

use crate::command::{Action, Reply, Request, Requester};
use crate::handle::Shared;
use crate::refusal::Refusal;

pub(crate) use streams::PollLimit;

/// Longest body of an offer: 132 m-lines as a browser writes them, of 2 to 4 kB each.
const MAX_OFFER: usize = 512 << 10;
/// Longest body of anything else.
const MAX_BODY: usize = 64 << 10;

/// All resources.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let offers = Router::new()
        .route("/whip", post(open::publish).options(response::preflight_sdp))
        .route("/whip/{stream}", post(open::publish_stream).options(response::preflight_sdp))
        .route("/whep", post(open::watch_slots).options(response::preflight_sdp))
        .route("/whep/{stream}", post(open::watch_stream).options(response::preflight_sdp))
        .layer(DefaultBodyLimit::max(MAX_OFFER));
    let sessions = Router::new()
        .route(
            "/session/{session}",
            axum::routing::patch(session::trickle).delete(session::close).options(response::preflight),
        )
        .route("/session/{session}/layer", post(session::select_layer).options(response::preflight))
        .route(
            "/session/{session}/slots",
            get(session::slots).put(session::bind).options(response::preflight),
        )
        .route("/streams", get(streams::list).options(response::preflight))
        .layer(DefaultBodyLimit::max(MAX_BODY));
    offers
        .merge(sessions)
        .fallback(any(response::nothing_here))
        .layer(middleware::map_response(response::allow_any_origin))
        .with_state(shared)
}

/// Puts a request to the task and waits for its answer.
async fn ask<T>(
    shared: &Shared,
    from: Requester,
    action: impl FnOnce(Reply<T>) -> Action,
) -> Result<T, Refusal> {
    let (reply, answer) = oneshot::channel();
    let queued = shared.requests.try_send(Request { from, action: action(reply) });
    queued.map_err(|_| Refusal::Unavailable)?;
    answer.await.unwrap_or(Err(Refusal::Unavailable))
}
