//! What the window wants of the meeting.

use incamera_client::Switch;
use serde::Deserialize;
use ts_rs::TS;

use crate::{CameraChoice, MicrophoneChoice, SpeakerChoice};

/// What the person wants of the meeting.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Let somebody in.
    Admit {
        /// The knock.
        knock: u32,
    },
    /// Do not let somebody in.
    Deny {
        /// The knock.
        knock: u32,
    },
    /// Remove somebody.
    Remove {
        /// Whom.
        member: String,
    },
    /// Ask somebody whose key is missing to come in anew.
    AskToRejoin {
        /// Whom.
        member: String,
    },
    /// Let nobody in until unlocked.
    Lock,
    /// Let people in again.
    Unlock,
    /// Write to everybody.
    Say {
        /// What.
        text: String,
    },
    /// Turn the microphone on or off.
    Microphone {
        /// Which.
        #[ts(type = "Switch")]
        switch: Switch,
    },
    /// Turn the picture on or off.
    Camera {
        /// Which.
        #[ts(type = "Switch")]
        switch: Switch,
    },
    /// Speak through another microphone.
    UseMicrophone {
        /// Which.
        choice: MicrophoneChoice,
    },
    /// Hear the others on another speaker.
    UseSpeaker {
        /// Which.
        choice: SpeakerChoice,
    },
    /// Show another camera.
    UseCamera {
        /// Which.
        choice: CameraChoice,
    },
    /// How many pixels a tile of somebody has.
    Tile {
        /// Whose; `null` for the person's own.
        member: Option<String>,
        /// What is in it.
        shows: Shows,
        /// In device pixels; 0 when it is not in view.
        width: u16,
        /// In device pixels; 0 when it is not in view.
        height: u16,
    },
    /// Leave; the meeting goes on.
    Leave,
    /// End the meeting for everybody.
    End,
}

/// What is shown of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Shows {
    /// The person.
    Camera,
    /// The screen that the person shares.
    Screen,
}
