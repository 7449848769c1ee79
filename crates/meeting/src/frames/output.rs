//! What a [`super::FrameReceiver`] gives out.

use incamera_sframe::OpenedFrame;
use incamera_types::{Epoch, MemberId, Mono};

use crate::MediaReport;

/// Something for the owner of the receiver.
pub enum FrameOutput {
    /// Decode and play this.
    Frame(DeliveredFrame),
    /// For the meeting: [`crate::Input::Media`].
    Report(MediaReport),
}

/// A frame that may be played, and whose it is.
pub struct DeliveredFrame {
    /// Who sent it: by its key id, whatever track it came on.
    pub member: MemberId,
    /// The epoch that it was sealed in.
    pub epoch: Epoch,
    /// When it came from the network.
    pub arrival: Mono,
    /// When the sender captured it, on the sender's clock; on one machine the same clock as `arrival`.
    pub capture: Mono,
    /// The frame.
    pub frame: OpenedFrame,
}
