//! The small window above all others that says that the screen is shared, and ends it. It comes and goes with what is told of
//! the meeting, whatever becomes of the page that shows the meeting itself.

use incamera_client::{Event, LocalEvent};
use incamera_settings::{Files, Language};
use tauri::{AppHandle, LogicalPosition, Manager as _, WebviewUrl, WebviewWindowBuilder};

use crate::WINDOW;

/// Its label: `capabilities/floating.json` lets it stop, and nothing else.
pub(crate) const FLOATING: &str = "floating";

/// In pixels that do not depend on the screen.
const SIZE: (f64, f64) = (380.0, 64.0);

/// How far below the upper edge of the screen it comes.
const TOP: f64 = 24.0;

/// Shows and closes it. One that cannot be shown hinders nobody: the other window says the same.
pub(crate) struct Floating(AppHandle);

impl Floating {
    /// Not shown yet.
    pub(crate) const fn new(app: AppHandle) -> Self {
        Self(app)
    }

    /// Shows or closes it as `event` says.
    pub(crate) fn follow(&self, event: &Event) {
        match event {
            Event::Local(LocalEvent::SharingStarted) => note(self.show()),
            Event::Local(LocalEvent::SharingStopped { .. }) => self.close(),
            _ => {}
        }
    }

    /// Closes it, if it is shown.
    pub(crate) fn close(&self) {
        if let Some(window) = self.0.get_webview_window(FLOATING) {
            note(window.destroy());
        }
    }

    fn show(&self) -> tauri::Result<()> {
        if self.0.get_webview_window(FLOATING).is_some() {
            return Ok(());
        }
        // The page finds out what the system speaks.
        let language = match self.0.state::<Files>().settings.load().map(|loaded| loaded.settings.language) {
            Ok(Language::En) => "en",
            Ok(Language::De) => "de",
            Ok(Language::System) | Err(_) => "system",
        };
        let page = WebviewUrl::App(format!("index.html#{FLOATING}={language}").into());
        let mut builder = WebviewWindowBuilder::new(&self.0, FLOATING, page)
            .on_document_title_changed(|window, title| note(window.set_title(&title)))
            .inner_size(SIZE.0, SIZE.1)
            .resizable(false)
            .always_on_top(true)
            .visible_on_all_workspaces(true)
            .skip_taskbar(true)
            .focused(false);
        if let Some(LogicalPosition { x, y }) = self.place() {
            builder = builder.position(x, y);
        }
        builder.build().map(drop)
    }

    /// In the middle of the upper edge of the screen on which the meeting is.
    fn place(&self) -> Option<LogicalPosition<f64>> {
        let monitor = self.0.get_webview_window(WINDOW)?.current_monitor().ok()??;
        let scale = monitor.scale_factor();
        let (corner, size) =
            (monitor.position().to_logical::<f64>(scale), monitor.size().to_logical::<f64>(scale));
        Some(LogicalPosition::new(corner.x + (size.width - SIZE.0) / 2.0, corner.y + TOP))
    }
}

fn note(done: tauri::Result<()>) {
    if let Err(why) = done {
        tracing::warn!(%why, "the small window that says that the screen is shared");
    }
}
