//! What can go wrong with a microphone, a speaker, a camera, a file or a disk.

use std::io;

use core::time::Duration;

use incamera_types::{Blame, Fault, Retry};

use crate::wav::WavError;
use crate::y4m::Y4mError;

/// An error of a source or a sink.
///
/// Paths and device names are left out on purpose: the caller knows which one it asked for, and an error may
/// reach a log (SEC-12).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// Neither PipeWire nor PulseAudio nor ALSA can be reached.
    #[error("no audio system can be reached on this computer")]
    NoAudioSystem,
    /// PipeWire, through which cameras are reached, does not run.
    #[error("PipeWire, through which cameras are reached, does not answer on this computer")]
    NoVideoSystem,
    /// There is no X11 display whose screens and windows could be shared.
    #[error("no X11 display can be reached, so there is no screen to share")]
    NoDisplay,
    /// The chosen device does not exist, or there is no default one.
    #[error("the device does not exist")]
    Missing,
    /// The device went away or stopped delivering while it was in use.
    #[error("the device was disconnected or stopped responding")]
    Lost,
    /// Another program holds the device.
    #[error("the device is in use by another program")]
    Busy,
    /// The operating system refuses access.
    #[error("the operating system refuses access to the device")]
    Denied,
    /// The device offers no format that can be used.
    #[error("the device offers no usable format")]
    Unsupported,
    /// Any other failure that the audio system reports, in its own words.
    #[error("the audio system failed: {0}")]
    AudioSystem(String),
    /// Any other failure that PipeWire reports, in its own words.
    #[error("PipeWire failed: {0}")]
    VideoSystem(String),
    /// Any other failure that the X11 display reports, in its own words.
    #[error("the X11 display failed: {0}")]
    Display(String),
    /// A thread for the device could not be started.
    #[error("a thread for the device could not be started: {0}")]
    Thread(io::ErrorKind),
    /// A file could not be opened or created.
    #[error("the file cannot be opened: {0}")]
    Open(io::ErrorKind),
    /// A file or pipe could not be read.
    #[error("the file cannot be read: {0}")]
    Read(io::ErrorKind),
    /// A file could not be written; what had been written of it was removed.
    #[error("the file cannot be written: {0}")]
    Write(io::ErrorKind),
    /// The disk is full; what had been written of the file was removed.
    #[error("the disk is full; the unfinished file was removed")]
    DiskFull,
    /// The file reached the greatest length that its format can express.
    #[error("the file has reached the greatest length of its format")]
    TooLong,
    /// A picture does not have the size that the file or sink was opened for.
    #[error("the picture does not have the size of the file")]
    PictureSize,
    /// The file is no WAV file that can be used.
    #[error("the WAV file cannot be used: {0}")]
    Wav(#[from] WavError),
    /// The file is no Y4M file that can be used.
    #[error("the Y4M file cannot be used: {0}")]
    Y4m(#[from] Y4mError),
}

impl DeviceError {
    pub(crate) fn opening(error: &io::Error) -> Self {
        Self::Open(error.kind())
    }

    pub(crate) fn reading(error: &io::Error) -> Self {
        Self::Read(error.kind())
    }

    pub(crate) fn writing(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            io::ErrorKind::FileTooLarge => Self::TooLong,
            kind => Self::Write(kind),
        }
    }
}

impl From<cpal::Error> for DeviceError {
    fn from(error: cpal::Error) -> Self {
        use cpal::ErrorKind;
        match error.kind() {
            ErrorKind::HostUnavailable => Self::NoAudioSystem,
            ErrorKind::DeviceNotAvailable | ErrorKind::StreamInvalidated => Self::Lost,
            ErrorKind::DeviceBusy => Self::Busy,
            ErrorKind::PermissionDenied => Self::Denied,
            ErrorKind::UnsupportedConfig | ErrorKind::UnsupportedOperation => Self::Unsupported,
            _ => Self::AudioSystem(error.to_string()),
        }
    }
}

impl From<pipewire::Error> for DeviceError {
    fn from(error: pipewire::Error) -> Self {
        Self::VideoSystem(error.to_string())
    }
}

impl Fault for DeviceError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoAudioSystem => "device.no_audio_system",
            Self::NoVideoSystem => "device.no_video_system",
            Self::NoDisplay => "device.no_display",
            Self::Missing => "device.missing",
            Self::Lost => "device.lost",
            Self::Busy => "device.busy",
            Self::Denied => "device.denied",
            Self::Unsupported => "device.unsupported",
            Self::AudioSystem(_) => "device.audio_system",
            Self::VideoSystem(_) => "device.video_system",
            Self::Display(_) => "device.display",
            Self::Thread(_) => "device.thread",
            Self::Open(_) => "device.file.open",
            Self::Read(_) => "device.file.read",
            Self::Write(_) => "device.file.write",
            Self::DiskFull => "device.file.disk_full",
            Self::TooLong => "device.file.too_long",
            Self::PictureSize => "device.file.picture_size",
            Self::Wav(_) => "device.wav.format",
            Self::Y4m(_) => "device.y4m.format",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Wav(_) | Self::Y4m(_) => Blame::Input,
            Self::Thread(_) | Self::PictureSize => Blame::Us,
            _ => Blame::Device,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Lost | Self::Busy | Self::NoAudioSystem | Self::NoVideoSystem => {
                Retry::After(Duration::from_secs(2))
            }
            _ => Retry::Never,
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::NoAudioSystem => {
                "Start PipeWire or PulseAudio, or use a file or a tone instead of a device."
            }
            Self::NoVideoSystem => "Start PipeWire and its session manager, or go on without a camera.",
            Self::NoDisplay => "Share from a session of X11; one of Wayland cannot be shared yet.",
            Self::Missing => "Connect the device or choose another one.",
            Self::Lost => "Connect the device again or choose another one.",
            Self::Busy => "Close the other program that uses the device.",
            Self::Denied => "Allow this program to use the device in the settings of the system.",
            Self::Unsupported | Self::AudioSystem(_) | Self::VideoSystem(_) | Self::Display(_) => {
                "Choose another device."
            }
            Self::Thread(_) => "Close other programs and try again.",
            Self::Open(_) => "Check that the file exists and that you may use it.",
            Self::Read(_) => "Check that the file is complete and its disk is connected.",
            Self::Write(_) => "Check that the folder exists and that you may write there.",
            Self::DiskFull => "Free some space or choose another folder.",
            Self::TooLong => "Start a new file.",
            Self::PictureSize => "Report this as a defect.",
            Self::Wav(_) => "Convert the file to WAV with 16, 24 or 32 bits per sample at 44.1 or 48 kHz.",
            Self::Y4m(_) => "Convert the file to Y4M, progressive, with 4:2:0 colour and 8 bits.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_disk_is_told_apart_from_other_write_errors() {
        assert_eq!(DeviceError::writing(&io::ErrorKind::StorageFull.into()).code(), "device.file.disk_full");
        assert_eq!(DeviceError::writing(&io::ErrorKind::PermissionDenied.into()).code(), "device.file.write");
    }

    #[test]
    fn vanished_device_is_worth_another_try() {
        let lost = DeviceError::from(cpal::Error::new(cpal::ErrorKind::DeviceNotAvailable));
        assert_eq!(lost, DeviceError::Lost);
        assert!(matches!(lost.retry(), Retry::After(_)));
    }
}
