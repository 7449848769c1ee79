//! Token buckets: how often something expensive may be done.

use core::time::Duration;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

/// Addresses remembered; beyond that all newcomers share one bucket until old ones are full again.
const MAX_ADDRESSES: usize = 10_000;

/// How often something may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How often at once, after a pause.
    pub burst: u32,
    /// How often per second in the long run.
    pub per_second: u32,
}

/// Limits how often each address may do something expensive.
pub(crate) struct AddressRate {
    rate: Rate,
    buckets: HashMap<Option<IpAddr>, Bucket>,
    cleaned: Option<Instant>,
}

/// What is left of a [`Rate`].
pub(crate) struct Bucket {
    tokens: f64,
    updated: Instant,
}

impl Bucket {
    pub(crate) fn full(now: Instant, rate: Rate) -> Self {
        Self { tokens: f64::from(rate.burst), updated: now }
    }

    /// Takes one token; false if there is none.
    pub(crate) fn take(&mut self, now: Instant, rate: Rate) -> bool {
        self.take_many(now, rate, 1)
    }

    /// Takes `amount` tokens; false, and none taken, if there are fewer.
    pub(crate) fn take_many(&mut self, now: Instant, rate: Rate, amount: u32) -> bool {
        let allowed = self.level(now, rate) >= f64::from(amount);
        if allowed {
            self.spend(now, rate, amount, 0.0);
        }
        allowed
    }

    /// Takes `amount` tokens, also those that are not there; what is left is at least `least`.
    pub(crate) fn spend(&mut self, now: Instant, rate: Rate, amount: u32, least: f64) {
        self.tokens = (self.level(now, rate) - f64::from(amount)).max(least);
        self.updated = now;
    }

    /// Tokens that are left.
    pub(crate) fn level(&self, now: Instant, rate: Rate) -> f64 {
        let elapsed = now.saturating_duration_since(self.updated).as_secs_f64();
        (self.tokens + elapsed * f64::from(rate.per_second)).min(f64::from(rate.burst))
    }
}

impl AddressRate {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, buckets: HashMap::new(), cleaned: None }
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
        let bucket = self.buckets.entry(key).or_insert_with(|| Bucket::full(now, self.rate));
        bucket.take(now, self.rate)
    }

    /// Looks through all buckets, so not more than once a second.
    fn forget_full(&mut self, now: Instant) {
        let recently = |c: Instant| now.saturating_duration_since(c) < Duration::from_secs(1);
        if self.cleaned.is_some_and(recently) {
            return;
        }
        self.cleaned = Some(now);
        let rate = self.rate;
        self.buckets.retain(|_, bucket| bucket.level(now, rate) < f64::from(rate.burst));
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
        let mut rate = AddressRate::new(Rate { burst: 3, per_second: 2 });
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
        let mut rate = AddressRate::new(Rate { burst: 1, per_second: 1 });
        for n in 0..20_000_u32 {
            rate.allows(now, Some(IpAddr::from(n.to_be_bytes())));
        }
        assert!(rate.buckets.len() <= MAX_ADDRESSES + 1);
    }
}
