//! How pictures reach a window: I420 over a socket of this computer, drawn into one canvas. The newest picture of a tile wins:
//! when drawing is slow, pictures are left out and nothing piles up. `docs/decisions/0003-pictures-over-a-loopback-socket.md`
//! says why.
//!
//! **Shell.** Read first: [`VideoSink`] (what capture and decoding call), [`Pictures`] (the newest of each tile),
//! [`Door`] (who may fetch them).
//!
//! What does not belong here: anything about meetings. A picture comes decoded, and its tile is a number.

mod card;
mod door;
mod pictures;

use incamera_media::picture::I420View;

pub use card::suit_drawing_to_computer;
pub use door::Door;
pub use pictures::{Pictures, still};

/// Whose picture it is: the id of a member, or all zeros for the person's own. A shared screen has every bit turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile(pub [u8; 16]);

impl Tile {
    /// The person's own picture.
    pub const OWN: Self = Self([0; 16]);

    /// The tile of the screen that the person of this tile shares.
    #[must_use]
    pub fn screen(self) -> Self {
        Self(self.0.map(|byte| !byte))
    }
}

/// How a picture of other proportions than its tile is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It fills the tile, and what is longer is cut off: faces.
    Fill,
    /// All of it, with room at its sides: screens.
    Whole,
}

/// Takes pictures to be shown. Called on the threads that capture and decode: returns at once.
pub trait VideoSink: Send + Sync {
    /// Shows `picture` in `tile`, instead of the one before.
    fn show(&self, tile: Tile, picture: &I420View<'_>);

    /// Forgets the pictures of everybody.
    fn clear(&self);
}
