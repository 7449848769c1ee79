//! Windows that show pictures of the test pattern, on a screen of X11.

use incamera_devices::{
    FrameRate, PatternSource, SenderMark, VideoFormat, VideoFrame, VideoSize, VideoSource as _,
};
use incamera_types::Mono;
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{
    AtomEnum, ChangeWindowAttributesAux, ConfigureWindowAux, ConnectionExt as _, CreateGCAux,
    CreateWindowAux, ImageFormat, Pixmap, PropMode, Window, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

use super::screen::{Area, Screen};

/// Somebody who shows windows; they go when this is dropped.
pub struct Easel {
    connection: RustConnection,
    root: Window,
    depth: u8,
}

impl Easel {
    /// Nothing on `screen` yet.
    ///
    /// # Panics
    /// When the screen cannot be drawn on.
    #[must_use]
    pub fn on(screen: &Screen) -> Self {
        let (connection, number) = x11rb::connect(Some(screen.display())).expect("Xvfb answers");
        let (root, depth) =
            (connection.setup().roots[number].root, connection.setup().roots[number].root_depth);
        Self { connection, root, depth }
    }

    /// Shows a window in which the test pattern says `picture`.
    ///
    /// # Panics
    /// When it cannot be shown.
    #[must_use]
    pub fn show(&self, title: &str, area: Area, picture: u64) -> Window {
        let window = self.connection.generate_id().expect("there are numbers left");
        let [left, top, width, height] =
            [area.left, area.top, area.width, area.height].map(|pixels| pixels as u16);
        let aux = CreateWindowAux::new().background_pixmap(self.pattern((width, height), picture));
        self.connection
            .create_window(
                self.depth,
                window,
                self.root,
                left as i16,
                top as i16,
                width,
                height,
                0,
                WindowClass::INPUT_OUTPUT,
                0,
                &aux,
            )
            .expect("Xvfb answers");
        let name = AtomEnum::WM_NAME;
        self.connection
            .change_property8(PropMode::REPLACE, window, name, AtomEnum::STRING, title.as_bytes())
            .expect("Xvfb answers");
        self.connection.map_window(window).expect("Xvfb answers");
        self.wait();
        window
    }

    /// Gives a window another size and another picture.
    ///
    /// # Panics
    /// When it is gone.
    pub fn resize(&self, window: Window, (width, height): (u16, u16), picture: u64) {
        let background = self.pattern((width, height), picture);
        let size = ConfigureWindowAux::new().width(u32::from(width)).height(u32::from(height));
        let aux = ChangeWindowAttributesAux::new().background_pixmap(background);
        self.connection.change_window_attributes(window, &aux).expect("Xvfb answers");
        self.connection.configure_window(window, &size).expect("Xvfb answers");
        self.connection.clear_area(false, window, 0, 0, 0, 0).expect("Xvfb answers");
        self.wait();
    }

    /// Lets the test pattern say `picture` on the whole screen, behind all windows.
    ///
    /// # Panics
    /// When the screen is gone.
    pub fn paint_wall(&self, picture: u64) {
        let screen = self.connection.get_geometry(self.root).expect("Xvfb answers").reply();
        let screen = screen.expect("a screen has a size");
        let background = self.pattern((screen.width, screen.height), picture);
        let aux = ChangeWindowAttributesAux::new().background_pixmap(background);
        self.connection.change_window_attributes(self.root, &aux).expect("Xvfb answers");
        self.connection.clear_area(false, self.root, 0, 0, 0, 0).expect("Xvfb answers");
        self.wait();
    }

    /// Closes a window.
    ///
    /// # Panics
    /// When the screen is gone.
    pub fn close(&self, window: Window) {
        self.connection.destroy_window(window).expect("Xvfb answers");
        self.wait();
    }

    /// The picture with this number, in shades of grey.
    fn pattern(&self, (width, height): (u16, u16), picture: u64) -> Pixmap {
        let size = VideoSize::new(width.into(), height.into()).expect("a window has a usual size");
        let format = VideoFormat { size, rate: FrameRate::SCREEN_10 };
        let mut source = PatternSource::new(format, SenderMark::new(1));
        let mut frame = VideoFrame::black(format);
        for number in 0..=picture {
            let now = Mono::from_micros(1).plus(format.rate.time_of(number));
            source.poll_frame(now, &mut frame).expect("a pattern never fails");
        }
        let grey = |luma: &u8| (u32::from(luma.saturating_sub(16)) * 255 / 219).min(255) as u8;
        let luma = &frame.picture.planes_mut()[0];
        let pixels: Vec<u8> = luma.iter().flat_map(|luma| [grey(luma), grey(luma), grey(luma), 0]).collect();
        let pixmap = self.connection.generate_id().expect("there are numbers left");
        let context = self.connection.generate_id().expect("there are numbers left");
        self.connection.create_pixmap(self.depth, pixmap, self.root, width, height).expect("Xvfb answers");
        self.connection.create_gc(context, pixmap, &CreateGCAux::new()).expect("Xvfb answers");
        self.connection
            .put_image(ImageFormat::Z_PIXMAP, pixmap, context, width, height, 0, 0, 0, self.depth, &pixels)
            .expect("Xvfb answers");
        pixmap
    }

    /// Until everything that was asked for is on the screen.
    fn wait(&self) {
        self.connection.sync().expect("Xvfb answers");
    }
}
