//! Alarms are raised once per episode: a hostile sender must not be able to flood the user with them.

use core::time::Duration;
use std::collections::BTreeMap;

use incamera_types::{MemberId, Mono};

use crate::codes::AlarmCode;

/// Time in which the same alarm about the same member is raised once.
const EPISODE: Duration = Duration::from_secs(30);

/// Members about whom one alarm is raised in an episode.
const MAX_MEMBERS: usize = 64;

/// Which alarms were raised lately.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    raised: BTreeMap<(AlarmCode, Option<MemberId>), Mono>,
}

impl Alarms {
    /// Whether this alarm is news.
    pub(crate) fn raise(&mut self, now: Mono, code: AlarmCode, member: Option<MemberId>) -> bool {
        self.raised.retain(|_, at| now.since(*at) < EPISODE);
        let of_code = self.raised.keys().filter(|(raised, _)| *raised == code).count();
        let is_flood = of_code >= MAX_MEMBERS && !code.tells_of_a_split();
        if is_flood || self.raised.contains_key(&(code, member)) {
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

    #[test]
    fn sec_09_flood_of_one_alarm_hides_no_other_and_never_a_fork() {
        let mut alarms = Alarms::default();
        let now = Mono::from_micros(0);
        let member = |number: u16| {
            let mut id = [0; 16];
            id[..2].copy_from_slice(&number.to_be_bytes());
            Some(MemberId(id))
        };
        let mut raise_all =
            |code| (0..1_000).filter(|number| alarms.raise(now, code, member(*number))).count();
        assert_eq!(raise_all(AlarmCode::MessageRefused), MAX_MEMBERS);
        assert_eq!(raise_all(AlarmCode::ForkState), 1_000);
        assert_eq!(raise_all(AlarmCode::MediaForged), MAX_MEMBERS);
    }
}
