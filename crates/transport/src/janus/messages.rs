//! What Janus says (VideoRoom plugin, multistream; Janus 1.x documentation): strict reading, bounded.

use incamera_types::MediaKind;
use serde_json::{Value, json};

use crate::{RemoteStream, SfuError, StreamId};

/// Most publishers of a room that are looked at.
pub(super) const MAX_FEEDS: usize = 256;

/// Janus' numbers of refusals that mean something to us.
const NO_SUCH_ROOM: u64 = 426;
const ROOM_EXISTS: u64 = 427;
const UNAUTHORIZED: u64 = 433;
/// Core: unauthorized request (wrong token or secret).
const CORE_UNAUTHORIZED: u64 = 403;
/// A publisher that is gone already, or whose media is not there yet.
const NO_SUCH_FEED: u64 = 428;
/// The room is full.
const ROOM_FULL: u64 = 432;

/// A publisher in the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Feed {
    /// Janus' number for it.
    pub(super) number: u64,
    pub(super) stream: RemoteStream,
    /// The m-lines that it sends.
    pub(super) lines: Vec<FeedLine>,
}

/// One m-line of a publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FeedLine {
    pub(super) mid: String,
    pub(super) kind: MediaKind,
}

/// An m-line of our subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SubscribedLine {
    pub(super) mid: String,
    pub(super) feed: u64,
    pub(super) feed_mid: String,
}

/// What happened in the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RoomEvent {
    Published(Vec<Feed>),
    Left(u64),
    /// This handle is gone, or the session.
    Ended {
        handle: Option<u64>,
    },
}

/// Reads an unsolicited message; `None` for what is of no interest.
pub(super) fn room_event(message: &Value) -> Option<RoomEvent> {
    match message.get("janus")?.as_str()? {
        "hangup" | "detached" | "timeout" => {
            let handle = message.get("sender").and_then(Value::as_u64);
            return Some(RoomEvent::Ended { handle });
        }
        "event" => {}
        _ => return None,
    }
    let data = plugin_data(message)?;
    if data.get("publishers").is_some() {
        return Some(RoomEvent::Published(feeds(data)));
    }
    // "ok" in their place means ourselves.
    let gone = data.get("unpublished").or_else(|| data.get("leaving"))?.as_u64()?;
    Some(RoomEvent::Left(gone))
}

/// The publishers of a `joined` or `publishers` message.
pub(super) fn feeds(data: &Value) -> Vec<Feed> {
    let list = data.get("publishers").and_then(Value::as_array);
    list.into_iter().flatten().take(MAX_FEEDS).filter_map(feed).collect()
}

fn feed(entry: &Value) -> Option<Feed> {
    let number = entry.get("id")?.as_u64()?;
    let id = StreamId::parse(entry.get("display")?.as_str()?)?;
    let streams = entry.get("streams")?.as_array()?;
    let lines: Vec<_> = streams.iter().take(8).filter_map(feed_line).collect();
    let kinds = lines.iter().map(|line| line.kind).collect();
    Some(Feed { number, stream: RemoteStream { id, kinds }, lines })
}

fn feed_line(entry: &Value) -> Option<FeedLine> {
    if entry.get("disabled").and_then(Value::as_bool) == Some(true) {
        return None;
    }
    let kind = match entry.get("type")?.as_str()? {
        "audio" => MediaKind::Audio,
        "video" => MediaKind::Video,
        _ => return None,
    };
    Some(FeedLine { mid: entry.get("mid")?.as_str()?.to_owned(), kind })
}

/// The lines of an `attached`, `updated` or `started` message.
pub(super) fn subscribed_lines(data: &Value) -> Vec<SubscribedLine> {
    let list = data.get("streams").and_then(Value::as_array);
    list.into_iter().flatten().take(MAX_FEEDS).filter_map(subscribed_line).collect()
}

fn subscribed_line(entry: &Value) -> Option<SubscribedLine> {
    if entry.get("active").and_then(Value::as_bool) == Some(false) {
        return None;
    }
    Some(SubscribedLine {
        mid: entry.get("mid")?.as_str()?.to_owned(),
        feed: entry.get("feed_id")?.as_u64()?,
        feed_mid: entry.get("feed_mid")?.as_str()?.to_owned(),
    })
}

/// The plugin's part of a message.
pub(super) fn plugin_data(message: &Value) -> Option<&Value> {
    message.get("plugindata")?.get("data")
}

/// Whether a change has to wait: Janus offered something by itself and waits for the answer to that.
pub(super) fn is_put_off(message: &Value) -> bool {
    plugin_data(message).and_then(|data| data.get("videoroom")).and_then(Value::as_str) == Some("updating")
}

/// The session description in a message.
pub(super) fn description(message: &Value) -> Option<&str> {
    message.get("jsep")?.get("sdp")?.as_str()
}

/// Refusals that the caller deals with.
#[derive(Debug)]
pub(super) enum Refusal {
    NoSuchRoom,
    RoomExists,
    NoSuchFeed,
    Other(SfuError),
}

impl From<SfuError> for Refusal {
    fn from(error: SfuError) -> Self {
        Self::Other(error)
    }
}

impl From<Refusal> for SfuError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchRoom => Self::Refused(NO_SUCH_ROOM as u32),
            Refusal::RoomExists => Self::Refused(ROOM_EXISTS as u32),
            Refusal::NoSuchFeed => Self::Refused(NO_SUCH_FEED as u32),
            Refusal::Other(error) => error,
        }
    }
}

/// The refusal in an answer, of the core or the plugin, if it is one.
pub(super) fn refusal(message: &Value) -> Option<Refusal> {
    let core = message.get("error").and_then(|error| error.get("code"));
    let plugin = plugin_data(message).and_then(|data| data.get("error_code"));
    let code = core.or(plugin)?.as_u64().unwrap_or(0);
    Some(match code {
        NO_SUCH_ROOM => Refusal::NoSuchRoom,
        ROOM_EXISTS => Refusal::RoomExists,
        NO_SUCH_FEED => Refusal::NoSuchFeed,
        UNAUTHORIZED | CORE_UNAUTHORIZED => Refusal::Other(SfuError::Ticket),
        ROOM_FULL => Refusal::Other(SfuError::Busy),
        code => Refusal::Other(SfuError::Refused(u32::try_from(code).unwrap_or(u32::MAX))),
    })
}

/// Makes a room as we need it: our codecs, no key-frame requests on a timer, and nobody told who joins.
pub(super) fn create_room(room: u64, pin: &str) -> Value {
    json!({
        "request": "create", "room": room, "pin": pin, "is_private": true, "permanent": false,
        "publishers": 64, "bitrate": 8_000_000, "bitrate_cap": false, "fir_freq": 0, "audiocodec": "opus",
        "videocodec": "vp8", "notify_joining": false, "record": false, "videoorient_ext": false,
        "audiolevel_ext": false, "playoutdelay_ext": false, "transport_wide_cc_ext": true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(display: &str) -> Value {
        json!({"janus": "event", "sender": 5, "plugindata": {"plugin": "janus.plugin.videoroom", "data": {
            "videoroom": "event", "room": 1, "publishers": [{"id": 42, "display": display, "streams": [
                {"type": "audio", "mindex": 0, "mid": "0", "codec": "opus"},
                {"type": "video", "mindex": 1, "mid": "1", "codec": "vp8", "simulcast": true},
                {"type": "data", "mindex": 2, "mid": "2"},
                {"type": "video", "mindex": 3, "mid": "3", "disabled": true}]}]}}})
    }

    #[test]
    fn publishers_are_read_with_their_lines() {
        let Some(RoomEvent::Published(feeds)) = room_event(&published("ada")) else { panic!("not read") };
        assert_eq!((feeds[0].number, feeds[0].stream.id.as_str()), (42, "ada"));
        assert_eq!(feeds[0].lines.len(), 2);
        assert_eq!(room_event(&published("not an id/")), Some(RoomEvent::Published(vec![])));
    }

    #[test]
    fn leaving_is_read_and_our_own_is_not() {
        let event = |data: Value| json!({"janus": "event", "plugindata": {"data": data}});
        assert_eq!(room_event(&event(json!({"unpublished": 42}))), Some(RoomEvent::Left(42)));
        assert_eq!(room_event(&event(json!({"leaving": 7}))), Some(RoomEvent::Left(7)));
        assert_eq!(room_event(&event(json!({"unpublished": "ok"}))), None);
        let hangup = json!({"janus": "hangup", "sender": 7, "reason": "ICE failed"});
        assert_eq!(room_event(&hangup), Some(RoomEvent::Ended { handle: Some(7) }));
        assert_eq!(room_event(&json!({"janus": "webrtcup"})), None);
        assert_eq!(room_event(&json!([1, "x"])), None);
    }

    #[test]
    fn refusals_of_core_and_plugin_are_told_apart() {
        let plugin =
            |code: u64| json!({"janus": "event", "plugindata": {"data": {"error_code": code, "error": ""}}});
        assert!(matches!(refusal(&plugin(426)), Some(Refusal::NoSuchRoom)));
        assert!(matches!(refusal(&plugin(428)), Some(Refusal::NoSuchFeed)));
        assert!(matches!(refusal(&plugin(433)), Some(Refusal::Other(SfuError::Ticket))));
        let core = json!({"janus": "error", "error": {"code": 403, "reason": "no"}});
        assert!(matches!(refusal(&core), Some(Refusal::Other(SfuError::Ticket))));
        assert!(refusal(&json!({"janus": "success"})).is_none());
    }
}
