//! Decodes the pictures of one participant's camera or screen, whatever layer the SFU forwards.

use incamera_media::picture::I420View;
use incamera_media::vp8::{DecodeError, Decoder};
use incamera_sframe::{FramePosition, OpenedFrame};
use incamera_types::Context;

/// One decoder that follows one stream across its layers.
pub(crate) struct PictureDecoder {
    decoder: Decoder,
    last: Option<(Context, FramePosition)>,
    #[cfg(feature = "danger-sabotage")]
    order: PictureOrder,
}

/// In which order pictures are shown.
#[cfg(feature = "danger-sabotage")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum PictureOrder {
    /// In that of their capture; stragglers are dropped.
    #[default]
    AsCaptured,
    /// In that of their arrival: what control runs show to be wrong.
    AsTheyCome,
}

/// What became of a frame.
pub(crate) enum Pictured<'a> {
    /// Show this.
    Picture(I420View<'a>),
    /// Nothing to show, nothing wrong.
    Nothing,
    /// Frames are missing: nothing decodes until a key frame comes.
    KeyFrameNeeded,
}

impl PictureDecoder {
    pub(crate) fn new() -> Result<Self, DecodeError> {
        Ok(Self {
            decoder: Decoder::new()?,
            last: None,
            #[cfg(feature = "danger-sabotage")]
            order: PictureOrder::default(),
        })
    }

    #[cfg(feature = "danger-sabotage")]
    pub(super) fn with_order(self, order: PictureOrder) -> Self {
        Self { order, ..self }
    }

    /// Decodes the next frame of the stream. A frame before it that did not come, or another layer, makes
    /// everything up to the next key frame undecodable.
    pub(crate) fn decode(&mut self, frame: &OpenedFrame) -> Pictured<'_> {
        let (context, position) = (frame.context(), frame.position());
        let continues = match self.last {
            Some((last_context, last)) if last_context == context => match position.missing_since(last) {
                Some(missing) => missing == 0,
                #[cfg(feature = "danger-sabotage")]
                None if self.order == PictureOrder::AsTheyCome => true,
                // Not later than what was decoded: a straggler.
                None => return Pictured::Nothing,
            },
            _ => false,
        };
        if !continues && !frame.kind().is_key_frame() {
            self.decoder.note_loss();
        }
        self.last = Some((context, position));
        match self.decoder.decode(frame.payload()) {
            Ok(Some(picture)) => Pictured::Picture(picture),
            Ok(None) => Pictured::Nothing,
            Err(_) => Pictured::KeyFrameNeeded,
        }
    }
}
