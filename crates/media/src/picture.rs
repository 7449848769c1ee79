//! Raw pictures: I420 planes, their buffers, scaling and comparison.

mod buffer;
mod psnr;
mod scale;
mod view;

pub use buffer::{Picture, PicturePool};
pub use psnr::psnr_db;
pub use scale::Scaler;
pub use view::{I420View, PictureError, Plane};
pub(crate) use view::{check_size, plane_sizes};

/// Largest width and height of a picture anywhere in Incamera, in pixels (SEC-15).
pub const MAX_DIMENSION: u32 = incamera_types::MAX_PICTURE_EDGE as u32;
