//! How many connections one address may have, counted before anything else is done for it.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Origin, RelayLimits};

/// Counts connections by origin. An origin is a hash under a key of this process: no address is kept.
pub(crate) struct Admission {
    keyed: RandomState,
    counts: Mutex<HashMap<Origin, usize>>,
    per_origin: usize,
    in_all: usize,
}

/// A connection's place; gives it back when dropped.
pub(crate) struct Admitted {
    admission: Arc<Admission>,
    pub(crate) origin: Origin,
}

impl Admission {
    pub(crate) fn new(limits: &RelayLimits) -> Arc<Self> {
        Arc::new(Self {
            keyed: RandomState::new(),
            counts: Mutex::new(HashMap::new()),
            per_origin: limits.connections_per_address,
            in_all: limits.connections,
        })
    }

    /// A place for a connection from `address`, if there is one.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Admitted> {
        let origin = Origin(self.keyed.hash_one(network_of(address)));
        let mut counts = self.counts();
        if counts.values().sum::<usize>() >= self.in_all {
            return None;
        }
        let count = counts.entry(origin).or_default();
        if *count >= self.per_origin {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Admitted { admission: Arc::clone(self), origin })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Origin, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut counts = self.admission.counts();
        if let Some(count) = counts.get_mut(&self.origin) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.origin);
            }
        }
    }
}

/// An IPv4 address, or the /64 network of an IPv6 address: that is what one subscriber has.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_per_network_and_given_back() {
        let limits = RelayLimits { connections_per_address: 2, connections: 3, ..RelayLimits::default() };
        let admission = Admission::new(&limits);
        let v4: IpAddr = "192.0.2.1".parse().unwrap();
        let first = admission.admit(v4).unwrap();
        let mapped = admission.admit("::ffff:192.0.2.1".parse().unwrap());
        assert!(mapped.is_some());
        assert!(admission.admit(v4).is_none());
        let v6 = admission.admit("2001:db8::1".parse().unwrap());
        assert!(v6.is_some());
        assert!(admission.admit("2001:db8:1::1".parse().unwrap()).is_none(), "three in all");
        drop(first);
        assert!(admission.admit(v4).is_some());
        drop((mapped, v6));
        assert!(admission.counts().is_empty());
    }

    #[test]
    fn one_ipv6_subscriber_is_one_origin() {
        let admission = Admission::new(&RelayLimits::default());
        let origin = |address: &str| admission.admit(address.parse().unwrap()).unwrap().origin;
        assert_eq!(origin("2001:db8::1"), origin("2001:db8::ffff:2"));
        assert_ne!(origin("2001:db8::1"), origin("2001:db8:0:1::1"));
    }
}
