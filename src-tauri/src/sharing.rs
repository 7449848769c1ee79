//! What the windows may ask about sharing a screen.
#![expect(clippy::needless_pass_by_value, reason = "Tauri hands over what commands are given")]

use incamera_client::devices::{self, DeviceChoice, DeviceId, Polled, Screen, VideoFrame, VideoSource as _};
use incamera_client::{ClientError, Mono};
use incamera_view::{Failure, ScreenView};
use tauri::State;
use tauri::ipc::Response;

use crate::commands::App;
use crate::taking_part::TakingPart;

/// The screens and windows of this computer that can be shared.
#[tauri::command(async)]
pub(crate) fn screens() -> Result<Vec<ScreenView>, Failure> {
    let found = devices::screens().map_err(ClientError::from)?;
    Ok(found.into_iter().map(ScreenView::from).collect())
}

/// What a screen or window looks like now, as the socket carries pictures, small enough for a tile of this size; nothing
/// while it is not shown. Nothing leaves the computer.
#[tauri::command(async)]
pub(crate) fn glimpse(id: String, width: u16, height: u16) -> Result<Response, Failure> {
    let mut screen = open(id)?;
    let mut frame = VideoFrame::black(screen.format());
    let polled = screen.poll_frame(Mono::default(), &mut frame).map_err(ClientError::from)?;
    let is_seen = polled == Polled::Ready;
    let still = is_seen.then(|| incamera_screen::still(&frame.picture.view(), width, height)).flatten();
    Ok(Response::new(still.unwrap_or_default()))
}

/// Shares a screen or window, which the person knows by `title`.
#[tauri::command(async)]
pub(crate) fn share(app: State<'_, App>, id: String, title: String) -> Result<(), Failure> {
    let screen = open(id)?;
    app.meeting(|meeting| meeting.share(screen, title))
}

/// Shares no more.
#[tauri::command]
pub(crate) fn stop_sharing(app: State<'_, App>) -> Result<(), Failure> {
    app.meeting(TakingPart::stop_sharing)
}

fn open(id: String) -> Result<Screen, ClientError> {
    Ok(Screen::open(&DeviceChoice::Device(DeviceId::new(id)))?)
}
