//! What happens around the page: the desktop tells whoever looks elsewhere, and the page is shown anew when its process has
//! ended.

use incamera_platform::{Notice, Notices};
use incamera_view::Failure;
use tauri::{AppHandle, Manager as _, State, WebviewWindow};

use crate::{WINDOW, bring_forward};

/// Begins to look after the window.
pub(crate) fn look_after(app: &AppHandle) {
    let handle = app.clone();
    app.manage(Notices::new(move || bring_forward(&handle)));
    #[cfg(target_os = "linux")]
    if let Some(window) = app.get_webview_window(WINDOW) {
        // Without it the window stays empty after a crash of its page, and can be closed as ever.
        let _ = window.with_webview(|view| incamera_platform::show_again_after_crash(&view.inner()));
    }
}

/// Tells the person by the desktop, unless the window has the keyboard anyway.
#[tauri::command]
pub(crate) async fn notify(
    window: WebviewWindow,
    notices: State<'_, Notices>,
    notice: Notice,
) -> Result<(), Failure> {
    if !window.is_focused().unwrap_or_default() {
        notices.show(&notice).await;
    }
    Ok(())
}
