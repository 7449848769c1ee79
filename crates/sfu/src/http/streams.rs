//! The list of a room's streams, as a long poll.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use incamera_types::RoomId;
use serde::Deserialize;

use super::guard::{self, Authorized};
use super::{ask, response};
use crate::command::{Action, StreamList};
use crate::handle::Shared;
use crate::pseudonym::Pseudonym;
use crate::refusal::Refusal;

/// Longest time a poll is held; below the usual 30 s of proxies.
const MAX_WAIT: Duration = Duration::from_secs(25);
/// Polls that one identity may have waiting.
const POLLS_PER_IDENTITY: usize = 4;

/// Parameters of `GET /streams`.
#[derive(Deserialize)]
pub(super) struct Poll {
    /// Wait until the list's version differs from this one.
    #[serde(default)]
    after: Option<u64>,
    /// Wait at most so many seconds; 25 if absent or more.
    #[serde(default)]
    wait: Option<u64>,
}

/// `GET /streams`: the list now, or with `after` when it is another one than the client knows.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    authorized: Authorized,
    poll: Query<Poll>,
) -> Result<Response, Refusal> {
    let Authorized { from, holder } = authorized;
    let place = (holder.room, holder.identity);
    let mut list = ask(&shared, from, |reply| Action::Streams { reply }).await?;
    let known = |list: &StreamList| Some(list.version) == poll.after;
    if known(&list.borrow()) {
        let _waiting = Waiting::begin(&shared, place)?;
        let wait = poll.wait.map_or(MAX_WAIT, Duration::from_secs).min(MAX_WAIT);
        let changed = tokio::time::timeout(wait, list.wait_for(|l| !known(l))).await;
        if let Ok(Err(_)) = changed {
            // The room has ended.
            return Err(Refusal::Unauthorized);
        }
        // The bearer may have been revoked while this waited.
        guard::holder(&shared, from.grant)?;
    }
    let now = list.borrow().clone();
    let tag = response::entity_tag(&now.version.to_string());
    Ok((StatusCode::OK, [(header::ETAG, tag)], Json(now)).into_response())
}

/// Counts the polls that wait.
#[derive(Default)]
pub(crate) struct PollLimit(Mutex<HashMap<(RoomId, Pseudonym), usize>>);

/// One poll that waits.
struct Waiting<'a> {
    shared: &'a Shared,
    place: (RoomId, Pseudonym),
}

impl<'a> Waiting<'a> {
    fn begin(shared: &'a Shared, place: (RoomId, Pseudonym)) -> Result<Self, Refusal> {
        let mut counts = shared.polls.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(place.clone()).or_default();
        if *count >= POLLS_PER_IDENTITY {
            return Err(Refusal::TooManyRequests);
        }
        *count += 1;
        Ok(Self { shared, place })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let counts = self.shared.polls.0.lock();
        let mut counts = counts.unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.place) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.place);
            }
        }
    }
}
