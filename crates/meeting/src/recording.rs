//! The recording of a simulated meeting: everything that happened to each participant and everything that each
//! was told, one record a line in a file. Plain data; lines are written by the simulation and read by edges.
//!
//! Names and chat are in it, keys are not. Real meetings are not recorded.

use serde::{Deserialize, Serialize};

use crate::event::Event;

/// Version of the format; a reader refuses any other.
pub const RECORDING_VERSION: u32 = 1;

/// Longest line in bytes: a chat line of full length with every byte escaped, and room to spare.
pub const MAX_RECORD_BYTES: usize = 64 * 1024;

/// Participants in one recording at the most.
pub const MAX_RECORDED_PARTICIPANTS: u32 = 4_096;

/// One line of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case", deny_unknown_fields)]
pub enum Record {
    /// The first line.
    Began {
        /// [`RECORDING_VERSION`].
        version: u32,
        /// The seed from which the same program makes the same meeting again.
        seed: u64,
        /// The safeguard that was switched off, if any.
        sabotage: Option<String>,
    },
    /// Something was done to a participant, by people, the network or an attacker.
    Happened {
        /// Virtual time in microseconds; never runs backwards.
        at_us: u64,
        /// Numbered from 0 in the order in which they appeared; 0 made the room.
        participant: u32,
        /// What, in words.
        what: String,
    },
    /// A participant was told something by its client.
    Told {
        /// As above.
        at_us: u64,
        /// As above.
        participant: u32,
        /// What.
        event: Event,
    },
    /// The last line.
    Ended {
        /// As above.
        at_us: u64,
        /// The rule of the simulation that did not hold, if one did not.
        broken: Option<String>,
    },
}
