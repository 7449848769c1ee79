//! What other threads tell the capture threads, without locks: read once per block or picture.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

use incamera_media::vp8::Layer;

/// Whether a source is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// It is heard or seen.
    On,
    /// Nothing of it leaves the machine.
    Off,
}

/// For sound. Shared by the driver (which writes) and the capture thread (which reads).
pub(crate) struct SoundControls {
    microphone: AtomicBool,
    kbps: u32,
}

impl SoundControls {
    pub(crate) const fn new(kbps: u32) -> Self {
        Self { microphone: AtomicBool::new(true), kbps }
    }

    pub(crate) fn set_microphone(&self, switch: Switch) {
        self.microphone.store(switch == Switch::On, Ordering::Relaxed);
    }

    pub(crate) fn microphone_is_on(&self) -> bool {
        self.microphone.load(Ordering::Relaxed)
    }

    pub(crate) const fn kbps(&self) -> u32 {
        self.kbps
    }
}

/// For the pictures of one source. Shared by the driver (which writes) and the capture thread (which reads).
pub(crate) struct PictureControls {
    is_on: AtomicBool,
    /// One bit for each layer whose next picture has to be a key frame.
    key_frames: AtomicU8,
    /// Target of each layer in kbit/s; 0 switches it off.
    layer_kbps: [AtomicU32; 3],
}

impl PictureControls {
    pub(crate) fn new(layer_kbps: [u32; 3]) -> Self {
        Self {
            is_on: AtomicBool::new(true),
            key_frames: AtomicU8::new(0),
            layer_kbps: layer_kbps.map(AtomicU32::new),
        }
    }

    pub(crate) fn switch(&self, switch: Switch) {
        self.is_on.store(switch == Switch::On, Ordering::Relaxed);
    }

    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    pub(crate) fn request_key_frame(&self, layer: Layer) {
        self.key_frames.fetch_or(1 << layer.index(), Ordering::Relaxed);
    }

    /// Whether a picture is waited for by somebody who needs a whole one.
    pub(crate) fn wants_key_frame(&self) -> bool {
        self.is_on() && self.key_frames.load(Ordering::Relaxed) != 0
    }

    /// The layers that were asked for since the last call.
    pub(crate) fn take_key_frame_requests(&self) -> impl Iterator<Item = Layer> + use<> {
        let wanted = self.key_frames.swap(0, Ordering::Relaxed);
        Layer::ALL.into_iter().filter(move |layer| wanted & (1 << layer.index()) != 0)
    }

    pub(crate) fn set_layer_kbps(&self, kbps: [u32; 3]) {
        for (slot, kbps) in self.layer_kbps.iter().zip(kbps) {
            slot.store(kbps, Ordering::Relaxed);
        }
    }

    pub(crate) fn layer_kbps(&self) -> [u32; 3] {
        [0, 1, 2].map(|index: usize| self.layer_kbps[index].load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_frame_requests_are_taken_once() {
        let controls = PictureControls::new([800, 0, 0]);
        controls.request_key_frame(Layer::Low);
        controls.request_key_frame(Layer::High);
        controls.request_key_frame(Layer::High);
        assert!(controls.wants_key_frame());
        assert_eq!(controls.take_key_frame_requests().collect::<Vec<_>>(), [Layer::High, Layer::Low]);
        assert_eq!(controls.take_key_frame_requests().count(), 0);
        assert!(!controls.wants_key_frame());
    }

    #[test]
    fn nobody_waits_for_a_picture_of_what_is_off() {
        let controls = PictureControls::new([800, 0, 0]);
        controls.request_key_frame(Layer::High);
        controls.switch(Switch::Off);
        assert!(!controls.wants_key_frame());
    }
}
