//! A moving test pattern whose pictures say which one they are and whose.

mod code;
mod draw;

pub use code::{PatternCode, read_code, read_frame_number};
pub use draw::PatternSource;
