//! `incamera-cli`: hold and join meetings from the command line.
//!
//! **Edge.** Parses the command line, prints events and chooses an exit code; every rule of the meeting lives
//! below, behind `incamera-client`.

mod args;
mod control;
mod devices;
mod exit;
mod interrupt;
mod output;
mod part;
mod printer;
mod replay;
mod run;
mod sources;
mod takes;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Arguments, Command, Decision, Replay, Which};
use control::{Answer, Request};
use exit::Exit;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_logging(arguments.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => {
            output::error_line(&format!("This program cannot start: {why}."));
            return Exit::Defect.into();
        }
    };
    let exit = runtime.block_on(dispatch(arguments.command));
    // A name that still is being looked up, say, is not waited for.
    runtime.shutdown_background();
    exit.into()
}

/// Events of the libraries go to standard error, only when asked for; nothing personal or secret is in them.
fn start_logging(verbose: bool) {
    let filter = if verbose { "incamera=debug,info" } else { "off" };
    let filter = std::env::var("INCAMERA_LOG").unwrap_or_else(|_| filter.to_owned());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

async fn dispatch(command: Command) -> Exit {
    match command {
        Command::Host(host) => run::host(host).await,
        Command::Join(join) => run::join(join).await,
        Command::Admit(Decision { who, meeting }) => ask(meeting, Request::Admit { who }).await,
        Command::Deny(Decision { who, meeting }) => ask(meeting, Request::Deny { who }).await,
        Command::Remove(Decision { who, meeting }) => ask(meeting, Request::Remove { who }).await,
        Command::Lock(lock) => {
            ask(lock.meeting, if lock.off { Request::Unlock } else { Request::Lock }).await
        }
        Command::Devices => devices::list(),
        Command::Replay(Replay { file, json }) => {
            let style = if json { output::Style::Json } else { output::Style::Sentences };
            replay::replay(&file, style)
        }
        Command::Say(say) => ask(say.meeting, Request::Say { text: say.text }).await,
        Command::Show(meeting) => ask(meeting, Request::Show).await,
    }
}

async fn ask(meeting: Which, request: Request) -> Exit {
    match control::ask(meeting.host, &request).await {
        Ok(Answer { ok: true, text }) => {
            output::line(&text);
            Exit::Done
        }
        Ok(Answer { ok: false, text }) => refuse(&text),
        Err(why) => refuse(&format!("The meeting cannot be asked: {why}.")),
    }
}

fn refuse(text: &str) -> Exit {
    output::error_line(text);
    Exit::Usage
}
