//! How alike two recordings are: what was sent and what somebody received.
//!
//! Pictures are matched by the number that the test pattern carries or by likeness, sound by its delay.

mod picture;
mod sound;
mod video;

pub use picture::{PicturePsnr, psnr};
pub use sound::{MeasureError, SoundLikeness, WINDOW_SAMPLES, compare_sound};
pub use video::{Matching, PictureMatch, VideoLikeness, compare_video};
