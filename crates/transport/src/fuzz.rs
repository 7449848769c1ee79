//! The parsers of what servers say, for the fuzz targets in `tests`: text in, and nothing out but a panic.

pub use crate::janus::fuzz::message as janus_message;
pub use crate::peer::fuzz::description;
pub use crate::whip::fuzz::{links, stream_list};
