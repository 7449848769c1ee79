//! What test builds do wrong with frames that were opened.

use std::collections::HashMap;

use incamera_meeting::frames::DeliveredFrame;
use incamera_transport::StreamId;
use incamera_types::MemberId;

use super::pictures::PictureOrder;
use crate::sabotage::FrameSafeguards;

/// The lost key and the safeguards that do not hold.
pub(super) struct SpoiledOpening {
    pub(super) without_key: Option<MemberId>,
    safeguards: FrameSafeguards,
    streams: HashMap<StreamId, MemberId>,
}

impl SpoiledOpening {
    pub(super) fn new(safeguards: FrameSafeguards) -> Self {
        Self { without_key: None, safeguards, streams: HashMap::new() }
    }

    /// A member said under which id the SFU knows it.
    pub(super) fn announced(&mut self, member: MemberId, stream: Option<StreamId>) {
        self.streams.extend(stream.map(|stream| (stream, member)));
    }

    pub(super) fn order(&self) -> PictureOrder {
        if self.safeguards.skip_picture_order { PictureOrder::AsTheyCome } else { PictureOrder::AsCaptured }
    }

    /// The frame as it goes on.
    pub(super) fn deliver(&self, mut frame: DeliveredFrame, stream: Option<&StreamId>) -> DeliveredFrame {
        if let Some(member) = stream.and_then(|stream| self.streams.get(stream))
            && self.safeguards.skip_sender_by_key
        {
            frame.member = *member;
        }
        frame
    }
}
