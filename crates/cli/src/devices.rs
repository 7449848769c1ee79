//! `devices`: what there is to choose from.

use incamera_client::devices::{
    AudioHost, CameraInfo, DeviceError, DeviceInfo, Direction, ScreenInfo, ScreenKind, cameras, screens,
};
use incamera_client::{ClientError, Problem};

use crate::exit::Exit;
use crate::output;

/// Prints one line for each device: its kind, its id and its name. A system that cannot be asked is told on standard
/// error, and the devices of the others are listed all the same.
pub(crate) fn list() -> Exit {
    let sound = AudioHost::open().and_then(|host| host.devices());
    let sound = sound.map(|found| found.iter().map(line_of_sound).collect());
    let pictures = cameras().map(|found| found.iter().map(line_of_camera).collect());
    let displayed = screens().map(|found| found.iter().map(line_of_screen).collect());
    let all = [sound, pictures, displayed].map(lines);
    let exit = if all.iter().all(Option::is_none) { Exit::DeviceFailed } else { Exit::Done };
    all.into_iter().flatten().flatten().for_each(|line| output::line(&line));
    exit
}

fn lines(found: Result<Vec<String>, DeviceError>) -> Option<Vec<String>> {
    found.map_err(|error| output::error_line(&Problem::of(&ClientError::Device(error)).what)).ok()
}

fn line_of_sound(device: &DeviceInfo) -> String {
    let kind = match device.direction {
        Direction::Input => "microphone",
        Direction::Output => "speaker",
    };
    line(kind, device.id.as_str(), device.name.reveal())
}

fn line_of_camera(camera: &CameraInfo) -> String {
    line("camera", camera.id.as_str(), camera.name.reveal())
}

fn line_of_screen(screen: &ScreenInfo) -> String {
    let kind = match screen.kind {
        ScreenKind::Monitor => "screen",
        ScreenKind::Window => "window",
    };
    let (width, height) = (screen.size.width(), screen.size.height());
    let title = output::harmless(screen.title.reveal());
    line(kind, screen.id.as_str(), &format!("{width}x{height}  {title}"))
}

fn line(kind: &str, id: &str, name: &str) -> String {
    format!("{kind:<10}  {id}  {name}")
}
