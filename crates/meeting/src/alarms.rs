//! Alarms are raised once per episode: a hostile sender must not be able to flood the user with them.

use core::time::Duration;
use std::collections::BTreeMap;

use incamera_types::{MemberId, Mono};

use crate::codes::AlarmCode;

/// Time in which the same alarm about the same member is raised once.
const EPISODE: Duration = Duration::from_secs(30);

/// Alarms remembered.
const MAX_EPISODES: usize = 256;

/// Which alarms were raised lately.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    raised: BTreeMap<(AlarmCode, Option<MemberId>), Mono>,
}

impl Alarms {
    /// Whether this alarm is news.
    pub(crate) fn raise(&mut self, now: Mono, code: AlarmCode, member: Option<MemberId>) -> bool {
        self.raised.retain(|_, at| now.since(*at) < EPISODE);
        if self.raised.len() >= MAX_EPISODES || self.raised.contains_key(&(code, member)) {
            return false;
        }
        self.raised.insert((code, member), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_alarm_is_raised_once_per_episode_and_member() {
        let mut alarms = Alarms::default();
        let start = Mono::from_micros(0);
        let (ada, ben) = (Some(MemberId([1; 16])), Some(MemberId([2; 16])));
        assert!(alarms.raise(start, AlarmCode::ForkLog, ada));
        assert!(!alarms.raise(start.plus(Duration::from_secs(29)), AlarmCode::ForkLog, ada));
        assert!(alarms.raise(start, AlarmCode::ForkLog, ben));
        assert!(alarms.raise(start.plus(EPISODE), AlarmCode::ForkLog, ada));
    }
}
