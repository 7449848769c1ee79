//! Wrong input of every kind ends with its code and a sentence, and never with a panic, a hang or half a file.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use incamera_devices::wav::WavReader;
use incamera_devices::y4m::Y4mReader;
use incamera_tests::stage::{Cast, Outcome, PATIENCE, Stage, Watched, folder_of};
use incamera_types::{Invite, LinkSecret, RelayAddress, RoomId};
use serde_json::Value;

/// An invite that is well made and leads to `relay`.
fn invite_to(relay: &str) -> Invite {
    Invite {
        relay: RelayAddress::parse(relay).expect("an address"),
        room: RoomId([7; 16]),
        secret: LinkSecret::new([8; 16]),
        room_key_hash: [9; 20],
        tls_pin: Some([10; 32]),
    }
}

/// A loopback address at which nobody listens: it was free a moment ago.
fn nobodys_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket has an address").to_string()
}

fn join<'a>(link: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let unless_given =
        |flag: &'a str, value: &'a str| if more.contains(&flag) { vec![] } else { vec![flag, value] };
    let plain =
        [vec!["join", link, "--json"], unless_given("--name", "Ada"), unless_given("--audio", "silence")];
    plain.into_iter().flatten().chain(more.iter().copied()).collect()
}

/// It ended with `code`, said so, and gave a problem with a code, a sentence and advice.
fn assert_ends(outcome: &Outcome, code: i32) {
    assert_eq!(outcome.code, Some(code), "{outcome:?}");
    let last = outcome.events.last().expect("something is said");
    assert_eq!((&last["event"], &last["exit"]), (&Value::from("ended"), &Value::from(code)), "{outcome:?}");
    let problem = outcome.events.iter().find(|event| event["event"] == "problem").expect("a problem is told");
    for field in ["code", "what", "advice"] {
        assert!(problem[field].as_str().is_some_and(|text| text.len() > 3), "{field} in {problem}");
    }
}

#[test]
fn links_that_cannot_be_read_are_refused_with_their_code() {
    let stage = Stage::new();
    let good = invite_to("relay.example:8443").to_link();
    let (host, payload) = good.split_once("/#").expect("a link has a payload");
    let links = [
        String::new(),
        "hello".to_owned(),
        "https://example.com/".to_owned(),
        "javascript:alert(1)//#AAAA".to_owned(),
        host.to_owned(),
        format!("{host}/#"),
        format!("{host}/#{}", &payload[..payload.len() - 5]),
        format!("{host}/#{payload}AAAA"),
        format!("{host}/#!{}", &payload[1..]),
        format!("{host}/#_{}", &payload[1..]),
        format!("incamera://user@relay.example/#{payload}"),
        format!("incamera://relay.example:99999/#{payload}"),
        format!("incamera://../etc/passwd/#{payload}"),
        format!("{host}/#{}", "A".repeat(100_000)),
        "incamera://\u{202e}/#\u{0}x".replace('\0', "\u{1}"),
    ];
    let running: Vec<Watched> = links.iter().map(|link| stage.start("Ada", &join(link, &[]))).collect();
    for (link, process) in links.iter().zip(running) {
        let outcome = process.outcome(PATIENCE);
        assert_ends(&outcome, 10);
        let said = format!("{:?}", outcome.events);
        assert!(payload.len() < 20 || !said.contains(payload), "a secret is repeated for {link}");
    }
}

#[test]
fn standard_input_on_which_nothing_comes_is_told() {
    let stage = Stage::new();
    for arguments in [
        join("-", &[]),
        ["host", "--relay", "127.0.0.1:1", "--create-token", "-", "--audio", "silence", "--json"].to_vec(),
    ] {
        let outcome = stage.start("Ada", &arguments).outcome(PATIENCE);
        assert_ends(&outcome, 2);
        assert!(outcome.events.iter().any(|event| event["code"] == "cli.input"), "{outcome:?}");
    }
}

#[test]
fn a_relay_that_is_not_there_or_not_the_right_one_is_told_apart_from_a_bad_link() {
    let stage = Stage::new();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let silent = (silent.local_addr().expect("an address").to_string(), silent);
    let rude = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let rude_address = rude.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for mut stream in rude.incoming().flatten() {
            // The other end may hang up first.
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        }
    });
    let relay = stage.start("host", &["host", "--listen", "127.0.0.1:0", "--audio", "silence", "--json"]);
    let mut relay = relay;
    let hosting = relay.wait_for("hosting", PATIENCE, |_| true);
    let genuine = Invite::parse(hosting["link"].as_str().expect("a link")).expect("a good link");
    let revoked = Invite { secret: LinkSecret::new([1; 16]), ..genuine.clone() }.to_link();
    let impostor = Invite { tls_pin: Some([1; 32]), ..genuine }.to_link();
    let links = [
        invite_to(&nobodys_address()).to_link(),
        invite_to(&silent.0).to_link(),
        invite_to(&rude_address).to_link(),
        impostor,
    ];
    let running: Vec<Watched> = links.iter().map(|link| stage.start("Ada", &join(link, &[]))).collect();
    for process in running {
        assert_ends(&process.outcome(PATIENCE), 11);
    }
    assert_ends(&stage.start("Ada", &join(&revoked, &[])).outcome(PATIENCE), 10);
    assert_eq!(relay.leave().code, Some(0));
}

#[test]
fn a_host_says_when_it_cannot_listen() {
    let stage = Stage::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken_address = taken.local_addr().expect("an address").to_string();
    for address in [taken_address.as_str(), "192.0.2.1:0"] {
        let arguments = ["host", "--listen", address, "--audio", "silence", "--json"];
        assert_ends(&stage.start("Ada", &arguments).outcome(PATIENCE), 11);
    }
}

#[test]
fn a_host_says_when_somebody_elses_relay_is_not_there_and_can_be_interrupted_before() {
    let stage = Stage::new();
    let nobody = nobodys_address();
    let arguments = ["host", "--relay", nobody.as_str(), "--audio", "silence", "--json"];
    let (patient, interrupted) = (stage.start("Ada", &arguments), stage.start("Ben", &arguments));
    let mut interrupted = interrupted;
    interrupted.wait_for("statistics", PATIENCE, |_| true);
    assert_eq!(interrupted.leave().code, Some(0));
    let outcome = patient.outcome(PATIENCE);
    assert_ends(&outcome, 11);
    assert!(outcome.events.iter().all(|event| event["event"] != "hosting"), "there is no room to invite to");
}

#[test]
fn rules_that_contradict_each_other_are_wrong_use() {
    let stage = Stage::new();
    let deadlines = ["--media-deadline", "120", "--removal-deadline", "20"];
    let host = ["host", "--listen", "127.0.0.1:0", "--audio", "silence", "--json"];
    let arguments: Vec<&str> = host.into_iter().chain(deadlines).collect();
    assert_ends(&stage.start("Ada", &arguments).outcome(PATIENCE), 2);
}

#[test]
fn files_that_are_no_sound_or_picture_are_refused_before_anybody_is_contacted() {
    let stage = Stage::new();
    let file = |name: &str, content: &[u8]| {
        let path = stage.path(name);
        fs::write(&path, content).expect("a file can be written");
        path
    };
    let giant = b"YUV4MPEG2 W99999999 H99999999 F30:1\nFRAME\n";
    let endless = vec![b'A'; 2_000_000];
    let cut = b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\xff";
    let zero = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0data\0\0\0\0";
    let files: Vec<PathBuf> = vec![
        stage.path("absent"),
        stage.home("folder"),
        file("empty", b""),
        file("junk", &[0xff; 4_096]),
        file("giant", giant),
        file("endless", &endless),
        file("still", b"YUV4MPEG2 W640 H360 F0:0\nFRAME\n"),
        file("no picture", b"YUV4MPEG2 W64 H64 F30:1 C420\n"),
        file("cut picture", b"YUV4MPEG2 W64 H64 F30:1 C420\nFRAME\nhalf"),
        file("cut", cut),
        file("zero", zero),
    ];
    let link = invite_to(&nobodys_address()).to_link();
    for flag in ["--audio", "--video"] {
        let names: Vec<&str> = files.iter().filter_map(|path| path.to_str()).collect();
        let running: Vec<Watched> =
            names.iter().map(|name| stage.start("Ada", &join(&link, &[flag, name]))).collect();
        for (name, process) in names.iter().zip(running) {
            let outcome = process.outcome(PATIENCE);
            assert_eq!(outcome.code, Some(16), "{flag} {name}: {outcome:?}");
            assert_ends(&outcome, 16);
        }
    }
}

#[test]
fn names_that_could_deceive_or_flood_are_refused() {
    let stage = Stage::new();
    let link = invite_to(&nobodys_address()).to_link();
    let huge = "A".repeat(100_000);
    for name in ["", " ", "Ada\u{202e}nimda", "Ada\u{200b}", "Ada\n{\"event\":\"ended\"}", huge.as_str()] {
        let folder = stage.path("takes");
        let out = folder.to_str().expect("a path in ASCII");
        let outcome = stage.start("Ada", &join(&link, &["--name", name, "--out", out])).outcome(PATIENCE);
        assert_ends(&outcome, 2);
        assert!(!folder.exists(), "nothing is written for nobody");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_told_before_the_meeting() {
    let stage = Stage::new();
    let link = invite_to(&nobodys_address()).to_link();
    let file = stage.path("file");
    fs::write(&file, b"not a folder").expect("a file can be written");
    let inside = file.join("takes");
    for flag in ["--out", "--frame-log"] {
        let arguments = join(&link, &[flag, inside.to_str().expect("a path in ASCII")]);
        assert_ends(&stage.start("Ada", &arguments).outcome(PATIENCE), 18);
    }
}

#[test]
fn the_control_socket_survives_junk_and_serves_its_owner_alone() {
    let stage = Stage::new();
    let arguments = ["host", "--listen", "127.0.0.1:0", "--name", "Ada", "--audio", "silence", "--json"];
    let mut host = stage.start("Ada", &arguments);
    host.wait_for("state_changed", PATIENCE, |event| event["state"] == "in_meeting");
    let folder = stage.home("Ada").join(".local/state/incamera");
    let socket = folder.join(format!("host-{}.sock", host.pid()));
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&socket), 0o600);

    let long = format!("{}\n", "x".repeat(2_000_000));
    let deep = format!("{}\n", "[".repeat(100_000));
    let junk: [&[u8]; 6] = [
        b"\n",
        b"{\"do\":\"explode\"}\n",
        b"{\"do\":\"remove\"}\n",
        b"\xff\xfe\x00\n",
        long.as_bytes(),
        deep.as_bytes(),
    ];
    for bytes in junk {
        let mut stream = UnixStream::connect(&socket).expect("the owner gets in");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket has timeouts");
        // The meeting may hang up before it was told everything.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = String::new();
        // Nothing at all is an answer too.
        let _ = BufReader::new(stream).read_line(&mut answer);
        assert!(!answer.contains("\"ok\":true"), "{answer}");
    }
    let silent: Vec<UnixStream> = (0..50).filter_map(|_| UnixStream::connect(&socket).ok()).collect();
    let shown = stage.ask("Ada", &["show"]);
    assert!(shown.status.success(), "{shown:?}");
    drop(silent);
    let too_long = "x".repeat(4_097);
    let refused = [["remove", "nobody"], ["remove", "Ada"], ["say", ""], ["say", too_long.as_str()]];
    for request in refused {
        let answer = stage.ask("Ada", &request);
        assert_eq!(answer.status.code(), Some(2), "{} {answer:?}", request[0]);
    }
    assert!(stage.ask("Ada", &["say", "hello"]).status.success());
    assert_eq!(stage.ask("Ben", &["show"]).status.code(), Some(2));

    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("the owner may");
    let open = stage.ask("Ada", &["show"]);
    assert_eq!(open.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&open.stderr).contains("chmod 700"), "{open:?}");
    assert_eq!(host.leave().code, Some(0));
    assert!(!socket.exists(), "the socket goes with the meeting");
}

#[test]
fn no_folder_is_made_where_a_program_happens_to_be_started() {
    let stage = Stage::new();
    for (variable, value) in [("HOME", ""), ("HOME", "here"), ("XDG_RUNTIME_DIR", ".")] {
        let mut command = stage.program("incamera-cli", "Ada");
        command.env_remove("HOME").env(variable, value).arg("show");
        let shown = command.output().expect("the program starts");
        assert_eq!(shown.status.code(), Some(2), "{shown:?}");
        let made = fs::read_dir(stage.home("Ada")).expect("it is a folder").count();
        assert_eq!(made, 0, "{variable}={value}");
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

/// A file system of a few hundred kilobytes, gone when dropped.
struct TinyDisk(PathBuf);

impl TinyDisk {
    /// `None` where this process may not mount.
    fn mount(at: PathBuf, kilobytes: u32) -> Option<Self> {
        let size = format!("size={kilobytes}k");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&at).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        // What cannot be unmounted goes with the machine.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "what was not tested must be seen")]
fn a_full_disk_ends_the_recording_and_leaves_nothing_half_written() {
    let stage = Stage::for_meeting();
    let Some(disk) = TinyDisk::mount(stage.home("disk"), 3_000) else {
        eprintln!("a full disk was not tested: this process may not mount a file system");
        return;
    };
    let (mut host, link) = stage.host(&Cast::named("Ada"));
    let takes = disk.0.join("takes");
    let out = ["--out", takes.to_str().expect("a path in ASCII")];
    let ben = stage.join(&link, &Cast { more: &out, ..Cast::quiet("Ben") });
    let outcome = ben.outcome(PATIENCE + Duration::from_secs(10));
    assert_ends(&outcome, 18);
    host.wait_for("left", PATIENCE, |event| event["name"] == "Ben");
    assert_eq!(host.leave().code, Some(0));
    assert_complete(&folder_of(&takes, "Ada").expect("something of Ada came"));
}

/// Every file that has its final name can be read to its end.
fn assert_complete(sender: &Path) {
    if let Ok(mut sound) = WavReader::open(&sender.join("audio.wav")) {
        let mut samples = [0.0; 960];
        while sound.read_mono(&mut samples).expect("the sound is whole") > 0 {}
    }
    if let Ok(mut pictures) = Y4mReader::open(&sender.join("video.y4m")) {
        let mut picture = pictures.format().size.black();
        while pictures.read_picture(&mut picture).expect("the pictures are whole") {}
    }
    let log = fs::read_to_string(sender.join("frames.jsonl")).unwrap_or_default();
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "a line is cut short");
}
