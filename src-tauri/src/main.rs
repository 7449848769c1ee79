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
use incamera_screen::{Door, Pictures};
use tauri::{Manager as _, RunEvent, WindowEvent};

use crate::commands::App;
use crate::launch::Arguments;

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

#[expect(clippy::print_stderr, reason = "there is no window yet that could show it")]
fn complain(why: &str) {
    eprintln!("incamera cannot start: {why}");
}

fn run(arguments: Arguments) -> Result<(), String> {
    let launch = arguments.into_launch()?;
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
