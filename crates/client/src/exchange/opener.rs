//! How a device is opened, as often as that is needed.

use std::sync::Arc;

use incamera_devices::{
    AudioHost, AudioSink, AudioSource, Camera, DeviceChoice, DeviceError, DeviceId, Microphone, Speaker,
    VideoFormat, VideoSource,
};

use crate::event::Which;

/// Opens a device when it is chosen, when it is switched on, and when it is back.
pub struct Opener<T: ?Sized> {
    choice: DeviceChoice,
    otherwise: Otherwise,
    open: Arc<Open<T>>,
}

type Open<T> = dyn Fn(&DeviceChoice) -> Result<Box<T>, DeviceError> + Send + Sync;

/// What is used while the chosen device is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Otherwise {
    /// What the system prefers: people go on talking.
    SystemDefault,
    /// Nothing: another camera may show what nobody wanted to be seen.
    Nothing,
}

impl Opener<dyn AudioSource> {
    /// A microphone; the one that the system prefers while the chosen one is not there.
    #[must_use]
    pub fn microphone(choice: DeviceChoice) -> Self {
        Self::new(choice, Otherwise::SystemDefault, |choice| {
            Ok(Box::new(Microphone::open(&AudioHost::open()?, choice)?))
        })
    }
}

impl Opener<dyn AudioSink> {
    /// A speaker; the one that the system prefers while the chosen one is not there.
    #[must_use]
    pub fn speaker(choice: DeviceChoice) -> Self {
        Self::new(choice, Otherwise::SystemDefault, |choice| {
            Ok(Box::new(Speaker::open(&AudioHost::open()?, choice)?))
        })
    }
}

impl Opener<dyn VideoSource> {
    /// A camera, in the format that it offers nearest to `wanted`; nothing is shown while the chosen one is not there.
    #[must_use]
    pub fn camera(choice: DeviceChoice, wanted: VideoFormat) -> Self {
        Self::new(choice, Otherwise::Nothing, move |choice| Ok(Box::new(Camera::open(choice, wanted)?)))
    }
}

impl<T: ?Sized + 'static> Opener<T> {
    pub(super) fn new(
        choice: DeviceChoice,
        otherwise: Otherwise,
        open: impl Fn(&DeviceChoice) -> Result<Box<T>, DeviceError> + Send + Sync + 'static,
    ) -> Self {
        Self { choice, otherwise, open: Arc::new(open) }
    }

    /// What is no device and always there.
    pub fn of(make: impl Fn() -> Box<T> + Send + Sync + 'static) -> Self {
        Self::new(DeviceChoice::SystemDefault, Otherwise::Nothing, move |_| Ok(make()))
    }

    /// Gives what `change` makes of the device.
    #[must_use]
    pub fn map(self, change: impl Fn(Box<T>) -> Box<T> + Send + Sync + 'static) -> Self {
        let open = self.open;
        Self::new(self.choice, self.otherwise, move |choice| open(choice).map(&change))
    }

    /// Opens the chosen device itself, for somebody who uses it outside of a meeting. It may take its time.
    ///
    /// # Errors
    /// It does not exist, or the system refuses.
    pub fn open(&self) -> Result<Box<T>, DeviceError> {
        (self.open)(&self.choice)
    }

    /// The device to look out for, if it is a certain one.
    pub(crate) const fn device(&self) -> Option<&DeviceId> {
        match &self.choice {
            DeviceChoice::Device(id) => Some(id),
            DeviceChoice::SystemDefault => None,
        }
    }

    /// Opens the chosen device, or what is used instead.
    pub(super) fn open_any(&self) -> Result<(Box<T>, Which), DeviceError> {
        match self.open() {
            Err(DeviceError::Missing | DeviceError::Lost)
                if self.device().is_some() && self.otherwise == Otherwise::SystemDefault =>
            {
                (self.open)(&DeviceChoice::SystemDefault).map(|device| (device, Which::Instead))
            }
            opened => opened.map(|device| (device, Which::Chosen)),
        }
    }
}

impl<T: ?Sized> Clone for Opener<T> {
    fn clone(&self) -> Self {
        Self { choice: self.choice.clone(), otherwise: self.otherwise, open: Arc::clone(&self.open) }
    }
}
