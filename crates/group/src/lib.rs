//! The MLS group of a meeting (RFC 9420, wire.md §5) as a state machine: members, epochs, signed rules and
//! roles, and the keys from which media keys come.
//!
//! **Core.** Sans-IO and deterministic: time and randomness are passed in, log entries come in order, and
//! everything to send comes out of [`GroupMachine::poll_output`]. Two exceptions: openmls reads the clock for
//! key-package lifetimes, which are made infinite here, and logs through `log`.
//!
//! Read first: [`GroupMachine`], [`GroupInput`] and [`GroupOutput`]; [`Joiner`] (from key package to Welcome);
//! [`Rules`] (who may do what); [`EpochKeys`]; [`hpke`] (also used by knocks).
//!
//! What does not belong here: the relay, knocks and the lobby, heartbeats, chat, SFrame.

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
compile_error!("danger-sabotage switches safeguards off and must not be linked into a release build");

mod authority;
mod error;
mod facts;
mod filter;
pub mod hpke;
mod join;
mod keys;
mod machine;
mod message;
mod parameters;
mod plan;
mod provider;
mod roster;
mod rules;
mod safeguards;
#[cfg(test)]
mod testing;

pub use error::{GroupError, JoinRefusal, Refusal};
pub use join::{Applicant, Expectation, Joiner};
pub use keys::{EpochChange, EpochKeys, EpochMember};
#[cfg(feature = "danger-sabotage")]
pub use machine::{Forgery, PhantomRules};
pub use machine::{Founding, GroupMachine, RoomSettings};
pub use message::{
    AdmissionId, ApplicationId, ApplicationOutcome, CommitTurn, EpochStarted, GroupInput, GroupOutput,
    RuleEdit, SealedApplication,
};
pub use parameters::{MAX_ADDS_PER_COMMIT, MAX_APPLICATION_LEN, MAX_WELCOME_LEN};
pub use roster::{Member, Roster};
pub use rules::{
    ContextSet, Delegation, LeafKeyHash, Lobby, Lock, MAX_DELEGATIONS, MAX_REMOVAL, MEDIA_STOP_RANGE,
    MemberGrant, Powers, Rights, Role, Rules, RulesError, RulesSigner, UnverifiedRules, VerifiedRules,
};
#[cfg(feature = "danger-sabotage")]
pub use safeguards::Safeguards;
