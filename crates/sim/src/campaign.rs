//! Many seeds, on every core.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::counts::EventCounts;
use crate::run::{SeedReport, simulate};
use crate::sabotage::Rule;

/// Seeds within which every rule must be caught.
const SABOTAGE_SEEDS: u64 = 200;

/// A seed whose run broke an invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed that replays it.
    pub seed: u64,
    /// What did not hold.
    pub what: String,
}

/// What became of a campaign.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Seeds that were run.
    pub seeds: u64,
    /// How often what happened in all of them.
    pub counts: EventCounts,
    /// Broken invariants by seed.
    pub failures: Vec<Failure>,
}

/// A range of seeds.
#[derive(Clone, Copy)]
pub struct Campaign {
    /// The first seed.
    pub first_seed: u64,
    /// How many.
    pub seeds: u64,
    /// The safeguard that is missing; then the first failure ends the campaign.
    pub rule: Option<Rule>,
}

impl Campaign {
    /// Runs every seed and tells `progress` how many are done.
    pub fn run(self, progress: impl Fn(u64) + Sync) -> Outcome {
        let next = AtomicU64::new(0);
        let outcome = Mutex::new(Outcome::default());
        let cores = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            for _ in 0..cores {
                scope.spawn(|| self.work(&next, &outcome, &progress));
            }
        });
        let mut outcome = outcome.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        outcome.failures.sort_by_key(|failure| failure.seed);
        outcome
    }

    fn work(&self, next: &AtomicU64, outcome: &Mutex<Outcome>, progress: &(impl Fn(u64) + Sync)) {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= self.seeds {
                return;
            }
            let SeedReport { seed, broken, counts, .. } = simulate(self.first_seed + at, self.rule);
            // Only what goes well with the safeguard shows that the safeguard is missed.
            let broken = broken.filter(|_| self.rule.is_none() || simulate(seed, None).broken.is_none());
            let mut all = outcome.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            all.seeds += 1;
            all.counts.merge(&counts);
            if let Some(what) = broken {
                all.failures.push(Failure { seed, what });
                if self.rule.is_some() {
                    next.store(self.seeds, Ordering::Relaxed);
                }
            }
            progress(all.seeds);
        }
    }
}

/// Tries each rule in up to 200 seeds: its name, and the first failure found if there was one.
pub fn sabotage_all(
    first_seed: u64,
    told: impl Fn(&str, Option<&Failure>),
) -> Vec<(&'static str, Option<Failure>)> {
    let tried = Rule::all().iter().map(|rule| {
        let campaign = Campaign { first_seed, seeds: SABOTAGE_SEEDS, rule: Some(*rule) };
        let caught = campaign.run(|_| {}).failures.into_iter().next();
        told(rule.name, caught.as_ref());
        (rule.name, caught)
    });
    tried.collect()
}
