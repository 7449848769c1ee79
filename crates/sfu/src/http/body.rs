//! Bodies of requests, which must arrive in time.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use crate::handle::Shared;
use crate::refusal::Refusal;

/// A body that came in time: one that never ends would hold its connection and what has come of it (SEC-15).
pub(super) struct Timely<T>(pub(super) T);

impl<T: FromRequest<Arc<Shared>>> FromRequest<Arc<Shared>> for Timely<T> {
    type Rejection = Response;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Response> {
        let limit = shared.config.limits.body_timeout;
        match timeout(limit, T::from_request(request, shared)).await {
            Ok(Ok(body)) => Ok(Self(body)),
            Ok(Err(rejection)) => Err(rejection.into_response()),
            Err(_) => Err(Refusal::TooSlow.into_response()),
        }
    }
}
