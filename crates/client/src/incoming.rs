//! From the network to eyes and ears: open and decode pictures on one thread, play sound on another.

mod opening;
mod pictures;
mod sound;
#[cfg(feature = "danger-sabotage")]
mod spoiling;
mod tally;
mod timeline;

pub(crate) use opening::{Inbound, IncomingHandle, IncomingReport, TopSizes};
pub(crate) use sound::SoundStage;
pub(crate) use tally::{PictureTally, RemoteTally};
