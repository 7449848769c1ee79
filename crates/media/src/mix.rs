//! Several voices into one, and who is speaking.

mod level;
mod mixer;
mod speaker;

pub use level::{SILENCE_DBOV, level_dbov};
pub use mixer::Mixer;
pub use speaker::SpeakerDetector;
