//! From capture to the network: encode on the capture threads, seal and send on one thread of its own.

mod controls;
mod sealing;
mod sound;
mod video;

pub use controls::Switch;
pub(crate) use controls::{PictureControls, SoundControls};
pub(crate) use sealing::{Flow, Outbound, SealingHandle};
pub(crate) use sound::SoundEncoder;
pub(crate) use video::{PicturePlan, VideoEncoder};
