//! The clocks of this machine, read in one place.

use std::time::{SystemTime, UNIX_EPOCH};

use incamera_devices::SystemClock;
use incamera_types::Now;

/// The present, for every core machine.
pub(crate) fn now() -> Now {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { mono: SystemClock.now(), unix_ms: unix.as_millis().try_into().unwrap_or(u64::MAX) }
}
