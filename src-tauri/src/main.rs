//! `incamera`: the desktop app.
//!
//! **Shell.** Shows in a window what `incamera-client` tells and passes on what the person wants; no rule of the meeting
//! lives here, and no key ever crosses to the web view.
//!
//! Read first: [`commands`] (what the window may ask), [`taking_part`] (one meeting). Everything that crosses is
//! `incamera-view`, from which the TypeScript types are made; how pictures reach the window is `incamera-screen`.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod around;
mod commands;
mod floating;
mod guest;
mod keeping;
mod launch;
mod media;
mod preview;
mod reception;
mod sharing;
mod taking_part;
mod telling;
#[cfg(test)]
mod typescript;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use incamera_instance::{Heard, LaterStarts, Start};
use incamera_screen::{Door, Pictures, suit_drawing_to_computer};
use incamera_settings::{Files, Folders, begin_log};
use tauri::{AppHandle, LogicalSize, Manager as _, RunEvent, WindowEvent};

use crate::commands::App;
use crate::floating::FLOATING;
use crate::launch::{Arguments, Launch};
use crate::taking_part::TakingPart;

/// The window of the meeting.
const WINDOW: &str = "main";

fn main() -> ExitCode {
    suit_drawing_to_computer();
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&why);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "for whoever started the app from a terminal")]
fn complain(why: &str) {
    eprintln!("incamera: {why}");
}

fn run(arguments: Arguments) -> Result<(), String> {
    let folders = Folders::of_this_account().map_err(|why| why.to_string())?;
    begin_log(&folders);
    arguments.hide_link().map_err(|why| format!("this program cannot be started again: {why}"))?;
    let launch = arguments.into_launch().map_err(|why| format!("standard input cannot be read: {why}"))?;
    if let Some(why) = launch.broken_link() {
        complain(&why.to_string());
    }
    let message = serde_json::to_vec(&launch).map_err(|why| why.to_string())?;
    match incamera_instance::claim(&message) {
        Ok(Start::First(later)) => show(launch, Some(later), &folders),
        Ok(Start::Later) => Ok(()),
        // A second window is better than none.
        Err(why) => {
            tracing::warn!(%why, "whether the app is running already cannot be told");
            show(launch, None, &folders)
        }
    }
}

fn show(launch: Launch, later: Option<LaterStarts>, folders: &Folders) -> Result<(), String> {
    let pictures = Arc::new(Pictures::default());
    let door = tauri::async_runtime::block_on(Door::open(Arc::clone(&pictures)))
        .map_err(|why| format!("no socket for pictures on this computer: {why}"))?;
    let app = tauri::Builder::default()
        .manage(App::new(launch, pictures, door))
        .manage(Files::new(folders))
        .setup(|app| {
            restore_size(app.handle());
            around::look_after(app.handle());
            Ok(())
        })
        .invoke_handler(tauri::generate_handler![
            commands::launch,
            commands::read_invite,
            commands::devices,
            commands::test_speaker,
            commands::open_door,
            commands::preview,
            commands::stop_preview,
            commands::host,
            commands::join,
            commands::order,
            sharing::screens,
            sharing::glimpse,
            sharing::share,
            sharing::stop_sharing,
            commands::quit,
            commands::resume,
            around::notify,
            commands::keep_awake,
            keeping::settings,
            keeping::save_settings,
            keeping::recent,
            keeping::save_invitation,
            keeping::diagnostics,
        ])
        .build(tauri::generate_context!())
        .map_err(|why| why.to_string())?;
    if let Some(later) = later {
        let handle = app.handle().clone();
        later.listen(move |message| match serde_json::from_slice(message) {
            Ok(launch) => start_again(&handle, launch),
            // Of another version: its own window is better than none.
            Err(_) => Heard::NotTaken,
        });
    }
    app.run(|handle, event| {
        if let RunEvent::WindowEvent { label, event: WindowEvent::CloseRequested { api, .. }, .. } = event {
            let app = handle.state::<App>();
            if label == FLOATING {
                // Whoever no longer wants to be told that the screen is shared does not want to share it.
                return drop(app.meeting(TakingPart::stop_sharing));
            }
            note_size(handle);
            if app.ask_to_close() {
                api.prevent_close();
            } else if let Some(ending) = app.end_meeting() {
                // The others are told before the process ends.
                api.prevent_close();
                let handle = handle.clone();
                tauri::async_runtime::spawn(async move {
                    ending.await;
                    handle.exit(0);
                });
            }
        }
    });
    Ok(())
}

/// Does what a later start was asked, in front of everything else.
fn start_again(handle: &AppHandle, launch: Launch) -> Heard {
    let heard = handle.state::<App>().start_again(launch);
    if heard == Heard::Taken {
        bring_forward(handle);
    }
    heard
}

/// Shows the window in front of everything else, as far as the window system lets it.
fn bring_forward(handle: &AppHandle) {
    if let Some(window) = handle.get_webview_window(WINDOW) {
        let _ = window.unminimize().and_then(|()| window.show()).and_then(|()| window.set_focus());
    }
}

/// Makes the window as large as it was. One that stays as it is is usable too.
fn restore_size(app: &AppHandle) {
    if let (Some(size), Some(window)) = (app.state::<Files>().window(), app.get_webview_window(WINDOW)) {
        let _ = window.set_size(LogicalSize::new(size.width, size.height));
    }
}

/// Remembers how large the window is, unless it fills the screen.
fn note_size(app: &AppHandle) {
    let Some(window) = app.get_webview_window(WINDOW) else { return };
    if let (Ok(size), Ok(scale), Ok(false)) =
        (window.inner_size(), window.scale_factor(), window.is_maximized())
    {
        let size = size.to_logical(scale);
        if let Err(why) = app.state::<Files>().note_window(size.width, size.height) {
            tracing::warn!(%why, "the size of the window is not kept");
        }
    }
}
