//! The newest picture of a camera, between the thread that gets pictures and the one that takes them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use core::time::Duration;

use incamera_media::picture::Picture;
use incamera_types::Mono;

use crate::DeviceError;

/// Two pictures never have the same time, whatever a camera's clock says.
const LEAST_STEP: Duration = Duration::from_millis(1);

/// Holds one picture. Giving and taking swap buffers, so that nothing is copied or allocated once sizes are steady.
#[derive(Default)]
pub(super) struct Latest(Mutex<State>);

#[derive(Default)]
struct State {
    picture: Picture,
    captured: Mono,
    is_new: bool,
    ended: Option<DeviceError>,
}

impl Latest {
    /// Replaces what nobody took; `picture` becomes a buffer to draw the next one into.
    pub(super) fn give(&self, captured: Mono, picture: &mut Picture) {
        let mut state = self.lock();
        core::mem::swap(&mut state.picture, picture);
        state.captured = captured.max(state.captured.plus(LEAST_STEP));
        state.is_new = true;
    }

    /// Nothing more comes. The first reason is the one that is told.
    pub(super) fn end(&self, why: DeviceError) {
        self.lock().ended.get_or_insert(why);
    }

    /// When the picture that is now in `picture` was captured; `None` when there is no new one.
    pub(super) fn take(&self, picture: &mut Picture) -> Result<Option<Mono>, DeviceError> {
        let mut state = self.lock();
        if core::mem::take(&mut state.is_new) {
            core::mem::swap(&mut state.picture, picture);
            return Ok(Some(state.captured));
        }
        state.ended.clone().map_or(Ok(None), Err)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves a picture that is still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(luma: u8) -> Picture {
        let mut picture = Picture::black(16, 16).unwrap();
        picture.planes_mut()[0].fill(luma);
        picture
    }

    #[test]
    fn newest_picture_is_taken_once_and_then_the_reason_for_the_end() {
        let latest = Latest::default();
        let mut taken = picture(0);
        assert_eq!(latest.take(&mut taken), Ok(None));
        latest.give(Mono::from_micros(10), &mut picture(1));
        latest.give(Mono::from_micros(20_000), &mut picture(2));
        latest.end(DeviceError::Lost);
        latest.end(DeviceError::Denied);
        assert_eq!(latest.take(&mut taken), Ok(Some(Mono::from_micros(20_000))));
        assert_eq!(taken, picture(2));
        assert_eq!(latest.take(&mut taken), Err(DeviceError::Lost));
    }

    #[test]
    fn camera_whose_clock_stands_still_gives_rising_times() {
        let latest = Latest::default();
        let mut taken = picture(0);
        let times = [5_000, 5_000, 4_000].map(|micros| {
            latest.give(Mono::from_micros(micros), &mut picture(1));
            latest.take(&mut taken).unwrap().unwrap().as_micros()
        });
        assert_eq!(times, [5_000, 6_000, 7_000]);
    }
}
