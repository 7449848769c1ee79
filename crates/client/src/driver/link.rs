//! Whether the relay can be reached at all.

use std::time::Duration;

use incamera_transport::RelayError;
use incamera_types::{Fault as _, Mono, Retry};

use crate::event::Problem;

/// A relay that never gave a sensible answer is given up after this long.
const FIRST_CONTACT_LIMIT: Duration = Duration::from_secs(10);

/// Knows whether the relay ever said something that a relay says. A connection alone does not count: anything can
/// listen at an address.
pub(crate) struct RelayWatch {
    started: Mono,
    contact: Contact,
    /// Why there is no contact, as far as it is known.
    why: Problem,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Contact {
    Never,
    Made,
    GivenUp,
}

impl RelayWatch {
    pub(crate) fn new(started: Mono) -> Self {
        Self { started, contact: Contact::Never, why: Problem::of(&RelayError::Silent) }
    }

    /// A message of the relay came.
    pub(super) fn heard(&mut self) {
        self.contact = Contact::Made;
    }

    /// The problem to tell of, once, when the relay cannot be reached.
    pub(super) fn lost(&mut self, why: &RelayError, now: Mono) -> Option<Problem> {
        self.why = Problem::of(why);
        match (why.retry(), self.contact) {
            (Retry::Never, Contact::Made) => Some(self.lost_for_good()),
            (Retry::Never, _) => self.give_up(why.advice()),
            _ => self.waited(now),
        }
    }

    /// The connection to a relay that was there is not tried again.
    fn lost_for_good(&mut self) -> Problem {
        self.contact = Contact::GivenUp;
        let what = format!("the connection to the meeting server is lost for good: {}", self.why.what);
        Problem { code: "client.relay.lost", what, ..self.why.clone() }
    }

    /// The same for a connection that stands and says nothing.
    pub(super) fn waited(&mut self, now: Mono) -> Option<Problem> {
        if now.since(self.started) < FIRST_CONTACT_LIMIT {
            return None;
        }
        self.give_up("Check the network and the link; try again later.")
    }

    fn give_up(&mut self, advice: &'static str) -> Option<Problem> {
        if self.contact != Contact::Never {
            return None;
        }
        self.contact = Contact::GivenUp;
        let what = format!("the meeting server cannot be reached: {}", self.why.what);
        Some(Problem { code: "client.relay.unreachable", what, advice, ..self.why.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: u64) -> Mono {
        Mono::from_micros(0).plus(Duration::from_secs(seconds))
    }

    #[test]
    fn relay_that_never_says_a_word_is_given_up_once() {
        let mut watch = RelayWatch::new(after(0));
        assert_eq!(watch.waited(after(9)), None);
        assert_eq!(watch.lost(&RelayError::NotARelay(404), after(9)), None);
        let problem = watch.waited(after(10)).unwrap();
        assert_eq!(problem.code, "client.relay.unreachable");
        assert!(problem.what.contains("404"), "{}", problem.what);
        assert_eq!(watch.waited(after(11)), None);
        assert_eq!(watch.lost(&RelayError::Silent, after(12)), None);
    }

    #[test]
    fn refused_certificate_is_told_at_once_with_its_own_advice() {
        let mut watch = RelayWatch::new(after(0));
        let problem = watch.lost(&RelayError::Certificate, after(0)).unwrap();
        assert_eq!(problem.advice, RelayError::Certificate.advice());
    }

    #[test]
    fn certificate_that_changes_during_a_meeting_is_told_once() {
        let mut watch = RelayWatch::new(after(0));
        watch.heard();
        let problem = watch.lost(&RelayError::Certificate, after(60)).unwrap();
        assert_eq!((problem.code, problem.blame), ("client.relay.lost", RelayError::Certificate.blame()));
        assert_eq!(watch.lost(&RelayError::Certificate, after(61)), None);
    }

    #[test]
    fn relay_that_answered_once_is_not_given_up() {
        let mut watch = RelayWatch::new(after(0));
        watch.heard();
        assert_eq!(watch.waited(after(60)), None);
        assert_eq!(watch.lost(&RelayError::Silent, after(60)), None);
    }
}
