//! The list of a room's streams at our own SFU, watched by long polling.

use std::sync::Arc;
use std::time::Duration;

use incamera_types::MediaKind;
use serde::Deserialize;
use tokio::time::sleep;

use super::session::Session;
use crate::shared::Shared;
use crate::ticket::{self, Endpoint};
use crate::{RemoteStream, SfuEvent, StreamId};

/// How long a poll is held, and how long is waited for its answer.
const HOLD_SECONDS: u64 = 20;
const POLL_LIMIT: Duration = Duration::from_secs(HOLD_SECONDS + 5);

/// Pause after a poll that failed: the session's own supervision does the rest.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Most streams of a room that are looked at.
const MAX_STREAMS: usize = 1_024;

#[derive(Deserialize)]
pub(super) struct StreamList {
    version: u64,
    streams: Vec<StreamEntry>,
}

#[derive(Deserialize)]
struct StreamEntry {
    stream: String,
    audio: bool,
    video: bool,
}

/// Reports the list whenever it changes, until the task is aborted.
pub(super) async fn watch(shared: Arc<Shared>, session: Session, resource: Endpoint) {
    let mut known: Option<u64> = None;
    loop {
        let mut endpoint = resource.clone();
        if let Some(version) = known {
            endpoint.url.set_query(Some(&format!("after={version}&wait={HOLD_SECONDS}")));
        }
        let list = match session.poll(&endpoint, POLL_LIMIT).await {
            Ok(answer) if answer.status == 200 => parse(&answer.body),
            _ => None,
        };
        let Some(list) = list else {
            sleep(RETRY_PAUSE).await;
            continue;
        };
        if known.replace(list.version) != Some(list.version) {
            let ticket = shared.ticket();
            let others = list.streams.iter().filter_map(remote);
            let available = others.filter(|stream| !ticket::is_own(&ticket, &stream.id)).collect();
            shared.sink.tell(SfuEvent::StreamsChanged { available }).await;
        }
    }
}

/// Reads the list; `None` for anything else. Unknown fields of later versions are ignored.
pub(super) fn parse(body: &str) -> Option<StreamList> {
    let mut list: StreamList = serde_json::from_str(body).ok()?;
    list.streams.truncate(MAX_STREAMS);
    Some(list)
}

fn remote(entry: &StreamEntry) -> Option<RemoteStream> {
    let audio = entry.audio.then_some(MediaKind::Audio);
    let video = entry.video.then_some(MediaKind::Video);
    Some(RemoteStream {
        id: StreamId::parse(&entry.stream)?,
        kinds: audio.into_iter().chain(video).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_is_read_and_ids_that_are_none_are_left_out() {
        let body = r#"{"version":3,"streams":[{"stream":"ada","audio":true,"video":false,"layers":["high"]},
            {"stream":"../x","audio":true,"video":true,"layers":[]}]}"#;
        let list = parse(body).unwrap();
        assert_eq!(list.version, 3);
        let streams: Vec<_> = list.streams.iter().filter_map(remote).collect();
        assert_eq!(streams.len(), 1);
        assert_eq!(streams[0].kinds, [MediaKind::Audio]);
        assert!(parse("[]").is_none() && parse("").is_none());
    }
}
