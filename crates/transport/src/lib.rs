//! Everything Incamera says over the network: media to and from an SFU, and the connection to the relay.
//!
//! **Shell.** Sockets, timers, TLS and WebRTC live here; what a frame or a message means does not. Media
//! arrives sealed and leaves sealed: [`Sfu::send`] takes nothing but a `SealedFrame`, and a [`ReceivedFrame`]
//! is opaque bytes until `incamera-sframe` opened it (SEC-01).
//!
//! Read first: [`Sfu`] (the neutral trait), [`SfuEvent`] (everything an SFU tells us), [`connect_sfu`]
//! (takes the relay's ticket and
//! chooses the adapter by it), [`RelayHandle`] and [`RelayEvent`].
//!
//! Adapters: `whip` (WHIP, RFC 9725, and WHEP, draft-ietf-wish-whep, of any third party, and slots on our own
//! SFU) and `janus` (VideoRoom, multistream, over WebSocket). Both share `peer`, the only module that knows
//! the WebRTC stack.
//!
//! What does not belong here: codecs, keys, jitter buffers, who a stream belongs to. The SFU's idea of that is a hint
//! ([`StreamId`]); people are identified by the authenticated key id alone.

mod access;
mod backoff;
mod clock;
mod connect;
mod error;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod janus;
mod outbox;
mod peer;
mod random;
mod relay;
mod sfu;
mod shared;
mod sink;
mod socket;
mod supervise;
mod ticket;
mod tls;
mod whip;

pub use access::{Candidates, Cleartext, IcePolicy, SfuSettings, Slots, Through, TlsPin, TlsTrust};
pub use clock::Clock;
pub use connect::connect_sfu;
pub use error::{RelayError, SfuError};
pub use relay::{
    RELAY_PATH, RELAY_SILENCE_LIMIT, RelayEvent, RelayHandle, RelaySettings, RelayTraffic, connect_relay,
};
pub use sfu::{
    AudioPlan, AudioWant, Capabilities, Direction, Discovery, LayerPlan, LossReason, OwnStream, PublishPlan,
    ReceivedFrame, RemoteStream, SendOutcome, Sfu, SfuEvent, SfuStatistics, StreamId, Subscription,
    VideoPlan, VideoWant, Want,
};
pub use ticket::{MediaServer, media_server};
