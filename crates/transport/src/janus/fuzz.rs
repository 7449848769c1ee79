//! Fuzzed parsers of Janus' messages.

use serde_json::Value;

use super::messages::{description, feeds, plugin_data, refusal, room_event, subscribed_lines};

/// A message, read as each kind that there is.
pub fn message(text: &str) {
    let Ok(message) = serde_json::from_str::<Value>(text) else { return };
    drop((room_event(&message), refusal(&message)));
    let _ = description(&message);
    if let Some(data) = plugin_data(&message) {
        drop((feeds(data), subscribed_lines(data)));
    }
}
