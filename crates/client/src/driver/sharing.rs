//! Sharing a screen: one person at a time, on a publication of its own, announced to the others.

use std::sync::Arc;

use incamera_devices::VideoSource;
use incamera_transport::{OwnStream, PublishPlan, Sfu};
use incamera_types::{Blame, Fault as _, MemberId};
use tokio::sync::watch;

use super::MeetingDriver;
use crate::clock;
use crate::event::{LocalEvent, Problem, SharingEnd};

impl MeetingDriver {
    /// Shares a screen, in the place of the one that is shared so far. While somebody else shares, it is refused.
    pub(super) fn share_screen(&mut self, source: Box<dyn VideoSource>) {
        if let Some((member, name)) = self.people.sharer() {
            return self.problem(taken(member, name));
        }
        self.publishing.share(source);
        self.publish_screen();
        self.announce();
        self.start_capture();
        self.tell(LocalEvent::SharingStarted);
    }

    /// Captures and sends nothing more of the screen, at once.
    pub(super) fn stop_sharing(&mut self, why: SharingEnd) {
        if self.publishing.stop_sharing() {
            self.publish_screen();
            self.announce();
            self.tell(LocalEvent::SharingStopped { why });
        }
    }

    /// Somebody else shares a screen. Whoever has only just begun did not know of it, and gives way; whoever has shared
    /// for a while is put aside by nobody.
    pub(super) fn yield_screen_to(&mut self, sharer: MemberId) {
        if self.publishing.has_just_begun_sharing(clock::now().mono) {
            self.stop_sharing(SharingEnd::GaveWay);
            if let Some(name) = self.people.name(sharer) {
                self.problem(taken(sharer, name));
            }
        }
    }
}

fn taken(member: MemberId, name: String) -> Problem {
    Problem {
        code: "client.screen.taken",
        blame: Blame::Policy,
        what: format!("{name} is sharing a screen, and one is shown at a time"),
        advice: "Ask them to stop, then share yours.",
        member: Some(member),
        name: Some(name),
    }
}

/// Publishes the screen that is planned last, or none, until nobody plans any more.
pub(super) async fn follow(sfu: Arc<dyn Sfu>, mut planned: watch::Receiver<Option<PublishPlan>>) {
    while planned.changed().await.is_ok() {
        loop {
            let plan = planned.borrow_and_update().clone();
            tokio::select! {
                () = carry_out(&sfu, plan) => break,
                // Whoever stops does not wait until what was begun has come about.
                changed = planned.changed() => if changed.is_err() {
                    return;
                },
            }
        }
    }
}

async fn carry_out(sfu: &Arc<dyn Sfu>, plan: Option<PublishPlan>) {
    let Some(plan) = plan else { return sfu.unpublish(OwnStream::Screen).await };
    // A failure is told as an event, and attempts go on.
    if let Err(error) = sfu.publish(OwnStream::Screen, plan).await {
        tracing::debug!(code = error.code(), "the screen was not published at once");
    }
}
