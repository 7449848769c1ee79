//! One seed from beginning to end.

use core::time::Duration;

use incamera_meeting::Record;

use crate::chance::Chance;
use crate::counts::EventCounts;
use crate::network::Happening;
use crate::sabotage::Rule;
use crate::world::World;

/// What became of one seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedReport {
    /// The seed.
    pub seed: u64,
    /// The first invariant that did not hold.
    pub broken: Option<String>,
    /// How often what happened.
    pub counts: EventCounts,
    /// Everything notable in order of time: seconds, participant, what.
    pub trace: Vec<String>,
    /// The same with every event that a participant was told, as `incamera-cli replay` reads it.
    pub records: Vec<Record>,
}

/// Runs one seed, without `rule` if one is given.
#[must_use]
pub fn simulate(seed: u64, rule: Option<Rule>) -> SeedReport {
    let mut world = match World::new(seed, rule) {
        Ok(world) => world,
        Err(error) => {
            let broken = Some(format!("the room could not be made: {error}"));
            return SeedReport {
                seed,
                broken,
                counts: EventCounts::default(),
                trace: Vec::new(),
                records: Vec::new(),
            };
        }
    };
    let begin = world.now.mono.plus(Duration::from_millis(500));
    world.network.schedule(begin, Happening::Action);
    let busy_until = world.busy_until();
    world.run_until(busy_until);
    if world.invariants.broken.is_none() {
        world.heal();
        world.check_convergence();
        // Drawn apart, so that what happened until here is the same with and without it.
        if Chance::new(seed, 3).happens(100) {
            world.churn();
            world.check_convergence();
        }
    }
    let World { invariants, counts, trace, recording, now, .. } = world;
    let broken = invariants.broken;
    let records = recording.finish(seed, rule, now.mono, broken.clone());
    SeedReport { seed, broken, counts, trace, records }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_trace_twice() {
        let (first, second) = (simulate(8, None), simulate(8, None));
        assert!(first.trace.len() > 50);
        assert_eq!(first, second);
    }

    #[test]
    fn recording_of_a_seed_reads_back_as_it_was_written() {
        let records = simulate(7, None).records;
        assert!(matches!(records.first(), Some(Record::Began { seed: 7, .. })));
        assert!(matches!(records.last(), Some(Record::Ended { broken: None, .. })));
        for record in records {
            let line = serde_json::to_string(&record).unwrap();
            assert!(line.len() < incamera_meeting::MAX_RECORD_BYTES);
            assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
        }
    }

    #[test]
    fn five_seeds_keep_every_invariant() {
        for seed in 1..=5 {
            assert_eq!(simulate(seed, None).broken, None, "seed {seed}");
        }
    }
}
