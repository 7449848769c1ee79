//! The decision.

use core::time::Duration;

use incamera_types::Mono;

use super::limits::LayerLimits;
use crate::vp8::{Layer, LayerRate};

/// Media stays below this share of the estimate, percent: the rest is headers, retransmissions and room for the
/// pacer, whose queue audio shares (trap: at the full target audio waits 231 ms).
const USABLE_PERCENT: u64 = 90;

/// A layer comes on only when its least rate fits with this reserve, percent …
const RESERVE_PERCENT: u64 = 20;

/// … for this long.
const ENABLE_AFTER: Duration = Duration::from_secs(2);

/// Changes of a layer's rate below this are not worth a new configuration, percent.
const MIN_CHANGE_PERCENT: u64 = 5;

/// The smallest layer is always sent, at this rate at the least, kbit/s. That is far below what it needs, but a bad
/// picture tells more than none; and where only video is numbered for congestion control, an estimate without video
/// would never grow again.
const LEAST_VIDEO_KBPS: u32 = 30;

/// What is sent besides video, and the layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateConfig {
    /// Kept free for audio with its RTP and sealing overhead, kbit/s.
    pub audio_reserve_kbps: u32,
    /// Limits by [`Layer::index`]; `None` for layers that are not offered.
    pub layers: [Option<LayerLimits>; 3],
}

/// Rates by [`Layer::index`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateDecision {
    /// What each layer does.
    pub layers: [LayerRate; 3],
}

impl RateDecision {
    /// Sum over the layers, kbit/s.
    #[must_use]
    pub fn video_kbps(&self) -> u32 {
        self.layers.iter().map(|rate| rate_kbps(*rate)).fold(0, u32::saturating_add)
    }
}

/// Shares a bandwidth estimate among the layers of one source: the smallest layer first, so that everybody sees
/// something, then larger ones as they fit. Audio goes before all video.
///
/// A layer goes off at once when its least rate does not fit, and comes on only after it would have fit with reserve
/// for two seconds. The smallest layer gives up quality and never goes off: at 30 kbit/s it finds out what fits.
#[derive(Clone, Debug)]
pub struct RateMachine {
    config: RateConfig,
    on: [bool; 3],
    fits_since: [Option<Mono>; 3],
    decision: Option<RateDecision>,
}

impl RateMachine {
    /// A machine that has decided nothing.
    #[must_use]
    pub fn new(config: RateConfig) -> Self {
        Self { config, on: [false; 3], fits_since: [None; 3], decision: None }
    }

    /// Takes a new estimate in kbit/s and gives a decision when it differs enough from the last one. Called whenever the
    /// estimate changes, at least once a second. The first call decides without waiting.
    pub fn handle_estimate(&mut self, now: Mono, estimate_kbps: u32) -> Option<RateDecision> {
        let usable = u64::from(estimate_kbps).saturating_mul(USABLE_PERCENT).div_euclid(100);
        let budget = usable.saturating_sub(u64::from(self.config.audio_reserve_kbps));
        let next = self.share(now, u32::try_from(budget).unwrap_or(u32::MAX));
        if self.decision.is_some_and(|last| !differs(&last, &next)) {
            return None;
        }
        self.decision = Some(next);
        Some(next)
    }

    fn share(&mut self, now: Mono, budget_kbps: u32) -> RateDecision {
        let mut left = budget_kbps;
        let mut granted = [0_u32; 3];
        let smallest = Layer::ALL.into_iter().rev().find(|layer| self.limits(*layer).is_some());
        for layer in Layer::ALL.into_iter().rev() {
            let Some(limits) = self.limits(layer) else { continue };
            if smallest == Some(layer) {
                let least = left.max(LEAST_VIDEO_KBPS).min(limits.min_kbps);
                set(&mut granted, layer, least);
                left = left.saturating_sub(least);
            } else if self.admits(now, layer, limits.min_kbps, left) {
                set(&mut granted, layer, limits.min_kbps);
                left = left.saturating_sub(limits.min_kbps);
            } else {
                // A larger layer never takes the room that a smaller one waits for.
                left = 0;
            }
        }
        for layer in Layer::ALL.into_iter().rev() {
            let least = granted.get(layer.index()).copied().unwrap_or(0);
            let Some(limits) = self.limits(layer).filter(|_| least > 0) else { continue };
            let more = left.min(limits.max_kbps.saturating_sub(least));
            set(&mut granted, layer, least.saturating_add(more));
            left = left.saturating_sub(more);
        }
        let rate = |kbps| if kbps == 0 { LayerRate::Off } else { LayerRate::Kbps(kbps) };
        RateDecision { layers: granted.map(rate) }
    }

    fn limits(&self, layer: Layer) -> Option<LayerLimits> {
        self.config.layers.get(layer.index()).copied().flatten()
    }

    /// Whether a layer that needs `least_kbps` is on, given the room that smaller ones leave.
    fn admits(&mut self, now: Mono, layer: Layer, least_kbps: u32, room_kbps: u32) -> bool {
        let first = self.decision.is_none();
        let (Some(on), Some(since)) =
            (self.on.get_mut(layer.index()), self.fits_since.get_mut(layer.index()))
        else {
            return false;
        };
        let percent = RESERVE_PERCENT.saturating_add(100);
        let with_reserve = u64::from(least_kbps).saturating_mul(percent).div_euclid(100);
        let fits_with_reserve = u64::from(room_kbps) >= with_reserve;
        *since = if fits_with_reserve { since.or(Some(now)) } else { None };
        let waited = since.is_some_and(|since| now.since(since) >= ENABLE_AFTER);
        *on = if *on { room_kbps >= least_kbps } else { fits_with_reserve && (first || waited) };
        *on
    }
}

fn set(granted: &mut [u32; 3], layer: Layer, kbps: u32) {
    if let Some(place) = granted.get_mut(layer.index()) {
        *place = kbps;
    }
}

fn rate_kbps(rate: LayerRate) -> u32 {
    match rate {
        LayerRate::Off => 0,
        LayerRate::Kbps(kbps) => kbps,
    }
}

fn differs(a: &RateDecision, b: &RateDecision) -> bool {
    a.layers.iter().zip(&b.layers).any(|(a, b)| {
        let (a, b) = (u64::from(rate_kbps(*a)), u64::from(rate_kbps(*b)));
        (a == 0) != (b == 0) || a.abs_diff(b).saturating_mul(100) > a.saturating_mul(MIN_CHANGE_PERCENT)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(audio_reserve_kbps: u32) -> RateMachine {
        RateMachine::new(RateConfig { audio_reserve_kbps, layers: LayerLimits::for_layers(1_280, 720, 30) })
    }

    const fn at(ms: u64) -> Mono {
        Mono::from_micros(ms * 1_000)
    }

    #[test]
    fn sum_stays_below_ninety_percent_of_any_estimate_that_carries_the_smallest_layer() {
        for estimate in (0..8_000).step_by(37) {
            let decision = machine(50).handle_estimate(at(0), estimate).unwrap();
            let sum = decision.video_kbps();
            assert!(
                sum == LEAST_VIDEO_KBPS || u64::from(sum + 50) * 100 <= u64::from(estimate) * 90,
                "{estimate}: {sum}"
            );
        }
    }

    #[test]
    fn smaller_layers_come_first() {
        let on = |estimate| {
            let decision = machine(50).handle_estimate(at(0), estimate).unwrap();
            decision.layers.map(|rate| rate != LayerRate::Off)
        };
        assert_eq!(on(90), [false, false, true]);
        assert_eq!(on(200), [false, false, true]);
        assert_eq!(on(500), [false, true, true]);
        assert_eq!(on(4_000), [true, true, true]);
    }

    #[test]
    fn a_layer_goes_off_at_once_and_comes_back_after_two_seconds() {
        let mut machine = machine(0);
        let high_on = |decision: RateDecision| decision.layers[0] != LayerRate::Off;
        assert!(high_on(machine.handle_estimate(at(0), 3_000).unwrap()));
        assert!(!high_on(machine.handle_estimate(at(100), 700).unwrap()));
        for ms in (200..2_200).step_by(100) {
            let decision = machine.handle_estimate(at(ms), 3_000);
            assert!(decision.is_none_or(|decision| !high_on(decision)), "{ms}");
        }
        assert!(high_on(machine.handle_estimate(at(2_200), 3_000).unwrap()));
    }

    #[test]
    fn a_lone_large_layer_is_sent_below_its_least_rate() {
        let limits = LayerLimits::for_size(1_280, 720, 30);
        let layers = [Some(limits), None, None];
        let mut machine = RateMachine::new(RateConfig { audio_reserve_kbps: 50, layers });
        let decision = machine.handle_estimate(at(0), 300).unwrap();
        assert_eq!(decision.layers, [LayerRate::Kbps(220), LayerRate::Off, LayerRate::Off]);
        assert_eq!(machine.handle_estimate(at(1), 70).unwrap().video_kbps(), 30);
    }

    #[test]
    fn smallest_layer_stays_on_at_any_estimate_and_larger_ones_come_back_when_time_passes() {
        let mut machine = machine(60);
        machine.handle_estimate(at(0), 3_000).unwrap();
        for estimate in [80, 0] {
            let decision = machine.handle_estimate(at(100), estimate);
            assert!(
                decision.is_none_or(|d| d.layers == [LayerRate::Off, LayerRate::Off, LayerRate::Kbps(30)])
            );
        }
        assert_eq!(machine.handle_estimate(at(200), 3_000).unwrap().layers[0], LayerRate::Off);
        // The same estimate again, as its caller repeats it: one layer after the other comes on.
        for (ms, on) in [(2_200, [false, true, true]), (4_200, [true, true, true])] {
            let decision = machine.handle_estimate(at(ms), 3_000).unwrap();
            assert_eq!(decision.layers.map(|rate| rate != LayerRate::Off), on, "{ms}");
        }
    }

    #[test]
    fn small_changes_change_nothing() {
        let mut machine = machine(0);
        machine.handle_estimate(at(0), 3_000).unwrap();
        assert_eq!(machine.handle_estimate(at(50), 3_010), None);
        assert!(machine.handle_estimate(at(100), 3_300).is_some());
    }

    #[test]
    fn one_layer_takes_all_it_can_use() {
        let limits = LayerLimits::for_size(640, 360, 30);
        let layers = [Some(limits), None, None];
        let mut machine = RateMachine::new(RateConfig { audio_reserve_kbps: 60, layers });
        let decision = machine.handle_estimate(at(0), 10_000).unwrap();
        assert_eq!(decision.layers, [LayerRate::Kbps(limits.max_kbps), LayerRate::Off, LayerRate::Off]);
    }
}
