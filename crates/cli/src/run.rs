//! `host` and `join`: opens what is sent and what is kept, and begins to take part.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use incamera_client::devices::{AudioSink, AudioSource, DeviceError, VideoSource};
use incamera_client::meeting::{LobbyMode, MeetingError};
use incamera_client::{
    Begin, Blame, ClientError, Command, DisplayName, EventStream, Fault as _, HostOptions, IcePolicy, Invite,
    JoinOptions, Listening, MediaOptions, Meeting, Problem, RelayPlace,
};
use tokio::sync::mpsc;

use crate::args::{Host, Join, TakePart};
use crate::control::ControlSocket;
use crate::exit::Exit;
use crate::interrupt::Interrupts;
use crate::output::Style;
use crate::part::{Leaving, TakingPart};
use crate::sources;
use crate::takes::{Keep, Takes};

/// Longest link or token read from standard input.
const MAX_LINE_BYTES: u64 = 4_096;
/// Most requests of the control socket that wait.
const CONTROL_QUEUE: usize = 16;

/// Why nothing was begun.
struct Refusal {
    problem: Problem,
    exit: Exit,
}

impl From<ClientError> for Refusal {
    fn from(error: ClientError) -> Self {
        Self { exit: exit_of(&error), problem: Problem::of(&error) }
    }
}

pub(crate) async fn host(arguments: Host) -> Exit {
    let style = Style::of(&arguments.take_part);
    told(style, begin_hosting(arguments, style).await)
}

pub(crate) async fn join(arguments: Join) -> Exit {
    let style = Style::of(&arguments.take_part);
    told(style, begin_joining(arguments, style).await)
}

fn told(style: Style, begun: Result<Exit, Refusal>) -> Exit {
    begun.unwrap_or_else(|Refusal { problem, exit }| {
        style.of_problem(&problem).write();
        end_of(style, exit)
    })
}

async fn begin_hosting(arguments: Host, style: Style) -> Result<Exit, Refusal> {
    let options = HostOptions {
        name: name(&arguments.take_part)?,
        place: place(&arguments)?,
        lobby: if arguments.lobby { LobbyMode::Wait } else { LobbyMode::Open },
        media_stops_after: Duration::from_secs(arguments.media_deadline.into()),
        removed_after: Duration::from_secs(arguments.removal_deadline.into()),
    };
    let mut sources = Sources::open(&arguments.take_part)?;
    let screen = sources.screen.take();
    let interrupts = Interrupts::listen().map_err(|why| runtime_refused(&why))?;
    let media = media(&arguments.take_part, sources)?;
    let (asked, requests) = mpsc::channel(CONTROL_QUEUE);
    let beginning = Meeting::host(options, media);
    let Some((part, events)) =
        begun(beginning, screen, &arguments.take_part, Leaving::End, interrupts).await?
    else {
        return Ok(end_of(style, Exit::Done));
    };
    let socket = ControlSocket::open(asked);
    if let Err(why) = &socket {
        style.of_problem(&control_problem(why)).write();
    }
    Ok(part.run(events, requests).await)
}

async fn begin_joining(arguments: Join, style: Style) -> Result<Exit, Refusal> {
    let link = if arguments.link == "-" { input_line()? } else { arguments.link };
    let invite = Invite::parse(&link).map_err(ClientError::from)?;
    let options = JoinOptions { invite, name: name(&arguments.take_part)? };
    let mut sources = Sources::open(&arguments.take_part)?;
    let screen = sources.screen.take();
    let interrupts = Interrupts::listen().map_err(|why| runtime_refused(&why))?;
    let media = media(&arguments.take_part, sources)?;
    let (_asked, requests) = mpsc::channel(1);
    let beginning = Meeting::join(options, media);
    let begun = begun(beginning, screen, &arguments.take_part, Leaving::Leave, interrupts).await?;
    let Some((part, events)) = begun else { return Ok(end_of(style, Exit::Done)) };
    Ok(part.run(events, requests).await)
}

/// Waits until the meeting has begun, and shares the screen in it; `None` when it was interrupted before.
async fn begun(
    beginning: impl Future<Output = Result<(Meeting, EventStream), ClientError>>,
    screen: Option<Box<dyn VideoSource>>,
    take_part: &TakePart,
    leaving: Leaving,
    mut interrupts: Interrupts,
) -> Result<Option<(TakingPart, EventStream)>, Refusal> {
    let (meeting, events) = tokio::select! {
        begun = beginning => begun?,
        () = interrupts.next() => return Ok(None),
    };
    if let Some(screen) = screen {
        meeting.command(Command::ShareScreen(screen));
    }
    let part = TakingPart::new(meeting, Style::of(take_part), take_part.seconds, leaving, interrupts);
    Ok(Some((part, events)))
}

/// Prints the last line where no meeting has begun.
fn end_of(style: Style, exit: Exit) -> Exit {
    if let Some(line) = style.of_end(exit, None) {
        line.write();
    }
    exit
}

fn name(take_part: &TakePart) -> Result<DisplayName, ClientError> {
    Ok(DisplayName::new(&take_part.name)?)
}

/// One line of standard input. Read byte by byte: Y4M may follow on the same input.
fn input_line() -> Result<String, Refusal> {
    let mut bytes = Vec::new();
    let mut input = std::io::stdin().lock().take(MAX_LINE_BYTES);
    loop {
        let mut byte = [0];
        let read =
            input.read(&mut byte).map_err(|why| input_refused(&format!("it cannot be read: {why}")))?;
        if read == 0 && bytes.is_empty() {
            return Err(input_refused("nothing came on it"));
        }
        if read == 0 || byte == *b"\n" {
            return Ok(String::from_utf8_lossy(&bytes).into_owned());
        }
        bytes.extend(byte);
    }
}

fn place(arguments: &Host) -> Result<RelayPlace, Refusal> {
    let Some(relay) = &arguments.relay else {
        let anywhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let listen = arguments.listen.unwrap_or(anywhere);
        return Ok(RelayPlace::Here { listen, sfu: arguments.sfu.clone() });
    };
    let create_token = match arguments.create_token.as_deref() {
        Some("-") => Some(input_line()?.trim().to_owned()),
        token => token.map(str::to_owned),
    };
    Ok(RelayPlace::Remote {
        address: relay.clone(),
        create_token,
        tls_pin: arguments.relay_pin.map(|pin| pin.0),
    })
}

/// What is sent, and where the others are heard. Opened before anything is written or anybody is contacted, so that a
/// bad input disturbs nobody and leaves no files behind.
struct Sources {
    audio: Box<dyn AudioSource>,
    video: Option<Box<dyn VideoSource>>,
    screen: Option<Box<dyn VideoSource>>,
    speaker: Option<Box<dyn AudioSink>>,
}

impl Sources {
    fn open(take_part: &TakePart) -> Result<Self, Refusal> {
        let TakePart { audio, video, screen, pattern_size, name, .. } = take_part;
        let device = |flag| move |error| file_refused(error, flag, Exit::DeviceFailed);
        Ok(Self {
            audio: sources::audio(audio, name).map_err(device("--audio"))?,
            video: sources::video(video, *pattern_size, name).map_err(device("--video"))?,
            screen: sources::screen(screen, *pattern_size, name).map_err(device("--screen"))?,
            speaker: take_part.play.then(sources::speaker).transpose().map_err(device("--play"))?,
        })
    }
}

fn media(take_part: &TakePart, sources: Sources) -> Result<MediaOptions, Refusal> {
    let keep = match (&take_part.out, &take_part.frame_log) {
        (Some(folder), _) => Some((folder, Keep::Everything, "--out")),
        (None, Some(folder)) => Some((folder, Keep::FrameLog, "--frame-log")),
        (None, None) => None,
    };
    let create = |(folder, keep, flag): (&PathBuf, _, _)| {
        Takes::create(folder, keep).map_err(|error| file_refused(error, flag, Exit::OutputFailed))
    };
    Ok(MediaOptions {
        audio: Some(sources.audio),
        video: sources.video,
        video_kbps: take_part.video_kbps,
        layers: take_part.layers,
        wanted_layer: wanted_layer(&take_part.want),
        camera: None,
        listening: if sources.speaker.is_some() { Listening::Live } else { Listening::Nobody },
        speaker: sources.speaker,
        reception: keep.map(create).transpose()?.map(|takes| Box::new(takes) as _),
        begin: begin(take_part),
        bind: take_part.bind,
        ice_policy: if take_part.turn_only { IcePolicy::RelayOnly } else { IcePolicy::All },
    })
}

/// Nobody should miss the beginning of a file.
fn begin(take_part: &TakePart) -> Begin {
    let live = ["mic", "tone", "silence"].contains(&take_part.audio.as_str())
        && [&take_part.video, &take_part.screen].into_iter().all(|choice| {
            ["pattern", "none", "x11"].contains(&choice.as_str()) || choice.starts_with("x11:")
        });
    if live { Begin::AtOnce } else { Begin::InCompany }
}

fn wanted_layer(text: &str) -> u8 {
    match text {
        "low" => 2,
        "medium" => 1,
        _ => 0,
    }
}

/// Errors of files say nothing of their paths; the flag tells which one it is.
fn file_refused(error: DeviceError, flag: &str, exit: Exit) -> Refusal {
    let problem = Problem::of(&ClientError::Device(error));
    Refusal { problem: Problem { what: format!("{flag}: {}", problem.what), ..problem }, exit }
}

fn input_refused(why: &str) -> Refusal {
    let problem = Problem {
        code: "cli.input",
        blame: Blame::Input,
        what: format!("the link or token is expected on standard input: {why}"),
        advice: "Give the link or token as an argument, or by a pipe.",
        member: None,
        name: None,
    };
    Refusal { problem, exit: Exit::Usage }
}

fn runtime_refused(why: &std::io::Error) -> Refusal {
    let problem = Problem {
        code: "cli.runtime",
        blame: Blame::Device,
        what: format!("the operating system refused what this program needs: {why}"),
        advice: "Close other programs and try again.",
        member: None,
        name: None,
    };
    Refusal { problem, exit: Exit::Defect }
}

fn control_problem(why: &std::io::Error) -> Problem {
    Problem {
        code: "cli.control.socket",
        blame: Blame::Device,
        what: format!(
            "the control socket cannot be opened ({why}), so admit, deny, remove and lock will not work"
        ),
        advice: "Check that XDG_RUNTIME_DIR or HOME is a folder of yours.",
        member: None,
        name: None,
    }
}

fn exit_of(error: &ClientError) -> Exit {
    match error {
        ClientError::Invite(_) => Exit::BadLink,
        ClientError::Device(_) => Exit::DeviceFailed,
        ClientError::Hosting(error) if error.blame() == Blame::Input => Exit::Usage,
        ClientError::Relay(_) | ClientError::Hosting(_) => Exit::RelayUnreachable,
        ClientError::Sfu(_) => Exit::SfuFailed,
        ClientError::Name(_) | ClientError::Meeting(MeetingError::Rules) => Exit::Usage,
        ClientError::Meeting(_) => Exit::NotAdmitted,
        ClientError::Opus(_) | ClientError::Vp8(_) | ClientError::Thread(_) => Exit::Defect,
    }
}
