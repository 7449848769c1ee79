//! The page of the window runs in a process of its own, which may end by itself or be ended by somebody.

use std::cell::Cell;
use std::time::{Duration, Instant};

use webkit2gtk::{WebView, WebViewExt as _, glib};

/// A page that ends again so soon after it was shown anew waits as long before the next try: whatever ends it may go on.
const PAUSE: Duration = Duration::from_secs(5);

/// Shows the page of `view` anew whenever its process has ended. To be called on the thread of the window.
pub fn show_again_after_crash(view: &WebView) {
    let latest = Cell::new(None::<Instant>);
    view.connect_web_process_terminated(move |view, why| {
        tracing::warn!(?why, "the process of the page has ended");
        let is_early = latest.replace(Some(Instant::now())).is_some_and(|at| at.elapsed() < PAUSE);
        let view = view.clone();
        let pause = if is_early { PAUSE } else { Duration::ZERO };
        glib::timeout_add_local_once(pause, move || view.reload());
    });
}
