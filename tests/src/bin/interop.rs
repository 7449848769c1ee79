//! `./dev interop SERVER`: meetings through software that is not ours, judged case by case.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that reports to the person who ran it"
)]

use std::process::ExitCode;

use clap::Parser;
use incamera_tests::interop::{Server, interrupt, run};
use tokio::signal::unix::{SignalKind, signal};

/// Hold meetings through software that is not ours and judge them case by case.
#[derive(Parser)]
struct Arguments {
    /// What to interoperate with
    server: Server,
    /// Last line on standard output is the report as JSON
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (Ok(mut interrupted), Ok(mut terminated)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        eprintln!("Signals cannot be received here.");
        return ExitCode::FAILURE;
    };
    let mut running = tokio::task::spawn_blocking(move || run(arguments.server));
    let report = loop {
        tokio::select! {
            report = &mut running => break report,
            _ = interrupted.recv() => interrupt(),
            _ = terminated.recv() => interrupt(),
        }
    };
    let Ok(report) = report else {
        eprintln!("A case broke down, as told above.");
        return ExitCode::FAILURE;
    };
    if arguments.json {
        println!("{}", serde_json::to_string(&report).unwrap_or_default());
    }
    if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
