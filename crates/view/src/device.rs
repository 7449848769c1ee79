//! Devices, screens and what is chosen of them.

use incamera_client::devices::{self, CameraInfo, DeviceInfo, ScreenInfo};
use incamera_client::{Device, Switch};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A device to choose from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct DeviceView {
    /// What to choose it by.
    pub id: String,
    /// What to show.
    pub name: String,
    /// What it is for.
    #[ts(type = "Device")]
    pub kind: Device,
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
pub struct ScreenView {
    /// What to choose it by.
    pub id: String,
    /// Name of the screen, or title of the window.
    pub title: String,
    /// Which of both.
    pub kind: ScreenKind,
}

/// What is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ScreenKind {
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
pub enum MicrophoneChoice {
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
pub enum SpeakerChoice {
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
pub enum CameraChoice {
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
pub struct DeviceChoices {
    /// What is heard of the person.
    pub microphone: MicrophoneChoice,
    /// Where the others are heard.
    pub speaker: SpeakerChoice,
    /// What is seen of the person.
    pub camera: CameraChoice,
}

/// How the person comes into a meeting: with which devices, and what is on.
#[derive(Clone, Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Entrance {
    /// The devices.
    pub devices: DeviceChoices,
    /// Whether the person is heard.
    #[ts(type = "Switch")]
    pub microphone: Switch,
    /// Whether the person is seen.
    #[ts(type = "Switch")]
    pub camera: Switch,
}
