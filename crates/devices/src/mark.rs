//! A small number that makes the synthetic media of one sender different from another's.

/// Tells synthetic senders apart: it chooses the tone's frequency and is readable from the test pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SenderMark(u8);

impl SenderMark {
    /// The mark with this number.
    #[must_use]
    pub const fn new(number: u8) -> Self {
        Self(number)
    }

    /// The mark of a display name: the same name always gives the same mark, two names share one in one of 256
    /// cases.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        // FNV-1a, folded: stable across builds, which the standard hasher does not promise.
        let hash = name
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let [a, b, c, d] = hash.to_be_bytes();
        Self(a ^ b ^ c ^ d)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The frequency of this sender's tone in hertz: 400 to 2,950 in steps of 10, marks next to each other far
    /// apart, all inside the band that every Opus mode keeps.
    #[must_use]
    pub fn tone_hz(self) -> f64 {
        // 89 is odd, so multiplying by it permutes the 256 steps.
        400.0 + 10.0 * f64::from(self.0.wrapping_mul(89))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_mark_has_its_own_tone() {
        let tones: BTreeSet<u64> = (0..=255).map(|number| SenderMark::new(number).tone_hz() as u64).collect();
        assert_eq!(tones.len(), 256);
        assert_eq!((tones.first(), tones.last()), (Some(&400), Some(&2_950)));
    }

    #[test]
    fn names_give_stable_marks() {
        assert_eq!(SenderMark::from_name("Ada"), SenderMark::from_name("Ada"));
        assert_ne!(SenderMark::from_name("Ada"), SenderMark::from_name("Bob"));
    }
}
