//! The relay: orders opaque entries per room, passes knocks and replies on, hands out tickets to the SFU.
//!
//! **Shell** around a sans-IO machine.
//!
//! Read first: [`RelayMachine`] (all rules, no IO; the simulator runs it on virtual time), [`RoomLog`] (where
//! entries are kept), [`serve`] and [`RelayHandle`] (the server), [`RelayConfig`] (its configuration file).
//!
//! What does not belong here: anything that could read an entry, and anything about people. The relay writes no
//! address and no room id to its log, and holds nothing after a room has ended (wire.md §8).

#[cfg(all(
    any(feature = "danger-hostile-relay", feature = "danger-hostile-sfu", feature = "danger-record"),
    not(debug_assertions)
))]
compile_error!("the danger features are for adversary tests, never for release builds");

#[cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]
mod machine;

mod access;
mod admission;
mod config;
mod digest;
mod driver;
mod error;
#[cfg(feature = "danger-hostile-relay")]
mod hostility;
mod limits;
mod log;
#[cfg(feature = "danger-record")]
mod recorder;
mod server;
mod socket;
mod tls;

pub use config::{
    CreateChoice, IceConfig, MediaConfig, RelayConfig, SfuChoice, TlsChoice, TokenConfig, TurnConfig,
};
pub use error::RelayError;
#[cfg(feature = "danger-hostile-relay")]
pub use hostility::RelayHostility;
pub use limits::{CreateRule, CreateToken, Rate, RelayLimits};
pub use log::{AppendId, Entry, Extent, LogChange, LogLimits, MemoryLog, RoomLog};
pub use machine::{
    ConnectionId, GrantId, Origin, RelayInput, RelayMachine, RelayOutput, RelayStats, SfuAccess, SfuGrant,
    SfuRoom, Transmit,
};
#[cfg(feature = "danger-record")]
pub use recorder::{RecordedSender, read_recording};
pub use server::{RELAY_PATH, RelayHandle, serve};
