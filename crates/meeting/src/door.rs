//! The joiner's side of the door (SEC-19): card, knock, Welcome, then silence until an admitter's heartbeat
//! echoes the nonce of the knock.

use core::time::Duration;

use incamera_group::hpke::{HpkePrivateKey, HpkePublicKey};
use incamera_group::{Expectation, GroupError, GroupMachine, Joiner};
use incamera_identity::SigningKey;
use incamera_relay_proto::{Blob, Incarnation, LobbyPublicKey, Request, ResumeSecret};
use incamera_types::{Mono, Now, PROTOCOL_VERSION, RoomId};

use crate::entropy::SharedEntropy;
use crate::error::MeetingError;
use crate::knock::{KnockBody, Replaced};
use crate::link_keys::KnockProofKey;

/// Time in which the relay must have shown the card and taken the knock.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Time for which somebody waits for a host, with one knock or several.
const WAIT_FOR: Duration = Duration::from_secs(30 * 60);

/// Time after which an unconfirmed join is shown as suspicious.
pub(crate) const SUSPECT_AFTER: Duration = Duration::from_secs(10);

/// Time after which an unconfirmed join is given up.
const CONFIRM_WITHIN: Duration = Duration::from_secs(30);

/// Pause before knocking again after the relay had no room in its lobby.
const KNOCK_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Knocks that one door makes by itself (a stale one, a lost one); then the user has to decide.
const MAX_KNOCKS: u8 = 5;

/// A knock that is called too old so soon did not wait: the clocks are to blame.
const CALLED_OLD_WITHIN: Duration = Duration::from_secs(60);

/// How often a relay may say that the room has no place for another connection.
const MAX_CROWDED: u8 = 3;

/// How far the joiner has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// On the way to the door: connecting, asking for the card.
    Approaching,
    /// The knock is with the relay or the hosts.
    Waiting,
    /// The Welcome was believed; silent until it is confirmed.
    Confirming {
        /// Since when.
        since: Mono,
    },
}

/// Why a door is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// The relay does not answer: try another connection.
    Unanswered,
    /// No host decided.
    NotAdmitted,
    /// Nobody confirmed for a while: show it.
    Suspect,
    /// Nobody confirmed at all.
    NotConfirmed,
}

/// One attempt to get in.
pub(crate) struct Door {
    pub(crate) stage: Stage,
    /// The keys of the present knock. An earlier one may have been admitted without our hearing of it, and no two leaves
    /// may have the same keys.
    joiner: Option<Joiner>,
    pub(crate) nonce: [u8; 16],
    pub(crate) reply_key: HpkePrivateKey,
    /// Signs a later rejoin of the leaf that this door leads to.
    pub(crate) rejoin_key: SigningKey,
    /// The member that this door replaces.
    pub(crate) replaces: Option<Replaced>,
    pub(crate) resume: Option<ResumeSecret>,
    /// The life of the relay's log in which we knock: a Welcome counts its entries.
    pub(crate) incarnation: Option<Incarnation>,
    pub(crate) replies_seen: u16,
    knocks: u8,
    knocked_at: Mono,
    /// Knocks that were called too old as soon as they were made.
    called_old_at_once: u8,
    crowded: u8,
    give_up_at: Option<Mono>,
    deadline: Option<Mono>,
    knock_at: Option<Mono>,
}

impl Door {
    /// A door; `replaces` when a member lost the keys and comes back.
    pub(crate) fn new(replaces: Option<Replaced>, entropy: &mut SharedEntropy) -> Result<Self, MeetingError> {
        let reply_key = HpkePrivateKey::generate(entropy);
        Ok(Self {
            stage: Stage::Approaching,
            joiner: None,
            nonce: entropy.bytes(),
            reply_key: reply_key.map_err(|_: GroupError| MeetingError::Group)?,
            rejoin_key: SigningKey::generate(entropy),
            replaces,
            resume: None,
            incarnation: None,
            replies_seen: 0,
            knocks: 0,
            knocked_at: Mono::default(),
            called_old_at_once: 0,
            crowded: 0,
            give_up_at: None,
            deadline: None,
            knock_at: None,
        })
    }

    /// Something was asked for: the relay has to answer in time.
    pub(crate) fn expect_answer(&mut self, now: Mono) {
        if self.stage == Stage::Approaching {
            self.deadline = Some(now.plus(ANSWER_WITHIN));
        }
    }

    /// The connection is gone: nothing is expected until the next.
    pub(crate) const fn link_lost(&mut self) {
        if matches!(self.stage, Stage::Approaching) {
            self.deadline = None;
        }
    }

    /// The knock of this joiner, sealed to the lobby key of a card; `None` when too many were made.
    pub(crate) fn knock(
        &mut self,
        now: Now,
        room: RoomId,
        joiner: Joiner,
        (lobby_key, proof_key): (LobbyPublicKey, &KnockProofKey),
        entropy: &mut SharedEntropy,
    ) -> Option<Result<Request, MeetingError>> {
        self.knocks = self.knocks.checked_add(1).filter(|knocks| *knocks <= MAX_KNOCKS)?;
        self.knocked_at = now.mono;
        self.nonce = entropy.bytes();
        let mut body = KnockBody {
            version: PROTOCOL_VERSION,
            nonce: self.nonce,
            time_ms: now.unix_ms,
            reply_key: self.reply_key.public_key().0,
            rejoin_key: *self.rejoin_key.verifying_key().as_bytes(),
            key_package: joiner.key_package().to_vec(),
            rejoin: None,
        };
        self.joiner = Some(joiner);
        if let Some(replaced) = &self.replaces {
            body.claim_rejoin(replaced);
        }
        let resume = ResumeSecret::new(entropy.bytes());
        self.resume = Some(resume.clone());
        self.replies_seen = 0;
        let sealed = body.seal(room, &HpkePublicKey(lobby_key.0), proof_key, entropy);
        Some(sealed.and_then(|sealed| {
            let blob = Blob::pad(&sealed).map_err(|_| MeetingError::Internal)?;
            Ok(Request::Knock { blob, resume })
        }))
    }

    /// The relay took the knock.
    pub(crate) fn taken(&mut self, now: Mono) {
        if self.stage == Stage::Approaching {
            self.stage = Stage::Waiting;
            self.deadline = Some(*self.give_up_at.get_or_insert(now.plus(WAIT_FOR)));
        }
    }

    /// The knock is gone or was stale: another one is needed, after a pause if the relay asked for one.
    pub(crate) fn knock_again(&mut self, now: Mono, pause: Pause) {
        self.stage = Stage::Approaching;
        self.resume = None;
        self.deadline = None;
        self.knock_at = Some(match pause {
            Pause::None => now,
            Pause::Crowded => now.plus(KNOCK_AGAIN_AFTER),
        });
    }

    /// Whether the time for another knock has come; once.
    pub(crate) fn take_knock_due(&mut self, now: Mono) -> bool {
        self.knock_at.take_if(|at| *at <= now).is_some()
    }

    /// A host called the knock too old. Tells whether the clocks are to blame: this one did not wait, nor did one before.
    pub(crate) fn called_old(&mut self, now: Mono) -> bool {
        if now.since(self.knocked_at) < CALLED_OLD_WITHIN {
            self.called_old_at_once = self.called_old_at_once.saturating_add(1);
        }
        self.called_old_at_once > 1
    }

    /// The relay has no place for another connection. Tells whether it has said so too often.
    pub(crate) const fn turned_back(&mut self) -> bool {
        self.crowded = self.crowded.saturating_add(1);
        self.crowded >= MAX_CROWDED
    }

    /// Enters the group of a Welcome for the present knock, if it leads to the link.
    ///
    /// # Errors
    /// As [`Joiner::join`].
    pub(crate) fn join(
        &mut self,
        now: Now,
        welcome: &[u8],
        expectation: &Expectation,
    ) -> Result<GroupMachine, GroupError> {
        let group = self.joiner.as_ref().ok_or(GroupError::Welcome)?.join(now, welcome, expectation)?;
        self.stage = Stage::Confirming { since: now.mono };
        self.deadline = Some(now.mono.plus(SUSPECT_AFTER));
        Ok(group)
    }

    /// What is overdue; moves the deadline on.
    pub(crate) fn take_overdue(&mut self, now: Mono) -> Option<Overdue> {
        self.deadline.take_if(|deadline| *deadline <= now)?;
        match self.stage {
            Stage::Approaching => Some(Overdue::Unanswered),
            Stage::Waiting => Some(Overdue::NotAdmitted),
            Stage::Confirming { since } if now.since(since) < CONFIRM_WITHIN => {
                self.deadline = Some(since.plus(CONFIRM_WITHIN));
                Some(Overdue::Suspect)
            }
            Stage::Confirming { .. } => Some(Overdue::NotConfirmed),
        }
    }

    /// When something is due next.
    pub(crate) fn next_deadline(&self) -> Option<Mono> {
        [self.deadline, self.knock_at].into_iter().flatten().min()
    }
}

/// Whether to wait before knocking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    /// At once.
    None,
    /// The relay's lobby is full.
    Crowded,
}
