//! Synthetic sealed media: a VP8 descriptor, the clear prefix of `docs/wire.md` §2, and bytes that tell who,
//! which layer and which frame they belong to, followed by noise derived from that.

use incamera_sfu::Layer;

/// What a payload says about itself once checked bit for bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) who: u8,
    /// 0 audio, 1 low, 2 medium, 3 high.
    pub(crate) encoding: u8,
    pub(crate) frame: u32,
    pub(crate) part: u8,
    pub(crate) key: bool,
}

pub(crate) const AUDIO: u8 = 0;

pub(crate) fn encoding(layer: Layer) -> u8 {
    match layer {
        Layer::Low => 1,
        Layer::Medium => 2,
        Layer::High => 3,
    }
}

const KEY_PREFIX: [u8; 10] = [0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01];
const DELTA_PREFIX: [u8; 1] = [0x11];
const NOISE: usize = 400;

fn body(tag: Tag) -> Vec<u8> {
    let mut out = vec![tag.who, tag.encoding, tag.part, u8::from(tag.key)];
    out.extend_from_slice(&tag.frame.to_be_bytes());
    let seed = u32::from_be_bytes([tag.who, tag.encoding, tag.part, 7]) ^ tag.frame;
    let mut state = seed | 1;
    out.extend((0..NOISE).map(|_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    }));
    out
}

/// An Opus packet.
pub(crate) fn audio(who: u8, frame: u32) -> Vec<u8> {
    body(Tag { who, encoding: AUDIO, frame, part: 0, key: true })
}

/// The packets of one video frame, with a PictureID of their own counting.
pub(crate) fn video(who: u8, layer: Layer, frame: u32, key: bool) -> Vec<Vec<u8>> {
    let [_, _, high, low] = (frame & 0x7fff).to_be_bytes();
    (0..3)
        .map(|part| {
            let start = if part == 0 { 0x90 } else { 0x80 };
            let mut out = vec![start, 0x80, 0x80 | high, low];
            if part == 0 {
                out.extend_from_slice(if key { &KEY_PREFIX } else { &DELTA_PREFIX });
            }
            out.extend(body(Tag { who, encoding: encoding(layer), frame, part, key }));
            out
        })
        .collect()
}

/// PictureID of a received video payload.
pub(crate) fn picture_id(payload: &[u8]) -> u16 {
    u16::from_be_bytes([payload[2] & 0x7f, payload[3]])
}

/// Reads a payload back; `None` if a single bit after the descriptor differs from what was sent.
pub(crate) fn check(payload: &[u8], is_video: bool) -> Option<Tag> {
    let rest = if is_video {
        let after = payload.get(4..)?;
        match (payload[0] & 0x10, after.first()? & 1) {
            (0, _) => after,
            (_, 0) => after.strip_prefix(&KEY_PREFIX[..])?,
            _ => after.strip_prefix(&DELTA_PREFIX[..])?,
        }
    } else {
        payload
    };
    let tag = Tag {
        who: *rest.first()?,
        encoding: *rest.get(1)?,
        part: *rest.get(2)?,
        key: *rest.get(3)? == 1,
        frame: u32::from_be_bytes(rest.get(4..8)?.try_into().ok()?),
    };
    (body(tag) == rest).then_some(tag)
}
