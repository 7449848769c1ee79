//! `incamera`: the desktop app.
//!
//! **Shell.** Shows in a window what `incamera-client` tells and passes on what the person wants; no rule of the meeting
//! lives here, and no key ever crosses to the web view.
//!
//! Read first: [`view`] (everything that crosses, from which the TypeScript types are made), [`commands`] (what the
//! window may ask), [`taking_part`] (one meeting). How pictures reach the window is `incamera-screen`.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod commands;
mod failure;
mod guest;
mod launch;
mod media;
mod preview;
mod reception;
mod taking_part;
mod view;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use incamera_instance::{Heard, LaterStarts, Start};
use incamera_screen::{Door, Pictures};
use tauri::{AppHandle, Manager as _, RunEvent, WindowEvent};

use crate::commands::App;
use crate::launch::{Arguments, Launch};

fn main() -> ExitCode {
    log();
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&why);
            ExitCode::FAILURE
        }
    }
}

/// What happens goes to standard error. Libraries speak only of errors: their warnings say nothing to a person.
fn log() {
    let filter = tracing_subscriber::EnvFilter::new("error,incamera=warn");
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

#[expect(clippy::print_stderr, reason = "for whoever started the app from a terminal")]
fn complain(why: &str) {
    eprintln!("incamera: {why}");
}

fn run(arguments: Arguments) -> Result<(), String> {
    arguments.hide_link().map_err(|why| format!("this program cannot be started again: {why}"))?;
    let launch = arguments.into_launch().map_err(|why| format!("standard input cannot be read: {why}"))?;
    if let Some(why) = launch.broken_link() {
        complain(&why.to_string());
    }
    let message = serde_json::to_vec(&launch).map_err(|why| why.to_string())?;
    match incamera_instance::claim(&message) {
        Ok(Start::First(later)) => show(launch, Some(later)),
        Ok(Start::Later) => Ok(()),
        // A second window is better than none.
        Err(why) => {
            tracing::warn!(%why, "whether the app is running already cannot be told");
            show(launch, None)
        }
    }
}

fn show(launch: Launch, later: Option<LaterStarts>) -> Result<(), String> {
    let pictures = Arc::new(Pictures::default());
    let door = tauri::async_runtime::block_on(Door::open(Arc::clone(&pictures)))
        .map_err(|why| format!("no socket for pictures on this computer: {why}"))?;
    let app = tauri::Builder::default()
        .manage(App::new(launch, pictures, door))
        .invoke_handler(tauri::generate_handler![
            commands::launch,
            commands::read_invite,
            commands::devices,
            commands::open_door,
            commands::preview,
            commands::stop_preview,
            commands::host,
            commands::join,
            commands::order,
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
        if let RunEvent::WindowEvent { event: WindowEvent::CloseRequested { api, .. }, .. } = event
            && let Some(ending) = handle.state::<App>().end_meeting()
        {
            // The others are told before the process ends.
            api.prevent_close();
            let handle = handle.clone();
            tauri::async_runtime::spawn(async move {
                ending.await;
                handle.exit(0);
            });
        }
    });
    Ok(())
}

/// Does what a later start was asked, in front of everything else.
fn start_again(handle: &AppHandle, launch: Launch) -> Heard {
    let heard = handle.state::<App>().start_again(launch);
    if let (Heard::Taken, Some(window)) = (heard, handle.get_webview_window("main")) {
        // The window system decides what comes to the front; the window shows the link wherever it is.
        let _ = window.unminimize().and_then(|()| window.show()).and_then(|()| window.set_focus());
    }
    heard
}
