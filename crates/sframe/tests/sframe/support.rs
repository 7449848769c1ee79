//! A sender and the keyring that opens its frames.

use incamera_sframe::{
    BaseKey, EpochKeyring, FrameKind, FrameNumber, FrameSender, MediaFrame, MediaTime, OpenError,
    OpenedFrame, Padding, PictureSize, SealedFrame, TemporalLayer, UnopenedFrame,
};
use incamera_types::{Context, Epoch, FrameBuf, FrameSuite, Kid, LeafIndex, Mono};
use zeroize::Zeroizing;

pub(crate) const EPOCH: Epoch = Epoch(67);
pub(crate) const LEAF: LeafIndex = LeafIndex(5);
pub(crate) const INSTALLED: Mono = Mono::from_micros(1_000_000);

pub(crate) fn secret(suite: FrameSuite) -> Vec<u8> {
    (0..suite.key_len()).map(|byte| byte.to_le_bytes()[0]).collect()
}

pub(crate) fn base_key(suite: FrameSuite) -> BaseKey {
    BaseKey::new(suite, Zeroizing::new(secret(suite))).unwrap()
}

pub(crate) fn kid(context: Context) -> Kid {
    Kid::new(context, LEAF, EPOCH).unwrap()
}

pub(crate) fn sender(suite: FrameSuite, context: Context) -> FrameSender {
    base_key(suite).take_sender(kid(context)).unwrap()
}

pub(crate) fn keyring(suite: FrameSuite) -> EpochKeyring {
    EpochKeyring::new(base_key(suite), EPOCH, 8, INSTALLED)
}

pub(crate) fn frame(kind: FrameKind, bytes: &[u8]) -> MediaFrame {
    MediaFrame {
        buf: FrameBuf::from_slice(bytes),
        kind,
        media_time: MediaTime(960),
        temporal_layer: TemporalLayer::BASE,
        capture: Mono::from_micros(1_234_567),
        padding: Padding::None,
    }
}

pub(crate) fn key_frame() -> FrameKind {
    FrameKind::Vp8Key(PictureSize::new(640, 360).unwrap())
}

pub(crate) fn seal(sender: &mut FrameSender, kind: FrameKind, bytes: &[u8]) -> SealedFrame {
    sender.seal(frame(kind, bytes), FrameNumber::of(9)).unwrap()
}

/// Parses and opens `bytes` as they come from the network on a track of the context's kind.
pub(crate) fn open(
    keyring: &mut EpochKeyring,
    context: Context,
    bytes: &[u8],
) -> Result<OpenedFrame, OpenError> {
    let frame = UnopenedFrame::parse(context.kind(), FrameBuf::from_slice(bytes))?;
    keyring.open(frame, INSTALLED)
}
