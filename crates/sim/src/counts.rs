//! How often each kind of event happened, and how often it must.

use std::collections::BTreeMap;

/// Counts by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventCounts(BTreeMap<&'static str, u64>);

/// Least counts in every hundred seeds: a campaign in which one of these kinds is rarer proves too little.
pub const MINIMUMS: &[(&str, u64)] = &[
    ("join by open door", 50),
    ("join through lobby", 50),
    ("knock denied", 5),
    ("knock denied after it was admitted", 1),
    ("leave", 25),
    ("removal", 50),
    ("removal of a silent member", 30),
    ("crash", 40),
    ("crash of the host", 2),
    ("lock", 10),
    ("chat line received", 500),
    ("commit won", 300),
    ("commit race", 2),
    ("churn", 2),
    ("churning commit", 40),
    ("invalid commit", 50),
    ("meeting.commit.refused", 50),
    ("forged removal", 10),
    ("forged renaming", 10),
    ("forged update", 3),
    ("forged echo", 10),
    ("forged welcome with copied rules", 5),
    ("forged welcome with other rules", 5),
    ("meeting.join.welcome_refused", 5),
    ("commit that one cannot follow", 3),
    ("meeting.commit.unfollowed", 2),
    ("crash while held back", 3),
    ("key lost", 3),
    ("repair by adding again", 3),
    ("replayed commit", 20),
    ("replayed message", 20),
    ("forged knock", 20),
    ("knock shown again", 20),
    ("relay entry left out", 10),
    ("relay entry repeated", 5),
    ("relay entry replaced", 4),
    ("relay entries stretched", 4),
    ("joiner kept from the log", 5),
    ("card altered", 5),
    ("action refused", 50),
    ("client cut off", 50),
    ("partition", 10),
    ("relay outage", 20),
    ("relay lost its memory", 4),
    ("meeting ended by its host", 4),
    ("media held or stopped", 20),
    ("frame opened", 50_000),
    ("frame lost", 2_000),
    ("frame reordered", 2_000),
    ("frame repeated", 1_000),
    ("frame of another time replayed", 200),
    ("frame bit flipped", 200),
    ("frame on another track", 200),
    ("frame injected", 200),
    ("frame withheld and sent late", 100),
    ("frame refused while a member is held", 20),
    ("frame after removal refused", 500),
];

impl EventCounts {
    pub(crate) fn add(&mut self, kind: &'static str) {
        *self.0.entry(kind).or_default() += 1;
    }

    /// Adds the counts of another run.
    pub fn merge(&mut self, other: &Self) {
        for (kind, count) in &other.0 {
            *self.0.entry(kind).or_default() += count;
        }
    }

    /// How often a kind happened.
    #[must_use]
    pub fn of(&self, kind: &str) -> u64 {
        self.0.get(kind).copied().unwrap_or(0)
    }

    /// All kinds, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().map(|(kind, count)| (*kind, *count))
    }

    /// Kinds that happened less often than [`MINIMUMS`] demand of so many seeds, with count and demand. Only whole
    /// hundreds count: in fewer seeds chance alone makes a kind rare.
    #[must_use]
    pub fn rare(&self, seeds: u64) -> Vec<(&'static str, u64, u64)> {
        let demand = |least: u64| least.saturating_mul(seeds / 100);
        let all = MINIMUMS.iter().map(|(kind, least)| (*kind, self.of(kind), demand(*least)));
        all.filter(|(_, count, demand)| count < demand).collect()
    }
}
