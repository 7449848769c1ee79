//! A bad network on demand: a seeded UDP relay with loss, bursts, delay, jitter, reordering, duplicates and rate limits.
//!
//! **Shell around a core.** [`ImpairmentMachine`] decides about each packet without sockets or a clock: the same seed
//! and the same packets at the same times give the same result. [`RelayDriver`] runs one per flow between real sockets.
//!
//! Read first: [`LinkSettings`] (what a direction does to packets), [`ImpairmentMachine`], [`RelayHandle`].
//!
//! What does not belong here: anything that looks into packets. For tests only; never part of a product.

mod chance;
mod counters;
mod driver;
mod link;
mod machine;
mod settings;

pub use chance::Dice;
pub use counters::LinkCounters;
pub use driver::{RelayDriver, RelayHandle, RelayReport};
pub use machine::{Direction, ImpairmentMachine, Output};
pub use settings::{BitRate, Burst, LinkSettings, Probability, SettingsError, parse_duration};
