//! What becomes of what is received: pictures go to the screen, and how loud people are to the window.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use incamera_client::devices::{BlockSamples, DeviceError};
use incamera_client::media::mix::level_dbov;
use incamera_client::{Context, DecodedPicture, DecodedSound, MemberId, Reception, Remote, SentFrame};
use incamera_screen::{Tile, VideoSink};
use incamera_view::{Level, hex};

/// The loudest that each was since the window was last told.
#[derive(Clone, Default)]
pub(crate) struct Levels(Arc<Mutex<BTreeMap<Option<MemberId>, i8>>>);

impl Levels {
    /// Notes a block of sound; `None` is the person's own.
    pub(crate) fn note(&self, member: Option<MemberId>, samples: &BlockSamples) {
        let now = level_dbov(samples);
        let mut levels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let level = levels.entry(member).or_insert(now);
        *level = now.max(*level);
    }

    /// Everybody who was heard since the last call.
    pub(crate) fn take(&self) -> Vec<Level> {
        let levels = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        levels.into_iter().map(|(member, dbov)| Level { member: member.map(hex), dbov }).collect()
    }
}

/// Draws pictures and notes levels.
pub(crate) struct Shown {
    /// Where pictures go.
    pub(crate) sink: Arc<dyn VideoSink>,
    /// Where levels go.
    pub(crate) levels: Levels,
}

impl Reception for Shown {
    fn sent(&mut self, _frame: &SentFrame) -> Result<(), DeviceError> {
        Ok(())
    }

    fn picture(&mut self, from: &Remote, decoded: &DecodedPicture<'_>) -> Result<(), DeviceError> {
        let person = Tile(from.member.0);
        let is_screen = Context::SCREEN.contains(&decoded.facts.context);
        self.sink.show(if is_screen { person.screen() } else { person }, &decoded.picture);
        Ok(())
    }

    fn sound(&mut self, from: &Remote, decoded: &DecodedSound<'_>) -> Result<(), DeviceError> {
        self.levels.note(Some(from.member), decoded.samples);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), DeviceError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_is_told_the_loudest_once() {
        let levels = Levels::default();
        levels.note(None, &[3_277; 960]);
        levels.note(None, &[0; 960]);
        assert_eq!(levels.take(), [Level { member: None, dbov: -20 }]);
        assert!(levels.take().is_empty());
    }
}
