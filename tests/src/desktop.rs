//! The desktop app on a screen of its own, used as a person uses it: controls are found by role and name, and what
//! counts as shown is what the screen's pixels show.
//!
//! Read first: [`Screen`], [`Easel`], [`Sound`], [`DesktopServices`], [`Window`].

mod easel;
mod processes;
mod screen;
mod services;
mod sound;
mod webdriver;

pub use easel::Easel;
pub use processes::ProcessTree;
pub use screen::{Area, Screen};
pub use services::{Asked, DesktopServices};
pub use sound::{Ear, Sound, VirtualMicrophone, VirtualSpeaker, Volume};
pub use webdriver::{Control, Window};
