//! What happened to the packets of one direction.

use core::ops::AddAssign;

use serde::Serialize;

/// Packets by fate; every received packet is counted once as lost, overflowed or passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LinkCounters {
    /// Packets that came in.
    pub received: u64,
    /// Packets lost by chance, one by one.
    pub lost: u64,
    /// Packets lost in a burst.
    pub lost_in_burst: u64,
    /// Packets dropped because the queue before the rate limit was full.
    pub overflowed: u64,
    /// Packets that were let through, without their duplicates.
    pub passed: u64,
    /// Packets that were sent a second time.
    pub duplicated: u64,
    /// Packets that were held back so that later ones overtake them.
    pub reordered: u64,
    /// Bytes of all packets that were let through.
    pub passed_bytes: u64,
}

impl AddAssign for LinkCounters {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.lost += other.lost;
        self.lost_in_burst += other.lost_in_burst;
        self.overflowed += other.overflowed;
        self.passed += other.passed;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.passed_bytes += other.passed_bytes;
    }
}
