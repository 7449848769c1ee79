//! Pure forwarding logic: layers, key frames, renumbering and clocks. No sockets and no WebRTC stack.

mod clock;
mod descriptor;
mod keyframe;
mod layer;
mod packet;
mod reception;
mod renumber;
mod track;

pub(crate) use clock::{SenderClock, capture_time};
pub(crate) use descriptor::VideoDescriptor;
pub(crate) use keyframe::{KeyFrameThrottle, Urgency};
pub use layer::Layer;
pub(crate) use layer::{Activity, layers_of_rids};
pub(crate) use packet::{MediaPacket, Medium};
pub(crate) use reception::Reception;
pub(crate) use renumber::Renumbered;
pub(crate) use track::{OutTrack, Verdict};
