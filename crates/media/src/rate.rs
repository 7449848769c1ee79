//! Which layers to send at which bitrate.

mod decide;
mod limits;

pub use decide::{RateConfig, RateDecision, RateMachine};
pub use limits::LayerLimits;
