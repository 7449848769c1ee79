//! What the window may ask. Everything that comes from it is checked here, before anything is opened or anybody is
//! contacted.
#![expect(clippy::needless_pass_by_value, reason = "Tauri hands over what commands are given")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use incamera_client::devices::{AudioHost, cameras, play_chime};
use incamera_client::meeting::LobbyMode;
use incamera_client::{
    ClientError, DisplayName, EventStream, HostOptions, Invite, JoinOptions, Meeting, RelayPlace, SfuChoice,
};
use incamera_instance::Heard;
use incamera_screen::{Door, Fit, Pictures, VideoSink as _};
use incamera_settings::Files;
use incamera_view::{
    AppEvent, DeviceChoices, DeviceView, DoorView, Entrance, Failure, InviteView, Level, Order, Part, Place,
    ServerTrust, Shows, SpeakerChoice,
};
use tauri::ipc::Channel;
use tauri::{AppHandle, Manager as _, State};

use crate::floating::Floating;
use crate::keeping;
use crate::launch::{Company, Launch, Opening};
use crate::media::{self, OwnSide};
use crate::preview::Preview;
use crate::reception::Levels;
use crate::taking_part::{TakingPart, tile_of};
use crate::telling::Resumed;

/// Silence after which media stops and a participant is removed: the defaults of the command line.
const MEDIA_STOPS_AFTER: Duration = Duration::from_secs(30);
const REMOVED_AFTER: Duration = Duration::from_secs(60);

/// Everything that outlives one command.
pub(crate) struct App {
    starts: Mutex<Starts>,
    pictures: Arc<Pictures>,
    door: Door,
    levels: Levels,
    now: Mutex<Now>,
}

/// What starts of the app asked for.
struct Starts {
    latest: Launch,
    /// Where later ones are told, when the window is there.
    window: Option<Channel<Launch>>,
}

/// What is going on.
enum Now {
    Nothing,
    /// A meeting is being started.
    Beginning,
    /// Dropping it closes the devices.
    Previewing {
        _devices: Preview,
    },
    Meeting(TakingPart),
    /// The window is closing.
    Closing,
}

impl App {
    /// Nothing is going on yet.
    pub(crate) fn new(launch: Launch, pictures: Arc<Pictures>, door: Door) -> Self {
        let starts = Mutex::new(Starts { latest: launch, window: None });
        Self { starts, pictures, door, levels: Levels::default(), now: Mutex::new(Now::Nothing) }
    }

    /// Tells the window what a later start asks for.
    pub(crate) fn start_again(&self, launch: Launch) -> Heard {
        if matches!(*self.now(), Now::Closing) {
            return Heard::NotTaken;
        }
        let mut starts = self.starts();
        starts.latest = launch.clone();
        // A window that is not there yet asks for the latest.
        let _ = starts.window.as_ref().map(|window| window.send(launch));
        Heard::Taken
    }

    /// For when the window closes: begins to end the meeting that is going on, if one is; the future completes when that is
    /// done.
    pub(crate) fn end_meeting(&self) -> Option<impl Future<Output = ()> + use<>> {
        let mut now = self.now();
        match std::mem::replace(&mut *now, Now::Closing) {
            Now::Meeting(meeting) if !meeting.is_over() => Some(meeting.end()),
            _ => None,
        }
    }

    /// Whether the window asks first, because a meeting would end for others too.
    pub(crate) fn ask_to_close(&self) -> bool {
        match &mut *self.now() {
            Now::Meeting(meeting) => meeting.ask_to_close(),
            _ => false,
        }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn starts(&self) -> MutexGuard<'_, Starts> {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves the place of the one meeting; closes a preview.
    fn reserve(&self) -> Result<(), Failure> {
        let mut now = self.now();
        if let Now::Meeting(meeting) = &*now
            && !meeting.is_over()
        {
            return Err(Failure::out_of_order("a meeting is going on already"));
        }
        if matches!(*now, Now::Beginning | Now::Closing) {
            return Err(Failure::out_of_order(
                "a meeting is being started already, or the window is closing",
            ));
        }
        *now = Now::Beginning;
        self.pictures.clear();
        Ok(())
    }

    /// Asks the meeting that is going on for something.
    pub(crate) fn meeting(
        &self,
        ask: impl FnOnce(&TakingPart) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match &*self.now() {
            Now::Meeting(meeting) => ask(meeting),
            _ => Err(Failure::out_of_order("no meeting is going on")),
        }
    }

    /// Waits for the meeting to begin and keeps it.
    async fn begin(
        &self,
        beginning: impl Future<Output = Result<(Meeting, EventStream), ClientError>>,
        window: Channel<AppEvent>,
        part: Part,
        company: Company,
        (own, entrance): (OwnSide, Entrance),
        floating: Floating,
    ) -> Result<(), Failure> {
        let begun = beginning.await;
        let mut now = self.now();
        *now = Now::Nothing;
        let (meeting, events) = begun?;
        let meeting = TakingPart::begin(meeting, events, window, own, part, company, floating);
        meeting.enter(entrance);
        *now = Now::Meeting(meeting);
        Ok(())
    }

    fn own_side(&self, name: &str) -> OwnSide {
        OwnSide { name: name.to_owned(), sink: Arc::clone(&self.pictures) as _, levels: self.levels.clone() }
    }
}

/// What the command line of the latest start asked for; `later` is told of every further one.
#[tauri::command]
pub(crate) fn launch(app: State<'_, App>, later: Channel<Launch>) -> Launch {
    let mut starts = app.starts();
    starts.window = Some(later);
    let again = Launch { opening: Opening::Home, link: None, ..starts.latest.clone() };
    // Once: a page that begins anew does not start it again.
    std::mem::replace(&mut starts.latest, again)
}

/// The meeting that is going on, for a page that begins anew; it is told of what happens from now on.
#[tauri::command(async)]
pub(crate) fn resume(app: State<'_, App>, window: Channel<AppEvent>) -> Option<Resumed> {
    let mut now = app.now();
    if let Now::Meeting(meeting) = &*now
        && !meeting.is_over()
    {
        return Some(meeting.telling.resume(window));
    }
    if matches!(*now, Now::Previewing { .. }) {
        // Nobody sees it any more.
        *now = Now::Nothing;
    }
    None
}

/// Keeps the computer awake until the meeting is over; `why` is what the desktop shows to whoever wants to know.
#[tauri::command]
pub(crate) fn keep_awake(app: State<'_, App>, why: String) {
    if let Now::Meeting(meeting) = &*app.now() {
        meeting.keep_awake(why);
    }
}

/// What a link says. Contacts nobody.
#[tauri::command]
pub(crate) fn read_invite(link: &str) -> Result<InviteView, Failure> {
    let invite = Invite::parse(link).map_err(ClientError::from)?;
    let trust = if invite.tls_pin.is_some() { ServerTrust::KeyInLink } else { ServerTrust::Certificate };
    Ok(InviteView { server: invite.relay.to_string(), trust })
}

/// The microphones, speakers and cameras of this computer. A system that does not answer has none to choose from.
#[tauri::command(async)]
pub(crate) fn devices() -> Vec<DeviceView> {
    let sound = AudioHost::open().and_then(|host| host.devices()).unwrap_or_default();
    let pictures = cameras().unwrap_or_default();
    sound.into_iter().map(DeviceView::from).chain(pictures.into_iter().map(DeviceView::from)).collect()
}

/// Plays a short sound on a speaker; returns when it was heard.
#[tauri::command(async)]
pub(crate) fn test_speaker(choice: SpeakerChoice) -> Result<(), Failure> {
    let Some(speaker) = media::speaker(choice) else { return Ok(()) };
    Ok(speaker.open().and_then(play_chime).map_err(ClientError::from)?)
}

/// Where the window fetches pictures.
#[tauri::command]
pub(crate) fn open_door(app: State<'_, App>) -> DoorView {
    DoorView { address: app.door.address().to_owned() }
}

/// Opens the chosen devices for the person alone, instead of those before.
#[tauri::command(async)]
pub(crate) fn preview(
    app: State<'_, App>,
    name: &str,
    choices: DeviceChoices,
    meter: Channel<Vec<Level>>,
) -> Result<(), Failure> {
    let mut now = app.now();
    if !matches!(*now, Now::Nothing | Now::Previewing { .. }) {
        return Err(Failure::out_of_order("devices belong to the meeting now"));
    }
    // Closed before others are opened: a device may be the same.
    *now = Now::Nothing;
    *now = Now::Previewing { _devices: Preview::open(choices, &app.own_side(name), meter)? };
    Ok(())
}

/// Closes what [`preview`] opened.
#[tauri::command(async)]
pub(crate) fn stop_preview(app: State<'_, App>) {
    let mut now = app.now();
    if matches!(*now, Now::Previewing { .. }) {
        *now = Now::Nothing;
        app.pictures.clear();
    }
}

/// Starts a meeting.
#[tauri::command]
pub(crate) async fn host(
    app: State<'_, App>,
    handle: AppHandle,
    name: String,
    place: Place,
    lobby: LobbyMode,
    entrance: Entrance,
    window: Channel<AppEvent>,
) -> Result<(), Failure> {
    let name = DisplayName::new(&name).map_err(ClientError::from)?;
    let part = Part::Host { place };
    let anywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let place = match place {
        Place::ThisComputer => RelayPlace::Here { listen: anywhere, sfu: SfuChoice::Embedded },
        Place::Server => keeping::place(&handle.state::<Files>().settings.load()?.settings.server)?,
    };
    app.reserve()?;
    let own = app.own_side(name.reveal());
    let media = own.media(&entrance.devices.camera);
    let beginning = async {
        let options = HostOptions {
            name,
            place,
            lobby,
            media_stops_after: MEDIA_STOPS_AFTER,
            removed_after: REMOVED_AFTER,
        };
        Meeting::host(options, media).await
    };
    let company = app.starts().latest.company;
    app.begin(beginning, window, part, company, (own, entrance), Floating::new(handle)).await
}

/// Asks to join the meeting of a link.
#[tauri::command]
pub(crate) async fn join(
    app: State<'_, App>,
    handle: AppHandle,
    link: String,
    name: String,
    entrance: Entrance,
    window: Channel<AppEvent>,
) -> Result<(), Failure> {
    let invite = Invite::parse(&link).map_err(ClientError::from)?;
    let name = DisplayName::new(&name).map_err(ClientError::from)?;
    app.reserve()?;
    let own = app.own_side(name.reveal());
    let media = own.media(&entrance.devices.camera);
    let beginning = Meeting::join(JoinOptions { invite, name }, media);
    let floating = Floating::new(handle);
    app.begin(beginning, window, Part::Guest { link }, Company::Invited, (own, entrance), floating).await
}

/// Passes on what the person wants of the meeting.
#[tauri::command]
pub(crate) fn order(app: State<'_, App>, order: Order) -> Result<(), Failure> {
    if let Order::Tile { member, shows, width, height } = &order {
        let nobody = || Failure::out_of_order("nobody has that id");
        let tile = tile_of(member.as_deref()).ok_or_else(nobody)?;
        let (tile, fit) = match shows {
            Shows::Camera => (tile, Fit::Fill),
            Shows::Screen => (tile.screen(), Fit::Whole),
        };
        app.pictures.set_size(tile, *width, *height, fit);
        if member.is_none() {
            return Ok(());
        }
    }
    app.meeting(|meeting| meeting.order(order))
}

/// Ends what is going on, and the app.
#[tauri::command]
pub(crate) async fn quit(app: State<'_, App>, handle: AppHandle) -> Result<(), Failure> {
    if let Some(ending) = app.end_meeting() {
        ending.await;
    }
    handle.exit(0);
    Ok(())
}
