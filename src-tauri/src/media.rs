//! Opens the devices that the person chose, and lets the window see and hear the person's own side.

use std::sync::Arc;

use incamera_client::devices::{
    AudioBlock, AudioHost, AudioSink, AudioSource, DeviceChoice, DeviceError, DeviceId, FrameRate,
    Microphone, PatternSource, Polled, SenderMark, SilenceSource, Speaker, ToneSource, VideoFormat,
    VideoFrame, VideoSize, VideoSource, VoiceProcessing,
};
use incamera_client::{Begin, ClientError, IcePolicy, MediaOptions, Mono};
use incamera_screen::{Tile, VideoSink};

use crate::reception::{Levels, Shown};
use crate::view::{CameraChoice, DeviceChoices, MicrophoneChoice, SpeakerChoice};

/// Size of the test picture.
const PATTERN_WIDTH: u32 = 640;
const PATTERN_HEIGHT: u32 = 360;

/// Bit rate of the largest picture: 360p at 30 pictures a second looks clean.
const VIDEO_KBPS: u32 = 800;

/// Two sizes: one for tiles, one for the stage.
const LAYERS: u8 = 2;

/// What a meeting is begun with.
pub(crate) fn open(
    choices: &DeviceChoices,
    name: &str,
    sink: &Arc<dyn VideoSink>,
    levels: &Levels,
) -> Result<MediaOptions, ClientError> {
    let audio = Overheard { source: microphone(&choices.microphone, name)?, levels: levels.clone() };
    let video = camera(choices.camera, name)
        .map(|source| Box::new(Mirrored { source, sink: Arc::clone(sink) }) as Box<dyn VideoSource>);
    Ok(MediaOptions {
        audio: Box::new(audio),
        video,
        speaker: speaker(&choices.speaker)?,
        reception: Some(Box::new(Shown { sink: Arc::clone(sink), levels: levels.clone() })),
        ..unheard(LAYERS)
    })
}

/// Media of somebody who sends nothing, in `layers` sizes, and hears nobody.
pub(crate) fn unheard(layers: u8) -> MediaOptions {
    MediaOptions {
        audio: Box::new(SilenceSource::new()),
        video: None,
        video_kbps: VIDEO_KBPS,
        layers,
        wanted_layer: 0,
        speaker: None,
        reception: None,
        begin: Begin::AtOnce,
        bind: None,
        ice_policy: IcePolicy::All,
    }
}

/// The test picture of somebody of this name.
pub(crate) fn pattern(name: &str) -> Option<Box<dyn VideoSource>> {
    let size = VideoSize::new(PATTERN_WIDTH, PATTERN_HEIGHT)?;
    let format = VideoFormat { size, rate: FrameRate::VIDEO_30 };
    Some(Box::new(PatternSource::new(format, SenderMark::from_name(name))))
}

/// What is heard of the person.
pub(crate) fn microphone(choice: &MicrophoneChoice, name: &str) -> Result<Box<dyn AudioSource>, DeviceError> {
    Ok(match choice {
        MicrophoneChoice::System => {
            Box::new(Microphone::open(&AudioHost::open()?, &DeviceChoice::SystemDefault)?)
        }
        MicrophoneChoice::Device { id } => Box::new(Microphone::open(&AudioHost::open()?, &device(id))?),
        MicrophoneChoice::Tone => Box::new(ToneSource::new(SenderMark::from_name(name))),
        MicrophoneChoice::None => Box::new(SilenceSource::new()),
    })
}

fn speaker(choice: &SpeakerChoice) -> Result<Option<Box<dyn AudioSink>>, DeviceError> {
    let choice = match choice {
        SpeakerChoice::System => DeviceChoice::SystemDefault,
        SpeakerChoice::Device { id } => device(id),
        SpeakerChoice::None => return Ok(None),
    };
    Ok(Some(Box::new(Speaker::open(&AudioHost::open()?, &choice)?)))
}

/// What is seen of the person.
pub(crate) fn camera(choice: CameraChoice, name: &str) -> Option<Box<dyn VideoSource>> {
    match choice {
        CameraChoice::Pattern => pattern(name),
        CameraChoice::None => None,
    }
}

fn device(id: &str) -> DeviceChoice {
    DeviceChoice::Device(DeviceId::new(id.to_owned()))
}

/// A camera whose pictures the person sees too.
struct Mirrored {
    source: Box<dyn VideoSource>,
    sink: Arc<dyn VideoSink>,
}

impl VideoSource for Mirrored {
    fn format(&self) -> VideoFormat {
        self.source.format()
    }

    fn poll_frame(&mut self, now: Mono, frame: &mut VideoFrame) -> Result<Polled, DeviceError> {
        let polled = self.source.poll_frame(now, frame)?;
        if polled == Polled::Ready {
            self.sink.show(Tile::OWN, &frame.picture.view());
        }
        Ok(polled)
    }
}

/// A microphone whose level the window shows.
struct Overheard {
    source: Box<dyn AudioSource>,
    levels: Levels,
}

impl AudioSource for Overheard {
    fn poll_block(&mut self, now: Mono, block: &mut AudioBlock) -> Result<Polled, DeviceError> {
        let polled = self.source.poll_block(now, block)?;
        if polled == Polled::Ready {
            self.levels.note(None, &block.samples);
        }
        Ok(polled)
    }

    fn voice_processing(&self) -> VoiceProcessing {
        self.source.voice_processing()
    }
}
