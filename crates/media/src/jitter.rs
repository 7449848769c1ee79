//! From packets that come when they like to blocks that are played every 20 ms.

mod buffer;
mod delay;
mod receive;

pub use buffer::{Inserted, JitterBuffer, JitterStatistics, Playout};
pub use delay::{DelayLimits, MAX_BUFFERED_BLOCKS};
pub use receive::{AudioReceiver, BlockOrigin, PlayedBlock};
