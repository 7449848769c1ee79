//! The whole meeting of one participant as one state machine: lobby and joining, roster, streams, chat,
//! heartbeats and liveness, repair, capabilities and tickets.
//!
//! **Core.** No IO, no clock, no OS randomness. Cryptography comes from `incamera-identity` and
//! `incamera-group`; the group decides who is a member and what each may do, this crate everything else.
//!
//! Read first: [`MeetingMachine`] (its verbs), [`Input`] and [`Command`] (what it is told), [`Output`] and
//! [`Event`] (what it wants and says), [`EVENT_CODES`] (what safeguards refuse or notice).
//!
//! What does not belong here: MLS and the rules' enforcement (`group`), sealing of frames (`sframe`),
//! connections, codecs and devices.
//!
//! Sections: wire.md §1, §5, §7 to §10; "Meeting messages" in docs/wire.md is the format between members.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

#[cfg(all(feature = "danger-sabotage", not(debug_assertions)))]
compile_error!("danger-sabotage switches safeguards off and must not be in a release build");

mod absence;
mod alarms;
mod answers;
mod card;
mod chat;
mod codes;
mod confirmation;
mod door;
mod early;
mod entropy;
mod epoch_keys;
mod error;
mod event;
mod foreign_epoch;
pub mod frames;
mod heartbeat;
mod host;
mod input;
mod knock;
mod link_keys;
mod liveness;
mod lobby;
mod log;
mod machine;
mod membership;
mod output;
mod recording;
mod repair;
mod reply;
mod roster;
mod rotation;
mod rules;
mod safeguards;
mod secrets;
mod session;
mod streams;
mod tickets;
mod wire;

pub use chat::{
    ChatLine, ChatText, MAX_CHAT_BYTES, MAX_CHAT_HISTORY_BYTES, MAX_CHAT_LINES, MAX_CHAT_PENDING,
};
pub use codes::{AlarmCode, EVENT_CODES};
pub use epoch_keys::{EpochKeys, KeyHolder};
pub use error::{CommandError, MeetingError};
pub use event::{Event, KnockNumber, MediaStop, MeetingState, RemovalReason, StopReason};
pub use heartbeat::{ANCHORS, Echo, HEARTBEAT_EVERY, Heartbeat, MAX_NONCES};
pub use input::{Command, Input, LobbyMode, MediaReport, Unopened};
pub use knock::{KnockBody, MAX_KEY_PACKAGE, Rejoin};
pub use liveness::{CONFIRMED_FOR, Deadlines, QUIET_AFTER};
pub use lobby::MAX_WAITING_KNOCKS;
pub use machine::{Founding, Knocking, MeetingMachine};
pub use output::Output;
pub use recording::{MAX_RECORD_BYTES, MAX_RECORDED_PARTICIPANTS, RECORDING_VERSION, Record};
pub use reply::{Admission, Denial, Reply};
pub use roster::{MemberView, Presence, RoleView, Verification, Who};
pub use rules::{LockState, MEDIA_STOP_RANGE, RulesView};
pub use safeguards::Safeguards;
pub use secrets::RoomSecrets;
pub use streams::{
    AnnouncedStream, Announcement, MAX_EDGE, MAX_SFU_ID, MAX_STREAMS, MemberStreams, StreamView,
};
pub use wire::{KeyMissing, MAX_MESSAGE, MESSAGE_VERSION, MeetingMessage, WireError};
