//! What can be asked through the control socket: a JSON object a line.

use serde::{Deserialize, Serialize};

/// What can be asked of a hosted meeting.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Request {
    /// Let somebody in who waits.
    Admit { who: String },
    /// Turn somebody away who waits.
    Deny { who: String },
    /// Remove a participant.
    Remove { who: String },
    /// Let nobody new in.
    Lock,
    /// Let people in again.
    Unlock,
    /// Write a line to everybody.
    Say { text: String },
    /// Who is there and who waits.
    Show,
}

impl Request {
    /// Reads a line.
    pub(crate) fn parse(line: &str) -> serde_json::Result<Self> {
        serde_json::from_str(line)
    }
}
