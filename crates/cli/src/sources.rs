//! Turns `--audio`, `--video` and `--screen` into sources.

use std::path::Path;

use incamera_client::devices::wav::WavSource;
use incamera_client::devices::y4m::Y4mSource;
use incamera_client::devices::{
    AudioHost, AudioSink, AudioSource, Camera, DeviceChoice, DeviceError, DeviceId, FrameRate, Microphone,
    PatternSource, Screen, SenderMark, SilenceSource, Speaker, ToneSource, VideoFormat, VideoSize,
    VideoSource,
};

/// What is heard of this participant.
pub(crate) fn audio(choice: &str, name: &str) -> Result<Box<dyn AudioSource>, DeviceError> {
    Ok(match choice {
        "mic" => Box::new(Microphone::open(&AudioHost::open()?, &DeviceChoice::SystemDefault)?),
        "tone" => Box::new(ToneSource::new(SenderMark::from_name(name))),
        "silence" => Box::new(SilenceSource::new()),
        file => Box::new(WavSource::open(Path::new(file))?),
    })
}

/// What is seen of this participant; `None` for nothing.
pub(crate) fn video(
    choice: &str,
    pattern_size: VideoSize,
    name: &str,
) -> Result<Option<Box<dyn VideoSource>>, DeviceError> {
    Ok(match choice {
        "none" => None,
        "pattern" => {
            let format = VideoFormat { size: pattern_size, rate: FrameRate::VIDEO_30 };
            Some(Box::new(PatternSource::new(format, SenderMark::from_name(name))))
        }
        "-" => Some(Box::new(Y4mSource::standard_input()?)),
        other => Some(match device(other, "camera") {
            Some(camera) => {
                let wanted = VideoFormat { size: pattern_size, rate: FrameRate::VIDEO_30 };
                Box::new(Camera::open(&camera, wanted)?)
            }
            None => Box::new(Y4mSource::open(Path::new(other))?),
        }),
    })
}

/// The screen that this participant shares; `None` for nothing.
pub(crate) fn screen(
    choice: &str,
    pattern_size: VideoSize,
    name: &str,
) -> Result<Option<Box<dyn VideoSource>>, DeviceError> {
    Ok(match choice {
        "none" => None,
        "pattern" => {
            let format = VideoFormat { size: pattern_size, rate: FrameRate::SCREEN_10 };
            Some(Box::new(PatternSource::new(format, SenderMark::from_name(name))))
        }
        other => Some(match device(other, "x11") {
            Some(screen) => Box::new(Screen::open(&screen)?),
            None => Box::new(Y4mSource::open(Path::new(other))?),
        }),
    })
}

/// The device that `--video camera[:NAME]` and `--screen x11[:ID]` mean; `None` for anything else.
fn device(choice: &str, word: &str) -> Option<DeviceChoice> {
    match choice.strip_prefix(word)? {
        "" => Some(DeviceChoice::SystemDefault),
        name => name.strip_prefix(':').map(|name| DeviceChoice::Device(DeviceId::new(name.to_owned()))),
    }
}

/// The default speaker.
pub(crate) fn speaker() -> Result<Box<dyn AudioSink>, DeviceError> {
    Ok(Box::new(Speaker::open(&AudioHost::open()?, &DeviceChoice::SystemDefault)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_told_from_files() {
        assert_eq!(device("camera", "camera"), Some(DeviceChoice::SystemDefault));
        let desk = DeviceChoice::Device(DeviceId::new("Desk: left".to_owned()));
        assert_eq!(device("camera:Desk: left", "camera"), Some(desk));
        assert_eq!(device("camera.y4m", "camera"), None);
        assert_eq!(device("film.y4m", "x11"), None);
    }

    #[test]
    fn missing_files_are_named_faults() {
        assert!(matches!(audio("/nowhere/x.wav", "Ada"), Err(DeviceError::Open(_))));
        let size = VideoSize::new(640, 360).unwrap();
        assert!(matches!(video("/nowhere/x.y4m", size, "Ada"), Err(DeviceError::Open(_))));
    }
}
