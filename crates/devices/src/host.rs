//! The audio system of the computer, its devices, and how they are opened.

mod stream;

use std::path::Path;
use std::str::FromStr;

use cpal::HostId;
use cpal::traits::{DeviceTrait, HostTrait};
use incamera_types::Pii;

use crate::DeviceError;

pub(crate) use stream::{
    Faults, START_PATIENCE, StreamShape, input_config, open_input, open_output, output_config,
};

/// Where the kernel shows its sound hardware.
const ALSA_DEVICES: &str = "/dev/snd";

/// Names that the PipeWire host lists beside real devices; they stand for "whatever is the default".
const PIPEWIRE_STAND_INS: [&str; 3] = ["sink_default", "input_default", "output_default"];

/// Whether sound goes into the computer or comes out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A microphone.
    Input,
    /// A speaker.
    Output,
}

/// A stable name of a device, such as `pulseaudio:alsa_input.usb-headset`; survives restarts and unplugging.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(String);

impl DeviceId {
    /// A device id as [`DeviceId::as_str`] gave it; whether it exists is found out by opening it.
    #[must_use]
    pub const fn new(id: String) -> Self {
        Self(id)
    }

    /// The id, to be stored in settings.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which device to open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// What the user chose in the settings of the system.
    #[default]
    SystemDefault,
    /// This one and no other.
    Device(DeviceId),
}

/// A microphone or speaker to choose from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// What to open it by.
    pub id: DeviceId,
    /// What to show. Often contains the owner's name ("Ada's headset").
    pub name: Pii<String>,
    /// Microphone or speaker.
    pub direction: Direction,
}

/// A connection to the audio system: PipeWire where it runs and has devices, then PulseAudio, then ALSA.
pub struct AudioHost {
    host: cpal::Host,
}

impl core::fmt::Debug for AudioHost {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "AudioHost({})", self.system())
    }
}

impl AudioHost {
    /// Connects to the best audio system that offers a device.
    ///
    /// # Errors
    /// [`DeviceError::NoAudioSystem`] when there is none.
    pub fn open() -> Result<Self, DeviceError> {
        // In the order of preference of cpal: PipeWire, PulseAudio, ALSA. A PipeWire that only carries screens
        // and cameras beside a real PulseAudio has no sound devices and is passed over, and so is ALSA on a computer
        // without sound hardware, where it lists a default device that nobody can open.
        cpal::available_hosts()
            .into_iter()
            .filter(|id| *id != HostId::Alsa || Path::new(ALSA_DEVICES).exists())
            .filter_map(|id| cpal::host_from_id(id).ok())
            .map(|host| Self { host })
            .find(|host| host.devices().is_ok_and(|devices| !devices.is_empty()))
            .ok_or(DeviceError::NoAudioSystem)
    }

    /// The name of the audio system, e.g. `PipeWire`.
    #[must_use]
    pub fn system(&self) -> &'static str {
        self.host.id().name()
    }

    /// The microphones and speakers there are now.
    ///
    /// # Errors
    /// The audio system does not answer.
    pub fn devices(&self) -> Result<Vec<DeviceInfo>, DeviceError> {
        let mut found = Vec::new();
        for device in self.host.devices()? {
            let (Ok(id), Ok(description)) = (device.id(), device.description()) else { continue };
            if self.host.id() == HostId::PipeWire && PIPEWIRE_STAND_INS.contains(&id.id()) {
                continue;
            }
            let info = |direction| DeviceInfo {
                id: DeviceId(id.to_string()),
                name: Pii::new(description.name().to_owned()),
                direction,
            };
            if device.supports_input() {
                found.push(info(Direction::Input));
            }
            if device.supports_output() {
                found.push(info(Direction::Output));
            }
        }
        Ok(found)
    }

    pub(crate) fn device(
        &self,
        direction: Direction,
        choice: &DeviceChoice,
    ) -> Result<cpal::Device, DeviceError> {
        let device = match (choice, direction) {
            (DeviceChoice::SystemDefault, Direction::Input) => self.host.default_input_device(),
            (DeviceChoice::SystemDefault, Direction::Output) => self.host.default_output_device(),
            (DeviceChoice::Device(id), _) => {
                let id = cpal::DeviceId::from_str(id.as_str()).map_err(|_| DeviceError::Missing)?;
                self.host.device_by_id(&id)
            }
        };
        device.ok_or(DeviceError::Missing)
    }
}
