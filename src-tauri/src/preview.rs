//! The green room: the person sees and hears the own side before anybody else does. Nothing leaves the computer.

use std::sync::Arc;
use std::time::Duration;

use incamera_client::ClientError;
use incamera_client::devices::{AudioCaptured, DriverHandle, VideoCaptured, capture_audio, capture_video};
use incamera_screen::{Tile, VideoSink};

use tauri::async_runtime::JoinHandle;
use tauri::ipc::Channel;

use crate::media;
use crate::reception::Levels;
use crate::view::{DeviceChoices, Level};

/// How often the window is told how loud the microphone is.
const METER_EVERY: Duration = Duration::from_millis(100);

/// Devices that are open for the person alone. Dropping it closes them.
pub(crate) struct Preview {
    _threads: Vec<DriverHandle>,
    meter: JoinHandle<()>,
}

impl Drop for Preview {
    fn drop(&mut self) {
        self.meter.abort();
    }
}

impl Preview {
    /// Opens the chosen microphone and camera.
    pub(crate) fn open(
        choices: &DeviceChoices,
        name: &str,
        sink: &Arc<dyn VideoSink>,
        window: Channel<Vec<Level>>,
    ) -> Result<Self, ClientError> {
        let levels = Levels::default();
        let heard = levels.clone();
        let microphone = media::microphone(&choices.microphone, name)?;
        let mut threads = vec![capture_audio(microphone, move |captured| {
            if let AudioCaptured::Block(block) = captured {
                heard.note(None, &block.samples);
            }
        })?];
        if let Some(camera) = media::camera(choices.camera, name) {
            let sink = Arc::clone(sink);
            threads.push(capture_video(camera, move |captured| {
                if let VideoCaptured::Frame(frame) = captured {
                    sink.show(Tile::OWN, &frame.picture.view());
                }
            })?);
        }
        let meter = tauri::async_runtime::spawn(async move {
            let mut tick = tokio::time::interval(METER_EVERY);
            while window.send(levels.take()).is_ok() {
                tick.tick().await;
            }
        });
        Ok(Self { _threads: threads, meter })
    }
}
