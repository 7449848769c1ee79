//! One direction: decides when, whether and how often each packet arrives.

use incamera_types::Mono;

use crate::chance::Dice;
use crate::counters::LinkCounters;
use crate::settings::LinkSettings;

/// The state of one direction.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    settings: LinkSettings,
    counters: LinkCounters,
    dice: Dice,
    in_burst: bool,
    /// When the bottleneck has sent everything that was let in so far.
    free_at: Mono,
    /// When the last packet that keeps its place in the order arrives.
    last_arrival: Mono,
}

/// The arrivals of one packet: none, one, or two.
pub(crate) type Arrivals = [Option<Mono>; 2];

/// The decisions of chance about one packet. All are made for every packet, whatever the settings, so that changing
/// one setting does not change what the others do to later packets.
#[derive(Clone, Copy, Debug)]
struct Fate {
    lost: bool,
    enters_burst: bool,
    leaves_burst: bool,
    jitter: core::time::Duration,
    held_back: bool,
    duplicated: bool,
}

impl Link {
    pub(crate) fn new(settings: LinkSettings, dice: Dice) -> Self {
        Self {
            settings,
            counters: LinkCounters::default(),
            dice,
            in_burst: false,
            free_at: Mono::default(),
            last_arrival: Mono::default(),
        }
    }

    pub(crate) const fn counters(&self) -> LinkCounters {
        self.counters
    }

    /// Changes what happens to packets from now on; those under way keep their times.
    pub(crate) const fn change(&mut self, settings: LinkSettings) {
        self.settings = settings;
    }

    /// Decides about a packet of `bytes` bytes that comes in at `now`.
    pub(crate) fn admit(&mut self, now: Mono, bytes: usize) -> Arrivals {
        let fate = self.draw_fate();
        self.counters.received += 1;
        self.step_burst(fate);
        if self.in_burst {
            self.counters.lost_in_burst += 1;
            return [None; 2];
        }
        if fate.lost {
            self.counters.lost += 1;
            return [None; 2];
        }
        let Some(departure) = self.pass_bottleneck(now, bytes) else {
            self.counters.overflowed += 1;
            return [None; 2];
        };
        self.counters.passed += 1;
        self.counters.passed_bytes += bytes as u64;
        let arrival = self.arrival(departure, fate);
        if fate.duplicated {
            self.counters.duplicated += 1;
        }
        [Some(arrival), fate.duplicated.then_some(arrival)]
    }

    fn draw_fate(&mut self) -> Fate {
        let settings = self.settings;
        let burst = settings.burst;
        let never = crate::settings::Probability::NEVER;
        Fate {
            lost: self.dice.happens(settings.loss),
            enters_burst: self.dice.happens(burst.map_or(never, |burst| burst.enter)),
            leaves_burst: self.dice.happens(burst.map_or(never, |burst| burst.leave)),
            jitter: self.dice.up_to(settings.jitter),
            held_back: self.dice.happens(settings.reorder),
            duplicated: self.dice.happens(settings.duplicate),
        }
    }

    const fn step_burst(&mut self, fate: Fate) {
        self.in_burst = match (self.settings.burst, self.in_burst) {
            (None, _) => false,
            (Some(_), true) => !fate.leaves_burst,
            (Some(_), false) => fate.enters_burst,
        };
    }

    /// When the packet has left the bottleneck; `None` when its queue is full.
    fn pass_bottleneck(&mut self, now: Mono, bytes: usize) -> Option<Mono> {
        let Some(rate) = self.settings.rate else { return Some(now) };
        let start = self.free_at.max(now);
        if start.since(now) > self.settings.queue {
            return None;
        }
        self.free_at = start.plus(rate.time_of(bytes));
        Some(self.free_at)
    }

    fn arrival(&mut self, departure: Mono, fate: Fate) -> Mono {
        let travelled = departure.plus(self.settings.delay).plus(fate.jitter);
        if fate.held_back {
            self.counters.reordered += 1;
            return travelled.plus(self.settings.reorder_by);
        }
        self.last_arrival = travelled.max(self.last_arrival);
        self.last_arrival
    }
}
