//! Everything that crosses between the app and its window. The TypeScript types of `ui/src/lib/generated.ts` are made
//! from this file: nothing else crosses, and nothing here carries a key.

mod event;
mod typescript;

use incamera_client::devices::{self, CameraInfo, DeviceInfo, ScreenInfo};
use incamera_client::{Device, Switch};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

pub(crate) use event::{AppEvent, Level, hex};

/// What a link says, before anybody is contacted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub(crate) struct InviteView {
    /// The server that would be contacted.
    pub(crate) server: String,
    /// How that server proves who it is.
    pub(crate) trust: ServerTrust,
}

/// How a meeting server proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ServerTrust {
    /// By the key that the link names: somebody's own computer.
    KeyInLink,
    /// By a certificate that the operating system trusts.
    Certificate,
}

/// A device to choose from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub(crate) struct DeviceView {
    /// What to choose it by.
    pub(crate) id: String,
    /// What to show.
    pub(crate) name: String,
    /// What it is for.
    #[ts(type = "Device")]
    pub(crate) kind: Device,
}

impl From<CameraInfo> for DeviceView {
    fn from(camera: CameraInfo) -> Self {
        Self { id: camera.id.as_str().to_owned(), name: camera.name.into_inner(), kind: Device::Camera }
    }
}

impl From<DeviceInfo> for DeviceView {
    fn from(device: DeviceInfo) -> Self {
        let kind = match device.direction {
            devices::Direction::Input => Device::Microphone,
            devices::Direction::Output => Device::Speaker,
        };
        Self { id: device.id.as_str().to_owned(), name: device.name.into_inner(), kind }
    }
}

/// A screen or window that can be shared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub(crate) struct ScreenView {
    /// What to choose it by.
    pub(crate) id: String,
    /// Name of the screen, or title of the window.
    pub(crate) title: String,
    /// Which of both.
    pub(crate) kind: ScreenKind,
}

/// What is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ScreenKind {
    /// Everything on one screen.
    Screen,
    /// One window, whatever covers it.
    Window,
}

impl From<ScreenInfo> for ScreenView {
    fn from(screen: ScreenInfo) -> Self {
        let kind = match screen.kind {
            devices::ScreenKind::Monitor => ScreenKind::Screen,
            devices::ScreenKind::Window => ScreenKind::Window,
        };
        Self { id: screen.id.as_str().to_owned(), title: screen.title.into_inner(), kind }
    }
}

/// What is heard of the person.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum MicrophoneChoice {
    /// The microphone that the system prefers.
    System,
    /// This one.
    Device {
        /// Its id.
        id: String,
    },
    /// A steady tone, to try things out.
    Tone,
    /// Nothing.
    None,
}

/// Where the others are heard.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum SpeakerChoice {
    /// The speaker that the system prefers.
    System,
    /// This one.
    Device {
        /// Its id.
        id: String,
    },
    /// Nowhere.
    None,
}

/// What is seen of the person.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum CameraChoice {
    /// The camera that the system prefers.
    System,
    /// This one.
    Device {
        /// Its id.
        id: String,
    },
    /// A moving test picture.
    Pattern,
    /// Nothing.
    None,
}

/// The devices of a meeting.
#[derive(Clone, Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceChoices {
    /// What is heard of the person.
    pub(crate) microphone: MicrophoneChoice,
    /// Where the others are heard.
    pub(crate) speaker: SpeakerChoice,
    /// What is seen of the person.
    pub(crate) camera: CameraChoice,
}

/// How the person comes into a meeting: with which devices, and what is on.
#[derive(Clone, Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entrance {
    /// The devices.
    pub(crate) devices: DeviceChoices,
    /// Whether the person is heard.
    #[ts(type = "Switch")]
    pub(crate) microphone: Switch,
    /// Whether the person is seen.
    #[ts(type = "Switch")]
    pub(crate) camera: Switch,
}

/// Where a meeting is held that the person starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    /// On this computer, for as long as the app runs.
    ThisComputer,
    /// On the server of the settings.
    Server,
}

/// Whose meeting it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(tag = "part", rename_all = "snake_case")]
pub(crate) enum Part {
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

/// What the person wants of the meeting.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Order {
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
pub(crate) enum Shows {
    /// The person.
    Camera,
    /// The screen that the person shares.
    Screen,
}

/// Where the window fetches pictures: one connection to a socket of this computer.
#[derive(Clone, Debug, Serialize, TS)]
pub(crate) struct DoorView {
    /// `ws://127.0.0.1:PORT/TOKEN`.
    pub(crate) address: String,
}
