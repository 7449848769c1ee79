//! The command line: what the app shows first. A link shows the green room and contacts nobody; it never turns on a
//! microphone or camera by itself.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use clap::Parser;
use incamera_client::{Invite, InviteError};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The most of a link that is read: more than the longest has, so that one that is too long is called so.
const MAX_LINK_BYTES: u64 = 4_096;

/// In place of a link: it is on standard input.
const ON_INPUT: &str = "-";

/// End-to-end encrypted meetings.
#[derive(Debug, Parser)]
#[command(name = "incamera", version)]
pub(crate) struct Arguments {
    /// Join with this link; `-` reads it from standard input, which keeps it out of the list of processes
    #[arg(long, value_name = "LINK", conflicts_with_all = ["host", "link"])]
    join: Option<OsString>,
    /// The same as --join LINK: how browsers and mail programs open a link
    #[arg(conflicts_with = "host")]
    link: Option<OsString>,
    /// Start a meeting on this computer at once
    #[arg(long)]
    host: bool,
    /// Your name
    #[arg(long)]
    name: Option<String>,
    /// Begin with the microphone off
    #[arg(long)]
    muted: bool,
    /// Begin without a picture
    #[arg(long)]
    no_camera: bool,
    /// Let a synthetic guest, a moving picture and speech-like sound, join the meeting that --host starts
    #[arg(long, requires = "host")]
    with_guest: bool,
}

/// Where the app begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Opening {
    /// At home.
    Home,
    /// In the green room before a meeting of somebody else.
    Join,
    /// In a meeting that is hosted here.
    Host,
}

/// Who is there beside the person in front of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Company {
    /// Whoever joins.
    Invited,
    /// A synthetic guest too.
    SyntheticGuest,
}

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub(crate) struct Launch {
    /// Where the app begins.
    pub(crate) opening: Opening,
    /// The link to join with.
    pub(crate) link: Option<String>,
    /// The person's name.
    pub(crate) name: Option<String>,
    /// Whether the microphone begins off.
    pub(crate) muted: bool,
    /// Whether there is no picture at first.
    pub(crate) no_camera: bool,
    /// Whether a synthetic guest comes. Nothing for the window.
    #[ts(skip)]
    pub(crate) company: Company,
}

impl Arguments {
    /// Puts this process, when a link is on its command line, in the place of itself with the link on standard input:
    /// everybody on this computer can read what is on a command line (SEC-14).
    pub(crate) fn hide_link(&self) -> io::Result<()> {
        let Some(link) = self.link().filter(|link| *link != ON_INPUT) else { return Ok(()) };
        let (input, mut writer) = io::pipe()?;
        let link = link.as_encoded_bytes();
        // Fits into a pipe that nobody reads yet.
        writer.write_all(link.get(..MAX_LINK_BYTES as usize).unwrap_or(link))?;
        drop(writer);
        let mut again = Command::new(std::env::current_exe()?);
        again.args(["--join", ON_INPUT]).stdin(input);
        again.args(self.name.iter().flat_map(|name| ["--name", name]));
        again.args(self.muted.then_some("--muted")).args(self.no_camera.then_some("--no-camera"));
        Err(again.exec())
    }

    /// Reads the link, if it is on standard input. What it says is judged where the person sees it.
    pub(crate) fn into_launch(self) -> io::Result<Launch> {
        let link = match self.link() {
            Some(link) if link == ON_INPUT => Some(input_line()?),
            link => link.map(|link| link.to_string_lossy().into_owned()),
        };
        let opening = match (&link, self.host) {
            (Some(_), _) => Opening::Join,
            (None, true) => Opening::Host,
            (None, false) => Opening::Home,
        };
        let company = if self.with_guest { Company::SyntheticGuest } else { Company::Invited };
        Ok(Launch { opening, link, name: self.name, muted: self.muted, no_camera: self.no_camera, company })
    }

    fn link(&self) -> Option<&OsStr> {
        self.join.as_deref().or(self.link.as_deref())
    }
}

impl Launch {
    /// Why its link cannot be used.
    pub(crate) fn broken_link(&self) -> Option<InviteError> {
        self.link.as_deref().and_then(|link| Invite::parse(link).err())
    }
}

fn input_line() -> io::Result<String> {
    let mut bytes = Vec::new();
    io::stdin().lock().take(MAX_LINK_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(arguments: &[&str]) -> Result<Launch, String> {
        let all = std::iter::once("incamera").chain(arguments.iter().copied());
        let arguments = Arguments::try_parse_from(all).map_err(|why| why.to_string())?;
        arguments.into_launch().map_err(|why| why.to_string())
    }

    #[test]
    fn app_begins_where_the_command_line_says() {
        assert_eq!(launch(&[]).unwrap().opening, Opening::Home);
        let host = launch(&["--host", "--name", "Ada", "--muted", "--with-guest"]).unwrap();
        assert_eq!((host.opening, host.name.as_deref()), (Opening::Host, Some("Ada")));
        assert!(host.muted && host.company == Company::SyntheticGuest);
    }

    #[test]
    fn link_by_itself_is_one_to_join_with() {
        let bare = launch(&["incamera://x/#AA", "--muted"]).unwrap();
        assert_eq!((bare.opening, bare.link.as_deref()), (Opening::Join, Some("incamera://x/#AA")));
        assert_eq!(bare, launch(&["--join", "incamera://x/#AA", "--muted"]).unwrap());
    }

    #[test]
    fn broken_links_are_for_the_window_to_show() {
        for link in ["https://example.org", "incamera://x/#!!", ""] {
            let launch = launch(&[link]).unwrap();
            assert_eq!(launch.opening, Opening::Join);
            assert!(launch.broken_link().is_some(), "{link}");
        }
    }

    #[test]
    fn contradictions_are_refused_before_a_window_opens() {
        for arguments in [
            &["--host", "--join", "incamera://x/#AA"][..],
            &["--host", "incamera://x/#AA"],
            &["--join", "incamera://x/#AA", "incamera://x/#AA"],
            &["--with-guest"],
        ] {
            assert!(launch(arguments).is_err(), "{arguments:?}");
        }
    }
}
