//! Which screens and windows there are.

use incamera_media::picture::MAX_DIMENSION;
use incamera_types::Pii;
use x11rb::connection::RequestConnection as _;
use x11rb::errors::ReplyError;
use x11rb::protocol::randr::{ConnectionExt as _, MonitorInfo};
use x11rb::protocol::xproto::{Atom, AtomEnum, ConnectionExt as _, MapState, Window, WindowClass};

use super::display::{Area, Display, Target};
use super::{ScreenInfo, ScreenKind};
use crate::DeviceError;
use crate::host::{DeviceChoice, DeviceId};
use crate::video::VideoSize;

/// Longest title that is read, in units of four bytes.
const TITLE_WORDS: u32 = 256;

/// Most windows that are looked at.
const WINDOWS: usize = 512;

/// Begins the id of a window; no monitor is called so.
const WINDOW_PREFIX: &str = "0x";

/// Extension of displays inside of Wayland, and in older ones how their monitors begin. Such a display has windows, but what
/// is on the screen it does not know.
const XWAYLAND: &str = "XWAYLAND";

/// A monitor with its name.
struct Monitor {
    name: String,
    area: Area,
    is_primary: bool,
}

/// Monitors, the main one first, then windows.
pub(super) fn list(display: &Display) -> Result<Vec<ScreenInfo>, DeviceError> {
    let monitors = monitors(display)?.into_iter().map(|monitor| ScreenInfo {
        id: DeviceId::new(monitor.name.clone()),
        kind: ScreenKind::Monitor,
        title: Pii::new(monitor.name),
        size: monitor.area.size,
    });
    let mut all: Vec<_> = monitors.collect();
    for window in windows(display)?.into_iter().take(WINDOWS) {
        all.extend(describe(display, window)?);
    }
    Ok(all)
}

/// What was chosen, and its size.
pub(super) fn find(display: &Display, choice: &DeviceChoice) -> Result<(Target, VideoSize), DeviceError> {
    let chosen = match choice {
        DeviceChoice::SystemDefault => None,
        DeviceChoice::Device(id) => Some(id.as_str()),
    };
    if let Some(number) = chosen.and_then(|id| id.strip_prefix(WINDOW_PREFIX)) {
        let window = Window::from_str_radix(number, 16).map_err(|_| DeviceError::Missing)?;
        let size = size_of(display, window)?.ok_or(DeviceError::Missing)?;
        return Ok((Target::Window(window), size));
    }
    let mut monitors = monitors(display)?.into_iter().peekable();
    monitors.peek().ok_or(DeviceError::NoDisplay)?;
    let found = monitors.find(|monitor| chosen.is_none_or(|name| monitor.name == name));
    let area = found.ok_or(DeviceError::Missing)?.area;
    Ok((Target::Monitor(area), area.size))
}

fn monitors(display: &Display) -> Result<Vec<Monitor>, DeviceError> {
    let found = display.connection.randr_get_monitors(display.root, true)?.reply()?;
    let mut monitors = Vec::new();
    for info in &found.monitors {
        monitors.extend(monitor(display, info)?);
    }
    if display.connection.extension_information(XWAYLAND)?.is_some() {
        monitors.clear();
    }
    monitors.retain(|monitor| !monitor.name.starts_with(XWAYLAND));
    monitors.sort_by_key(|monitor| !monitor.is_primary);
    Ok(monitors)
}

fn monitor(display: &Display, info: &MonitorInfo) -> Result<Option<Monitor>, DeviceError> {
    let Some(size) = size(info.width, info.height) else { return Ok(None) };
    let name = display.connection.get_atom_name(info.name)?.reply()?.name;
    let area = Area { left: info.x, top: info.y, size };
    Ok(Some(Monitor { name: String::from_utf8_lossy(&name).into_owned(), area, is_primary: info.primary }))
}

/// Sides beyond what a picture may have are cut.
fn size(width: u16, height: u16) -> Option<VideoSize> {
    VideoSize::new(u32::from(width).min(MAX_DIMENSION), u32::from(height).min(MAX_DIMENSION))
}

/// Those that the window manager knows; where there is none, what lies on the screen.
fn windows(display: &Display) -> Result<Vec<Window>, DeviceError> {
    let managed =
        property(display, display.root, atom(display, "_NET_CLIENT_LIST")?, AtomEnum::WINDOW.into())?;
    let managed: Vec<Window> =
        managed.as_chunks::<4>().0.iter().map(|word| Window::from_ne_bytes(*word)).collect();
    if !managed.is_empty() {
        return Ok(managed);
    }
    Ok(display.connection.query_tree(display.root)?.reply()?.children)
}

/// A window as people know it; `None` for one that is not shown, has no title, or is our own.
fn describe(display: &Display, window: Window) -> Result<Option<ScreenInfo>, DeviceError> {
    let own = std::process::id().to_ne_bytes();
    let number = property(display, window, atom(display, "_NET_WM_PID")?, AtomEnum::CARDINAL.into())?;
    let Some(size) = size_of(display, window)?.filter(|_| number != own) else { return Ok(None) };
    let utf8 = atom(display, "UTF8_STRING")?;
    let mut title = property(display, window, atom(display, "_NET_WM_NAME")?, utf8)?;
    if title.is_empty() {
        title = property(display, window, AtomEnum::WM_NAME.into(), AtomEnum::STRING.into())?;
    }
    let title = String::from_utf8_lossy(&title).into_owned();
    let id = DeviceId::new(format!("{WINDOW_PREFIX}{window:x}"));
    let info = ScreenInfo { id, kind: ScreenKind::Window, title: Pii::new(title), size };
    Ok(Some(info).filter(|info| !info.title.reveal().is_empty()))
}

/// The size of a window that is shown; `None` for one that is not, is too small, or is gone.
fn size_of(display: &Display, window: Window) -> Result<Option<VideoSize>, DeviceError> {
    let attributes = display.connection.get_window_attributes(window)?;
    let geometry = display.connection.get_geometry(window)?;
    let (attributes, geometry) = match (attributes.reply(), geometry.reply()) {
        (Err(ReplyError::X11Error(_)), _) | (_, Err(ReplyError::X11Error(_))) => return Ok(None),
        (attributes, geometry) => (attributes?, geometry?),
    };
    let is_shown =
        attributes.map_state == MapState::VIEWABLE && attributes.class == WindowClass::INPUT_OUTPUT;
    Ok(size(geometry.width, geometry.height).filter(|_| is_shown))
}

fn atom(display: &Display, name: &str) -> Result<Atom, DeviceError> {
    Ok(display.connection.intern_atom(false, name.as_bytes())?.reply()?.atom)
}

/// The bytes of a property; none for a window that is gone or has no such property.
fn property(display: &Display, window: Window, name: Atom, kind: Atom) -> Result<Vec<u8>, DeviceError> {
    let asked =
        display.connection.get_property(false, window, name, kind, 0, TITLE_WORDS.max(WINDOWS as u32))?;
    match asked.reply() {
        Ok(found) => Ok(found.value),
        Err(ReplyError::X11Error(_)) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}
