//! The command line: what the app shows first. A link shows the green room and contacts nobody; it never turns on a
//! microphone or camera by itself.

use std::io::Read as _;

use clap::Parser;
use incamera_client::Invite;
use serde::Serialize;
use ts_rs::TS;

/// Longest link read from standard input.
const MAX_LINK_BYTES: u64 = 4_096;

/// End-to-end encrypted meetings.
#[derive(Debug, Parser)]
#[command(name = "incamera", version)]
pub(crate) struct Arguments {
    /// Join with this link; `-` reads it from standard input, which keeps it out of the list of processes
    #[arg(long, value_name = "LINK", conflicts_with = "host")]
    join: Option<String>,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Company {
    /// Whoever joins.
    Invited,
    /// A synthetic guest too.
    SyntheticGuest,
}

/// What the command line asks for.
#[derive(Clone, Debug, Serialize, TS)]
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
    /// Whether a synthetic guest comes.
    #[serde(skip)]
    #[ts(skip)]
    pub(crate) company: Company,
}

impl Arguments {
    /// Reads the link, if it is on standard input.
    pub(crate) fn into_launch(self) -> Result<Launch, String> {
        let link = match self.join.as_deref() {
            Some("-") => Some(input_line()?),
            Some(link) => Some(link.to_owned()),
            None => None,
        };
        if let Some(link) = &link {
            Invite::parse(link).map_err(|why| why.to_string())?;
        }
        let opening = match (&link, self.host) {
            (Some(_), _) => Opening::Join,
            (None, true) => Opening::Host,
            (None, false) => Opening::Home,
        };
        let company = if self.with_guest { Company::SyntheticGuest } else { Company::Invited };
        Ok(Launch { opening, link, name: self.name, muted: self.muted, no_camera: self.no_camera, company })
    }
}

fn input_line() -> Result<String, String> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(MAX_LINK_BYTES)
        .read_to_string(&mut text)
        .map_err(|why| format!("the link cannot be read from standard input: {why}"))?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(arguments: &[&str]) -> Result<Launch, String> {
        let all = std::iter::once("incamera").chain(arguments.iter().copied());
        Arguments::try_parse_from(all).map_err(|why| why.to_string())?.into_launch()
    }

    #[test]
    fn app_begins_where_the_command_line_says() {
        assert_eq!(launch(&[]).unwrap().opening, Opening::Home);
        let host = launch(&["--host", "--name", "Ada", "--muted", "--with-guest"]).unwrap();
        assert_eq!((host.opening, host.name.as_deref()), (Opening::Host, Some("Ada")));
        assert!(host.muted && host.company == Company::SyntheticGuest);
    }

    #[test]
    fn broken_links_and_contradictions_are_refused_before_a_window_opens() {
        for arguments in [
            &["--join", "https://example.org"][..],
            &["--join", "incamera://x/#!!"],
            &["--host", "--join", "incamera://x/#AA"],
            &["--with-guest"],
        ] {
            assert!(launch(arguments).is_err(), "{arguments:?}");
        }
    }
}
