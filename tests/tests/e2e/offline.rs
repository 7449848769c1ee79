//! A meeting on one computer needs no network.

use std::ffi::OsStr;
use std::io;
use std::process::{Command, Output};

use incamera_tests::stage::Stage;

/// Runs a program where there is loopback and nothing else.
fn run_offline(program: &OsStr, arguments: &[&str]) -> io::Result<Output> {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""]);
    command.arg(program).args(arguments).output()
}

#[test]
#[expect(clippy::print_stderr, reason = "what was not tested must be seen")]
fn a_computer_without_a_network_holds_a_meeting_with_itself() {
    let stage = Stage::new();
    if !run_offline(OsStr::new("true"), &[]).is_ok_and(|output| output.status.success()) {
        eprintln!("a computer without a network was not tested: this process may not make a namespace");
        return;
    }
    let demo = stage.program_path("demo");
    let held = run_offline(demo.as_os_str(), &["--participants", "2", "--seconds", "3"]);
    let held = held.expect("the program starts");
    assert!(held.status.success(), "{}", String::from_utf8_lossy(&held.stderr));
}
