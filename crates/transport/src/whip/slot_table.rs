//! Which stream goes to which slot: the first of what is wanted, as far as the slots go, and else with as few changes
//! as possible, since every re-binding costs a key frame.

use incamera_types::MediaKind;
use serde::Serialize;

use crate::{AudioWant, Slots, StreamId, VideoWant, Want};

/// A binding as our SFU takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct SlotBinding {
    pub(super) mid: String,
    pub(super) stream: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) layer: Option<&'static str>,
}

/// The names of layers at our SFU, by index.
const LAYERS: [&str; 3] = ["high", "medium", "low"];

#[derive(Clone, Debug, PartialEq, Eq)]
struct Slot {
    mid: String,
    kind: MediaKind,
    stream: Option<StreamId>,
    layer: Option<&'static str>,
}

/// The slots of one session.
#[derive(Clone, Debug, Default)]
pub(super) struct SlotTable {
    slots: Vec<Slot>,
}

impl SlotTable {
    /// Empty slots on these m-lines.
    pub(super) fn new(lines: impl Iterator<Item = (String, MediaKind)>) -> Self {
        let slots = lines.map(|(mid, kind)| Slot { mid, kind, stream: None, layer: None }).collect();
        Self { slots }
    }

    /// How much fits.
    pub(super) fn slots(&self) -> Slots {
        let count = |kind| u8::try_from(self.count(kind)).unwrap_or(u8::MAX);
        Slots { audio: count(MediaKind::Audio), video: count(MediaKind::Video) }
    }

    fn count(&self, kind: MediaKind) -> usize {
        self.slots.iter().filter(|slot| slot.kind == kind).count()
    }

    /// Arranges the slots for `wants`, most important first, and gives what has changed.
    pub(super) fn arrange(&mut self, wants: &[Want]) -> Vec<SlotBinding> {
        let before = self.slots.clone();
        self.arrange_kind(MediaKind::Audio, wants, |want| match want.audio {
            AudioWant::Play => Some(None),
            AudioWant::Skip => None,
        });
        self.arrange_kind(MediaKind::Video, wants, |want| wanted_layer(want.video).map(Some));
        let changed = self.slots.iter().zip(&before).filter(|(now, before)| now != before);
        changed
            .map(|(slot, _)| SlotBinding {
                mid: slot.mid.clone(),
                stream: slot.stream.as_ref().map(|stream| stream.as_str().to_owned()),
                layer: slot.layer,
            })
            .collect()
    }

    /// Every m-line and its stream.
    pub(super) fn bindings(&self) -> impl Iterator<Item = (&str, Option<&StreamId>)> {
        self.slots.iter().map(|slot| (slot.mid.as_str(), slot.stream.as_ref()))
    }

    /// `layer_of` gives the layer of a wanted stream, or `None` when its kind is not wanted.
    fn arrange_kind(
        &mut self,
        kind: MediaKind,
        wants: &[Want],
        layer_of: impl Fn(&Want) -> Option<Option<&'static str>>,
    ) {
        let mut wanted: Vec<(&StreamId, _)> = Vec::new();
        for want in wants {
            if let Some(layer) = layer_of(want)
                && !wanted.iter().any(|(stream, _)| **stream == want.stream)
            {
                wanted.push((&want.stream, layer));
            }
        }
        wanted.truncate(self.count(kind));
        for slot in self.slots.iter_mut().filter(|slot| slot.kind == kind) {
            let kept = wanted.iter().find(|(stream, _)| slot.stream.as_ref() == Some(stream));
            match kept {
                Some((_, layer)) => slot.layer = *layer,
                None => (slot.stream, slot.layer) = (None, None),
            }
        }
        for (stream, layer) in wanted {
            let mut slots = self.slots.iter_mut().filter(|slot| slot.kind == kind);
            if slots.any(|slot| slot.stream.as_ref() == Some(stream)) {
                continue;
            }
            let free = self.slots.iter_mut().find(|slot| slot.kind == kind && slot.stream.is_none());
            if let Some(slot) = free {
                (slot.stream, slot.layer) = (Some(stream.clone()), layer);
            }
        }
    }
}

/// The layer that a wish means, 0 being the largest; `None` for no video.
///
/// The SFU does not know sizes, so a size is judged by the usual ladder of 720, 360 and 180 lines.
pub(crate) fn layer_index(want: VideoWant) -> Option<u8> {
    match want {
        VideoWant::Skip => None,
        VideoWant::Layer(index) => Some(index.min(2)),
        VideoWant::Fit { width, height } => Some(match (width, height) {
            (0..=320, 0..=180) => 2,
            (0..=640, 0..=360) => 1,
            _ => 0,
        }),
    }
}

fn wanted_layer(want: VideoWant) -> Option<&'static str> {
    layer_index(want).and_then(|index| LAYERS.get(usize::from(index)).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(slots: usize) -> SlotTable {
        let lines = (0..slots).flat_map(|slot| {
            [(format!("a{slot}"), MediaKind::Audio), (format!("v{slot}"), MediaKind::Video)]
        });
        SlotTable::new(lines)
    }

    fn want(name: &str, layer: u8) -> Want {
        let stream = StreamId::parse(name).unwrap();
        Want { stream, audio: AudioWant::Play, video: VideoWant::Layer(layer) }
    }

    fn on(table: &SlotTable, mid: &str) -> Option<String> {
        let mut bindings = table.bindings();
        bindings
            .find(|(known, _)| *known == mid)
            .and_then(|(_, stream)| stream.map(|s| s.as_str().to_owned()))
    }

    #[test]
    fn streams_keep_their_slots_when_others_come_and_go() {
        let mut table = table(3);
        assert_eq!(table.arrange(&[want("ada", 0), want("ben", 0)]).len(), 4);
        let changed = table.arrange(&[want("eve", 0), want("ben", 0)]);
        assert_eq!(changed.len(), 2);
        assert_eq!((on(&table, "v0").as_deref(), on(&table, "v1").as_deref()), (Some("eve"), Some("ben")));
        assert!(table.arrange(&[want("ben", 0), want("eve", 0)]).is_empty());
    }

    #[test]
    fn another_layer_changes_only_the_video_slot() {
        let mut table = table(2);
        table.arrange(&[want("ada", 0)]);
        let changed = table.arrange(&[want("ada", 2)]);
        let expected = SlotBinding { mid: "v0".into(), stream: Some("ada".into()), layer: Some("low") };
        assert_eq!(changed, [expected]);
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_nothing_is_shown_twice() {
        let mut table = table(1);
        table.arrange(&[want("ada", 0), want("ada", 0), want("ben", 0)]);
        assert_eq!(table.slots(), Slots { audio: 1, video: 1 });
        assert_eq!(on(&table, "a0").as_deref(), Some("ada"));
    }

    #[test]
    fn everybody_is_heard_when_only_the_pictures_do_not_fit() {
        let lines = [("a0", MediaKind::Audio), ("a1", MediaKind::Audio), ("v0", MediaKind::Video)];
        let mut table = SlotTable::new(lines.into_iter().map(|(mid, kind)| (mid.to_owned(), kind)));
        table.arrange(&[want("ada", 0), want("ben", 0)]);
        assert_eq!((on(&table, "a0").as_deref(), on(&table, "a1").as_deref()), (Some("ada"), Some("ben")));
        assert_eq!(on(&table, "v0").as_deref(), Some("ada"));
    }

    #[test]
    fn who_is_wanted_first_takes_the_slot_of_who_is_wanted_last() {
        let mut table = table(1);
        table.arrange(&[want("ben", 0)]);
        table.arrange(&[want("ada", 0), want("ben", 0)]);
        assert_eq!(on(&table, "v0").as_deref(), Some("ada"));
    }

    #[test]
    fn sizes_choose_the_smallest_layer_that_fills_them() {
        let fit = |width, height| layer_index(VideoWant::Fit { width, height });
        assert_eq!((fit(160, 90), fit(320, 181), fit(641, 360)), (Some(2), Some(1), Some(0)));
        assert_eq!(layer_index(VideoWant::Skip), None);
    }
}
