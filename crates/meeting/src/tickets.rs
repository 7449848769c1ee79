//! Tickets to the SFU: asked for when we are in, renewed before they run out, asked for again after a
//! refusal with growing patience.

use core::time::Duration;

use incamera_relay_proto::{ClientRef, ResumeSecret, Ticket, TicketIdentity};
use incamera_types::{Mono, Now};

/// Time before its end at which a ticket is renewed, if it lives that long.
const RENEW_BEFORE_MS: u64 = 60_000;

/// First pause after a refusal; doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Longest pause after refusals.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// The present ticket and the request under way.
#[derive(Default)]
pub(crate) struct Tickets {
    holder: Option<(TicketIdentity, ResumeSecret)>,
    asked: Option<ClientRef>,
    due: Option<Mono>,
    pause: Option<Duration>,
}

impl Tickets {
    /// Asks for a ticket as soon as the relay can be asked.
    pub(crate) const fn want(&mut self, now: Mono) {
        self.due = Some(now);
    }

    /// When a request is due.
    pub(crate) fn due(&self) -> Option<Mono> {
        if self.asked.is_some() { None } else { self.due }
    }

    /// What to ask for: the same identity again, if there is one.
    pub(crate) fn holder(&self) -> Option<(TicketIdentity, ResumeSecret)> {
        self.holder.clone()
    }

    /// Notes the request under way.
    pub(crate) const fn asked(&mut self, client_ref: ClientRef) {
        self.asked = Some(client_ref);
        self.due = None;
    }

    /// The connection is gone, and with it what was asked for. The relay ties a ticket to the connection that
    /// took it: it is renewed on the next one.
    pub(crate) fn link_lost(&mut self, now: Mono) {
        if self.asked.take().is_some() || self.holder.is_some() {
            self.due = Some(now);
        }
    }

    /// Takes a ticket; `None` when it answers nothing that was asked.
    pub(crate) fn receive(
        &mut self,
        now: Now,
        in_reply_to: ClientRef,
        ticket: Box<Ticket>,
    ) -> Option<Box<Ticket>> {
        if self.asked != Some(in_reply_to) {
            return None;
        }
        self.asked = None;
        self.pause = None;
        self.holder = Some((ticket.identity, ticket.renewal.clone()));
        let lives = ticket.valid_until_unix_ms.saturating_sub(now.unix_ms);
        let renew_in = lives.saturating_sub(RENEW_BEFORE_MS).max(lives / 2).max(1_000);
        self.due = Some(now.mono.plus(Duration::from_millis(renew_in)));
        Some(ticket)
    }

    /// The relay refused; tells whether the refusal was ours. The identity is given up: it may be revoked. Then
    /// another one is asked for at once.
    pub(crate) fn refused(&mut self, now: Mono, in_reply_to: ClientRef) -> bool {
        if self.asked != Some(in_reply_to) {
            return false;
        }
        self.asked = None;
        if self.holder.take().is_some() {
            self.due = Some(now);
            return true;
        }
        let pause = self.pause.map_or(FIRST_PAUSE, |pause| pause.saturating_mul(2).min(MAX_PAUSE));
        self.pause = Some(pause);
        self.due = Some(now.plus(pause));
        true
    }
}
