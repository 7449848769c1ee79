//! What arrived of one encoding, and what did not.

/// Counters of one encoding of one publisher, over all its SSRCs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reception {
    current: Option<Span>,
    lost_before: u64,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) key_frames: u64,
    pub(crate) key_frame_requests: u64,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    ssrc: u32,
    first: u64,
    highest: u64,
    received: u64,
}

impl Span {
    fn lost(&self) -> u64 {
        let expected = self.highest - self.first + 1;
        expected.saturating_sub(self.received)
    }
}

impl Reception {
    /// A packet that was not seen before arrived. Sequence numbers are extended ones. Whether it is the newest.
    pub(crate) fn note(&mut self, ssrc: u32, sequence: u64, payload_bytes: usize) -> bool {
        self.packets += 1;
        self.bytes += payload_bytes as u64;
        match &mut self.current {
            Some(span) if span.ssrc == ssrc => {
                let is_newest = sequence > span.highest;
                // One that was sent before the first arrival was lost or late, either way outside the span.
                if sequence >= span.first {
                    span.received += 1;
                    span.highest = span.highest.max(sequence);
                }
                is_newest
            }
            other => {
                self.lost_before += other.map_or(0, |span| span.lost());
                *other = Some(Span { ssrc, first: sequence, highest: sequence, received: 1 });
                true
            }
        }
    }

    /// Packets that never arrived.
    pub(crate) fn lost(&self) -> u64 {
        self.lost_before + self.current.map_or(0, |span| span.lost())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_counts_gaps_until_they_are_repaired() {
        let mut reception = Reception::default();
        for sequence in [10, 11, 14] {
            assert!(reception.note(1, sequence, 5));
        }
        assert_eq!(reception.lost(), 2);
        assert!(!reception.note(1, 12, 5));
        assert_eq!(reception.lost(), 1);
        assert!(reception.note(2, 900, 5));
        reception.note(2, 901, 5);
        assert_eq!((reception.lost(), reception.packets), (1, 6));
    }
}
