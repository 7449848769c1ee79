//! Taking part in one meeting until it ends, its time is over, or the user interrupts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use incamera_client::meeting::{
    Command, Event as MeetingEvent, KnockNumber, MAX_CHAT_BYTES, MeetingState, StopReason, Who,
};
use incamera_client::{
    Blame, ClientError, Command as ClientCommand, Event, EventStream, LocalEvent, Meeting, MemberId, Pii,
    Problem,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::control::{Answer, Asked, Request};
use crate::exit::Exit;
use crate::interrupt::Interrupts;
use crate::output::Style;
use crate::printer::Printer;

/// How long media may take to connect before the program gives up.
const SFU_PATIENCE: Duration = Duration::from_secs(20);
/// How long leaving may take: the relay confirms the end of a meeting within 3 s or not at all.
const LEAVING_LIMIT: Duration = Duration::from_secs(5);
/// Later than anything that is waited for.
const FAR: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);

/// How an interrupt ends our part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// The meeting goes on without us.
    Leave,
    /// The meeting lives in this process and ends with it.
    End,
}

/// Whether we are leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Staying,
    /// Whatever happens, at this time it is over.
    Leaving {
        until: Instant,
    },
}

/// Whether media flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    NotTried,
    Failed,
    Connected,
}

/// One meeting from the first event to the last.
pub(crate) struct TakingPart {
    meeting: Meeting,
    printer: Printer,
    seconds: Option<u64>,
    leaving: Leaving,
    interrupts: Interrupts,
    stage: Stage,
    state: MeetingState,
    media: Media,
    people: BTreeMap<MemberId, String>,
    own: Option<MemberId>,
    knocks: BTreeMap<KnockNumber, String>,
    unopened: BTreeSet<MemberId>,
    exit: Option<Exit>,
    reason: Option<StopReason>,
}

impl TakingPart {
    pub(crate) fn new(
        meeting: Meeting,
        style: Style,
        seconds: Option<u64>,
        leaving: Leaving,
        interrupts: Interrupts,
    ) -> Self {
        Self {
            meeting,
            printer: Printer::new(style),
            seconds,
            leaving,
            interrupts,
            stage: Stage::Staying,
            state: MeetingState::Connecting,
            media: Media::NotTried,
            people: BTreeMap::new(),
            own: None,
            knocks: BTreeMap::new(),
            unopened: BTreeSet::new(),
            exit: None,
            reason: None,
        }
    }

    pub(crate) async fn run(mut self, mut events: EventStream, mut requests: mpsc::Receiver<Asked>) -> Exit {
        let mut end = Instant::now() + FAR;
        let mut patience = end;
        loop {
            let over = match self.stage {
                Stage::Staying => Instant::now() + FAR,
                Stage::Leaving { until } => until,
            };
            tokio::select! {
                event = events.recv() => match event {
                    None => break,
                    Some(event) => {
                        if is_in_meeting(&event) && self.state != MeetingState::InMeeting {
                            let now = Instant::now();
                            patience = now + SFU_PATIENCE;
                            end = self.seconds.map_or(end, |seconds| now + Duration::from_secs(seconds));
                        }
                        self.event(&event);
                    }
                },
                Some((request, reply)) = requests.recv() => {
                    // Who asked may be gone already.
                    let _ = reply.send(self.answer(&request));
                }
                () = sleep_until(end) => {
                    end = Instant::now() + FAR;
                    self.leave();
                }
                () = sleep_until(patience) => {
                    // A file waits for company, and so may its connection.
                    let waits = self.media == Media::NotTried && self.people.len() < 2;
                    patience = Instant::now() + if waits { SFU_PATIENCE } else { FAR };
                    if !waits {
                        self.give_up_media();
                    }
                }
                () = self.interrupts.next() => match self.stage {
                    Stage::Staying => self.leave(),
                    // Asked twice: at once.
                    Stage::Leaving { .. } => break,
                },
                () = sleep_until(over) => break,
            }
        }
        self.finish().await
    }

    /// Begins to leave, once.
    fn leave(&mut self) {
        if self.stage != Stage::Staying {
            return;
        }
        self.stage = Stage::Leaving { until: Instant::now() + LEAVING_LIMIT };
        self.meeting.command(match (self.leaving, self.state) {
            (Leaving::End, MeetingState::InMeeting) => ClientCommand::from(Command::End),
            // Nobody is there yet, or nobody can be told, for whom the meeting would be ended.
            (Leaving::End | Leaving::Leave, _) => ClientCommand::Close,
        });
    }

    /// Waits until everything is closed and written, and says how it ended.
    async fn finish(mut self) -> Exit {
        let finished = self.meeting.finished().await;
        if let Err(error) = &finished {
            self.printer.problem(&Problem::of(error));
        }
        let exit = self.final_exit(finished.err().as_ref());
        // That we left is no reason when a problem made us.
        let was_free = matches!(exit, Exit::Done | Exit::NotOpened);
        let reason =
            self.reason.filter(|why| was_free || !matches!(why, StopReason::Left | StopReason::Ended));
        self.printer.ended(exit, reason).await;
        exit
    }

    fn event(&mut self, event: &Event) {
        self.printer.event(event, &self.people);
        match event {
            Event::Meeting(event) => self.meeting_event(event),
            Event::Local(LocalEvent::SfuConnected { .. }) => self.media = Media::Connected,
            Event::Local(LocalEvent::Problem(problem)) => {
                if problem.code.starts_with("transport.sfu.") && self.media == Media::NotTried {
                    self.media = Media::Failed;
                }
                if let Some(exit) = exit_of_problem(problem) {
                    self.exit.get_or_insert(exit);
                    self.leave();
                }
            }
            Event::Local(_) => {}
        }
    }

    fn meeting_event(&mut self, event: &MeetingEvent) {
        match event {
            MeetingEvent::StateChanged { state } => self.state = *state,
            MeetingEvent::Joined { member } => {
                self.people.insert(member.member, member.name.reveal().clone());
                if member.who == Who::Ourselves {
                    self.own = Some(member.member);
                }
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
                self.unopened.insert(*member);
            }
            MeetingEvent::KeyRestored { member } => {
                self.unopened.remove(member);
            }
            MeetingEvent::Stopped { why } => self.reason = Some(*why),
            _ => {}
        }
    }

    fn give_up_media(&mut self) {
        if self.media == Media::Connected {
            return;
        }
        self.printer.problem(&Problem {
            code: "cli.media.not_connected",
            blame: Blame::Sfu,
            what: format!("no media connection came about within {} s", SFU_PATIENCE.as_secs()),
            advice: "A firewall may block UDP; try another network or another media server.",
            member: None,
            name: None,
        });
        self.media = Media::Failed;
        self.leave();
    }

    fn final_exit(&self, output_error: Option<&ClientError>) -> Exit {
        let by_reason = match self.reason {
            Some(StopReason::Left | StopReason::Ended) | None => Exit::Done,
            Some(StopReason::Removed) => Exit::Removed,
            Some(StopReason::LinkRefused | StopReason::NoSuchRoom) => Exit::BadLink,
            Some(StopReason::RoomLost | StopReason::KeysLost | StopReason::EndUnconfirmed) => {
                Exit::MeetingLost
            }
            Some(_) => Exit::NotAdmitted,
        };
        if by_reason != Exit::Done {
            return by_reason;
        }
        match (self.exit, output_error) {
            (Some(exit), _) => exit,
            (None, Some(_)) => Exit::OutputFailed,
            (None, None) if self.media == Media::Failed => Exit::SfuFailed,
            (None, None) if !self.unopened.is_empty() => Exit::NotOpened,
            (None, None) => Exit::Done,
        }
    }

    fn answer(&self, request: &Request) -> Answer {
        let command = match request {
            Request::Admit { who } => self.knock(who).map(|knock| Command::Admit { knock }),
            Request::Deny { who } => self.knock(who).map(|knock| Command::Deny { knock }),
            Request::Remove { who } => self.other(who).map(|member| Command::Remove { member }),
            Request::Lock => Ok(Command::Lock),
            Request::Unlock => Ok(Command::Unlock),
            Request::Say { text } if !(1..=MAX_CHAT_BYTES).contains(&text.len()) => {
                Err(format!("A line has 1 to {MAX_CHAT_BYTES} bytes."))
            }
            Request::Say { text } => Ok(Command::SendChat { text: Pii::new(text.clone()) }),
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
        // Digits are a number and nothing else: whoever is called "2" must not be let in for number 2.
        if !who.is_empty() && who.bytes().all(|byte| byte.is_ascii_digit()) {
            let mut numbers = self.knocks.keys().copied();
            return numbers
                .find(|knock| knock.0.to_string() == who)
                .ok_or_else(|| format!("Nobody waits in the lobby under the number {who}."));
        }
        let called = self.knocks.iter().filter(|(_, name)| *name == who).map(|(knock, _)| *knock);
        only(called).map_err(|many| match many {
            0 => format!("Nobody called {who} waits in the lobby."),
            _ => format!("{many} people called {who} wait in the lobby. Use the number that `show` prints."),
        })
    }

    fn member(&self, who: &str) -> Result<MemberId, String> {
        // An id is meant before a name: anybody may call themselves like another's id.
        if let Some(member) = self.people.keys().find(|member| member.to_string() == who) {
            return Ok(*member);
        }
        let called = self.people.iter().filter(|(_, name)| *name == who).map(|(member, _)| *member);
        only(called).map_err(|many| match many {
            0 => format!("Nobody called {who} is in the meeting."),
            _ => format!("{many} people called {who} are in the meeting. Use the id that `show` prints."),
        })
    }

    fn other(&self, who: &str) -> Result<MemberId, String> {
        let member = self.member(who)?;
        if self.own == Some(member) {
            return Err("This is yourself. Interrupt incamera-cli to end the meeting.".to_owned());
        }
        Ok(member)
    }

    fn overview(&self) -> String {
        let inside = self.people.iter().map(|(member, name)| format!("in the meeting  {member}  {name}"));
        let waiting =
            self.knocks.iter().map(|(knock, name)| format!("waiting         {:<8}  {name}", knock.0));
        inside.chain(waiting).collect::<Vec<_>>().join("\n")
    }
}

const fn is_in_meeting(event: &Event) -> bool {
    matches!(event, Event::Meeting(MeetingEvent::StateChanged { state: MeetingState::InMeeting }))
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
        "client.relay.unreachable" => Some(Exit::RelayUnreachable),
        "client.relay.lost" => Some(Exit::MeetingLost),
        "client.media.ended" => Some(Exit::Defect),
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
