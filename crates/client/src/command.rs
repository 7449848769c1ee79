//! What an edge can ask of a running meeting.

use incamera_devices::{AudioSink, AudioSource, VideoSource};
use incamera_types::MemberId;

use crate::exchange::Opener;
use crate::outgoing::Switch;

/// Something that the user wants.
pub enum Command {
    /// A rule of the meeting: admit, deny, remove, lock, chat, leave, end.
    Meeting(incamera_meeting::Command),
    /// Mute or unmute.
    Microphone(Switch),
    /// Show a picture or not. A camera that [`Command::UseCamera`] named is closed while it is not shown.
    Camera(Switch),
    /// Speak through another microphone, from now on and within the same stream.
    UseMicrophone(Opener<dyn AudioSource>),
    /// Hear the others on another speaker; `None`: nowhere.
    UseSpeaker(Option<Opener<dyn AudioSink>>),
    /// Show another camera, within the same stream; `None`: none. It needs [`crate::MediaOptions::video`] or
    /// [`crate::MediaOptions::camera`].
    UseCamera(Option<Opener<dyn VideoSource>>),
    /// Share a screen, in the place of what is shared so far; refused while somebody else shares. Ends by itself when
    /// the source does.
    ShareScreen(Box<dyn VideoSource>),
    /// Share no more.
    StopSharing,
    /// How large a participant's picture is wanted.
    Picture {
        /// Whose.
        member: MemberId,
        /// How large.
        want: PictureWant,
    },
    /// Receive the screen that a participant shares, or not while it is out of view. A screen comes in one size.
    WatchScreen {
        /// Whose.
        member: MemberId,
        /// Which.
        switch: Switch,
    },
    /// Leave, and take no further part whatever happens: also where the rules would have a last host stay. Waits up
    /// to 2 s until the others have the goodbye; asked for once more, for nobody.
    Close,
}

/// How large a picture is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureWant {
    /// Fit for a tile of this many pixels.
    Fit {
        /// Width of the tile.
        width: u16,
        /// Height of the tile.
        height: u16,
    },
    /// This layer, 0 being the largest.
    Layer(u8),
    /// Not at all: out of view.
    Nothing,
}

impl From<incamera_meeting::Command> for Command {
    fn from(command: incamera_meeting::Command) -> Self {
        Self::Meeting(command)
    }
}
