//! What HTTP handlers and the embedding program ask of the task that owns the connections.

use std::net::IpAddr;

use incamera_types::RoomId;
use serde::{Deserialize, Serialize};
use tokio::sync::{oneshot, watch};

use crate::forward::Layer;
use crate::grant::{GrantId, Rights};
use crate::pseudonym::Pseudonym;
use crate::refusal::Refusal;
use crate::stats::SfuStats;
use crate::trickle::IceFragment;

pub(crate) type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

/// What a request presents. A grant may end while the request's body arrives or the request waits in the queue, so
/// it makes a [`Caller`] only at the moment when the request is served (SEC-05).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Requester {
    pub(crate) grant: GrantId,
    /// The address of the HTTP client, if the embedding server tells it.
    pub(crate) address: Option<IpAddr>,
}

/// Whose request it is: the holder of a grant that holds now.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) room: RoomId,
    pub(crate) identity: Pseudonym,
    pub(crate) rights: Rights,
    /// The address of the HTTP client, if the embedding server tells it.
    pub(crate) address: Option<IpAddr>,
}

/// What an offer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// WHIP: send this stream.
    Publish(Pseudonym),
    /// WHEP: receive this stream.
    WatchStream(Pseudonym),
    /// WHEP with slots: receive whatever is bound later.
    WatchSlots,
}

/// A request by a client.
pub(crate) struct Request {
    pub(crate) from: Requester,
    pub(crate) action: Action,
}

/// What a client asks for.
pub(crate) enum Action {
    Open { purpose: Purpose, offer: String, reply: Reply<Opened> },
    Trickle { session: String, condition: Condition, fragment: IceFragment, reply: Reply<Trickled> },
    Close { session: String, reply: Reply<()> },
    Bind { session: String, slots: Vec<SlotBinding>, reply: Reply<Vec<SlotState>> },
    Slots { session: String, reply: Reply<Vec<SlotState>> },
    SelectLayer { session: String, selection: LayerSelection, reply: Reply<()> },
    Streams { reply: Reply<watch::Receiver<StreamList>> },
}

/// A request by the embedding program; never refused, never throttled.
pub(crate) enum Control {
    Room(RoomControl),
    Stats { reply: oneshot::Sender<SfuStats> },
    Stop { done: oneshot::Sender<()> },
}

/// What the embedding program decides about a room.
pub(crate) enum RoomControl {
    Revoke {
        room: RoomId,
        identity: Pseudonym,
    },
    End {
        room: RoomId,
    },
    #[cfg(feature = "danger-hostile-sfu")]
    Hostility {
        room: RoomId,
        hostility: Option<crate::hostility::Hostility>,
    },
}

/// A session that was opened.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(crate) session: String,
    /// Entity tag of its ICE session, without quotes.
    pub(crate) etag: String,
    pub(crate) answer: String,
}

/// The precondition of a PATCH (RFC 9725 §4.3.1, §4.3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// `If-Match: *`: an ICE restart.
    Any,
    /// `If-Match: "tag"`: candidates for this ICE session.
    Tag(String),
}

/// What a PATCH did.
#[derive(Clone, Debug)]
pub(crate) enum Trickled {
    /// Candidates were added.
    Added,
    /// ICE restarted: new credentials and candidates of the server, and the new tag.
    Restarted { etag: String, fragment: String },
}

/// The body of a request that binds slots.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SlotBindings {
    pub(crate) slots: Vec<SlotBinding>,
}

/// A slot's new binding. Absent slots stay as they are.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SlotBinding {
    /// The m-line.
    pub(crate) mid: String,
    /// The stream to show there; `null` empties the slot. It may start later.
    #[serde(default)]
    pub(crate) stream: Option<Pseudonym>,
    /// Best layer wanted; the best there is if absent.
    #[serde(default)]
    pub(crate) layer: Option<Layer>,
}

/// What a slot holds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SlotState {
    pub(crate) mid: String,
    pub(crate) kind: &'static str,
    pub(crate) stream: Option<Pseudonym>,
    /// Best layer wanted (video).
    pub(crate) layer: Option<Layer>,
    /// Layer that flows now (video).
    pub(crate) current: Option<Layer>,
    /// Packets forwarded so far.
    pub(crate) packets: u64,
}

/// Layer selection of the WHEP draft; fields for codecs with scalable layers are accepted and unused.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LayerSelection {
    /// The m-line; all video lines if absent.
    #[serde(default)]
    pub(crate) media_id: Option<String>,
    /// The layer, by name or as the rid `h`, `m` or `l`; the best if absent.
    #[serde(default)]
    pub(crate) encoding_id: Option<String>,
}

/// The streams of a room at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct StreamList {
    /// Grows with every change.
    pub(crate) version: u64,
    pub(crate) streams: Vec<StreamEntry>,
}

/// A connected publisher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct StreamEntry {
    pub(crate) stream: Pseudonym,
    pub(crate) audio: bool,
    pub(crate) video: bool,
    /// Video layers offered, best first.
    pub(crate) layers: Vec<Layer>,
}
