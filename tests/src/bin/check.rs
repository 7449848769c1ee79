//! `./dev check`: what clippy cannot see about the repository.
#![expect(clippy::print_stderr, reason = "a program that reports to the person who ran it")]

use std::path::Path;
use std::process::ExitCode;

use incamera_tests::check::{Repository, run};

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match Repository::open(&root).and_then(|repository| run(&repository)) {
        Ok(findings) if findings.is_empty() => ExitCode::SUCCESS,
        Ok(findings) => {
            for finding in &findings {
                eprintln!("{finding}");
            }
            eprintln!("{} findings", findings.len());
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("the repository cannot be checked: {why}");
            ExitCode::FAILURE
        }
    }
}
