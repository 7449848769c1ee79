//! `sent.jsonl` and `frames.jsonl`: what a participant sent, and what another one opened and decoded of it.

use std::path::Path;

use serde::Deserialize;

/// A picture that was sealed and handed to the network.
#[derive(Clone, Debug, Deserialize)]
pub struct SentPicture {
    /// `audio` or `video`.
    pub kind: String,
    /// Counter of the frame under its key.
    pub counter: u64,
    /// When it was captured, machine-wide monotonic microseconds.
    pub captured_us: u64,
}

/// A frame that was opened and decoded.
#[derive(Clone, Debug, Deserialize)]
pub struct OpenedPicture {
    /// `audio` or `video`.
    pub kind: String,
    /// Stream and layer, such as `camera_high` or `screen_high`.
    pub layer: String,
    /// When its sender captured it.
    pub captured_us: u64,
    /// When it had been decoded.
    pub decoded_us: u64,
    /// The number read from the pixels of a test pattern.
    pub pattern: Option<u32>,
    /// Width of a picture in pixels.
    pub width: Option<u32>,
}

/// What one participant logged.
#[derive(Clone, Debug, Default)]
pub struct FrameLog {
    /// Everything it sent.
    pub sent: Vec<SentPicture>,
    /// What it decoded, by the sender's name.
    pub received: Vec<(String, Vec<OpenedPicture>)>,
}

impl FrameLog {
    /// Reads the folder that `--frame-log` wrote.
    #[must_use]
    pub fn read(folder: &Path) -> Self {
        let received = std::fs::read_dir(folder).into_iter().flatten().flatten().filter_map(|entry| {
            let folder = entry.path();
            let name = std::fs::read_to_string(folder.join("name.txt")).ok()?;
            Some((name.trim().to_owned(), lines(&folder.join("frames.jsonl"))))
        });
        Self { sent: lines(&folder.join("sent.jsonl")), received: received.collect() }
    }
}

fn lines<T: for<'de> Deserialize<'de>>(path: &Path) -> Vec<T> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The machine's monotonic clock, in the unit of the logs.
#[must_use]
pub fn monotonic_us() -> u64 {
    incamera_devices::SystemClock.now().as_micros()
}
