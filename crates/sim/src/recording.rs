//! The recording of one run, for `incamera-cli replay`.

use incamera_meeting::{Event, RECORDING_VERSION, Record};
use incamera_types::Mono;

use crate::sabotage::Rule;

/// Everything that happened in one run, in order.
#[derive(Default)]
pub(crate) struct Recording(Vec<Record>);

impl Recording {
    pub(crate) fn happened(&mut self, now: Mono, actor: usize, what: String) {
        self.0.push(Record::Happened { at_us: now.as_micros(), participant: number(actor), what });
    }

    pub(crate) fn told(&mut self, now: Mono, actor: usize, event: &Event) {
        let event = event.clone();
        self.0.push(Record::Told { at_us: now.as_micros(), participant: number(actor), event });
    }

    /// The complete recording.
    pub(crate) fn finish(
        self,
        seed: u64,
        rule: Option<Rule>,
        now: Mono,
        broken: Option<String>,
    ) -> Vec<Record> {
        let sabotage = rule.map(|rule| rule.name.to_owned());
        let mut records = vec![Record::Began { version: RECORDING_VERSION, seed, sabotage }];
        records.extend(self.0);
        records.push(Record::Ended { at_us: now.as_micros(), broken });
        records
    }
}

fn number(actor: usize) -> u32 {
    u32::try_from(actor).unwrap_or(u32::MAX)
}
