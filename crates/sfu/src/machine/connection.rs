//! One WebRTC connection and what it is for.

use std::collections::HashMap;
use std::time::Instant;

use str0m::Rtc;
use str0m::media::{Mid, Pt, Rid};

use super::ConnectionId;
use crate::command::{Caller, SlotState};
use crate::forward::{Activity, KeyFrameThrottle, Layer, Medium, OutTrack, Reception, SenderClock};
use crate::offer::Kind;
use crate::pseudonym::Pseudonym;
use crate::rate::Bucket;
use crate::stack::Stack;

/// SSRCs that one publisher may use over time before the lookup table starts anew.
const MAX_SOURCES: usize = 64;

/// A connection of one client.
pub(super) struct Connection {
    pub(super) caller: Caller,
    /// Unguessable part of its session URL.
    pub(super) session: String,
    /// Entity tag of the current ICE session.
    pub(super) etag: String,
    /// The offer as given to the stack; ICE restarts repeat it.
    pub(super) offer: String,
    pub(super) stack: Stack,
    pub(super) role: Role,
    pub(super) connected: bool,
    pub(super) opened: Instant,
    pub(super) last_received: Instant,
    pub(super) remote_candidates: usize,
    /// Bindings of slots and choices of layers that are left to it.
    pub(super) bindings: Bucket,
    /// Bytes of media that are left to it as a publisher.
    pub(super) published: Bucket,
    /// What is in the machine's deadline set for this connection.
    pub(super) deadline: Option<Instant>,
    pub(super) stack_deadline: Instant,
}

/// What a connection is for.
pub(super) enum Role {
    Publisher(Box<Publisher>),
    Player(Player),
}

/// A client that sends one stream.
pub(super) struct Publisher {
    pub(super) stream: Pseudonym,
    pub(super) audio: Option<Mid>,
    pub(super) video: Option<Mid>,
    /// Offered video layers and their rids (`None` without simulcast).
    pub(super) layers: Vec<(Option<Rid>, Layer)>,
    sources: HashMap<u32, Medium>,
    pub(super) activity: Activity,
    pub(super) clock: SenderClock,
    throttles: [KeyFrameThrottle; 3],
    pub(super) audio_reception: Reception,
    video_reception: [Reception; 3],
    pub(super) subscribers: Vec<Subscriber>,
}

/// A player's track that shows a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subscriber {
    pub(super) player: ConnectionId,
    pub(super) track: usize,
    pub(super) kind: Kind,
}

/// A client that receives.
pub(super) struct Player {
    pub(super) has_slots: bool,
    pub(super) tracks: Vec<PlayerTrack>,
}

/// One m-line of a player.
pub(super) struct PlayerTrack {
    pub(super) mid: Mid,
    pub(super) mid_text: String,
    pub(super) kind: Kind,
    /// The codec's payload type on this connection; they differ between connections.
    pub(super) payload_type: Pt,
    /// The stream bound to it, whether or not it flows at the moment.
    pub(super) stream: Option<Pseudonym>,
    pub(super) out: OutTrack,
}

impl Connection {
    /// Runs the stack; `None` if it panicked.
    pub(super) fn guarded<R>(&mut self, run: impl FnOnce(&mut Rtc) -> R) -> Option<R> {
        self.stack.guarded(run)
    }

    pub(super) fn publisher(&self) -> Option<&Publisher> {
        match &self.role {
            Role::Publisher(publisher) => Some(publisher),
            Role::Player(_) => None,
        }
    }

    pub(super) fn publisher_mut(&mut self) -> Option<&mut Publisher> {
        match &mut self.role {
            Role::Publisher(publisher) => Some(publisher),
            Role::Player(_) => None,
        }
    }

    pub(super) fn player(&self) -> Option<&Player> {
        match &self.role {
            Role::Player(player) => Some(player),
            Role::Publisher(_) => None,
        }
    }

    pub(super) fn player_mut(&mut self) -> Option<&mut Player> {
        match &mut self.role {
            Role::Player(player) => Some(player),
            Role::Publisher(_) => None,
        }
    }

    /// When a deferred key-frame request is due.
    pub(super) fn key_frame_deadline(&self) -> Option<Instant> {
        let publisher = self.publisher().filter(|_| self.connected)?;
        let deadlines = publisher.throttles.iter();
        deadlines.filter_map(KeyFrameThrottle::deadline).min()
    }
}

impl Publisher {
    pub(super) fn new(
        stream: Pseudonym,
        audio: Option<Mid>,
        video: Option<Mid>,
        layers: Vec<(Option<Rid>, Layer)>,
    ) -> Self {
        Self {
            stream,
            audio,
            video,
            layers,
            sources: HashMap::new(),
            activity: Activity::default(),
            clock: SenderClock::default(),
            throttles: Default::default(),
            audio_reception: Reception::default(),
            video_reception: Default::default(),
            subscribers: Vec::new(),
        }
    }

    pub(super) fn throttle(&mut self, layer: Layer) -> &mut KeyFrameThrottle {
        &mut self.throttles[layer.index()]
    }

    pub(super) fn reception(&mut self, medium: Medium) -> &mut Reception {
        match medium {
            Medium::Audio => &mut self.audio_reception,
            Medium::Video(layer) => &mut self.video_reception[layer.index()],
        }
    }

    pub(super) fn video_reception(&self, layer: Layer) -> &Reception {
        &self.video_reception[layer.index()]
    }

    pub(super) fn rid(&self, layer: Layer) -> Option<Option<Rid>> {
        let mut layers = self.layers.iter();
        layers.find(|(_, l)| *l == layer).map(|(rid, _)| *rid)
    }

    /// What the stream with this m-line and rid carries.
    pub(super) fn medium(&self, mid: Mid, rid: Option<Rid>) -> Option<Medium> {
        if self.audio == Some(mid) {
            return Some(Medium::Audio);
        }
        if self.video != Some(mid) {
            return None;
        }
        let mut layers = self.layers.iter();
        let found = layers.find(|(known, _)| known.is_none() || *known == rid);
        found.map(|(_, layer)| Medium::Video(*layer))
    }

    pub(super) fn known_source(&self, ssrc: u32) -> Option<Medium> {
        self.sources.get(&ssrc).copied()
    }

    pub(super) fn learn_source(&mut self, ssrc: u32, medium: Medium) {
        if self.sources.len() >= MAX_SOURCES {
            self.sources.clear();
        }
        self.sources.insert(ssrc, medium);
    }
}

impl PlayerTrack {
    pub(super) fn state(&self) -> SlotState {
        let video = self.kind == Kind::Video;
        SlotState {
            mid: self.mid_text.clone(),
            kind: self.kind.name(),
            stream: self.stream.clone(),
            layer: video.then(|| self.out.wanted()),
            current: self.out.current_layer(),
            packets: self.out.forwarded(),
        }
    }
}
