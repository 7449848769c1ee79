//! A token bucket per client address, for offers.

use core::time::Duration;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

/// Addresses remembered; beyond that all newcomers share one bucket until old ones are full again.
const MAX_ADDRESSES: usize = 10_000;

/// Limits how often each address may do something expensive.
pub(crate) struct AddressRate {
    burst: f64,
    per_second: f64,
    buckets: HashMap<Option<IpAddr>, Bucket>,
    cleaned: Option<Instant>,
}

struct Bucket {
    tokens: f64,
    updated: Instant,
}

impl AddressRate {
    pub(crate) fn new(burst: u32, per_second: u32) -> Self {
        Self {
            burst: f64::from(burst),
            per_second: f64::from(per_second),
            buckets: HashMap::new(),
            cleaned: None,
        }
    }

    /// Takes one token of `address`; false if there is none.
    pub(crate) fn allows(&mut self, now: Instant, address: Option<IpAddr>) -> bool {
        let mut key = address.map(prefix);
        if self.buckets.len() >= MAX_ADDRESSES && !self.buckets.contains_key(&key) {
            self.forget_full(now);
            if self.buckets.len() >= MAX_ADDRESSES {
                key = None;
            }
        }
        let bucket = self.buckets.entry(key).or_insert(Bucket { tokens: self.burst, updated: now });
        let elapsed = now.saturating_duration_since(bucket.updated).as_secs_f64();
        bucket.tokens = (bucket.tokens + elapsed * self.per_second).min(self.burst);
        bucket.updated = now;
        let allowed = bucket.tokens >= 1.0;
        if allowed {
            bucket.tokens -= 1.0;
        }
        allowed
    }

    /// Looks through all buckets, so not more than once a second.
    fn forget_full(&mut self, now: Instant) {
        let recently = |c: Instant| now.saturating_duration_since(c) < Duration::from_secs(1);
        if self.cleaned.is_some_and(recently) {
            return;
        }
        self.cleaned = Some(now);
        let (burst, per_second) = (self.burst, self.per_second);
        self.buckets.retain(|_, b| {
            let elapsed = now.saturating_duration_since(b.updated).as_secs_f64();
            b.tokens + elapsed * per_second < burst
        });
    }
}

/// One subscriber usually has a whole IPv6 /64.
pub(crate) fn prefix(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            v6.to_ipv4_mapped()
                .map_or_else(|| IpAddr::V6(std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)), IpAddr::V4)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_the_rate() {
        let now = Instant::now();
        let mut rate = AddressRate::new(3, 2);
        let ada = "2001:db8::1".parse().ok();
        let neighbour = "2001:db8::2".parse().ok();
        let bob = "192.0.2.1".parse().ok();
        assert!((0..3).all(|_| rate.allows(now, ada)));
        assert!(!rate.allows(now, neighbour));
        assert!(rate.allows(now, bob));
        let later = now + Duration::from_millis(500);
        assert!(rate.allows(later, ada));
        assert!(!rate.allows(later, ada));
    }

    #[test]
    fn memory_for_addresses_is_bounded() {
        let now = Instant::now();
        let mut rate = AddressRate::new(1, 1);
        for n in 0..20_000_u32 {
            rate.allows(now, Some(IpAddr::from(n.to_be_bytes())));
        }
        assert!(rate.buckets.len() <= MAX_ADDRESSES + 1);
    }
}
