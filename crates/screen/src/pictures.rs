//! The newest picture of each tile, until the window takes it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use incamera_media::picture::{I420View, Picture, Scaler};
use tokio::sync::Notify;

use crate::{Fit, Tile, VideoSink};

/// Most tiles; a room has no more members that are seen at once.
const MAX_TILES: usize = 64;

/// Pictures of one tile that are on their way and not drawn yet: one is drawn while the next is carried.
const MOST_UNDER_WAY: u8 = 2;

/// Bytes before the planes: tile (16), width (2), height (2), count of the tile's pictures (4), little endian.
const HEADER: usize = 24;

/// The newest picture of each tile.
#[derive(Default)]
pub struct Pictures {
    tiles: Mutex<BTreeMap<Tile, Slot>>,
    changed: Notify,
}

#[derive(Default)]
struct Slot {
    newest: Option<Vec<u8>>,
    under_way: u8,
    count: u32,
    wanted: Option<Wanted>,
    scaler: Scaler,
    scaled: Picture,
}

/// Pixels of a tile. Nothing larger is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wanted {
    width: u16,
    height: u16,
    fit: Fit,
}

impl Pictures {
    /// The tile has this many pixels; 0: it is not in view.
    pub fn set_size(&self, tile: Tile, width: u16, height: u16, fit: Fit) {
        if let Some(slot) = self.slot(&mut self.lock(), tile) {
            slot.wanted = Some(Wanted { width, height, fit });
        }
    }

    /// The next picture to carry; waits until there is one.
    pub(crate) async fn next(&self) -> Vec<u8> {
        loop {
            let changed = self.changed.notified();
            if let Some(message) = self.take() {
                return message;
            }
            changed.await;
        }
    }

    /// The window drew a picture of the tile.
    pub(crate) fn drawn(&self, tile: Tile) {
        if let Some(slot) = self.lock().get_mut(&tile) {
            slot.under_way = slot.under_way.saturating_sub(1);
        }
        self.changed.notify_one();
    }

    /// Another window draws from now on: nothing is under way to it.
    pub(crate) fn begin_again(&self) {
        for slot in self.lock().values_mut() {
            slot.under_way = 0;
        }
        self.changed.notify_one();
    }

    fn take(&self) -> Option<Vec<u8>> {
        let mut tiles = self.lock();
        // The tile that waits for its first picture goes first, then who had the fewest: none starves another.
        let ready =
            tiles.values_mut().filter(|slot| slot.newest.is_some() && slot.under_way < MOST_UNDER_WAY);
        let slot = ready.min_by_key(|slot| (slot.under_way, slot.count))?;
        slot.under_way += 1;
        slot.count = slot.count.wrapping_add(1);
        slot.newest.take()
    }

    fn slot<'a>(
        &self,
        tiles: &'a mut MutexGuard<'_, BTreeMap<Tile, Slot>>,
        tile: Tile,
    ) -> Option<&'a mut Slot> {
        (tiles.contains_key(&tile) || tiles.len() < MAX_TILES).then(|| tiles.entry(tile).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Tile, Slot>> {
        self.tiles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl VideoSink for Pictures {
    fn show(&self, tile: Tile, picture: &I420View<'_>) {
        if let Some(slot) = self.slot(&mut self.lock(), tile) {
            slot.put(tile, picture);
        }
        self.changed.notify_one();
    }

    fn clear(&self) {
        self.lock().clear();
    }
}

/// One picture as the socket carries them, whole and no larger than a tile of this size can show; `None` when it has no
/// pixels.
#[must_use]
pub fn still(picture: &I420View<'_>, width: u16, height: u16) -> Option<Vec<u8>> {
    let mut slot = Slot { wanted: Some(Wanted { width, height, fit: Fit::Whole }), ..Slot::default() };
    slot.put(Tile::OWN, picture);
    slot.newest
}

impl Slot {
    fn put(&mut self, tile: Tile, picture: &I420View<'_>) {
        let (width, height) = match self.wanted {
            Some(Wanted { width: 0, .. } | Wanted { height: 0, .. }) => return,
            Some(wanted) => wanted.within(picture),
            None => (picture.width(), picture.height()),
        };
        let mut message = self.newest.take().unwrap_or_default();
        if (width, height) == (picture.width(), picture.height()) {
            encode(tile, self.count, picture, &mut message);
        } else if self.scaler.scale(picture, width, height, &mut self.scaled).is_ok() {
            encode(tile, self.count, &self.scaled.view(), &mut message);
        } else {
            return;
        }
        self.newest = Some(message);
    }
}

impl Wanted {
    /// The size to carry: fills the tile or fits into it in the picture's proportions, and is never larger than the picture.
    fn within(self, picture: &I420View<'_>) -> (u32, u32) {
        let (width, height) = (picture.width(), picture.height());
        let by_width = u64::from(self.width) * u64::from(height);
        let by_height = u64::from(self.height) * u64::from(width);
        let is_by_width = match self.fit {
            Fit::Fill => by_width > by_height,
            Fit::Whole => by_width < by_height,
        };
        let (numerator, denominator) =
            if is_by_width { (u32::from(self.width), width) } else { (u32::from(self.height), height) };
        if numerator >= denominator {
            return (width, height);
        }
        let scaled = |side: u32| (side * numerator).div_ceil(denominator).max(2);
        (scaled(width), scaled(height))
    }
}

fn encode(tile: Tile, count: u32, picture: &I420View<'_>, message: &mut Vec<u8>) {
    let side = |pixels: u32| u16::try_from(pixels).unwrap_or(u16::MAX).to_le_bytes();
    message.clear();
    message.extend_from_slice(&tile.0);
    message.extend_from_slice(&side(picture.width()));
    message.extend_from_slice(&side(picture.height()));
    message.extend_from_slice(&count.to_le_bytes());
    debug_assert_eq!(message.len(), HEADER);
    for (plane, (width, height)) in picture.planes().iter().zip(picture.plane_sizes()) {
        for row in 0..height {
            message.extend_from_slice(plane.row(row, width));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: Tile = Tile([1; 16]);

    fn grey(width: u32, height: u32, luma: u8) -> Picture {
        let mut picture = Picture::black(width, height).unwrap();
        picture.planes_mut()[0].fill(luma);
        picture
    }

    #[test]
    fn newest_picture_wins_and_no_more_than_two_are_under_way() {
        let pictures = Pictures::default();
        for luma in [10, 20] {
            pictures.show(ADA, &grey(16, 16, luma).view());
        }
        assert_eq!(pictures.take().unwrap()[HEADER], 20);
        assert!(pictures.take().is_none(), "each is carried once");
        pictures.show(ADA, &grey(16, 16, 30).view());
        assert_eq!(pictures.take().unwrap()[HEADER], 30);
        pictures.show(ADA, &grey(16, 16, 40).view());
        assert!(pictures.take().is_none(), "two are under way");
        pictures.show(ADA, &grey(16, 16, 50).view());
        pictures.drawn(ADA);
        assert_eq!(pictures.take().unwrap()[HEADER], 50);
    }

    #[test]
    fn pictures_are_carried_at_the_size_of_their_tile_and_not_at_all_out_of_view() {
        let pictures = Pictures::default();
        for (wanted, carried) in [((160, 90), (160, 90)), ((90, 90), (160, 90)), ((640, 360), (320, 180))] {
            pictures.set_size(ADA, wanted.0, wanted.1, Fit::Fill);
            pictures.show(ADA, &grey(320, 180, 100).view());
            let message = pictures.take().unwrap();
            pictures.drawn(ADA);
            let side = |at: usize| u16::from_le_bytes([message[at], message[at + 1]]);
            assert_eq!((side(16), side(18)), carried, "{wanted:?}");
            assert_eq!(message.len(), HEADER + usize::from(carried.0) * usize::from(carried.1) * 3 / 2);
        }
        pictures.set_size(ADA, 0, 0, Fit::Fill);
        pictures.show(ADA, &grey(320, 180, 100).view());
        assert!(pictures.take().is_none());
    }

    #[test]
    fn screen_is_carried_whole_so_that_the_window_need_not_scale_it() {
        for ((width, height), carried) in
            [((160, 160), (160, 90)), ((640, 90), (160, 90)), ((640, 640), (320, 180))]
        {
            let message = still(&grey(320, 180, 100).view(), width, height).unwrap();
            let side = |at: usize| u16::from_le_bytes([message[at], message[at + 1]]);
            assert_eq!((side(16), side(18)), carried);
        }
        assert!(still(&grey(320, 180, 100).view(), 0, 0).is_none());
    }

    #[test]
    fn nobody_has_the_tile_of_a_screen() {
        assert_eq!((ADA.screen(), ADA.screen().screen()), (Tile([0xfe; 16]), ADA));
    }

    #[test]
    fn number_of_tiles_is_bounded() {
        let pictures = Pictures::default();
        for number in 0..200 {
            pictures.show(Tile([number; 16]), &grey(16, 16, 1).view());
        }
        assert_eq!(pictures.lock().len(), MAX_TILES);
    }
}
