//! The clock that arrivals are stamped with.

use incamera_types::Mono;

/// Reads a monotonic clock. Every part of one process uses the same one, so that their instants can be compared.
#[derive(Clone, Copy, Debug)]
pub struct Clock(fn() -> Mono);

impl Clock {
    /// The clock that `read` reads.
    #[must_use]
    pub const fn new(read: fn() -> Mono) -> Self {
        Self(read)
    }

    /// The current instant.
    #[must_use]
    pub fn now(&self) -> Mono {
        (self.0)()
    }
}
