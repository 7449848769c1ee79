//! `host` and `join`: takes part in one meeting until it ends, its time is over, or the user interrupts.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::SocketAddr;
use std::time::Duration;

use incamera_client::meeting::{
    Command, Event as MeetingEvent, KnockNumber, LobbyMode, MeetingState, StopReason,
};
use incamera_client::{
    ClientError, Event, EventStream, HostOptions, Invite, JoinOptions, LocalEvent, MediaOptions, Meeting,
    MemberId, Pii, Problem, RelayPlace, SfuChoice,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::args::{Host, Join, TakePart};
use crate::control::{Answer, Asked, ControlSocket, Request};
use crate::exit::Exit;
use crate::output::Style;
use crate::takes::{Keep, Takes};
use crate::{output, sources};

/// Longest link read from standard input.
const MAX_LINK_BYTES: u64 = 4_096;
/// How long media may take to connect before the program gives up.
const SFU_PATIENCE: Duration = Duration::from_secs(20);
/// Most requests of the control socket that wait.
const CONTROL_QUEUE: usize = 16;

pub(crate) async fn host(arguments: Host) -> Exit {
    let style = style(&arguments.take_part);
    let place = match place(&arguments) {
        Ok(place) => place,
        Err(text) => return usage(&text),
    };
    let options = HostOptions {
        name: Pii::new(arguments.take_part.name.clone()),
        place,
        lobby: if arguments.lobby { LobbyMode::Wait } else { LobbyMode::Open },
        media_stops_after: Duration::from_secs(arguments.media_deadline.into()),
        removed_after: Duration::from_secs(arguments.removal_deadline.into()),
    };
    let media = match media(&arguments.take_part) {
        Ok(media) => media,
        Err((problem, exit)) => return refuse(style, &problem, exit),
    };
    match Meeting::host(options, media).await {
        Ok((meeting, events)) => {
            let (asked, requests) = mpsc::channel(CONTROL_QUEUE);
            let socket = ControlSocket::open(asked);
            if let Err(why) = &socket {
                output::complain(&control_problem(why));
            }
            TakingPart::new(meeting, style, arguments.take_part.seconds)
                .run(events, requests, Leaving::End)
                .await
        }
        Err(error) => refuse(style, &Problem::of(&error), exit_of(&error)),
    }
}

pub(crate) async fn join(arguments: Join) -> Exit {
    let style = style(&arguments.take_part);
    let link = match link(&arguments.link) {
        Ok(link) => link,
        Err(why) => return usage(&format!("The link cannot be read from standard input: {why}.")),
    };
    let invite = match Invite::parse(&link) {
        Ok(invite) => invite,
        Err(error) => return refuse(style, &Problem::of(&error), Exit::BadLink),
    };
    let options = JoinOptions { invite, name: Pii::new(arguments.take_part.name.clone()) };
    let media = match media(&arguments.take_part) {
        Ok(media) => media,
        Err((problem, exit)) => return refuse(style, &problem, exit),
    };
    match Meeting::join(options, media).await {
        Ok((meeting, events)) => {
            let (_asked, requests) = mpsc::channel(1);
            TakingPart::new(meeting, style, arguments.take_part.seconds)
                .run(events, requests, Leaving::Leave)
                .await
        }
        Err(error) => refuse(style, &Problem::of(&error), exit_of(&error)),
    }
}

fn style(take_part: &TakePart) -> Style {
    if take_part.json { Style::Json } else { Style::Sentences }
}

fn usage(text: &str) -> Exit {
    output::line(text);
    Exit::Usage
}

fn refuse(style: Style, problem: &Problem, exit: Exit) -> Exit {
    style.problem(problem);
    style.ended(exit as u8, None);
    exit
}

fn link(argument: &str) -> std::io::Result<String> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let mut bytes = Vec::new();
    let mut input = std::io::stdin().lock().take(MAX_LINK_BYTES);
    // Byte by byte to the end of the line: Y4M may follow on the same input.
    loop {
        let mut byte = [0];
        if input.read(&mut byte)? == 0 || byte == *b"\n" {
            break;
        }
        bytes.extend(byte);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn place(arguments: &Host) -> Result<RelayPlace, String> {
    if let Some(relay) = &arguments.relay {
        let create_token = match arguments.create_token.as_deref() {
            Some("-") => Some(link("-").map_err(|why| format!("The token cannot be read: {why}."))?),
            token => token.map(str::to_owned),
        };
        let tls_pin = arguments.relay_pin.map(|pin| pin.0);
        return Ok(RelayPlace::Remote { address: relay.clone(), create_token, tls_pin });
    }
    let anywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let sfu = SfuChoice::parse(&arguments.sfu)?;
    Ok(RelayPlace::Here { listen: arguments.listen.unwrap_or(anywhere), sfu })
}

/// Opens what is sent before what is written, so that a bad input leaves no files behind.
fn media(take_part: &TakePart) -> Result<MediaOptions, (Problem, Exit)> {
    let refused = |exit| move |error| (Problem::of(&ClientError::Device(error)), exit);
    let device = refused(Exit::DeviceFailed);
    let size = sources::size(&take_part.pattern_size)
        .ok_or_else(|| device(incamera_client::devices::DeviceError::PictureSize))?;
    let audio = sources::audio(&take_part.audio, &take_part.name).map_err(device)?;
    let video = sources::video(&take_part.video, size, &take_part.name).map_err(device)?;
    let speaker = if take_part.play { Some(sources::speaker().map_err(device)?) } else { None };
    let keep = match (&take_part.out, &take_part.frame_log) {
        (Some(folder), _) => Some((folder, Keep::Everything)),
        (None, Some(folder)) => Some((folder, Keep::FrameLog)),
        (None, None) => None,
    };
    let takes = keep.map(|(folder, keep)| Takes::create(folder, keep)).transpose();
    let takes = takes.map_err(refused(Exit::OutputFailed))?;
    Ok(MediaOptions {
        audio,
        video,
        video_kbps: take_part.video_kbps,
        layers: take_part.layers,
        wanted_layer: wanted_layer(&take_part.want),
        speaker,
        reception: takes.map(|takes| Box::new(takes) as _),
        bind: take_part.bind,
    })
}

fn wanted_layer(text: &str) -> u8 {
    match text {
        "low" => 2,
        "medium" => 1,
        _ => 0,
    }
}

fn control_problem(why: &std::io::Error) -> Problem {
    Problem {
        code: "cli.control.socket",
        blame: incamera_client::Blame::Device,
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
        ClientError::Relay(_) | ClientError::Hosting(_) => Exit::RelayUnreachable,
        ClientError::Sfu(_) => Exit::SfuFailed,
        ClientError::Meeting(_) => Exit::NotAdmitted,
        ClientError::Name(_) => Exit::Usage,
        ClientError::Opus(_) | ClientError::Vp8(_) | ClientError::Thread(_) => Exit::Defect,
    }
}

/// How an interrupt ends our part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    /// The meeting goes on without us.
    Leave,
    /// The meeting lives in this process and ends with it.
    End,
}

/// One meeting from the first event to the last.
struct TakingPart {
    meeting: Meeting,
    style: Style,
    seconds: Option<u64>,
    people: BTreeMap<MemberId, String>,
    knocks: BTreeMap<KnockNumber, String>,
    unopened: BTreeMap<MemberId, ()>,
    media_connected: bool,
    exit: Option<Exit>,
    reason: Option<StopReason>,
}

impl TakingPart {
    fn new(meeting: Meeting, style: Style, seconds: Option<u64>) -> Self {
        Self {
            meeting,
            style,
            seconds,
            people: BTreeMap::new(),
            knocks: BTreeMap::new(),
            unopened: BTreeMap::new(),
            media_connected: false,
            exit: None,
            reason: None,
        }
    }

    async fn run(
        mut self,
        mut events: EventStream,
        mut requests: mpsc::Receiver<Asked>,
        leaving: Leaving,
    ) -> Exit {
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return Exit::Defect;
        };
        let far = Duration::from_secs(365 * 24 * 3_600);
        let end = tokio::time::sleep(far);
        let patience = tokio::time::sleep(far);
        tokio::pin!(end, patience);
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    None => break,
                    Some(event) => {
                        if let Event::Meeting(MeetingEvent::StateChanged { state: MeetingState::InMeeting }) = event {
                            let now = tokio::time::Instant::now();
                            patience.as_mut().reset(now + SFU_PATIENCE);
                            if let Some(seconds) = self.seconds {
                                end.as_mut().reset(now + Duration::from_secs(seconds));
                            }
                        }
                        self.event(&event, leaving);
                    }
                },
                Some((request, reply)) = requests.recv() => {
                    // Who asked may be gone already.
                    let _ = reply.send(self.answer(&request));
                }
                () = &mut end => {
                    end.as_mut().reset(tokio::time::Instant::now() + far);
                    self.leave(leaving);
                }
                () = &mut patience => {
                    patience.as_mut().reset(tokio::time::Instant::now() + far);
                    if !self.media_connected {
                        self.exit.get_or_insert(Exit::SfuFailed);
                        self.leave(leaving);
                    }
                }
                _ = interrupt.recv() => self.leave(leaving),
                _ = terminate.recv() => self.leave(leaving),
            }
        }
        let finished = self.meeting.finished().await;
        let exit = self.final_exit(finished.err().as_ref());
        self.style.ended(exit as u8, self.reason);
        exit
    }

    fn leave(&self, leaving: Leaving) {
        self.meeting.command(match leaving {
            Leaving::Leave => Command::Leave,
            Leaving::End => Command::End,
        });
    }

    fn event(&mut self, event: &Event, leaving: Leaving) {
        self.style.event(event);
        match event {
            Event::Meeting(event) => self.meeting_event(event),
            Event::Local(LocalEvent::SfuConnected { .. }) => self.media_connected = true,
            Event::Local(LocalEvent::Problem(problem)) => {
                if let Some(exit) = exit_of_problem(problem) {
                    self.exit.get_or_insert(exit);
                    self.leave(leaving);
                }
            }
            Event::Local(_) => {}
        }
    }

    fn meeting_event(&mut self, event: &MeetingEvent) {
        match event {
            MeetingEvent::Joined { member } => {
                self.people.insert(member.member, member.name.reveal().clone());
            }
            MeetingEvent::Left { member, .. } | MeetingEvent::Removed { member, .. } => {
                self.people.remove(member);
                self.unopened.remove(member);
            }
            MeetingEvent::Knocked { knock, name } => {
                self.knocks.insert(*knock, name.reveal().clone());
            }
            MeetingEvent::KnockEnded { knock } | MeetingEvent::Admitted { knock } => {
                self.knocks.remove(knock);
            }
            MeetingEvent::KeyMissing { member } => {
                self.unopened.insert(*member, ());
            }
            MeetingEvent::KeyRestored { member } => {
                self.unopened.remove(member);
            }
            MeetingEvent::Stopped { why } => self.reason = Some(*why),
            _ => {}
        }
    }

    fn final_exit(&self, output_error: Option<&ClientError>) -> Exit {
        let by_reason = match self.reason {
            Some(StopReason::Left | StopReason::Ended) | None => Exit::Done,
            Some(StopReason::Removed) => Exit::Removed,
            Some(StopReason::LinkRefused | StopReason::NoSuchRoom) => Exit::BadLink,
            Some(StopReason::RoomLost) => Exit::MeetingLost,
            Some(_) => Exit::NotAdmitted,
        };
        if by_reason != Exit::Done {
            return by_reason;
        }
        if let Some(exit) = self.exit {
            return exit;
        }
        match output_error {
            Some(_) => Exit::OutputFailed,
            None if !self.unopened.is_empty() => Exit::NotOpened,
            None => Exit::Done,
        }
    }

    fn answer(&self, request: &Request) -> Answer {
        let command = match request {
            Request::Admit { who } => self.knock(who).map(|knock| Command::Admit { knock }),
            Request::Deny { who } => self.knock(who).map(|knock| Command::Deny { knock }),
            Request::Remove { who } => self.member(who).map(|member| Command::Remove { member }),
            Request::Lock => Ok(Command::Lock),
            Request::Unlock => Ok(Command::Unlock),
            Request::Show => return Answer { ok: true, text: self.overview() },
        };
        match command {
            Ok(command) => {
                self.meeting.command(command);
                Answer { ok: true, text: "Done.".to_owned() }
            }
            Err(text) => Answer { ok: false, text },
        }
    }

    fn knock(&self, who: &str) -> Result<KnockNumber, String> {
        let by_number = |knock: &KnockNumber| knock.0.to_string() == who;
        only(
            self.knocks
                .iter()
                .filter(|(knock, name)| by_number(knock) || *name == who)
                .map(|(knock, _)| *knock),
        )
        .map_err(|many| {
            format!("{many} people called {who} wait in the lobby. Use the number that `show` prints.")
        })
    }

    fn member(&self, who: &str) -> Result<MemberId, String> {
        let by_id = |member: &MemberId| member.to_string() == who;
        only(
            self.people
                .iter()
                .filter(|(member, name)| by_id(member) || *name == who)
                .map(|(member, _)| *member),
        )
        .map_err(|many| {
            format!("{many} people called {who} are in the meeting. Use the id that `show` prints.")
        })
    }

    fn overview(&self) -> String {
        let inside = self.people.iter().map(|(member, name)| format!("in the meeting  {member}  {name}"));
        let waiting =
            self.knocks.iter().map(|(knock, name)| format!("waiting         {:<8}  {name}", knock.0));
        inside.chain(waiting).collect::<Vec<_>>().join("\n")
    }
}

/// The only item, or how many there are instead.
fn only<T>(mut items: impl Iterator<Item = T>) -> Result<T, usize> {
    match (items.next(), items.count()) {
        (Some(item), 0) => Ok(item),
        (None, _) => Err(0),
        (Some(_), more) => Err(more + 1),
    }
}

/// Problems that make it senseless to go on.
fn exit_of_problem(problem: &Problem) -> Option<Exit> {
    match problem.code {
        code if code.starts_with("client.output.") => Some(Exit::OutputFailed),
        code if code.starts_with("device.") => Some(Exit::DeviceFailed),
        code if code.starts_with("client.relay.unreachable") => Some(Exit::RelayUnreachable),
        code if code.starts_with("client.link.lost") => Some(Exit::MeetingLost),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_of_a_name_is_taken() {
        assert_eq!(only([7].into_iter()), Ok(7));
        assert_eq!(only(std::iter::empty::<u8>()), Err(0));
        assert_eq!(only([1, 2, 3].into_iter()), Err(3));
    }
}
