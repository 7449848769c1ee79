//! Two windows of the app and somebody on the command line in one meeting: everybody sees everybody's pictures, and what a
//! person does at one window is seen by the others within a second, whatever media server is between them.

use incamera_tests::desktop::{Screen, Window};
use incamera_tests::interop::JanusServer;
use incamera_tests::stage::{Cast, PATIENCE, RelayProcess, Stage, Watched, seconds_since};
use rustix::process::Signal;
use serde_json::Value;

use crate::window::{PROMPT_US, ask_to_join, assert_numbers_go_up, host_in, let_in, now_us};

/// The key that goes on to the next field, and so keeps what was written (W3C WebDriver section 17.4.2).
const TAB: char = '\u{e004}';

/// What becomes different in a window.
enum Change<'a> {
    /// This text appears.
    Shown(&'a str),
    /// It goes.
    Gone(&'a str),
}

/// What who is on the command line is told.
enum Told<'a> {
    /// Somebody says that this is on,
    On(&'a str),
    /// or off.
    Off(&'a str),
    /// Who of this name is gone.
    Left(&'a str),
}

impl Told<'_> {
    const fn kind(&self) -> &'static str {
        match self {
            Self::On(_) | Self::Off(_) => "streams_changed",
            Self::Left(_) => "left",
        }
    }

    fn fits(&self, event: &Value) -> bool {
        let streams = event["streams"].as_array().map(Vec::as_slice).unwrap_or_default();
        let sends = |context| streams.iter().any(|stream| stream["context"] == context);
        match *self {
            Self::On(context) => sends(context),
            Self::Off(context) => !sends(context),
            Self::Left(name) => event["name"] == name,
        }
    }
}

#[test]
fn two_windows_and_a_command_line_meet_through_the_embedded_sfu() {
    meet("");
}

#[test]
#[ignore = "long: ./dev test --full"]
fn two_windows_and_a_command_line_meet_through_janus() {
    let janus = JanusServer::start().expect("Janus and a namespace for it, which needs root");
    meet(&format!("sfu = {{ janus = {{ url = '{}' }} }}", janus.url()));
}

/// Ada hosts at her window on a server of hers, Ben joins at his, Chloe on the command line.
fn meet(sfu: &str) {
    let stage = Stage::for_meeting();
    let relay = stage.relay_with(sfu);
    let (adas_screen, bens_screen) = (Screen::start(), Screen::start());
    let program = stage.program_path("incamera");
    let ada = Window::open(&adas_screen, &program, &stage.home("Ada"), &[]);
    use_server(&ada, &relay);
    let link = host_in(&ada, "Ada");
    let ben = Window::open(&bens_screen, &program, &stage.home("Ben"), &[]);
    ask_to_join(&ben, "Ben", &link);
    ada.control("button", "Let in Ben").click();
    let _ = ben.control("button", "Leave");
    let mut chloe = let_in(&ada, &stage, &link, &Cast::named("Chloe"));
    chloe.wait_for_pictures(2);
    assert_numbers_go_up(&adas_screen, &ada, &["Ben", "Chloe"], 0);
    assert_numbers_go_up(&bens_screen, &ben, &["Ada", "Chloe"], 0);

    for (name, person, other) in [("Ada", &ada, &ben), ("Ben", &ben, &ada)] {
        let muted = format!("{name} is muted");
        let mut press = |control, change, told| press((person, control), (other, change), (&mut chloe, told));
        press("Mute", Change::Shown(&muted), Told::Off("microphone"));
        press("Unmute", Change::Gone(&muted), Told::On("microphone"));
        press("Stop picture", Change::Shown("No picture"), Told::Off("camera_high"));
        press("Show picture", Change::Gone("No picture"), Told::On("camera_high"));
    }
    press((&ben, "Leave"), (&ada, Change::Gone("Ben")), (&mut chloe, Told::Left("Ben")));
    ben.wait_for_text("You left");
    let began = now_us();
    chloe.signal(Signal::INT);
    wait_for(&ada, &Change::Gone("Chloe"), began);
    assert_eq!(chloe.outcome(PATIENCE).code, Some(0));
    ada.control("button", "End").click();
    ada.control("button", "End meeting").click();
    ada.wait_for_text("The meeting is over");
}

/// Makes `relay` the meeting server of the settings.
fn use_server(window: &Window, relay: &RelayProcess) {
    window.control("button", "Settings").click();
    window.control("textbox", "Address").write(&format!("{}{TAB}", relay.address));
    let key = window.control("textbox", "Key, if its certificate is its own (64 digits)");
    key.write(&format!("{}{TAB}", relay.pin));
    window.control("button", "Back").click();
}

/// Presses a control; the other window shows what changed, and who is on the command line is told.
fn press(
    (window, control): (&Window, &str),
    (other, change): (&Window, Change<'_>),
    (chloe, told): (&mut Watched, Told<'_>),
) {
    let button = window.control("button", control);
    let began = now_us();
    button.click();
    wait_for(other, &change, began);
    let is_new = |event: &Value| event["t_us"].as_u64() > Some(began);
    let event = chloe.wait_for(told.kind(), PATIENCE, |event| is_new(event) && told.fits(event));
    let took = seconds_since(began, &event);
    assert!(took < 1.0, "{control} was told after {took} s");
}

/// Waits for `change`, which is in time.
fn wait_for(window: &Window, change: &Change<'_>, began_us: u64) {
    let text = match change {
        Change::Shown(text) => {
            window.wait_for_text(text);
            text
        }
        Change::Gone(text) => {
            window.wait_until_gone(text);
            text
        }
    };
    let took = now_us() - began_us;
    assert!(took < PROMPT_US, "{text} took {took} us");
}
