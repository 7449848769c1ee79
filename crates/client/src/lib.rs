//! The meeting client: the one API that edges (command line, desktop app) use. Commands go in, events come out.
//!
//! **Shell.** Drives [`incamera_meeting::MeetingMachine`] with the relay connection, an SFU, codecs and devices;
//! no rule of the meeting lives here.
//!
//! Read first: [`Meeting`] (host or join), [`Command`] and [`Event`] (everything that goes in and out),
//! [`MediaOptions`] (what is sent and where what is received goes), [`Reception`] (what an edge does with it).
//!
//! Threads: one loop on the async runtime (`driver`), capture threads that encode, one thread that seals
//! (`outgoing`), one that opens and decodes pictures, one that plays sound (`incoming`).
//!
//! What does not belong here: rules and wire formats (`meeting`), windows and files (edges).

#[cfg(all(feature = "danger-retain-keys", not(debug_assertions)))]
compile_error!("danger-retain-keys writes media keys to a file and must not be in a release build");
#[cfg(all(feature = "danger-sabotage", not(debug_assertions)))]
compile_error!("danger-sabotage spoils meetings on purpose and must not be in a release build");

mod clock;
mod command;
mod driver;
mod entropy;
mod error;
mod event;
mod exchange;
mod host;
mod inbox;
mod incoming;
mod options;
mod outgoing;
mod process;
mod reach;
mod recap;
mod reception;
#[cfg(feature = "danger-retain-keys")]
mod retained;
mod running;
#[cfg(feature = "danger-sabotage")]
mod sabotage;
mod statistics;

/// The devices that edges choose from.
pub use incamera_devices as devices;
pub use incamera_identity::DisplayName;
/// Pictures, as edges receive them.
pub use incamera_media as media;
/// The meeting's own commands, events and codes.
pub use incamera_meeting as meeting;
pub use incamera_transport::IcePolicy;
pub use incamera_types::{
    Blame, Context, Fault, Invite, InviteError, MemberId, Mono, Pii, RelayAddress, Retry,
};

pub use command::{Command, PictureWant};
pub use error::ClientError;
pub use event::{Device, Direction, Event, LocalEvent, Problem, SharingEnd, Source, Which};
pub use exchange::Opener;
pub use options::{Begin, HostOptions, JoinOptions, Listening, MediaOptions, RelayPlace, SfuChoice};
pub use outgoing::Switch;
pub use reach::{Reach, Scope};
pub use recap::{PastEvent, Recap};
pub use reception::{DecodedPicture, DecodedSound, FrameFacts, Reception, Remote, SentFrame};
pub use running::{EventStream, Meeting};
pub use statistics::{
    MediaServerKind, MediaServerStatistics, ReceivedStatistics, RelayStatistics, ScreenStatistics,
    SentStatistics, ServerStatistics, Statistics,
};
