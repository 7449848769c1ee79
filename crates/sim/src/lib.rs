//! Whole meetings on virtual time: real meeting, group, frame and relay machines over a seeded bad network
//! and a recording, hostile SFU, with invariants checked after every step.
//!
//! **Tests only.** Everything that happens in a run follows from its seed; the same seed gives the same trace.
//!
//! Read first: [`simulate`] (one seed), [`Campaign`] (many), [`Rule`] (a safeguard to switch off).
//!
//! What does not belong here: sockets, threads inside a meeting, media codecs, and anything that a product
//! build links: seeded randomness repeats (key, nonce) pairs (SEC-17).

#[cfg(not(debug_assertions))]
compile_error!("the simulator seeds randomness and must not be in a release build");

mod actions;
mod actor;
mod attacks;
mod campaign;
mod chance;
mod churn;
mod convergence;
mod counts;
mod forging;
mod invariants;
mod media;
mod network;
mod recording;
mod relaying;
mod run;
mod sabotage;
mod setup;
mod sfu;
mod tamper;
mod world;

pub use campaign::{Campaign, Failure, Outcome, sabotage_all};
pub use counts::{EventCounts, MINIMUMS};
pub use run::{SeedReport, simulate};
pub use sabotage::Rule;
