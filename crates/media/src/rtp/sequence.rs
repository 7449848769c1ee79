//! Wrapping RTP counters made monotone.

/// Extends 16-bit sequence numbers to 64 bits (RFC 3550 §A.1): each number is taken to be the one nearest to
/// the highest seen.
///
/// The first number is placed at `65_536 + number`, so that packets from before it have a place too.
#[derive(Clone, Debug, Default)]
pub struct SequenceUnwrapper {
    highest: Option<u64>,
}

impl SequenceUnwrapper {
    /// An unwrapper that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { highest: None }
    }

    /// The extended number of a packet.
    pub fn unwrap(&mut self, number: u16) -> u64 {
        let Some(highest) = self.highest else {
            let first = u64::from(number).saturating_add(1 << 16);
            self.highest = Some(first);
            return first;
        };
        let low = u16::try_from(highest & 0xffff).unwrap_or(0);
        let step = number.wrapping_sub(low).cast_signed();
        let extended = highest.saturating_add_signed(i64::from(step));
        self.highest = Some(highest.max(extended));
        extended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_keep_rising_over_the_wrap() {
        let mut unwrapper = SequenceUnwrapper::new();
        let first = unwrapper.unwrap(65_534);
        assert_eq!(unwrapper.unwrap(65_535), first + 1);
        assert_eq!(unwrapper.unwrap(1), first + 3);
        assert_eq!(unwrapper.unwrap(0), first + 2);
        assert_eq!(unwrapper.unwrap(65_533), first - 1);
    }

    #[test]
    fn packets_from_before_the_first_have_a_place() {
        let mut unwrapper = SequenceUnwrapper::new();
        let first = unwrapper.unwrap(0);
        assert_eq!(unwrapper.unwrap(65_535), first - 1);
    }
}
