//! A meeting ends when it is asked to, whoever does not listen.

use std::process::Stdio;
use std::time::{Duration, Instant};

use incamera_tests::stage::{Cast, PATIENCE, Stage, Watched};
use rustix::io::ioctl_fionread;
use rustix::pipe::fcntl_setpipe_size;
use rustix::process::{Pid, Signal, kill_process};

/// Goodbye has 5 s, and the reader of the last line has one.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// The smallest pipe; a line of figures is a few hundred bytes long.
const PIPE: usize = 4_096;

#[test]
fn a_reader_that_does_not_read_holds_up_neither_the_meeting_nor_its_end() {
    let stage = Stage::for_meeting();
    let mut command = stage.program("incamera-cli", "Ada");
    command.args(["host", "--listen", "127.0.0.1:0", "--audio", "silence", "--json"]).stdout(Stdio::piped());
    let mut host = command.spawn().expect("the program starts");
    let unread = host.stdout.take().expect("standard output is a pipe");
    fcntl_setpipe_size(&unread, PIPE).expect("the pipe can be made small");

    let began = Instant::now();
    let mut filled = 0;
    let mut since = Instant::now();
    // Full when nothing more has come for longer than figures are apart. Nothing tells of that: it is looked at again and
    // again.
    while filled < 2_000 || since.elapsed() < Duration::from_secs(3) {
        let now = ioctl_fionread(&unread).expect("a pipe says what is in it");
        if now != filled {
            (filled, since) = (now, Instant::now());
        }
        assert!(began.elapsed() < PATIENCE, "{filled} bytes were printed");
        std::thread::sleep(Duration::from_millis(20));
    }

    let pid = Pid::from_child(&host);
    kill_process(pid, Signal::TERM).expect("it runs");
    let asked = Instant::now();
    // The standard library waits for a child without a limit, or looks once.
    let ended = loop {
        if let Some(ended) = host.try_wait().expect("it is our child") {
            break Some(ended);
        }
        if asked.elapsed() > ENDS_WITHIN {
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    if ended.is_none() {
        kill_process(pid, Signal::KILL).expect("it runs");
        host.wait().expect("it is our child");
    }
    assert_eq!(ended.and_then(|ended| ended.code()), Some(0));
}

#[test]
fn everybody_who_leaves_at_one_moment_is_seen_to_leave() {
    let stage = Stage::for_meeting();
    let (mut host, link) = stage.host(&Cast::quiet("Ada"));
    // The goodbye of one is overtaken by the commit that removes another, more often than not.
    for round in 0..3 {
        let names = [0, 1, 2, 3, 4].map(|guest| format!("Guest {round}-{guest}"));
        let mut guests: Vec<Watched> =
            names.iter().map(|name| stage.join(&link, &Cast::quiet(name))).collect();
        for guest in &mut guests {
            guest.wait_for("state_changed", PATIENCE, |event| event["state"] == "in_meeting");
        }
        for guest in &guests {
            guest.signal(Signal::INT);
        }
        for guest in guests {
            let outcome = guest.outcome(ENDS_WITHIN);
            assert_eq!(outcome.code, Some(0), "{outcome:?}");
            let last = outcome.events.last().expect("something is said");
            assert_eq!(last["event"], "ended", "{outcome:?}");
            assert_eq!(last["reason"], "left", "{outcome:?}");
        }
        // Whoever is not heard to leave is removed after a minute of silence, which is not leaving.
        for _ in &names {
            host.wait_for("left", ENDS_WITHIN, |_| true);
        }
    }
    assert_eq!(host.leave().code, Some(0));
}
