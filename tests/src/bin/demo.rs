//! `./dev demo`: holds a real meeting of several processes on this computer and judges it.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that reports to the person who ran it"
)]

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use incamera_tests::demo::{Plan, Sabotage, hold};

/// Hold a real encrypted meeting of several processes on this computer and judge it.
#[derive(Parser)]
struct Arguments {
    /// Participants, the host included
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=16))]
    participants: u8,
    /// Seconds that everybody is together
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(2..=3600))]
    seconds: u64,
    /// Last line on standard output is the verdict as JSON
    #[arg(long)]
    json: bool,
    /// Spoil something on purpose: flip-bits, drop-key, silence-one or freeze-one
    #[arg(long, value_parser = |text: &str| Sabotage::parse(text).ok_or("unknown kind of sabotage"))]
    sabotage: Option<Sabotage>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let plan = Plan {
        participants: usize::from(arguments.participants),
        together: Duration::from_secs(arguments.seconds),
        sabotage: arguments.sabotage,
    };
    let held = std::env::current_exe()
        .map_err(|why| why.to_string())
        .and_then(|own| hold(plan, &own.with_file_name("incamera-cli")));
    let verdict = match held {
        Ok(verdict) => verdict,
        Err(why) => {
            eprintln!("The meeting could not be held: {why}");
            if arguments.json {
                println!("{}", serde_json::json!({"ok": false, "problems": [{"what": why}]}));
            }
            return ExitCode::FAILURE;
        }
    };
    eprintln!("{}", verdict.in_words());
    if arguments.json {
        println!("{}", serde_json::to_string(&verdict).unwrap_or_default());
    }
    if verdict.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
