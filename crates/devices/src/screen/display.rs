//! One X11 display: what a screen or window looks like now.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use incamera_media::picture::{MAX_DIMENSION, Picture};
use x11rb::connection::{Connection as _, RequestConnection as _};
use x11rb::errors::{ConnectionError, ReplyError, ReplyOrIdError};
use x11rb::protocol::composite::{self, ConnectionExt as _, Redirect};
use x11rb::protocol::shm::{self, ConnectionExt as _};
use x11rb::protocol::xproto::{ConnectionExt as _, Drawable, ImageFormat, ImageOrder, Screen, Window};
use x11rb::rust_connection::RustConnection;

use super::pixels::{PIXEL, convert};
use crate::DeviceError;
use crate::video::VideoSize;

/// Version of the Composite extension in which windows got pixmaps.
const COMPOSITE: (u32, u32) = (0, 2);

/// Version of the shared memory extension in which it is passed as an open file.
const SHARED_MEMORY: (u16, u16) = (1, 2);

/// All bits of a pixel.
const ALL_PLANES: u32 = u32::MAX;

/// Where the pixels of one picture come to.
struct Segment {
    id: shm::Seg,
    memory: File,
    bytes: u32,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// This part of the screen.
    Monitor(Area),
    /// The window with this number.
    Window(Window),
}

/// A part of a drawable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) left: i16,
    pub(super) top: i16,
    pub(super) size: VideoSize,
}

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Glimpse {
    /// A picture.
    Picture,
    /// Nothing at present: the window is not shown, is too small, or changes its size just now.
    Hidden,
    /// It is no longer there.
    Gone,
}

/// A connection to a display.
pub(super) struct Display {
    pub(super) connection: RustConnection,
    pub(super) root: Window,
    segment: Option<Segment>,
    pixels: Vec<u8>,
}

impl Display {
    /// Connects to the display that `DISPLAY` names.
    pub(super) fn open() -> Result<Self, DeviceError> {
        let (connection, number) = x11rb::connect(None).map_err(|_| DeviceError::NoDisplay)?;
        let setup = connection.setup();
        let screen = setup.roots.get(number).ok_or(DeviceError::NoDisplay)?;
        let bits = setup.pixmap_formats.iter().find(|format| format.depth == screen.root_depth);
        let fits = setup.image_byte_order == ImageOrder::LSB_FIRST
            && bits.is_some_and(|format| usize::from(format.bits_per_pixel) == 8 * PIXEL)
            && has_usual_colours(screen);
        if !fits {
            return Err(DeviceError::Unsupported);
        }
        let root = screen.root;
        Ok(Self { connection, root, segment: None, pixels: Vec::new() })
    }

    /// Makes sure that what is shown of `target` can be had, and that of a window nothing is that covers it.
    pub(super) fn prepare(&self, target: Target) -> Result<(), DeviceError> {
        self.connection.extension_information(shm::X11_EXTENSION_NAME)?.ok_or(DeviceError::Unsupported)?;
        let version = self.connection.shm_query_version()?.reply()?;
        if (version.major_version, version.minor_version) < SHARED_MEMORY {
            return Err(DeviceError::Unsupported);
        }
        if let Target::Window(window) = target {
            let extension = composite::X11_EXTENSION_NAME;
            self.connection.extension_information(extension)?.ok_or(DeviceError::Unsupported)?;
            let (major, minor) = COMPOSITE;
            let version = self.connection.composite_query_version(major, minor)?.reply()?;
            if (version.major_version, version.minor_version) < COMPOSITE {
                return Err(DeviceError::Unsupported);
            }
            self.connection.composite_redirect_window(window, Redirect::AUTOMATIC)?.check()?;
        }
        Ok(())
    }

    /// What `target` looks like now.
    pub(super) fn look(&mut self, target: Target, picture: &mut Picture) -> Result<Glimpse, DeviceError> {
        match target {
            Target::Monitor(area) => {
                if self.take(self.root, area, picture)? == Glimpse::Picture {
                    return Ok(Glimpse::Picture);
                }
                // The monitor may have been switched off, or to another size.
                let root = self.connection.get_geometry(self.root)?.reply()?;
                let edge = |from: i16, length: u32| i64::from(from) + i64::from(length);
                let fits = edge(area.left, area.size.width()) <= i64::from(root.width)
                    && edge(area.top, area.size.height()) <= i64::from(root.height);
                Ok(if fits { Glimpse::Hidden } else { Glimpse::Gone })
            }
            Target::Window(window) => self.look_at_window(window, picture),
        }
    }

    fn look_at_window(&mut self, window: Window, picture: &mut Picture) -> Result<Glimpse, DeviceError> {
        let geometry = match self.connection.get_geometry(window)?.reply() {
            Err(ReplyError::X11Error(_)) => return Ok(Glimpse::Gone),
            geometry => geometry?,
        };
        let side = |pixels: u16| u32::from(pixels).min(MAX_DIMENSION);
        let Some(size) = VideoSize::new(side(geometry.width), side(geometry.height)) else {
            return Ok(Glimpse::Hidden);
        };
        // A window that is shown again, or has another size, has another pixmap: it is asked for each time.
        let pixmap = self.connection.generate_id()?;
        if is_refused(self.connection.composite_name_window_pixmap(window, pixmap)?.check())? {
            return Ok(Glimpse::Hidden);
        }
        let border = i16::try_from(geometry.border_width).unwrap_or(i16::MAX);
        let taken = self.take(pixmap, Area { left: border, top: border, size }, picture);
        self.connection.free_pixmap(pixmap)?;
        taken
    }

    fn take(
        &mut self,
        drawable: Drawable,
        area: Area,
        picture: &mut Picture,
    ) -> Result<Glimpse, DeviceError> {
        let bytes = area.size.width() * area.size.height() * PIXEL as u32;
        let segment = self.segment(bytes)?;
        let side = |pixels: u32| u16::try_from(pixels).unwrap_or(u16::MAX);
        let (width, height) = (side(area.size.width()), side(area.size.height()));
        let format = u8::from(ImageFormat::Z_PIXMAP);
        let (left, top) = (area.left, area.top);
        let asked = self
            .connection
            .shm_get_image(drawable, left, top, width, height, ALL_PLANES, format, segment, 0)?
            .reply();
        if is_refused(asked)? {
            return Ok(Glimpse::Hidden);
        }
        let Some(segment) = &self.segment else { return Ok(Glimpse::Hidden) };
        self.pixels.resize(bytes as usize, 0);
        segment.memory.read_exact_at(&mut self.pixels, 0).map_err(|why| DeviceError::reading(&why))?;
        let converted = convert(&self.pixels, area.size, picture);
        Ok(if converted.is_some() { Glimpse::Picture } else { Glimpse::Hidden })
    }

    /// A segment that takes so many bytes.
    fn segment(&mut self, bytes: u32) -> Result<shm::Seg, DeviceError> {
        if let Some(segment) = self.segment.as_ref().filter(|segment| segment.bytes >= bytes) {
            return Ok(segment.id);
        }
        if let Some(segment) = self.segment.take() {
            self.connection.shm_detach(segment.id)?;
        }
        let id = self.connection.generate_id()?;
        let reply = self.connection.shm_create_segment(id, bytes, false)?.reply()?;
        self.segment = Some(Segment { id, memory: File::from(reply.shm_fd), bytes });
        Ok(id)
    }
}

/// Whether pixels are blue, green, red and nothing.
fn has_usual_colours(screen: &Screen) -> bool {
    let visuals = screen.allowed_depths.iter().flat_map(|depth| &depth.visuals);
    let root = visuals.into_iter().find(|visual| visual.visual_id == screen.root_visual);
    root.is_some_and(|root| (root.red_mask, root.green_mask, root.blue_mask) == (0xff_0000, 0xff00, 0xff))
}

/// Whether the display refused what was asked of it.
fn is_refused<T>(asked: Result<T, ReplyError>) -> Result<bool, DeviceError> {
    match asked {
        Ok(_) => Ok(false),
        Err(ReplyError::X11Error(_)) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

impl From<ReplyOrIdError> for DeviceError {
    fn from(error: ReplyOrIdError) -> Self {
        match error {
            ReplyOrIdError::ConnectionError(error) => error.into(),
            other => Self::Display(other.to_string()),
        }
    }
}

impl From<ConnectionError> for DeviceError {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::UnsupportedExtension => Self::Unsupported,
            ConnectionError::IoError(_) => Self::Lost,
            other => Self::Display(other.to_string()),
        }
    }
}

impl From<ReplyError> for DeviceError {
    fn from(error: ReplyError) -> Self {
        match error {
            ReplyError::ConnectionError(error) => error.into(),
            ReplyError::X11Error(error) => Self::Display(format!("{:?}", error.error_kind)),
        }
    }
}
