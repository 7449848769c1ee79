//! Simulcast layers: their names, which of them flow, and which one a player gets.

use core::time::Duration;
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// A layer counts as stopped after this long without a packet …
const SILENCE: Duration = Duration::from_millis(400);
/// … while another layer of the same publisher sent this recently. Alone, silence means nothing: a still
/// screen may send rarely on all layers.
const OTHERS_ALIVE: Duration = Duration::from_millis(200);

/// A simulcast layer of one publisher. A publisher with a single encoding has only [`Layer::High`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// The smallest picture; rid `l`.
    Low,
    /// The middle one; rid `m`.
    Medium,
    /// The largest picture; rid `h`.
    High,
}

impl Layer {
    /// All layers, best first.
    pub const BEST_FIRST: [Self; 3] = [Self::High, Self::Medium, Self::Low];

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Low => 0,
            Self::Medium => 1,
            Self::High => 2,
        }
    }
}

/// Gives each rid of an offer its layer.
///
/// `h m l` and `f h q` are names in common use; `0 1 2` are ascending sizes. Any other set is read in
/// the order of the offer, best first, which is the order Incamera's own clients use. `None` if there are
/// more than three rids or one twice.
pub(crate) fn layers_of_rids(rids: &[&str]) -> Option<Vec<Layer>> {
    let unique = rids.iter().enumerate().all(|(i, r)| !rids[..i].contains(r));
    if rids.len() > Layer::BEST_FIRST.len() || !unique {
        return None;
    }
    let [high, medium, low] = Layer::BEST_FIRST;
    let known: [[(&str, Layer); 3]; 3] = [
        [("h", high), ("m", medium), ("l", low)],
        [("f", high), ("h", medium), ("q", low)],
        [("2", high), ("1", medium), ("0", low)],
    ];
    let by_name = known.iter().find_map(|names| {
        let named = |rid: &&str| names.iter().find(|(n, _)| n == rid).map(|(_, l)| *l);
        rids.iter().map(named).collect::<Option<Vec<_>>>()
    });
    let in_order = || Layer::BEST_FIRST.iter().copied().take(rids.len()).collect();
    Some(by_name.unwrap_or_else(in_order))
}

/// When each layer of one publisher last sent something.
#[derive(Clone, Debug, Default)]
pub(crate) struct Activity {
    last: [Option<Instant>; 3],
}

impl Activity {
    /// A packet of `layer` arrived.
    pub(crate) fn note(&mut self, now: Instant, layer: Layer) {
        self.last[layer.index()] = Some(now);
    }

    /// Whether `layer` has sent and has not stopped while others go on.
    pub(crate) fn flows(&self, now: Instant, layer: Layer) -> bool {
        let Some(last) = self.last[layer.index()] else {
            return false;
        };
        if now.saturating_duration_since(last) <= SILENCE {
            return true;
        }
        let newest = self.last.iter().flatten().max().copied().unwrap_or(last);
        now.saturating_duration_since(newest) > OTHERS_ALIVE
    }

    /// The layer a player gets that wants at most `wanted`: the best flowing one up to it, else the
    /// smallest flowing one above it.
    pub(crate) fn choose(&self, now: Instant, wanted: Layer) -> Option<Layer> {
        let flowing = |l: &&Layer| self.flows(now, **l);
        let up_to = Layer::BEST_FIRST.iter().filter(|l| **l <= wanted);
        let above = Layer::BEST_FIRST.iter().rev().filter(|l| **l > wanted);
        up_to.chain(above).find(flowing).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rids_in_common_use_get_their_layers() {
        use Layer::{High, Low, Medium};
        assert_eq!(layers_of_rids(&["h", "m", "l"]), Some(vec![High, Medium, Low]));
        assert_eq!(layers_of_rids(&["l", "h"]), Some(vec![Low, High]));
        assert_eq!(layers_of_rids(&["q", "h", "f"]), Some(vec![Low, Medium, High]));
        assert_eq!(layers_of_rids(&["0", "1", "2"]), Some(vec![Low, Medium, High]));
        assert_eq!(layers_of_rids(&["x", "y"]), Some(vec![High, Medium]));
        assert_eq!(layers_of_rids(&["a", "a"]), None);
        assert_eq!(layers_of_rids(&["a", "b", "c", "d"]), None);
    }

    #[test]
    fn a_stopped_layer_falls_back_to_the_next_lower_and_returns() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut activity = Activity::default();
        assert_eq!(activity.choose(start, Layer::High), None);
        for layer in Layer::BEST_FIRST {
            activity.note(start, layer);
        }
        assert_eq!(activity.choose(start, Layer::High), Some(Layer::High));
        for ms in (0..600).step_by(33) {
            activity.note(at(ms), Layer::Medium);
        }
        assert_eq!(activity.choose(at(600), Layer::High), Some(Layer::Medium));
        assert_eq!(activity.choose(at(600), Layer::Low), Some(Layer::Medium));
        activity.note(at(610), Layer::High);
        assert_eq!(activity.choose(at(610), Layer::High), Some(Layer::High));
    }

    #[test]
    fn a_publisher_that_pauses_as_a_whole_keeps_its_layers() {
        let start = Instant::now();
        let mut activity = Activity::default();
        activity.note(start, Layer::High);
        activity.note(start, Layer::Low);
        let later = start + Duration::from_secs(5);
        assert_eq!(activity.choose(later, Layer::High), Some(Layer::High));
    }
}
