//! What the receiver knows of one member's media.

use core::time::Duration;

use incamera_group::ContextSet;
use incamera_types::{Context, LeafIndex, MemberId, Mono};

use super::clock::SenderClock;
use super::counts::MemberCounts;
use super::streak::{SOURCES, Streak, source_of};
use crate::{MediaReport, Unopened};

/// Frames that fail for this long are reported, so that the person is named within a second.
const REPORT_AFTER: Duration = Duration::from_millis(750);

/// Reports of single bad frames of one member are at least this far apart.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// One member and its frames.
pub(crate) struct Sender {
    pub(crate) member: MemberId,
    pub(crate) leaf: LeafIndex,
    /// What the newest rules let it send (SEC-10).
    pub(crate) contexts: ContextSet,
    /// Its media is not played because it is silent (SEC-08).
    pub(crate) is_held: bool,
    pub(crate) counts: MemberCounts,
    pub(crate) clock: SenderClock,
    heard: bool,
    troubles: [Option<Streak>; SOURCES],
    forged_reported: Option<Mono>,
    refused_reported: Option<Mono>,
}

impl Sender {
    pub(crate) fn new(member: MemberId, leaf: LeafIndex, contexts: ContextSet) -> Self {
        Self {
            member,
            leaf,
            contexts,
            is_held: false,
            counts: MemberCounts::default(),
            clock: SenderClock::default(),
            heard: false,
            troubles: [None; SOURCES],
            forged_reported: None,
            refused_reported: None,
        }
    }

    /// Notes a frame that was opened and delivered.
    #[inline]
    pub(crate) fn note_opened(&mut self, context: Context) -> Option<MediaReport> {
        self.counts.opened = self.counts.opened.saturating_add(1);
        let trouble = self.troubles.get_mut(source_of(context))?;
        if self.heard && trouble.is_none() {
            return None;
        }
        let ended = trouble.take();
        self.note_heard_again(ended)
    }

    /// Says that the member is heard, for the first time or again; not while another source still fails.
    #[cold]
    fn note_heard_again(&mut self, ended: Option<Streak>) -> Option<MediaReport> {
        let restored = ended.is_some_and(|streak| streak.was_reported());
        let others_fail = self.troubles.iter().flatten().any(Streak::was_reported);
        if others_fail || (self.heard && !restored) {
            return None;
        }
        self.heard = true;
        Some(MediaReport::Opened { member: self.member })
    }

    /// Notes a frame that could not be played although somebody sent it.
    pub(crate) fn note_trouble(&mut self, context: Context, now: Mono, cause: Unopened) {
        if let Some(trouble) = self.troubles.get_mut(source_of(context)) {
            *trouble = Some(Streak::extended(*trouble, now, cause));
        }
    }

    /// Says that a frame was forged, once a second at the most.
    pub(crate) fn note_forged(&mut self, now: Mono) -> Option<MediaReport> {
        is_due(&mut self.forged_reported, now).then_some(MediaReport::Forged { member: self.member })
    }

    /// Says that a frame was against the rules, once a second at the most.
    pub(crate) fn note_not_allowed(&mut self, now: Mono) -> Option<MediaReport> {
        is_due(&mut self.refused_reported, now).then_some(MediaReport::NotAllowed { member: self.member })
    }

    /// The report that is due about frames that keep failing; forgets troubles that ended by themselves.
    pub(crate) fn report_trouble(&mut self, now: Mono) -> Option<MediaReport> {
        let member = self.member;
        let mut worst = None;
        for trouble in &mut self.troubles {
            if trouble.is_some_and(|streak| streak.is_over(now)) {
                *trouble = None;
            }
            let due =
                trouble.as_mut().and_then(|streak| Some((streak.due(now, REPORT_AFTER)?, streak.cause())));
            worst = worst.max(due);
        }
        worst.map(|(for_time, cause)| MediaReport::Undecryptable { member, for_time, cause })
    }

    pub(crate) fn is_troubled(&self) -> bool {
        self.troubles.iter().any(Option::is_some)
    }

    /// Since when frames of some source of this member have failed without one that opened.
    pub(crate) fn undecryptable_since(&self, now: Mono) -> Option<Mono> {
        self.troubles.iter().flatten().filter(|streak| !streak.is_over(now)).map(Streak::since).min()
    }
}

fn is_due(reported: &mut Option<Mono>, now: Mono) -> bool {
    let due = reported.is_none_or(|at| now.since(at) >= REPORT_EVERY);
    if due {
        *reported = Some(now);
    }
    due
}
