//! Whether the relay can be reached at all.

use std::time::Duration;

use incamera_transport::RelayError;
use incamera_types::{Fault as _, Mono, Retry};

use crate::event::Problem;

/// A relay that never answered is given up after this long.
const FIRST_CONTACT_LIMIT: Duration = Duration::from_secs(10);

/// Knows whether the relay ever answered.
pub(crate) struct RelayWatch {
    started: Mono,
    contact: Contact,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Contact {
    Never,
    Made,
    GivenUp,
}

impl RelayWatch {
    pub(crate) const fn new(started: Mono) -> Self {
        Self { started, contact: Contact::Never }
    }

    pub(super) fn connected(&mut self) {
        self.contact = Contact::Made;
    }

    /// The problem to tell of, once, when the relay cannot be reached.
    pub(super) fn lost(&mut self, why: &RelayError, now: Mono) -> Option<Problem> {
        let hopeless = why.retry() == Retry::Never;
        let too_long = now.since(self.started) >= FIRST_CONTACT_LIMIT;
        if self.contact != Contact::Never || !(hopeless || too_long) {
            return None;
        }
        self.contact = Contact::GivenUp;
        Some(Problem {
            code: "client.relay.unreachable",
            what: format!("the meeting server cannot be reached: {why}"),
            ..Problem::of(why)
        })
    }
}
