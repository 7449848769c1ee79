//! Sound and picture of one sender together (RFC 3550 §6.4.1: sender reports).

mod sender;
mod sync;
mod video;

pub use sender::{SenderClock, SenderTime};
pub use sync::SyncClock;
pub use video::VideoPlayout;
