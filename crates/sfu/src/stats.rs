//! Figures about what the SFU does. They name pseudonyms, never people.

use incamera_types::RoomId;
use serde::Serialize;

use crate::forward::Layer;
use crate::pseudonym::Pseudonym;

/// A snapshot of the whole SFU.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SfuStats {
    /// Grants held.
    pub grants: usize,
    /// Rooms with at least one connection.
    pub rooms: usize,
    /// Publishing connections.
    pub publishers: usize,
    /// Watching connections.
    pub players: usize,
    /// Datagrams received, of any kind.
    pub datagrams_received: u64,
    /// Datagrams that belonged to no connection and were dropped.
    pub datagrams_unknown: u64,
    /// Datagrams sent.
    pub datagrams_sent: u64,
    /// Datagrams that the operating system did not take.
    pub datagrams_unsent: u64,
    /// RTP packets dropped because their payload was empty, too long or without a valid descriptor.
    pub packets_malformed: u64,
    /// RTP packets dropped because their publisher sends more than it may.
    pub packets_over_rate: u64,
    /// RTP packets not forwarded because the SFU sends all that it may and their room has used up its share.
    pub packets_over_ceiling: u64,
    /// Connections dropped because of an error inside the WebRTC stack.
    pub connections_failed: u64,
    /// What each publisher sends.
    pub streams: Vec<StreamStats>,
}

/// What was received of one publisher's audio or of one of its video layers.
#[derive(Clone, Debug, Serialize)]
pub struct StreamStats {
    /// The room.
    pub room: RoomId,
    /// The publisher.
    pub stream: Pseudonym,
    /// The video layer; `None` for audio.
    pub layer: Option<Layer>,
    /// RTP packets received, retransmissions included, duplicates not.
    pub packets: u64,
    /// Payload bytes received.
    pub bytes: u64,
    /// RTP packets that never arrived, also not by retransmission.
    pub lost: u64,
    /// Key frames whose first packet arrived.
    pub key_frames: u64,
    /// Key-frame requests sent to the publisher.
    pub key_frame_requests: u64,
}
