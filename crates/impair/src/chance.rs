//! The seeded randomness of the relay.

use core::time::Duration;

use crate::settings::Probability;

/// A small seeded generator (SplitMix64, Steele, Lea and Flood 2014). Not for secrets.
#[derive(Clone, Debug)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// A generator that gives the same numbers for the same seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// An independent generator for part number `part`.
    #[must_use]
    pub fn split(&self, part: u64) -> Self {
        let mut dice = Self { state: self.state ^ part.wrapping_mul(0xD1B5_4A32_D192_ED03) };
        Self { state: dice.roll() }
    }

    /// Whether something of this probability happens.
    pub(crate) fn happens(&mut self, probability: Probability) -> bool {
        self.fraction() < probability.fraction()
    }

    /// A duration between zero and `most`, all equally likely.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        most.mul_f64(self.fraction())
    }

    /// A number from 0 up to, not including, 1.
    fn fraction(&mut self) -> f64 {
        // The upper 53 bits: all that a double can hold.
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_published_generator() {
        let mut dice = Dice::new(1_234_567);
        let rolls: Vec<u64> = (0..3).map(|_| dice.roll()).collect();
        assert_eq!(rolls, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn parts_differ_from_each_other_and_repeat() {
        let dice = Dice::new(5);
        assert_eq!(dice.split(1).roll(), dice.split(1).roll());
        assert_ne!(dice.split(1).roll(), dice.split(2).roll());
    }

    #[test]
    fn certain_and_impossible_events_are_exact() {
        let mut dice = Dice::new(0);
        assert!((0..10_000).all(|_| dice.happens(Probability::ALWAYS)));
        assert!(!(0..10_000).any(|_| dice.happens(Probability::NEVER)));
    }
}
