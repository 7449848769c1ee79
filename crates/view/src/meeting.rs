//! Whose meeting it is and where, and where its pictures come from.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What a link says, before anybody is contacted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct InviteView {
    /// The server that would be contacted.
    pub server: String,
    /// How that server proves who it is.
    pub trust: ServerTrust,
}

/// How a meeting server proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ServerTrust {
    /// By the key that the link names: somebody's own computer.
    KeyInLink,
    /// By a certificate that the operating system trusts.
    Certificate,
}

/// Where a meeting is held that the person starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// On this computer, for as long as the app runs.
    ThisComputer,
    /// On the server of the settings.
    Server,
}

/// Whose meeting it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(tag = "part", rename_all = "snake_case")]
pub enum Part {
    /// It ends when we go.
    Host {
        /// Where it is held.
        place: Place,
    },
    /// It goes on without us.
    Guest {
        /// The link by which we joined.
        link: String,
    },
}

/// Where the window fetches pictures: one connection to a socket of this computer.
#[derive(Clone, Debug, Serialize, TS)]
pub struct DoorView {
    /// `ws://127.0.0.1:PORT/TOKEN`.
    pub address: String,
}
