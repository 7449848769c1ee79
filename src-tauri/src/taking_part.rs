//! One meeting of the person: events to the window, orders to the client, until everything is closed.

use std::time::Duration;

use incamera_client::devices::Screen;
use incamera_client::meeting::{Command as Rule, KnockNumber};
use incamera_client::{
    Command, Event, EventStream, Fault as _, LocalEvent, Meeting, MemberId, PictureWant, Pii, Switch,
};
use incamera_platform::stay_awake;
use incamera_screen::Tile;
use incamera_view::{AppEvent, Entrance, Failure, Order, Part, Shows};
use tauri::ipc::Channel;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::floating::Floating;
use crate::guest;
use crate::launch::Company;
use crate::media::{self, OwnSide};
use crate::reception::Levels;
use crate::telling::Telling;

/// How often the window is told how loud people are.
const LEVELS_EVERY: Duration = Duration::from_millis(100);

/// How long closing the window waits for the meeting to end: the relay confirms within 3 s or not at all.
const ENDING_LIMIT: Duration = Duration::from_secs(5);

/// A meeting that is going on.
pub(crate) struct TakingPart {
    /// Closed when everything else is.
    commands: mpsc::UnboundedSender<Command>,
    part: Part,
    /// What the window is told.
    pub(crate) telling: Telling,
    was_asked: bool,
    own: OwnSide,
}

impl TakingPart {
    /// Passes on what happens in `meeting` until it is over.
    pub(crate) fn begin(
        meeting: Meeting,
        events: EventStream,
        window: Channel<AppEvent>,
        own: OwnSide,
        part: Part,
        company: Company,
        floating: Floating,
    ) -> Self {
        let levels = own.levels.clone();
        let (commands, commanded) = mpsc::unbounded_channel();
        let telling = Telling::new(part.clone(), window);
        let told = telling.clone();
        tauri::async_runtime::spawn(async move {
            pass_on(meeting, events, commanded, &told, &levels, company, &floating).await;
            floating.close();
            // The window is told last, so that it can begin another meeting at once; it may be gone.
            let _ = told.tell(AppEvent::Over);
        });
        Self { commands, part, telling, was_asked: false, own }
    }

    /// Keeps the computer awake until everything is closed. Before a sleep that comes all the same, microphone and camera
    /// are turned off, and stay so: who opens the lid later may be elsewhere.
    pub(crate) fn keep_awake(&self, why: String) {
        let (commands, telling) = (self.commands.clone(), self.telling.clone());
        let falls_asleep = move || {
            let off = [Command::Microphone(Switch::Off), Command::Camera(Switch::Off), Command::StopSharing];
            // A meeting that is over takes no commands, and a window that is gone is not told.
            off.into_iter().for_each(|command| drop(commands.send(command)));
            let _ = telling.tell(AppEvent::Slept);
        };
        let over = self.commands.clone();
        tauri::async_runtime::spawn(async move { stay_awake(&why, over.closed(), falls_asleep).await });
    }

    /// Lets the window ask whether a meeting that is ours is to end for everybody. Once: whoever closes the window
    /// again means it, and a window that hangs must not keep anybody.
    pub(crate) fn ask_to_close(&mut self) -> bool {
        let asks = self.is_host() && !self.is_over() && !std::mem::replace(&mut self.was_asked, true);
        asks && self.telling.tell(AppEvent::CloseAsked).is_ok()
    }

    /// Whether it ends for others when we go.
    fn is_host(&self) -> bool {
        matches!(self.part, Part::Host { .. })
    }

    /// Whether everything is closed.
    pub(crate) fn is_over(&self) -> bool {
        self.commands.is_closed()
    }

    /// Comes in by `entrance`: what is off is so before a device is opened, and nothing of it was ever sent.
    pub(crate) fn enter(&self, entrance: Entrance) {
        self.command(Command::Microphone(entrance.microphone));
        self.command(Command::Camera(entrance.camera));
        let devices = entrance.devices;
        self.command(Command::UseMicrophone(self.own.microphone(devices.microphone)));
        self.command(Command::UseSpeaker(media::speaker(devices.speaker)));
        self.command(Command::UseCamera(self.own.camera(devices.camera)));
    }

    /// Does what the window asks.
    pub(crate) fn order(&self, order: Order) -> Result<(), Failure> {
        let nobody = || Failure::out_of_order("nobody has that id");
        self.command(command_of(order, &self.own).ok_or_else(nobody)?);
        Ok(())
    }

    /// Shares a screen or window, which the person knows by `title`.
    pub(crate) fn share(&self, screen: Screen, title: String) -> Result<(), Failure> {
        self.telling.note_shared(title);
        self.command(Command::ShareScreen(Box::new(screen)));
        Ok(())
    }

    /// Shares no more.
    pub(crate) fn stop_sharing(&self) -> Result<(), Failure> {
        self.command(Command::StopSharing);
        Ok(())
    }

    /// Asks for something. A meeting that is over takes no commands.
    fn command(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// Leaves, or ends the meeting that lives here, and waits until that is done.
    pub(crate) async fn end(self) {
        self.command(if self.is_host() { Rule::End.into() } else { Command::Close });
        let _ = tokio::time::timeout(ENDING_LIMIT, self.commands.closed()).await;
    }
}

async fn pass_on(
    mut meeting: Meeting,
    mut events: EventStream,
    mut commands: mpsc::UnboundedReceiver<Command>,
    telling: &Telling,
    levels: &Levels,
    mut company: Company,
    floating: &Floating,
) {
    let mut tick = interval(LEVELS_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        // A window that is gone is not told; closing it ends the meeting by itself.
        let _ = tokio::select! {
            event = events.recv() => {
                let Some(event) = event else { break };
                invite_guest(&event, &mut company);
                floating.follow(&event);
                telling.pass_on(event)
            }
            Some(command) = commands.recv() => {
                telling.note_command(&command);
                meeting.command(command);
                Ok(())
            }
            _ = tick.tick() => telling.tell_levels(levels.take()),
        };
    }
    // The only error is that of a file, and none is written.
    let _ = meeting.finished().await;
}

/// Lets the synthetic guest in when the invite is known.
fn invite_guest(event: &Event, company: &mut Company) {
    let Event::Local(LocalEvent::Hosting { link, .. }) = event else { return };
    if std::mem::replace(company, Company::Invited) == Company::SyntheticGuest {
        let link = link.clone();
        tauri::async_runtime::spawn(async move {
            if let Err(error) = guest::join(&link).await {
                tracing::warn!(code = error.code(), "the synthetic guest is not there");
            }
        });
    }
}

/// The client's command for an order, and the tile whose size it tells; `None` when it names nobody.
fn command_of(order: Order, own: &OwnSide) -> Option<Command> {
    Some(match order {
        Order::Admit { knock } => Rule::Admit { knock: KnockNumber(knock) }.into(),
        Order::Deny { knock } => Rule::Deny { knock: KnockNumber(knock) }.into(),
        Order::Remove { member } => Rule::Remove { member: member_of(&member)? }.into(),
        Order::AskToRejoin { member } => Rule::AskToRejoin { member: member_of(&member)? }.into(),
        Order::Lock => Rule::Lock.into(),
        Order::Unlock => Rule::Unlock.into(),
        Order::Say { text } => Rule::SendChat { text: Pii::new(text) }.into(),
        Order::Microphone { switch } => Command::Microphone(switch),
        Order::Camera { switch } => Command::Camera(switch),
        Order::UseMicrophone { choice } => Command::UseMicrophone(own.microphone(choice)),
        Order::UseSpeaker { choice } => Command::UseSpeaker(media::speaker(choice)),
        Order::UseCamera { choice } => Command::UseCamera(own.camera(choice)),
        Order::Tile { member, shows, width, height } => {
            let (member, is_hidden) = (member_of(&member?)?, width == 0 || height == 0);
            match shows {
                Shows::Camera if is_hidden => Command::Picture { member, want: PictureWant::Nothing },
                Shows::Camera => Command::Picture { member, want: PictureWant::Fit { width, height } },
                Shows::Screen if is_hidden => Command::WatchScreen { member, switch: Switch::Off },
                Shows::Screen => Command::WatchScreen { member, switch: Switch::On },
            }
        }
        Order::Leave => Command::Close,
        Order::End => Rule::End.into(),
    })
}

/// The tile of somebody; without a member, the person's own.
pub(crate) fn tile_of(member: Option<&str>) -> Option<Tile> {
    match member {
        Some(member) => member_of(member).map(|member| Tile(member.0)),
        None => Some(Tile::OWN),
    }
}

/// A member by the 32 hexadecimal digits that the window was told.
fn member_of(text: &str) -> Option<MemberId> {
    let plain = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = plain.then(|| u128::from_str_radix(text, 16).ok()).flatten()?;
    Some(MemberId(number.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use incamera_screen::Pictures;

    use super::*;

    #[test]
    fn members_are_named_by_32_digits_and_nothing_else() {
        assert_eq!(member_of(&"0f".repeat(16)), Some(MemberId([15; 16])));
        for wrong in ["", "0f", "+0000000000000000000000000000000", &"g".repeat(32), &"é".repeat(16)] {
            assert_eq!(member_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn tiles_out_of_view_want_no_picture() {
        let own = OwnSide {
            name: "Ada".to_owned(),
            sink: Arc::new(Pictures::default()),
            levels: Levels::default(),
        };
        let command_of = |order| command_of(order, &own);
        let tile = |shows, width, height| Order::Tile { member: Some("01".repeat(16)), shows, width, height };
        let want = |width, height| match command_of(tile(Shows::Camera, width, height)) {
            Some(Command::Picture { want, .. }) => want,
            _ => panic!("a tile of a person is about a picture"),
        };
        assert_eq!(want(0, 0), PictureWant::Nothing);
        assert_eq!(want(320, 180), PictureWant::Fit { width: 320, height: 180 });
        let watched = |width, height| match command_of(tile(Shows::Screen, width, height)) {
            Some(Command::WatchScreen { switch, .. }) => switch,
            _ => panic!("a tile of a screen is about a screen"),
        };
        assert_eq!((watched(0, 180), watched(320, 180)), (Switch::Off, Switch::On));
        let own = Order::Tile { member: None, shows: Shows::Camera, width: 1, height: 1 };
        assert!(command_of(own).is_none());
    }
}
