//! How every error of Incamera presents itself to people and programs.

use core::time::Duration;

use serde::{Deserialize, Serialize};

/// Who caused an error, so that the user is told the right thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// A defect or state of this program.
    Us,
    /// Another participant's client.
    Peer,
    /// The relay.
    Relay,
    /// The SFU.
    Sfu,
    /// A rule of the meeting or the organisation.
    Policy,
    /// A microphone, speaker, camera, file or disk.
    Device,
    /// The network between here and a server.
    Network,
    /// What the user typed or opened.
    Input,
}

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// It will fail again until somebody changes something.
    Never,
    /// The program tries again by itself.
    Automatic,
    /// Trying again after this time is sensible.
    After(Duration),
}

/// An error with a stable code. Implemented by every public error enum.
///
/// `Display` of the error says what happened and why in plain words; [`Fault::advice`] says what to do.
pub trait Fault: core::error::Error {
    /// Stable dotted code such as `group.commit.stale_epoch`; listed in `docs/errors.md`.
    fn code(&self) -> &'static str;
    /// Who caused it.
    fn blame(&self) -> Blame;
    /// Whether trying again can help.
    fn retry(&self) -> Retry {
        Retry::Never
    }
    /// What the user can do, as one plain sentence.
    fn advice(&self) -> &'static str;
}
