//! What edges may do with everything that was decoded: draw it, keep it, measure it.

mod queue;

use incamera_devices::{DeviceError, VideoSize};
use incamera_media::picture::I420View;
use incamera_types::{Context, MemberId, Mono};

pub(crate) use queue::SharedReception;

/// A participant whose media came, proved by the key of its frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Who.
    pub member: MemberId,
    /// Their name, safe to show.
    pub name: String,
}

/// When and as what a frame came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameFacts {
    /// Stream and layer.
    pub context: Context,
    /// Epoch of its key modulo 64.
    pub epoch_bits: u8,
    /// Counter under its key.
    pub counter: u64,
    /// When its sender captured it, on the sender's monotonic clock (comparable on one machine only).
    pub captured: Mono,
    /// When its last packet arrived.
    pub arrived: Mono,
    /// When it was opened.
    pub opened: Mono,
    /// When it was decoded.
    pub decoded: Mono,
}

/// A decoded picture.
#[derive(Clone, Copy, Debug)]
pub struct DecodedPicture<'a> {
    /// The frame it came from.
    pub facts: FrameFacts,
    /// The picture, at the size of its layer.
    pub picture: I420View<'a>,
    /// Size of the sender's largest layer.
    pub top_size: VideoSize,
    /// When it fits the sound of its sender; `None` when none is heard: at once.
    pub due: Option<Mono>,
}

/// A decoded block of sound, before it is mixed, in the order of capture.
#[derive(Clone, Copy, Debug)]
pub struct DecodedSound<'a> {
    /// The frame it came from.
    pub facts: FrameFacts,
    /// Blocks of 20 ms between the one before and this one for which nothing came.
    pub missing_before: u64,
    /// 20 ms of mono at 48 kHz.
    pub samples: &'a [i16; 960],
}

/// A frame that was sealed here and handed to the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentFrame {
    /// Stream and layer.
    pub context: Context,
    /// Counter under its key.
    pub counter: u64,
    /// When it was captured.
    pub captured: Mono,
    /// Whether decoding can start with it.
    pub key_frame: bool,
    /// Sealed size in bytes.
    pub bytes: usize,
}

/// Takes everything that was decoded. Called on a thread of its own: a disk that is slow for a moment delays neither
/// sound nor picture.
///
/// The first error is reported as a problem; nothing is handed over afterwards.
pub trait Reception: Send {
    /// A frame left this machine.
    ///
    /// # Errors
    /// The file it is noted in cannot be written.
    fn sent(&mut self, frame: &SentFrame) -> Result<(), DeviceError>;

    /// A picture was decoded.
    ///
    /// # Errors
    /// The file it goes to cannot be written.
    fn picture(&mut self, from: &Remote, picture: &DecodedPicture<'_>) -> Result<(), DeviceError>;

    /// A block of sound was decoded.
    ///
    /// # Errors
    /// The file it goes to cannot be written.
    fn sound(&mut self, from: &Remote, sound: &DecodedSound<'_>) -> Result<(), DeviceError>;

    /// Nothing more will come.
    ///
    /// # Errors
    /// A file cannot be completed.
    fn finish(self: Box<Self>) -> Result<(), DeviceError>;
}
