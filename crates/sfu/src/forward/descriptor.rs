//! The VP8 payload descriptor (RFC 7741 §4.2): the only bytes of a payload that the SFU reads, besides
//! the first byte after it, which tells a key frame (the synthetic clear prefix of wire.md §2).

use str0m::rtp::{Vp8Descriptor, Vp8Patch};

/// What a video packet's descriptor says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VideoDescriptor {
    parsed: Vp8Descriptor,
    starts_key_frame: bool,
    wide_picture_id: bool,
}

impl VideoDescriptor {
    /// Reads the descriptor; `None` if it is malformed or nothing follows it.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let parsed = Vp8Descriptor::parse(payload).ok()?;
        Some(Self {
            parsed,
            starts_key_frame: parsed.starts_keyframe(payload),
            // X and I set, then the M bit of the PictureID's first byte.
            wide_picture_id: matches!(payload, [first, ext, id, ..]
                if first & 0x80 != 0 && ext & 0x80 != 0 && id & 0x80 != 0),
        })
    }

    /// Whether this is the first packet of a key frame.
    pub(crate) fn starts_key_frame(&self) -> bool {
        self.starts_key_frame
    }

    /// PictureID, if present.
    pub(crate) fn picture_id(&self) -> Option<u16> {
        self.parsed.picture_id()
    }

    /// TL0PICIDX, if present.
    pub(crate) fn tl0_pic_idx(&self) -> Option<u8> {
        self.parsed.tl0_pic_idx()
    }

    /// The byte replacements that give this packet other indexes; only fields that are present change,
    /// and a 7-bit PictureID stays one.
    pub(crate) fn patch(&self, picture_id: Option<u16>, tl0_pic_idx: Option<u8>) -> Option<Vp8Patch> {
        let mut patch = self.parsed.patch();
        if let Some(id) = picture_id {
            let mask = if self.wide_picture_id { 0x7fff } else { 0x7f };
            patch = patch.picture_id(id & mask);
        }
        if let Some(index) = tl0_pic_idx {
            patch = patch.tl0_pic_idx(index);
        }
        patch.build().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_frames_are_told_by_the_clear_prefix() {
        let key = [0x90, 0x80, 0x81, 0x23, 0x10, 0, 0];
        let other = [0x90, 0x80, 0x81, 0x24, 0x11, 0, 0];
        let continuation = [0x80, 0x80, 0x81, 0x23, 0x10, 0, 0];
        let starts = |p: &[u8]| VideoDescriptor::parse(p).unwrap().starts_key_frame();
        assert!(starts(&key));
        assert!(!starts(&other));
        assert!(!starts(&continuation));
        assert_eq!(VideoDescriptor::parse(&key).unwrap().picture_id(), Some(0x123));
    }

    #[test]
    fn malformed_descriptors_are_refused() {
        for bad in [&[][..], &[0x90], &[0x90, 0x80], &[0x90, 0x80, 0x81], &[0x90, 0x40, 1, 2]] {
            assert!(VideoDescriptor::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_patch_fits_the_width_of_the_picture_id() {
        let narrow = VideoDescriptor::parse(&[0x90, 0x80, 0x05, 0x10]).unwrap();
        assert!(narrow.patch(Some(0x1ff), None).is_some());
        let none = VideoDescriptor::parse(&[0x10, 0x10]).unwrap();
        assert!(none.patch(None, None).is_some());
    }
}
