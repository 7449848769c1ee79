//! What the window is told of a meeting. Its page can end by itself and begin anew; the meeting goes on meanwhile.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use incamera_client::{Command, Event, Recap, Switch};
use incamera_view::{AppEvent, Level, Part};
use serde::Serialize;
use tauri::ipc::Channel;
use ts_rs::TS;

/// A meeting that is going on, for a page that begins anew.
#[derive(Clone, Debug, Serialize, TS)]
pub(crate) struct Resumed {
    part: Part,
    #[ts(type = "Switch")]
    microphone: Switch,
    #[ts(type = "Switch")]
    camera: Switch,
    past: Vec<Past>,
}

/// An event that still counts.
#[derive(Clone, Debug, Serialize, TS)]
pub(crate) struct Past {
    /// In milliseconds of Unix time.
    at_ms: f64,
    event: AppEvent,
}

/// Tells the window. Clones tell the same one.
#[derive(Clone)]
pub(crate) struct Telling(Arc<Mutex<Told>>);

struct Told {
    part: Part,
    /// What the person shares or shared last, by its name.
    shared: String,
    window: Channel<AppEvent>,
    recap: Recap,
}

impl Telling {
    pub(crate) fn new(part: Part, window: Channel<AppEvent>) -> Self {
        Self(Arc::new(Mutex::new(Told { part, shared: String::new(), window, recap: Recap::new() })))
    }

    /// Passes on what happened.
    pub(crate) fn pass_on(&self, event: Event) -> tauri::Result<()> {
        let mut told = self.told();
        told.recap.note_event(&event);
        let event = AppEvent::of(event, &told.shared);
        drop(told);
        event.map_or(Ok(()), |event| self.tell(event))
    }

    /// Tells what is of the moment. An error means that the window is gone.
    pub(crate) fn tell(&self, event: AppEvent) -> tauri::Result<()> {
        if let AppEvent::Problem { code, .. }
        | AppEvent::Alarm { code, .. }
        | AppEvent::DeviceLost { code, .. } = &event
        {
            tracing::warn!(code);
        }
        self.told().window.send(event)
    }

    /// The same for how loud people are, if anybody was heard.
    pub(crate) fn tell_levels(&self, levels: Vec<Level>) -> tauri::Result<()> {
        if levels.is_empty() { Ok(()) } else { self.tell(AppEvent::Heard { levels }) }
    }

    /// Notes what the meeting is asked for.
    pub(crate) fn note_command(&self, command: &Command) {
        self.told().recap.note_command(command);
    }

    /// Notes what is about to be shared.
    pub(crate) fn note_shared(&self, title: String) {
        self.told().shared = title;
    }

    /// Tells the page behind `window` from now on; gives what the one before knew.
    pub(crate) fn resume(&self, window: Channel<AppEvent>) -> Resumed {
        let mut told = self.told();
        told.window = window;
        let past = told.recap.past().iter().filter_map(|past| {
            Some(Past {
                at_ms: past.at_unix_ms as f64,
                event: AppEvent::of(past.event.clone(), &told.shared)?,
            })
        });
        let past = past.collect();
        Resumed {
            part: told.part.clone(),
            microphone: told.recap.microphone,
            camera: told.recap.camera,
            past,
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
