//! Figures about what was sent and received, counted where a frame was really encoded or decoded.

use incamera_relay_proto::SfuKind;
use incamera_types::MemberId;
use serde::Serialize;

/// Figures of the whole client, once a second.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Statistics {
    /// CPU of this process in the last second, percent of one core.
    pub cpu_percent: f64,
    /// Resident memory in MiB.
    pub rss_mb: f64,
    /// What was sent.
    pub sent: SentStatistics,
    /// What was really sent to each server, and which they are.
    pub servers: ServerStatistics,
    /// One row for each participant whose media came.
    pub received: Vec<ReceivedStatistics>,
}

/// What was encoded, sealed and handed to the transport since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct SentStatistics {
    /// Pictures, each layer counted.
    pub video_frames: u64,
    /// Blocks of 20 ms of sound.
    pub audio_frames: u64,
    /// Frames that the transport had no room for or that had no key.
    pub dropped: u64,
    /// RTP packets sent again because they had not arrived.
    pub resent_packets: u64,
    /// Sealed bytes per second, in kbit/s, over the last second.
    pub kbps: f64,
    /// What the network is thought to carry, in kbit/s; 0 when not known.
    pub estimate_kbps: u64,
}

/// What the servers of a meeting were given by this client: counted where it leaves.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ServerStatistics {
    /// The meeting server: every message since the start, sealed content with what the server needs to order it.
    pub relay: RelayStatistics,
    /// The media server; `null` before there is one.
    pub media: Option<MediaServerStatistics>,
}

/// Messages to and from the meeting server, inside WebSocket and TLS.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RelayStatistics {
    /// Its host and port.
    pub address: String,
    /// Messages sent.
    pub messages_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Messages received.
    pub messages_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
}

/// Packets to the media server since it was connected to, those that were sent again left out.
#[derive(Clone, Debug, Serialize)]
pub struct MediaServerStatistics {
    /// What it is.
    pub kind: MediaServerKind,
    /// Its host, with the port where that is not the usual one.
    pub address: String,
    /// Whether others on the way can read what is said to it about connections; media is sealed all the same.
    pub is_cleartext: bool,
    /// RTP packets of sound and pictures.
    pub packets_sent: u64,
    /// What they carried behind their RTP headers.
    pub payload_bytes_sent: u64,
}

/// Which kind of server carries media.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaServerKind {
    /// The one inside the meeting server.
    Embedded,
    /// Somebody else's that speaks WHIP and WHEP.
    Whip,
    /// A Janus VideoRoom.
    Janus,
}

impl From<SfuKind> for MediaServerKind {
    fn from(kind: SfuKind) -> Self {
        match kind {
            SfuKind::Embedded => Self::Embedded,
            SfuKind::Whip => Self::Whip,
            SfuKind::Janus => Self::Janus,
        }
    }
}

/// What came from one participant since its first frame.
#[derive(Clone, Debug, Serialize)]
pub struct ReceivedStatistics {
    /// Who.
    pub member: MemberId,
    /// Their name.
    pub from: String,
    /// Pictures of the camera that were opened and decoded.
    pub video_frames_opened: u64,
    /// Pictures per second over the last second.
    pub video_fps: f64,
    /// Layer of the last picture: 0 is the largest.
    pub layer: u8,
    /// Width of the last picture in pixels.
    pub width: u16,
    /// Height of the last picture in pixels.
    pub height: u16,
    /// The screen that the participant shares; `null` while none is shared.
    pub screen: Option<ScreenStatistics>,
    /// Sealed bytes received, in kbit/s, over the last second.
    pub kbps: f64,
    /// Sound that was opened and decoded, in milliseconds.
    pub audio_ms: u64,
    /// Of that, louder than −50 dBov.
    pub audible_ms: u64,
    /// Sound that had to be concealed, in milliseconds.
    pub concealed_ms: u64,
    /// How loud the last block was, in dBov (−127 is silence).
    pub level_dbov: i8,
    /// RTP packets that came after a later one: sent again, or overtaken.
    pub late_packets: u64,
    /// RTP packets that never came.
    pub lost_packets: u64,
    /// Frames that did not open: key unknown, check failed, or not of the format.
    pub undecryptable: u64,
    /// Frames that could be opened but were not let in: replayed, too old, or not allowed by the rules.
    pub refused: u64,
    /// Capture to decoded, median of the pictures of the last second, in milliseconds. Only where both clocks
    /// are those of one machine; otherwise `null`.
    pub latency_ms_p50: Option<f64>,
}

/// What came of a shared screen.
#[derive(Clone, Debug, Serialize)]
pub struct ScreenStatistics {
    /// Pictures that were opened and decoded, of everything that this participant shared.
    pub frames_opened: u64,
    /// Pictures per second over the last second.
    pub fps: f64,
    /// Width of the last picture in pixels.
    pub width: u16,
    /// Height of the last picture in pixels.
    pub height: u16,
    /// As [`ReceivedStatistics::latency_ms_p50`].
    pub latency_ms_p50: Option<f64>,
}
