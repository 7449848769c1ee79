//! What a meeting prints, written by a thread of its own: a reader of standard output that does not read must hold up
//! neither the meeting nor its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use incamera_client::meeting::StopReason;
use incamera_client::{Event, LocalEvent, Problem};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::exit::Exit;
use crate::output::{Line, Names, Style};

/// Most lines that wait to be read; what comes then is left out.
const MOST_WAITING: usize = 4_096;
/// Most lines that wait while figures are still printed: news matters more, and figures come again.
const MOST_BEFORE_FIGURES: usize = 64;
/// At the end the reader has this time for what still waits.
const END_LIMIT: Duration = Duration::from_secs(1);

/// Prints in the background.
pub(crate) struct Printer {
    style: Style,
    lines: SyncSender<Line>,
    waiting: Arc<AtomicUsize>,
    written: oneshot::Receiver<()>,
}

impl Printer {
    /// Begins to print in `style`.
    pub(crate) fn new(style: Style) -> Self {
        let (lines, queued) = sync_channel::<Line>(MOST_WAITING);
        let (done, written) = oneshot::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&waiting);
        thread::spawn(move || {
            for line in queued {
                line.write();
                counted.fetch_sub(1, Ordering::Relaxed);
            }
            // Nobody waits when the end took too long.
            let _ = done.send(());
        });
        Self { style, lines, waiting, written }
    }

    /// Prints one event, if it is to be printed in this style.
    pub(crate) fn event(&self, event: &Event, names: &Names) {
        let are_figures = matches!(event, Event::Local(LocalEvent::Statistics(_)));
        if are_figures && self.waiting.load(Ordering::Relaxed) >= MOST_BEFORE_FIGURES {
            return;
        }
        if let Some(line) = self.style.of_event(event, names) {
            self.queue(line);
        }
    }

    /// Prints what ends the meeting badly.
    pub(crate) fn problem(&self, problem: &Problem) {
        self.queue(self.style.of_problem(problem));
    }

    /// Prints the last line, and waits a moment for the reader.
    pub(crate) async fn ended(self, exit: Exit, reason: Option<StopReason>) {
        if let Some(line) = self.style.of_end(exit, reason) {
            self.queue(line);
        }
        let Self { lines, written, .. } = self;
        drop(lines);
        let _ = timeout(END_LIMIT, written).await;
    }

    fn queue(&self, line: Line) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if self.lines.try_send(line).is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
