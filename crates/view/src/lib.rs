//! Everything that crosses between the app and its window. The TypeScript types of `ui/src/lib/generated.ts` are made from
//! it, and nothing here carries a key.
//!
//! **Shell.** Read first: [`AppEvent`] (what the window is told), [`Order`] (what it may ask of a meeting), [`Failure`] (why
//! something did not come about).
//!
//! What does not belong here: what is done about any of it.

mod device;
mod event;
mod failure;
mod meeting;
mod order;

pub use device::{
    CameraChoice, DeviceChoices, DeviceView, Entrance, MicrophoneChoice, ScreenKind, ScreenView,
    SpeakerChoice,
};
pub use event::{
    AppEvent, ChatLine, Departure, Level, MediaServerView, Person, ReachView, Received, RelayView,
    Verification, hex,
};
pub use failure::Failure;
pub use meeting::{DoorView, InviteView, Part, Place, ServerTrust};
pub use order::{Order, Shows};
