//! Several voices into one, and who is speaking.

mod level;
mod mixer;

pub use level::{SILENCE_DBOV, level_dbov};
pub use mixer::Mixer;
