//! What the meeting wants done.

use incamera_relay_proto::{ClientMessage, Ticket};
use incamera_types::MemberId;

use crate::epoch_keys::EpochKeys;
use crate::event::{Event, MediaStop};

/// Something for the shell to do, in this order.
///
/// Not serialisable: capabilities, tickets and keys are inside. [`Output::kind`] is what a redacted log says.
#[derive(Debug)]
pub enum Output {
    /// Send to the relay on the present connection.
    Send(ClientMessage),
    /// Close the connection to the relay and open another: what came on it makes no sense.
    Reconnect,
    /// Hand the keys of an epoch to the frame threads.
    InstallEpochKeys(Box<EpochKeys>),
    /// Erase the keys of a removed member now, in every epoch (SEC-05).
    DropMember {
        /// Whose.
        member: MemberId,
    },
    /// Play nothing of a member that is silent (SEC-08).
    HoldMember {
        /// Whose.
        member: MemberId,
    },
    /// Play a member again.
    ReleaseMember {
        /// Whose.
        member: MemberId,
    },
    /// Connect to the SFU with this ticket, publish and subscribe in parallel; or go on with it, if its
    /// identity is the present one.
    UseTicket(Box<Ticket>),
    /// Send and play media (again).
    StartMedia,
    /// Send and play nothing until [`Output::StartMedia`]; keep the connection to the SFU.
    StopMedia {
        /// Why.
        why: MediaStop,
    },
    /// Make one key frame in each video layer: somebody joined. Rate-limited here.
    ForceKeyFrames,
    /// Tell the user.
    Event(Event),
}

impl Output {
    /// What kind it is, for logs: nothing secret or personal.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Send(_) => "send",
            Self::Reconnect => "reconnect",
            Self::InstallEpochKeys(_) => "install_epoch_keys",
            Self::DropMember { .. } => "drop_member",
            Self::HoldMember { .. } => "hold_member",
            Self::ReleaseMember { .. } => "release_member",
            Self::UseTicket(_) => "use_ticket",
            Self::StartMedia => "start_media",
            Self::StopMedia { .. } => "stop_media",
            Self::ForceKeyFrames => "force_key_frames",
            Self::Event(_) => "event",
        }
    }
}
