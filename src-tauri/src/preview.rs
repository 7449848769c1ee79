//! The green room: the person sees and hears the own side before anybody else does. Nothing leaves the computer.

use std::time::Duration;

use incamera_client::ClientError;
use incamera_client::devices::{DriverHandle, capture_audio, capture_video};
use incamera_view::{DeviceChoices, Level};
use tauri::async_runtime::JoinHandle;
use tauri::ipc::Channel;

use crate::media::OwnSide;

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
        choices: DeviceChoices,
        own: &OwnSide,
        window: Channel<Vec<Level>>,
    ) -> Result<Self, ClientError> {
        // What is opened shows itself: nothing else is done with it.
        let mut threads = vec![capture_audio(own.microphone(choices.microphone).open()?, |_| {})?];
        if let Some(camera) = own.camera(choices.camera) {
            threads.push(capture_video(camera.open()?, |_| {})?);
        }
        let levels = own.levels.clone();
        let meter = tauri::async_runtime::spawn(async move {
            let mut tick = tokio::time::interval(METER_EVERY);
            while window.send(levels.take()).is_ok() {
                tick.tick().await;
            }
        });
        Ok(Self { _threads: threads, meter })
    }
}
