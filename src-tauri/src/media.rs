//! Opens the devices that the person chose, and lets the window see and hear the person's own side.

use std::sync::Arc;

use incamera_client::devices::{
    AudioBlock, AudioSink, AudioSource, DeviceChoice, DeviceError, DeviceId, FrameRate, PatternSource,
    Polled, SenderMark, SilenceSource, ToneSource, VideoFormat, VideoFrame, VideoSize, VideoSource,
    VoiceProcessing,
};
use incamera_client::{Begin, IcePolicy, Listening, MediaOptions, Mono, Opener};
use incamera_screen::{Tile, VideoSink};
use incamera_view::{CameraChoice, MicrophoneChoice, SpeakerChoice};

use crate::reception::{Levels, Shown};

/// The test picture.
const PATTERN: VideoFormat = VideoFormat { size: VideoSize::P360, rate: FrameRate::VIDEO_30 };

/// What cameras are asked for.
const CAMERA: VideoFormat = VideoFormat { size: VideoSize::P720, rate: FrameRate::VIDEO_30 };

/// Bit rate of the largest picture: 360p at 30 pictures a second looks clean.
const VIDEO_KBPS: u32 = 800;

/// The same for 720p.
const CAMERA_KBPS: u32 = 1_700;

/// Two sizes: one for tiles, one for the stage.
const LAYERS: u8 = 2;

/// A camera's picture has one more between them.
const CAMERA_LAYERS: u8 = 3;

/// The person's own side: what is opened is seen and heard by its window too.
#[derive(Clone)]
pub(crate) struct OwnSide {
    /// Chooses the test picture and tone.
    pub(crate) name: String,
    /// Where pictures go.
    pub(crate) sink: Arc<dyn VideoSink>,
    /// Where levels go.
    pub(crate) levels: Levels,
}

impl OwnSide {
    /// What a meeting is begun with. Its devices are opened by commands once it has begun.
    pub(crate) fn media(&self, camera: &CameraChoice) -> MediaOptions {
        let (format, video_kbps, layers) = match camera {
            CameraChoice::Pattern => (PATTERN, VIDEO_KBPS, LAYERS),
            CameraChoice::System | CameraChoice::Device { .. } | CameraChoice::None => {
                (CAMERA, CAMERA_KBPS, CAMERA_LAYERS)
            }
        };
        MediaOptions {
            audio: None,
            camera: Some(format),
            video_kbps,
            reception: Some(Box::new(Shown { sink: Arc::clone(&self.sink), levels: self.levels.clone() })),
            listening: Listening::Live,
            ..unheard(layers)
        }
    }

    /// What is heard of the person.
    pub(crate) fn microphone(&self, choice: MicrophoneChoice) -> Opener<dyn AudioSource> {
        let mark = SenderMark::from_name(&self.name);
        let opener = match choice {
            MicrophoneChoice::System => Opener::microphone(DeviceChoice::SystemDefault),
            MicrophoneChoice::Device { id } => Opener::microphone(device(id)),
            MicrophoneChoice::Tone => Opener::<dyn AudioSource>::of(move || Box::new(ToneSource::new(mark))),
            MicrophoneChoice::None => Opener::<dyn AudioSource>::of(|| Box::new(SilenceSource::new())),
        };
        let levels = self.levels.clone();
        opener.map(move |source| Box::new(Overheard { source, levels: levels.clone() }))
    }

    /// What is seen of the person; `None` for nothing.
    pub(crate) fn camera(&self, choice: CameraChoice) -> Option<Opener<dyn VideoSource>> {
        let name = self.name.clone();
        let opener = match choice {
            CameraChoice::System => Opener::camera(DeviceChoice::SystemDefault, CAMERA),
            CameraChoice::Device { id } => Opener::camera(device(id), CAMERA),
            CameraChoice::Pattern => Opener::<dyn VideoSource>::of(move || Box::new(pattern(&name))),
            CameraChoice::None => return None,
        };
        let sink = Arc::clone(&self.sink);
        Some(opener.map(move |source| Box::new(Mirrored { source, sink: Arc::clone(&sink) })))
    }
}

/// Where the others are heard; `None` for nowhere.
pub(crate) fn speaker(choice: SpeakerChoice) -> Option<Opener<dyn AudioSink>> {
    match choice {
        SpeakerChoice::System => Some(Opener::speaker(DeviceChoice::SystemDefault)),
        SpeakerChoice::Device { id } => Some(Opener::speaker(device(id))),
        SpeakerChoice::None => None,
    }
}

/// Media of somebody who sends nothing, in `layers` sizes, and hears nobody.
pub(crate) fn unheard(layers: u8) -> MediaOptions {
    MediaOptions {
        audio: Some(Box::new(SilenceSource::new())),
        video: None,
        camera: None,
        video_kbps: VIDEO_KBPS,
        layers,
        wanted_layer: 0,
        speaker: None,
        listening: Listening::Nobody,
        reception: None,
        begin: Begin::AtOnce,
        bind: None,
        ice_policy: IcePolicy::All,
    }
}

/// The test picture of somebody of this name.
pub(crate) fn pattern(name: &str) -> PatternSource {
    PatternSource::new(PATTERN, SenderMark::from_name(name))
}

fn device(id: String) -> DeviceChoice {
    DeviceChoice::Device(DeviceId::new(id))
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
