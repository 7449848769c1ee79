//! The neutral view of an SFU: what every adapter offers and reports.

use core::fmt;
use std::time::Duration;

use async_trait::async_trait;
use incamera_relay_proto::{Ticket, TicketIdentity};
use incamera_sframe::SealedFrame;
use incamera_types::{Context, FrameBuf, MediaKind, Mono};

use crate::{SfuError, Slots};

/// What an SFU calls one publisher's media: a pseudonym and a hint. Who really sent a frame is said by its
/// authenticated key id, never by this.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(String);

impl StreamId {
    /// The longest id that is accepted, in bytes.
    pub const MAX_LEN: usize = 128;

    /// Reads an id: 1 to [`StreamId::MAX_LEN`] ASCII letters, digits, `-`, `_`, `.` and `~`, so that it fits into a URL
    /// path unescaped. `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=Self::MAX_LEN).contains(&text.len());
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte));
        (fits && plain && !text.bytes().all(|byte| byte == b'.')).then(|| Self(text.to_owned()))
    }

    /// The id of a ticket's holder.
    #[must_use]
    pub fn from_identity(identity: TicketIdentity) -> Self {
        Self(identity.to_string())
    }

    /// The id of the screen that the owner of this stream may share; `None` for an id too long to have one.
    #[must_use]
    pub fn screen(&self) -> Option<Self> {
        Self::parse(&format!("{}{SCREEN_SUFFIX}", self.0))
    }

    /// Whether this is the id of a shared screen.
    #[must_use]
    pub fn is_screen(&self) -> bool {
        self.0.ends_with(SCREEN_SUFFIX)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Makes a person's stream id that of the person's screen.
const SCREEN_SUFFIX: &str = "-screen";

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamId({})", self.0)
    }
}

/// One of the streams that a participant may send. Each is a publication of its own, so that a screen comes and goes
/// beside sound and camera without a gap in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OwnStream {
    /// Microphone and camera.
    Person,
    /// A shared screen.
    Screen,
}

impl OwnStream {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Person, Self::Screen];

    /// The stream that carries frames of `context`.
    #[must_use]
    pub fn carrying(context: Context) -> Self {
        match context.attests().unwrap_or(context) {
            Context::ScreenHigh | Context::ScreenMedium | Context::ScreenLow | Context::ScreenAudio => {
                Self::Screen
            }
            _ => Self::Person,
        }
    }
}

/// How remote streams reach us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscription {
    /// One subscription per remote stream (plain WHEP, Janus).
    PerStream,
    /// A fixed number of slots on one connection, re-bound without negotiation.
    Slots(Slots),
}

/// Whether streams of others are found by the SFU or must be announced inside the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// [`SfuEvent::StreamsChanged`] lists them.
    BySfu,
    /// The SFU lists nothing (plain WHEP): each client announces [`Sfu::own_stream`] to the group.
    ByGroup,
}

/// What an SFU can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Simulcast layers that the SFU forwards one of: 1 to 3.
    pub layers: u8,
    /// How remote streams reach us.
    pub subscription: Subscription,
    /// How remote streams become known.
    pub discovery: Discovery,
}

/// What is going to be sent in one stream. Fixed for the life of a publication; publishing again replaces it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishPlan {
    /// An audio track.
    pub audio: Option<AudioPlan>,
    /// A video track.
    pub video: Option<VideoPlan>,
}

/// Kept free for sound with its headers, bit/s.
const AUDIO_RESERVE_BPS: u32 = 60_000;

impl PublishPlan {
    /// The most that is going to be sent, in bit/s: where the bandwidth estimate begins. Media takes 90 % of an estimate
    /// at the most, and a little must be left to grow.
    pub(crate) fn start_bandwidth_bps(&self) -> u32 {
        let layers = self.video.iter().flat_map(|video| &video.layers);
        let video = layers.map(|layer| layer.max_bitrate_bps).fold(0, u32::saturating_add);
        let audio = self.audio.map_or(0, |_| AUDIO_RESERVE_BPS);
        let most = video.saturating_add(audio);
        most.saturating_add(most / 4)
    }
}

/// An audio track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioPlan {
    /// Whose frames it carries; attestations of the context travel on it too.
    pub context: Context,
}

/// A video track of one to three simulcast layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoPlan {
    /// From the largest to the smallest.
    pub layers: Vec<LayerPlan>,
}

/// One simulcast layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerPlan {
    /// Whose frames it carries.
    pub context: Context,
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
    /// The most it will take, in bit/s.
    pub max_bitrate_bps: u32,
}

/// One remote stream that is to be received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// Which.
    pub stream: StreamId,
    /// Its audio.
    pub audio: AudioWant,
    /// Its video.
    pub video: VideoWant,
}

/// Whether a stream's audio is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioWant {
    /// It is.
    Play,
    /// It is not.
    Skip,
}

/// Whether and how large a stream's video is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoWant {
    /// The smallest layer that fills this many pixels, else the largest there is. The SFU does not know sizes: they
    /// are judged by the usual ladder of 720, 360 and 180 lines. Who knows the sender's sizes says [`VideoWant::Layer`].
    Fit {
        /// Width of the tile in pixels.
        width: u16,
        /// Height of the tile in pixels.
        height: u16,
    },
    /// This layer, 0 being the largest.
    Layer(u8),
    /// None.
    Skip,
}

/// A remote stream as the SFU lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteStream {
    /// Its id.
    pub id: StreamId,
    /// Whether it has audio, video or both.
    pub kinds: Vec<MediaKind>,
}

/// One complete frame as it came from the network: still sealed, unauthenticated, possibly a copy or a forgery.
#[derive(Clone, Debug)]
pub struct ReceivedFrame {
    /// The sealed frame with head and tail room, to be opened in place.
    pub payload: FrameBuf,
    /// The kind of track it came on.
    pub kind: MediaKind,
    /// RTP timestamp of its packets (48 kHz for audio, 90 kHz for video). Its base is arbitrary and changes when
    /// [`ReceivedFrame::source`] does.
    pub rtp_timestamp: u32,
    /// When its last packet arrived.
    pub arrival: Mono,
    /// The stream that the SFU says it belongs to, where known.
    pub stream: Option<StreamId>,
    /// Changes whenever the sequence and timestamps start anew: one number per RTP source of this process.
    pub source: u64,
    /// Sender's NTP time of this frame in microseconds, by the latest sender report of its source: comparable
    /// between audio and video of one stream. `None` until a report came.
    pub sender_time_us: Option<u64>,
}

/// What became of a frame given to [`Sfu::send`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// It waits in the queue.
    Queued,
    /// The queue was full; dropped and counted.
    Dropped,
    /// Nothing is connected or the plan has no track for its context; dropped and counted.
    NotPublishing,
}

/// Which way a connection carries media.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From us to the SFU: this stream.
    Publish(OwnStream),
    /// From the SFU to us.
    Play,
}

/// Why a connection counts as lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossReason {
    /// No packet came for [`crate::SfuSettings::silence_limit`].
    Silence,
    /// The SFU ended it.
    ClosedByServer,
    /// The signalling connection broke.
    Signalling,
    /// [`Sfu::restart`] was called.
    Requested,
}

/// What an SFU connection reports.
#[derive(Debug)]
pub enum SfuEvent {
    /// Media can flow in this direction for the first time.
    Connected {
        /// Which. On an SFU with one connection for each stream this is told for each of them.
        direction: Direction,
        /// From the first request to the finished handshake.
        took: Duration,
    },
    /// Media no longer flows; reconnection has begun by itself.
    Lost {
        /// Which direction.
        direction: Direction,
        /// Why.
        why: LossReason,
    },
    /// Media flows again.
    Reconnected {
        /// Which direction.
        direction: Direction,
        /// How long it did not.
        gap: Duration,
    },
    /// An attempt to connect failed; more follow unless the fault says [`incamera_types::Retry::Never`].
    AttemptFailed {
        /// Which direction.
        direction: Direction,
        /// Why.
        error: SfuError,
    },
    /// The complete list of remote streams, ours left out.
    StreamsChanged {
        /// All there are now.
        available: Vec<RemoteStream>,
    },
    /// A complete sealed frame.
    Received(ReceivedFrame),
    /// The SFU or a receiver needs a key frame of this layer.
    KeyFrameWanted {
        /// The layer's context, from the plan.
        context: Context,
    },
    /// How much may be sent in one stream, by transport-wide feedback.
    Bandwidth {
        /// Which.
        stream: OwnStream,
        /// In bit/s.
        target_bps: u32,
    },
    /// Reception of one track in the last second.
    Reception {
        /// The stream it belongs to, where known.
        stream: Option<StreamId>,
        /// Audio or video.
        kind: MediaKind,
        /// Packets that arrived, retransmitted ones included.
        received: u32,
        /// Of those, packets that came after a later one: sent again, or overtaken.
        late: u32,
        /// Packets that never came.
        lost: u32,
        /// Frames given up as incomplete.
        incomplete: u32,
    },
}

/// Counts since the connection was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SfuStatistics {
    /// Frames accepted by [`Sfu::send`].
    pub frames_sent: u64,
    /// Frames that [`Sfu::send`] or the queue behind it dropped.
    pub frames_dropped: u64,
    /// Packets handed to the network, retransmissions left out.
    pub packets_sent: u64,
    /// Packets sent again because they had not arrived.
    pub packets_resent: u64,
    /// What the packets in `packets_sent` carried behind their RTP headers.
    pub payload_bytes_sent: u64,
    /// Complete frames received.
    pub frames_received: u64,
    /// Complete frames that nobody took from the event queue in time.
    pub frames_overflowed: u64,
    /// Frames given up because packets were missing.
    pub frames_incomplete: u64,
    /// Packets that came after a later one: sent again, or overtaken.
    pub packets_late: u64,
    /// Packets that never came.
    pub packets_lost: u64,
    /// Key frames asked for from senders.
    pub key_frames_asked: u64,
}

/// An SFU, seen alike whatever it is. Made by [`crate::connect_sfu`].
#[async_trait]
pub trait Sfu: Send + Sync {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// The id under which others receive our [`OwnStream::Person`], once known; that of our screen follows from it
    /// ([`StreamId::screen`]).
    fn own_stream(&self) -> Option<StreamId>;

    /// Starts or replaces a publication. Completes when the first attempt connected; later losses are repaired in
    /// the background and reported as events.
    ///
    /// # Errors
    /// The first attempt's. Where the fault's retry advice is not `Never` attempts go on in the background.
    async fn publish(&self, stream: OwnStream, plan: PublishPlan) -> Result<(), SfuError>;

    /// Ends a publication. Completes when the server was told, as far as it can be.
    async fn unpublish(&self, stream: OwnStream);

    /// Queues one sealed frame for the publication that carries its context. Never waits: a full queue drops the frame and counts it; where that breaks a
    /// video layer, [`SfuEvent::KeyFrameWanted`] follows.
    fn send(&self, frame: SealedFrame) -> SendOutcome;

    /// Says which remote streams are wanted, all of them every time, most important first; what is not listed ends.
    /// Idempotent.
    ///
    /// Streams that do not exist yet are remembered and begin when they appear.
    ///
    /// # Errors
    /// When the SFU refused, or carries only the first of them ([`SfuError::TooManyStreams`],
    /// [`SfuError::TooManyPictures`]); what could be subscribed stays.
    async fn subscribe(&self, wants: &[Want]) -> Result<(), SfuError>;

    /// Asks the sender of a stream for a key frame of the layer that is being received. Rate-limited.
    fn ask_key_frame(&self, stream: &StreamId);

    /// Takes a fresh ticket of the same room and identity for all sessions opened from now on. Attempts that
    /// ended with [`SfuError::Ticket`] are taken up again.
    fn renew(&self, ticket: Ticket);

    /// Connects everything anew, for example after the network changed.
    fn restart(&self);

    /// Counts so far.
    fn statistics(&self) -> SfuStatistics;

    /// Ends all sessions in an orderly way, at most within a second. Nothing is reported afterwards.
    async fn close(&self);
}
