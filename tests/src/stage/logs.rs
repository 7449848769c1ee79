//! `frames.jsonl` and `sent.jsonl`, as `docs/cli.md` describes them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A frame that was opened and decoded.
#[derive(Clone, Debug, Deserialize)]
pub struct LoggedFrame {
    /// `audio` or `video`.
    pub kind: String,
    /// Stream and layer, such as `camera_high` or `screen_high`.
    #[serde(alias = "context")]
    pub layer: String,
    /// Counter of the frame under its key.
    pub counter: u64,
    /// When it was captured, on the machine's monotonic clock.
    pub captured_us: u64,
    /// When it had been decoded; nothing in what was sent.
    #[serde(default)]
    pub decoded_us: u64,
    /// Number read from the pixels of a test pattern.
    #[serde(default)]
    pub pattern: Option<u32>,
}

/// The folder with what was received of the sender called `name`.
#[must_use]
pub fn folder_of(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_of =
        |path: &PathBuf| std::fs::read_to_string(path.join("name.txt")).is_ok_and(|text| text == name);
    entries.into_iter().find(is_of)
}

/// Every frame of the sender called `name` that was decoded, in the order of decoding.
#[must_use]
pub fn received_from(folder: &Path, name: &str, kind: &str) -> Vec<LoggedFrame> {
    let path = folder_of(folder, name).map(|folder| folder.join("frames.jsonl"));
    let all: Vec<LoggedFrame> = path.map(|path| lines(&path)).unwrap_or_default();
    all.into_iter().filter(|frame| frame.kind == kind).collect()
}

/// Every frame that was sent.
#[must_use]
pub fn sent(folder: &Path, kind: &str) -> Vec<LoggedFrame> {
    let all: Vec<LoggedFrame> = lines(&folder.join("sent.jsonl"));
    all.into_iter().filter(|frame| frame.kind == kind).collect()
}

/// The most frames in a row that were sent between the first and the last one of `received` and are not in it. Counted
/// in frames, because a busy machine delays everything but loses nothing.
#[must_use]
pub fn longest_loss(sent: &[LoggedFrame], received: &[LoggedFrame]) -> usize {
    let came: BTreeSet<u64> = received.iter().map(|frame| frame.captured_us).collect();
    let (Some(first), Some(last)) = (came.first(), came.last()) else { return sent.len() };
    let asked = sent.iter().filter(|frame| (*first..=*last).contains(&frame.captured_us));
    let (longest, _) = asked.fold((0, 0), |(longest, run), frame| {
        let run = if came.contains(&frame.captured_us) { 0 } else { run + 1 };
        (longest.max(run), run)
    });
    longest
}

/// Reads a finished file, or one that is still being written under its `.part` name.
fn lines<T: DeserializeOwned>(path: &Path) -> Vec<T> {
    let part = path.with_extension("jsonl.part");
    let text = std::fs::read_to_string(path).or_else(|_| std::fs::read_to_string(part)).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(captured: &[u64]) -> Vec<LoggedFrame> {
        let frame = |at: &u64| LoggedFrame {
            kind: "video".to_owned(),
            layer: "camera_high".to_owned(),
            counter: *at,
            captured_us: *at,
            decoded_us: *at,
            pattern: None,
        };
        captured.iter().map(frame).collect()
    }

    #[test]
    fn only_losses_between_what_came_count() {
        let sent = frames(&[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(longest_loss(&sent, &frames(&[3, 6, 7])), 2);
        assert_eq!(longest_loss(&sent, &frames(&[3, 4, 5])), 0);
        assert_eq!(longest_loss(&sent, &[]), 9);
    }
}
